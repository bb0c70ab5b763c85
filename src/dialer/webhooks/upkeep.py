"""What is done of webhooks now and then: giving up, deleting, measuring."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialer.store import webhook_upkeep

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from dialer.clock import Clock
    from dialer.metrics import Metrics
    from dialer.store.pool import Pool
    from dialer.webhooks.limits import Limits

MEASURE_EVERY, CLOSE_EVERY, EXPIRE_EVERY, FORGET_EVERY = 15.0, 2.0, 30.0, 600.0  # seconds


class Upkeep:
    """Small batches, one of each kind in a turn, so that what is to be sent goes on meanwhile."""

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        limits: Limits,
        metrics: Metrics,
        now: Callable[[], dt.datetime | None],
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._limits = limits
        self._metrics = metrics
        self._now = now
        self._chores = (
            (CLOSE_EVERY, self._close),
            (EXPIRE_EVERY, self._expire),
            (FORGET_EVERY, self._forget),
            (MEASURE_EVERY, self._measure),
        )
        self._due = [0.0] * len(self._chores)

    async def run_once(self) -> bool:
        """Do what is due, and return whether there is more of it; raises `Unavailable`."""
        more = False
        for place, (every, chore) in enumerate(self._chores):
            if self._clock.monotonic() >= self._due[place]:
                if await chore():
                    more = True
                else:
                    self._due[place] = self._clock.monotonic() + every
        return more

    async def _measure(self) -> bool:
        found = await webhook_upkeep.backlog(self._pool, self._now())
        self._metrics.webhooks_pending.set(found.pending)
        self._metrics.webhooks_dead.set(found.dead)
        self._metrics.webhooks_oldest.set(found.oldest_seconds)
        self._metrics.webhooks_unread.set(found.unread_seconds)
        self._metrics.webhook_circuits_open.set(found.circuits_open)
        return False

    async def _close(self) -> bool:
        """Give up and delete what nobody wants any more."""
        closed = await webhook_upkeep.close(self._pool, self._limits.window, self._now())
        return bool(closed or await webhook_upkeep.delete(self._pool))

    async def _expire(self) -> bool:
        limits = self._limits
        done = await webhook_upkeep.expire(
            self._pool, limits.circuit.threshold, limits.window, self._now()
        )
        self._metrics.webhook_attempts.labels("expired").inc(done)
        return done > 0

    async def _forget(self) -> bool:
        return bool(await webhook_upkeep.forget(self._pool, self._limits.keep, self._now()))
