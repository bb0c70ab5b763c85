"""An event loop whose time stands still while there is work, and jumps when there is none.

All that runs in it is one process; its only real I/O are the requests to the database, which
take no time. Whatever sleeps, times out or is scheduled goes by the loop's time.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import selectors


class PatientSelector(selectors.DefaultSelector):
    """Never waits for time: tells the loop to let it pass, unless an answer is awaited."""

    def __init__(self):
        super().__init__()
        self.loop = None

    def select(self, timeout=None):
        """Return what is ready; without anything, wait for an answer or let time pass."""
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if self.loop.in_flight or timeout is None:
            return super().select(None)
        self.loop.pass_time(timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop; `in_flight` counts the requests whose answers are awaited in real time.

    `on_time(now)` is told whenever time has passed. `network`, where set, carries datagrams.
    """

    def __init__(self):
        self._now = 0.0
        self.in_flight = 0
        self.jumps = 0
        self.on_time = lambda _now: None
        self.network = None
        selector = PatientSelector()
        super().__init__(selector)
        selector.loop = self

    def time(self):
        """Return seconds since the loop was made."""
        return self._now

    def pass_time(self, seconds):
        """Move on to the next timer."""
        nearest = self._scheduled[0].when() if self._scheduled else self._now + seconds
        self._now = max(self._now, min(nearest, self._now + seconds))
        self.jumps += 1
        self.on_time(self._now)

    async def create_datagram_endpoint(self, protocol_factory, *_, sock=None, **options):
        """Let the network in memory stand for a bound socket."""
        if self.network is None or sock is None:
            return await super().create_datagram_endpoint(protocol_factory, sock=sock, **options)
        return self.network.attach(protocol_factory(), sock)


class VirtualClock:
    """Implements `dialer.clock.Clock` by the running loop; it stood at `began` at 0."""

    def __init__(self, began):
        self.began = began

    def now(self):
        """Return the wall-clock time, in UTC."""
        return self.at(self.monotonic())

    def at(self, seconds):
        """Return the wall-clock time of a moment of the loop."""
        return self.began + dt.timedelta(seconds=seconds)

    def monotonic(self):
        """Return the loop's time."""
        return asyncio.get_running_loop().time()

    def call_at(self, when, callback):
        """Run `callback` once, at `when` of the loop's time."""
        return asyncio.get_running_loop().call_at(when, callback)

    async def sleep(self, seconds):
        """Wait for so many seconds."""
        await asyncio.sleep(seconds)

    async def until(self, moment):
        """Wait until a wall-clock time."""
        await asyncio.sleep(max(0.0, (moment - self.now()).total_seconds()))
