"""The tone that one hears while a telephone rings, for as long as it does."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from dialer.conversation.waiting import looped
from dialer.rtp import g711
from dialer.rtp.frames import Frames

if TYPE_CHECKING:
    from collections.abc import Callable

_HERTZ, _ON, _OFF = 425, 1.0, 4.0  # seconds; most of Europe's (ITU-T E.180 annex)
_LEVEL = 3000  # of 32768: about -21 dBm0


@functools.cache
def _cadence() -> Frames:
    times = np.arange(int(_ON * g711.SAMPLE_RATE)) / g711.SAMPLE_RATE
    tone = (_LEVEL * np.sin(2 * np.pi * _HERTZ * times)).astype(np.int16)
    return Frames.of(tone, "PCMA") + Frames.silence(_OFF, "PCMA")


def ringback(codec: Callable[[], str]) -> Callable[[], bytes]:
    """Return a source of frames, which asks for the codec each time."""
    return looped(_cadence(), codec)
