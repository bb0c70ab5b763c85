"""Rows on their way into a campaign, batch by batch, with a count of what became of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

from dialer.api import models
from dialer.campaign.list_row import RowProblem
from dialer.store.records import NewCall, SkippedRow

if TYPE_CHECKING:
    import types
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from dialer.campaign.list_row import NewNumber
    from dialer.store.records import AddReport

    Add = Callable[[Sequence[NewCall], Sequence[SkippedRow]], Awaitable[AddReport]]

BATCH = 5000  # rows that go in together; preparing so many takes the event loop a short moment
MAX_REPORTED = 100  # rows of either kind that an answer names
LONGEST_SHOWN = 100  # characters of a rejected number


class Intake:
    """Hands rows to `add` in batches; one is on its way while the next is gathered.

    Rows up to the line `done` were put in already: the other arguments tell what became of them.

    async with Intake(add) as intake:
        await intake.put(rows)
        await intake.flush()
    """

    def __init__(
        self,
        add: Add,
        *,
        done: int = 0,
        counts: models.RowCounts | None = None,
        duplicate_rows: Sequence[models.DuplicateRow] = (),
        rejected_rows: Sequence[models.RejectedRow] = (),
    ) -> None:
        self._add = add
        self._done = done
        self._batch: list[NewCall] = []
        self._rejected: list[SkippedRow] = []
        self._under_way: asyncio.Task[None] | None = None
        self.counts = counts or models.RowCounts(added=0, duplicates=0, rejected=0, undialable=0)
        self.duplicate_rows = list(duplicate_rows)
        self.rejected_rows = list(rejected_rows)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        if self._under_way is not None:
            self._under_way.cancel()
            await asyncio.wait([self._under_way])

    async def put(self, rows: Iterable[NewCall | NewNumber | RowProblem]) -> None:
        """Take rows, in order."""
        for row in rows:
            if row.line <= self._done:
                continue
            if isinstance(row, RowProblem):
                phone = row.phone[:LONGEST_SHOWN]
                self._rejected.append(SkippedRow(row.line, phone, row.reason))
            else:
                self._batch.append(row if isinstance(row, NewCall) else call_of(row))
        if len(self._batch) + len(self._rejected) >= BATCH:
            await self._send()

    async def flush(self) -> None:
        """See to it that all rows so far are in."""
        await self._send()
        await self._arrived()

    async def _send(self) -> None:
        await self._arrived()
        if self._batch or self._rejected:
            batch, rejected = self._batch, self._rejected
            self._batch, self._rejected = [], []
            self._under_way = asyncio.create_task(self._deliver(batch, rejected))
            await asyncio.sleep(0)

    async def _arrived(self) -> None:
        if self._under_way is not None:
            under_way, self._under_way = self._under_way, None
            await under_way

    async def _deliver(self, batch: list[NewCall], rejected: list[SkippedRow]) -> None:
        report = await self._add(batch, rejected)
        skipped = sorted([*rejected, *report.rejected], key=lambda row: row.line)
        counts = self.counts
        self.counts = models.RowCounts(
            added=counts.added + report.added,
            duplicates=counts.duplicates + len(report.duplicates),
            rejected=counts.rejected + len(skipped),
            undialable=counts.undialable + report.undialable,
        )
        self.duplicate_rows += [
            models.DuplicateRow.model_validate(row)
            for row in report.duplicates[: MAX_REPORTED - len(self.duplicate_rows)]
        ]
        self.rejected_rows += [
            models.RejectedRow.model_validate(row)
            for row in skipped[: MAX_REPORTED - len(self.rejected_rows)]
        ]


def call_of(row: NewNumber) -> NewCall:
    """Return the call that a row of a list asks for."""
    number, own = row.number, row.own
    minutes = own.retry_interval_minutes
    return NewCall(
        number.text,
        number.dialable,
        number.problem,
        row.payload,
        row.line,
        own.priority,
        own.max_attempts,
        None if minutes is None else minutes * 60,
        own.time_zone,
        own.windows,
        own.alternates,
    )
