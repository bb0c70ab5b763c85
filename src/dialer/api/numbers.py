"""Adding numbers over HTTP: as JSON, or as a list that is read while it comes."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from dialer.api import inputs, models
from dialer.api.campaigns import stored_windows
from dialer.api.context import Context, account_of, answer, context_of
from dialer.api.problem import Problem
from dialer.campaign.number import NumberError, normalise
from dialer.campaign.number_list import NumberList, NumberListError, RowProblem
from dialer.store import campaigns, numbers
from dialer.store.records import NewCall

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp import web

    from dialer.campaign.number_list import Row

BATCH = 1000  # rows that go in together; checking so many takes the event loop a short moment
MAX_REPORTED = 100  # rows of either kind that an answer names
LONGEST_SHOWN = 100  # characters of a rejected number
FILE_TYPES = frozenset({"text/csv", "multipart/form-data"})


async def add(request: web.Request) -> web.Response:
    """Add numbers; rows that cannot be used are reported, and the rest goes in.

    A list goes in batch by batch. Where it breaks off, what came before is in, and sending the
    whole list again adds the rest: what is there already is skipped.
    """
    context = context_of(request)
    campaign_id = inputs.path_id(request, "campaign")
    await campaigns.get(context.pool, account_of(request), campaign_id)  # before a body is read
    intake = _Intake(context, account_of(request), campaign_id)
    if request.content_type in FILE_TYPES:
        await _read_list(request, intake)
    else:
        given = await inputs.json_body(request, models.NEW_NUMBERS, context.settings)
        for line, number in enumerate(given, start=1):
            await intake.put(_checked(number, line, context))
    return answer(await intake.end())


async def _read_list(request: web.Request, intake: _Intake) -> None:
    """Take the rows of a CSV list as they come."""
    settings = intake.context.settings
    rows = NumberList(settings.internal_numbers)
    try:
        async with contextlib.aclosing(inputs.list_body(request, settings)) as pieces:
            async for piece in pieces:
                await intake.put_rows(rows.feed(piece))
        await intake.put_rows(rows.close())
    except NumberListError as error:
        raise Problem(422, str(error)) from None
    except Problem as problem:
        problem.members["added"] = intake.added
        raise


def _checked(new: models.NewNumber, line: int, context: Context) -> NewCall | RowProblem:
    """Return the call that an entry of a JSON list asks for, or why there can be none."""
    try:
        number = normalise(new.phone, context.settings.internal_numbers)
    except NumberError as error:
        return RowProblem(line, f"phone: {error}", new.phone)
    minutes = new.retry_interval_minutes
    return NewCall(
        number.text,
        number.dialable,
        number.problem,
        new.payload,
        line,
        new.priority,
        new.max_attempts,
        None if minutes is None else minutes * 60,
        time_zone=new.time_zone or "",
        windows=None
        if new.windows is None
        else stored_windows(window.model_dump() for window in new.windows),
    )


class _Intake:
    """Puts rows into a campaign batch by batch, and keeps count."""

    def __init__(self, context: Context, account_id: int, campaign_id: int) -> None:
        self.context = context
        self.added = 0
        self._account_id = account_id
        self._campaign_id = campaign_id
        self._batch: list[NewCall] = []
        self._undialable = 0
        self._duplicates = 0
        self._duplicate_rows: list[models.DuplicateRow] = []
        self._rejected = 0
        self._rejected_rows: list[models.RejectedRow] = []

    async def put_rows(self, rows: Iterable[Row]) -> None:
        """Take rows of a list."""
        for row in rows:
            if isinstance(row, RowProblem):
                await self.put(row)
            else:
                number = row.number
                await self.put(
                    NewCall(number.text, number.dialable, number.problem, row.payload, row.line)
                )

    async def put(self, row: NewCall | RowProblem) -> None:
        """Take a row."""
        if isinstance(row, RowProblem):
            self._rejected += 1
            if self._rejected <= MAX_REPORTED:
                phone = row.phone[:LONGEST_SHOWN]
                self._rejected_rows.append(
                    models.RejectedRow(line=row.line, phone=phone, reason=row.reason)
                )
            return
        self._batch.append(row)
        if len(self._batch) >= BATCH:
            await self._flush()

    async def _flush(self) -> None:
        report = await numbers.add(
            self.context.pool, self._account_id, self._campaign_id, self._batch
        )
        self.added += report.added
        self._undialable += sum(not row.dialable for row in self._batch)
        self._undialable -= sum(not row.dialable for row in report.duplicates)
        self._duplicates += len(report.duplicates)
        room = MAX_REPORTED - len(self._duplicate_rows)
        self._duplicate_rows += [
            models.DuplicateRow.model_validate(row) for row in report.duplicates[:room]
        ]
        self._batch = []

    async def end(self) -> models.AddedNumbers:
        """Put in what is left; return what became of every row."""
        await self._flush()
        return models.AddedNumbers(
            added=self.added,
            duplicates=self._duplicates,
            rejected=self._rejected,
            undialable=self._undialable,
            duplicate_rows=self._duplicate_rows,
            duplicate_rows_truncated=self._duplicates > len(self._duplicate_rows),
            rejected_rows=self._rejected_rows,
            rejected_rows_truncated=self._rejected > len(self._rejected_rows),
        )
