"""Writes what became of calls, in batches, again and again until Postgres has it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, TypeVar

import structlog

from dialer.store import attempts, transfers
from dialer.store.attempt_records import AttemptResult, LegProgress
from dialer.store.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from uuid import UUID

    from dialer.clock import Clock
    from dialer.engine.lease import NodeLease
    from dialer.store.pool import Pool
    from dialer.store.transfers import TransferNews

log = structlog.get_logger(__name__)

BATCH = 500
OF_A_CALL = (LegProgress, AttemptResult)
PAUSES = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)  # seconds between tries while Postgres is away


class _Row(Protocol):
    @property
    def attempt_id(self) -> UUID: ...


Row = TypeVar("Row", bound=_Row)


class Recorder:
    """Buffers progress and results of attempts, and flushes them in order.

    `on_lost` is told of attempts that turned out to be another node's, or to be on record nowhere,
    with their calls' ids where those are known. `healthy` is False while Postgres does not take
    what is buffered; nothing new may be dialled then.
    """

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        lease: NodeLease,
        on_lost: Callable[[Mapping[UUID, int | None]], Awaitable[None]],
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._lease = lease
        self._on_lost = on_lost
        self._progress: list[LegProgress] = []
        self._transfers: list[TransferNews] = []
        self._results: list[AttemptResult] = []
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.healthy = True

    def progress(self, row: LegProgress) -> None:
        """Take in news of a call under way."""
        self._progress.append(row)
        self._stir()

    def transfer(self, row: TransferNews) -> None:
        """Take in news of a second leg."""
        self._transfers.append(row)
        self._stir()

    def result(self, row: AttemptResult) -> None:
        """Take in the end of a call."""
        self._results.append(row)
        self._stir()

    async def drained(self) -> None:
        """Wait until all that was taken in is in Postgres."""
        await self._idle.wait()

    async def run(self) -> None:
        """Flush whenever there is something, for ever."""
        failures = 0
        while True:
            await self._wake.wait()
            try:
                await self.flush()
            except Unavailable as error:
                if self.healthy:
                    waiting = len(self._results)
                    log.warning("results wait for the database", waiting=waiting, reason=str(error))
                self.healthy = False
                await self._clock.sleep(PAUSES[min(failures, len(PAUSES) - 1)])
                failures += 1
            else:
                if not self.healthy:
                    log.info("the database takes results again")
                self.healthy, failures = True, 0

    async def flush(self) -> None:
        """Write what is buffered; what could not be written stays. Raises `Unavailable`."""
        self._wake.clear()
        try:
            while self._progress or self._transfers or self._results:
                # An attempt's news go before its end: the ends that are here by now wait for all
                # the news that are here by now, and not for those that come meanwhile.
                news, ends = self._progress[:BATCH], self._results[:BATCH]
                seconds = self._transfers[:BATCH]
                no_more_news = len(news) == len(self._progress) and len(seconds) == len(
                    self._transfers
                )
                if news:
                    await self._write(attempts.record_progress, news)
                    del self._progress[: len(news)]
                if seconds:
                    await self._write(transfers.record, seconds)
                    del self._transfers[: len(seconds)]
                if ends and no_more_news:
                    await self._write(attempts.record_results, ends)
                    del self._results[: len(ends)]
        except Unavailable:
            self._wake.set()
            raise
        self._idle.set()

    async def _write(
        self,
        record: Callable[[Pool, str, int, Sequence[Row]], Awaitable[set[UUID]]],
        rows: Sequence[Row],
    ) -> None:
        try:
            kept = await record(self._pool, self._lease.name, self._lease.epoch, rows)
        except Unavailable:
            raise
        except Exception:
            # A fault of ours in one row must not keep the others waiting for ever.
            if len(rows) == 1:
                log.exception("a row could not be recorded", row=repr(rows[0]))
                return
            for row in rows:
                await self._write(record, [row])
            return
        lost = {
            row.attempt_id: row.call_id if isinstance(row, OF_A_CALL) else None
            for row in rows
            if row.attempt_id not in kept
        }
        if lost:
            await self._tell(lost)

    async def _tell(self, lost: Mapping[UUID, int | None]) -> None:
        try:
            await self._on_lost(lost)
        except Unavailable:
            raise
        except Exception:
            log.exception("lost calls could not be looked into", calls=list(lost.values()))

    def _stir(self) -> None:
        self._idle.clear()
        self._wake.set()
