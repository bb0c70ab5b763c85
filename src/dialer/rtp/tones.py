"""Tones that stand: where each began, how long it lasted, and what followed it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from dialer.rtp.g711 import FRAME_SECONDS

if TYPE_CHECKING:
    from dialer.rtp.frame_features import Features

_STEADY = 10.0  # Hz that a standing tone may wander; a voice or a melody moves more
_LOST_FRAMES = 1  # that a packet lost may cost a tone in its middle


@dataclasses.dataclass(frozen=True, slots=True)
class Tone:
    """A tone of one or two sines, in Hz with the lower first; times in seconds of the stream."""

    frequencies: tuple[float, ...]
    begin: float
    seconds: float

    def is_of(self, *frequencies: float, within: float) -> bool:
        """Whether it is these frequencies, each up to `within` Hz beside."""
        return len(frequencies) == len(self.frequencies) and all(
            abs(mine - wanted) <= within
            for mine, wanted in zip(self.frequencies, frequencies, strict=True)
        )

    @property
    def end(self) -> float:
        """When it ended, or now where it goes on."""
        return self.begin + self.seconds


class ToneTracker:
    """Puts the tones of single frames together; `current` is the one that goes on."""

    def __init__(self) -> None:
        self.current: Tone | None = None
        self._now = 0.0
        self._sums: list[float] = []
        self._frames = 0
        self._missed = 0
        self._begin = 0.0

    @property
    def stands(self) -> bool:
        """Whether a tone has gone on from the frame before."""
        return self._frames > 1

    def take(self, features: Features, *, loud: bool) -> Tone | None:
        """Return the tone that is over with this frame, if one is."""
        self._now += FRAME_SECONDS
        found = tuple(sorted(features.tone)) if loud else ()
        if self._frames and self._goes_on(found):
            self._missed = 0
            self._count(found)
            return None
        if self._frames and loud and not found and self._missed < _LOST_FRAMES:
            self._missed += 1
            return None
        over = self.current
        self.current, self._frames, self._missed = None, 0, 0
        if found:
            self._sums = [0.0] * len(found)
            self._begin = self._now - 2 * FRAME_SECONDS
            self._count(found)
        return over

    def _goes_on(self, found: tuple[float, ...]) -> bool:
        return len(found) == len(self._sums) and all(
            abs(one - total / self._frames) <= _STEADY
            for one, total in zip(found, self._sums, strict=True)
        )

    def _count(self, found: tuple[float, ...]) -> None:
        self._frames += 1
        self._sums = [total + one for total, one in zip(self._sums, found, strict=True)]
        # a tone fills a window of two frames, and is seen in one that it fills by half
        self.current = Tone(
            tuple(total / self._frames for total in self._sums),
            max(0.0, self._begin + FRAME_SECONDS / 2),
            self._now - self._begin - FRAME_SECONDS / 2,
        )
