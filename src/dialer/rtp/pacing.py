"""When frames are due: a grid of instants that neither drifts nor bursts."""

from __future__ import annotations

from typing import NamedTuple


class Due(NamedTuple):
    """Frames to send now, and frames whose time is lost: the stall was longer than the burst."""

    send: int
    skip: int


class Pacer:
    """A grid of instants `interval` seconds apart, the first at `start`.

    A frame may leave up to `early` seconds before its instant: some event loops round timers to
    milliseconds, and turning round for the rest would cost more than it gives. After a stall up to
    `burst` frames are due at once, and the rest of the lost time is skipped.
    """

    __slots__ = ("_burst", "_early", "_interval", "_past", "_start")

    def __init__(
        self, start: float, *, interval: float = 0.020, burst: int = 5, early: float = 0.002
    ) -> None:
        self._start = start
        self._interval = interval
        self._burst = burst
        self._early = early
        self._past = 0  # instants dealt with

    def next_at(self) -> float:
        """Return the next instant of the grid, in the seconds of `start`."""
        return self._start + self._past * self._interval

    def take(self, now: float) -> Due:
        """Return what is due at `now`, each frame once."""
        reach = now + self._early
        behind = max(0, int((reach - self._start) / self._interval) + 1 - self._past)
        # The division may be off by a rounding; the instants themselves decide.
        while behind and self._start + (self._past + behind - 1) * self._interval > reach:
            behind -= 1
        while self._start + (self._past + behind) * self._interval <= reach:
            behind += 1
        self._past += behind
        send = min(behind, self._burst)
        return Due(send, behind - send)
