"""Keys that we press: telephone events, or tones where the peer takes none."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING

from dialer.rtp import dtmf, g711, telephone_event
from dialer.rtp.frames import Frames

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dialer.rtp.telephone_event import TelephoneEvent

_HELD = 5  # frames of 20 ms: ITU-T Q.24 asks for 40 ms, and some far ends for more
_PAUSE = 5  # frames between keys


class KeyPresses:
    """What waits to be sent of the keys pressed, one thing for each frame of 20 ms."""

    def __init__(self) -> None:
        self.waiting: collections.deque[TelephoneEvent | Frames | None] = collections.deque()

    def add(self, keys: Iterable[str], *, events: bool) -> None:
        """Press keys of 0 to 9, *, # and A to D one after another; `events`: the peer takes them.

        Raises ValueError, with nothing pressed, for anything else.
        """
        new: list[TelephoneEvent | Frames | None] = []
        for key in keys:
            if len(key) != 1 or key not in telephone_event.DIGITS:
                raise ValueError(f"{key!r} is no key of a telephone")
            new += telephone_event.reports(key, _HELD) if events else _tones(key)
            new += [None] * _PAUSE
        self.waiting.extend(new)

    def next(self, codec: str) -> TelephoneEvent | bytes | None:
        """Return a report, or a frame of a tone, or None in the pause after a key."""
        step = self.waiting.popleft()
        return step.coded_as(codec).data if isinstance(step, Frames) else step


def _tones(key: str) -> list[Frames]:
    samples = dtmf.tones(key, _HELD * g711.FRAME_SAMPLES)
    return [
        Frames.of(samples[start : start + g711.FRAME_SAMPLES], "PCMU")
        for start in range(0, len(samples), g711.FRAME_SAMPLES)
    ]
