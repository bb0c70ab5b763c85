"""The one source of time: everything else in the program is told what time it is."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Timer(Protocol):
    """A pending callback."""

    def cancel(self) -> None:
        """Forget the callback; harmless when it has run."""


class Clock(Protocol):
    """Wall clock, monotonic clock and timers, so that a test can drive them."""

    def now(self) -> dt.datetime:
        """Return the wall-clock time, aware, in UTC."""

    def monotonic(self) -> float:
        """Return seconds on a clock that never steps."""

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Run `callback` once, when `monotonic()` reaches `when` seconds."""

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds` of the monotonic clock."""


class SystemClock:
    """The machine's clocks and the running event loop's timers."""

    def now(self) -> dt.datetime:
        """Return the wall-clock time, aware, in UTC."""
        return dt.datetime.now(dt.UTC)

    def monotonic(self) -> float:
        """Return seconds on the machine's monotonic clock."""
        return time.monotonic()

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Run `callback` once, when `monotonic()` reaches `when` seconds."""
        loop = asyncio.get_running_loop()
        return loop.call_at(loop.time() + max(0.0, when - time.monotonic()), callback)

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        await asyncio.sleep(seconds)
