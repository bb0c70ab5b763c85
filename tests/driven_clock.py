"""A clock that stands still until a test moves it."""

from __future__ import annotations

import asyncio
import datetime as dt
import heapq
import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_EPOCH = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
_TURNS = 20  # of the event loop, enough for a chain of awakened tasks to come to rest


class DrivenTimer:
    """A pending callback."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Forget the callback; harmless when it has run."""
        self.callback = None


class DrivenClock:
    """Implements `dialer.clock.Clock`; wall and monotonic time move together."""

    def __init__(self, start: dt.datetime = _EPOCH) -> None:
        self._start = start
        self._elapsed = 0.0
        self._order = itertools.count()
        self._timers: list[tuple[float, int, DrivenTimer]] = []

    def now(self) -> dt.datetime:
        """Return the wall-clock time, aware, in UTC."""
        return self._start + dt.timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        """Return seconds since the clock was made."""
        return self._elapsed

    def call_at(self, when: float, callback: Callable[[], None]) -> DrivenTimer:
        """Run `callback` once, while the clock is moved to `when` or past it."""
        timer = DrivenTimer(callback)
        heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock was moved on by `seconds`."""
        done = asyncio.get_running_loop().create_future()
        timer = self.call_at(
            self._elapsed + seconds, lambda: None if done.done() else done.set_result(None)
        )
        try:
            await done
        finally:
            timer.cancel()

    @property
    def pending(self) -> int:
        """How many timers wait."""
        return sum(timer.callback is not None for _, _, timer in self._timers)

    def next_at(self) -> float | None:
        """Return when the nearest timer is due."""
        while self._timers and self._timers[0][2].callback is None:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def advance(self, seconds: float) -> None:
        """Move on by `seconds`, running each timer at its time; tasks run when the loop does."""
        end = self._elapsed + seconds
        while self._run_next(end):
            pass
        self._elapsed = end

    def jump(self, seconds: float) -> None:
        """Move on by `seconds` at once: timers on the way run late, as after a blocked loop."""
        self._elapsed += seconds
        self.advance(0.0)

    async def elapse(self, seconds: float) -> None:
        """Move on by `seconds`, letting the tasks that each timer awakens run at its time."""
        end = self._elapsed + seconds
        await self._settle()
        while self._run_next(end):
            await self._settle()
        self._elapsed = end

    def _run_next(self, end: float) -> bool:
        """Run the nearest timer if it is due by `end`."""
        due = self.next_at()
        if due is None or due > end:
            return False
        _, _, timer = heapq.heappop(self._timers)
        self._elapsed = max(self._elapsed, due)
        callback, timer.callback = timer.callback, None
        if callback is not None:
            callback()
        return True

    async def _settle(self) -> None:
        for _ in range(_TURNS):
            await asyncio.sleep(0)
