"""A node's lease: the right to send, renewed in Postgres, judged by our own monotonic clock."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import structlog

from dialer.store import nodes

if TYPE_CHECKING:
    import asyncpg

    from dialer.clock import Clock
    from dialer.store.records import Lease

log = structlog.get_logger(__name__)


class NodeLease:
    """Joins the nodes that share the database, and knows at any time whether we still may send.

    `duration` in seconds. The safe time ends before the database would let another node take
    our calls over: it counts from the moment a renewal was asked for, less a margin.
    """

    def __init__(self, pool: asyncpg.Pool, clock: Clock, name: str, duration: float) -> None:
        self._pool = pool
        self._clock = clock
        self._duration = dt.timedelta(seconds=duration)
        self._safe_until = float("-inf")
        self._share_from = float("inf")
        self._database_epoch = clock.now() - dt.timedelta(seconds=clock.monotonic())
        self.name = name
        self.epoch = 0
        self.live_nodes = 1

    @property
    def interval(self) -> float:
        """Seconds between renewals."""
        return self._duration.total_seconds() / 4

    def safe(self) -> bool:
        """Whether a message may be sent for a call that we hold."""
        return self._clock.monotonic() < self._safe_until

    def share(self) -> float:
        """Return our part of the rates that all nodes share, 0 to 1.

        A node that has just joined, or was away, has none until the others have had time to see it.
        """
        return 1 / self.live_nodes if self._clock.monotonic() >= self._share_from else 0.0

    def database_now(self) -> dt.datetime:
        """Return the database's time, as the last renewal told it: schedules go by it.

        No step of our own wall clock changes it.
        """
        return self._database_epoch + dt.timedelta(seconds=self._clock.monotonic())

    async def join(self) -> None:
        """Enter the nodes; raises store errors, NodeNameInUse where the name is taken."""
        self.epoch = await nodes.join(self._pool, self.name, self._duration)
        asked = self._clock.monotonic()
        lease = await nodes.renew(self._pool, self.name, self.epoch, self._duration)
        if lease is not None:
            self._renewed(asked, lease)
        self._share_from = asked if self.live_nodes == 1 else asked + 2 * self.interval
        log.info("node joined", node=self.name, epoch=self.epoch, live_nodes=self.live_nodes)

    async def renew(self) -> bool:
        """Renew; return False when the lease was lost, so that our calls are no longer ours."""
        asked, ran_out = self._clock.monotonic(), not self.safe()
        lease = await nodes.renew(self._pool, self.name, self.epoch, self._duration)
        if lease is None:
            self._safe_until = float("-inf")
            return False
        self._renewed(asked, lease)
        if ran_out and self.live_nodes > 1:
            self._share_from = asked + 2 * self.interval  # the others took us for dead
        return True

    async def leave(self) -> None:
        """Give the lease back."""
        self._safe_until = float("-inf")
        await nodes.leave(self._pool, self.name, self.epoch)

    def _renewed(self, asked: float, lease: Lease) -> None:
        margin = min(2.0, self._duration.total_seconds() / 4)
        self._safe_until = asked + self._duration.total_seconds() - margin
        told = lease.until - self._duration
        self._database_epoch = told - dt.timedelta(seconds=self._clock.monotonic())
        self.live_nodes = max(1, lease.live_nodes)
