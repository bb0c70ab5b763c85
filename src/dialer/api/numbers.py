"""Adding numbers over HTTP, as JSON or as a list that is read while it comes, and removing them."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from dialer.api import inputs, models
from dialer.api.campaigns import stored_windows
from dialer.api.context import Context, account_of, answer, context_of, progress_of
from dialer.api.intake import LONGEST_SHOWN, MAX_REPORTED, Intake
from dialer.api.list_upload import FILE_TYPES, ListUpload
from dialer.api.problem import Problem
from dialer.campaign import own_settings
from dialer.campaign.list_row import NewNumber, NumberListError, RowProblem
from dialer.campaign.number import NumberError, normalise
from dialer.campaign.own_settings import OwnSettingError
from dialer.store import campaigns, dry_run, imports, numbers, removal
from dialer.store.errors import Refused
from dialer.store.pool import transaction
from dialer.store.records import KeptCall, NewCall

if TYPE_CHECKING:
    from aiohttp import web

    from dialer.store.records import AddReport, SkippedRow

Row: TypeAlias = NewCall | NewNumber | RowProblem
Rows: TypeAlias = AsyncGenerator[Sequence[Row]]

CHECKED_AT_ONCE = 500  # numbers of a JSON body, after which the event loop gets its turn


async def add(request: web.Request) -> web.Response:
    """Add numbers; rows that cannot be used are reported, and the rest goes in.

    A list goes in batch by batch. Where it breaks off, what came before is in, and sending the
    whole list again adds the rest: what is there already is skipped.
    """
    context = context_of(request)
    account_id = account_of(request)
    campaign_id = inputs.path_id(request, "campaign")
    asked = inputs.query(request, models.ListQuery)
    await campaigns.get(context.pool, account_id, campaign_id)  # before a body is read
    rows, upload = await _rows(request, context, asked, spool=asked.dry_run)
    async with contextlib.aclosing(rows):
        if asked.dry_run:
            return await _dry_run(context, account_id, campaign_id, rows, upload)
        return await _import(request, campaign_id, rows, upload)


async def check(request: web.Request) -> web.Response:
    """Say what would become of the rows of a list in a new campaign."""
    context = context_of(request)
    asked = inputs.query(request, models.ListReading)
    rows, upload = await _rows(request, context, asked, spool=True)
    async with contextlib.aclosing(rows):
        return await _dry_run(context, account_of(request), None, rows, upload)


async def _rows(
    request: web.Request, context: Context, asked: models.ListReading, *, spool: bool
) -> tuple[Rows, ListUpload | None]:
    """Return the rows of the body, and the upload that they come from if it is a list."""
    if request.content_type in FILE_TYPES:
        upload = ListUpload(request, asked, context.settings, spool=spool)
        return upload.rows(), upload
    given = await inputs.json_body(request, models.NEW_NUMBERS, context.settings)
    return _checked_all(given, context), None


async def _import(
    request: web.Request, campaign_id: int, rows: Rows, upload: ListUpload | None
) -> web.Response:
    """Add the rows. What cannot be read at all makes no import; one that breaks off says why."""
    context, account_id, progress = context_of(request), account_of(request), progress_of(request)
    first = await _first(rows)
    file_name = upload.file_name if upload else ""
    if progress.state is None:
        async with transaction(context.pool) as connection:
            import_id = await imports.begin(connection, account_id, campaign_id, file_name)
            await progress.note(connection, import_id=import_id, line=0)
        known: dict[str, Any] = {}
    else:
        import_id = progress.state["import_id"]
        known = await _known(context, account_id, import_id) | {"done": progress.state["line"]}
    end = functools.partial(imports.end, context.pool, account_id, import_id)

    async def put_in(batch: Sequence[NewCall], rejected: Sequence[SkippedRow]) -> AddReport:
        async with transaction(context.pool) as connection:
            report = await numbers.add(
                connection, account_id, campaign_id, batch, import_id=import_id, rejected=rejected
            )
            line = max([*(row.line for row in batch), *(row.line for row in rejected)])
            await progress.note(connection, import_id=import_id, line=line)
        return report

    async with Intake(put_in, **known) as intake:
        try:
            problem = await _all(rows, first, intake)
            await intake.flush()
        except Refused as error:
            await end(problem=str(error))
            raise
    if problem is not None:
        await end(problem=problem.detail)
        problem.members |= {"added": intake.counts.added, "import_id": import_id}
        raise problem
    await end(format=_format(upload))
    return _told(intake, import_id, _format(upload))


async def _all(rows: Rows, first: Sequence[Row], intake: Intake) -> Problem | None:
    """Put all rows in, as far as they can be read; return why they end too soon, if they do."""
    try:
        await intake.put(first)
        async for some in rows:
            await intake.put(some)
    except (NumberListError, Problem) as error:
        return _problem(error)
    return None


async def _known(context: Context, account_id: int, import_id: int) -> dict[str, Any]:
    """Return what an earlier try of a request has put in of its list, as Intake takes it."""
    made = await imports.get(context.pool, account_id, import_id)
    counts = models.RowCounts(
        added=made.added,
        duplicates=made.duplicates,
        rejected=made.rejected,
        undialable=made.undialable,
    )
    duplicates: list[models.DuplicateRow] = []
    rejected: list[models.RejectedRow] = []
    told = min(made.duplicates, MAX_REPORTED) + min(made.rejected, MAX_REPORTED)
    async with contextlib.aclosing(imports.skipped(context.pool, account_id, import_id)) as skipped:
        async for row in skipped:
            if row.reason != numbers.DUPLICATE:
                if len(rejected) < MAX_REPORTED:
                    rejected.append(models.RejectedRow.model_validate(row))
            elif len(duplicates) < MAX_REPORTED:
                duplicates.append(models.DuplicateRow.model_validate(row))
            if len(duplicates) + len(rejected) == told:
                break
    return {"counts": counts, "duplicate_rows": duplicates, "rejected_rows": rejected}


async def _dry_run(
    context: Context,
    account_id: int,
    campaign_id: int | None,
    rows: Rows,
    upload: ListUpload | None,
) -> web.Response:
    """Say what would become of the rows."""
    first = await _first(rows)
    async with (
        context.dry_runs,
        dry_run.begin(context.pool, account_id, campaign_id) as check,
        Intake(lambda batch, _: check(batch)) as intake,
    ):
        try:
            await intake.put(first)
            async for some in rows:
                await intake.put(some)
        except (NumberListError, Problem) as error:
            raise _problem(error) from None
        await intake.flush()
    return _told(intake, None, _format(upload))


async def _first(rows: Rows) -> Sequence[NewCall | NewNumber | RowProblem]:
    try:
        return await anext(rows, [])
    except NumberListError as error:
        raise _problem(error) from None


def _problem(error: NumberListError | Problem) -> Problem:
    return error if isinstance(error, Problem) else Problem(422, str(error))


def _format(upload: ListUpload | None) -> str:
    return upload.format if upload else "JSON"


def _told(intake: Intake, import_id: int | None, how: str) -> web.Response:
    counts = intake.counts
    return answer(
        models.AddedNumbers(
            **counts.model_dump(),
            import_id=import_id,
            dry_run=import_id is None,
            format=how,
            duplicate_rows=intake.duplicate_rows,
            duplicate_rows_truncated=counts.duplicates > len(intake.duplicate_rows),
            rejected_rows=intake.rejected_rows,
            rejected_rows_truncated=counts.rejected > len(intake.rejected_rows),
        )
    )


async def _checked_all(given: Sequence[models.NewNumber], context: Context) -> Rows:
    """Yield the entries of a JSON list, checked."""
    for first in range(0, len(given), CHECKED_AT_ONCE):
        some = given[first : first + CHECKED_AT_ONCE]
        yield [_checked(one, line, context) for line, one in enumerate(some, start=first + 1)]
        await asyncio.sleep(0)


def _checked(new: models.NewNumber, line: int, context: Context) -> NewCall | RowProblem:
    """Return the call that an entry of a JSON list asks for, or why there can be none."""
    internal = context.settings.internal_numbers
    try:
        number = normalise(new.phone, internal)
        others = own_settings.alternates(
            {f"alternates/{place}": text for place, text in enumerate(new.alternates)},
            number.text,
            internal,
        )
    except NumberError as error:
        return RowProblem(line, f"phone: {error}", new.phone)
    except OwnSettingError as error:
        return RowProblem(line, str(error), new.phone)
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
        alternates=others,
        not_before=new.not_before,
        not_after=new.not_after,
    )


async def remove(request: web.Request) -> web.Response:
    """Remove calls that were never attempted; the others are kept, and it is said why."""
    context = context_of(request)
    campaign_id = inputs.path_id(request, "campaign")
    wanted = await inputs.json_body(request, models.REMOVE_NUMBERS, context.settings)
    scope = (context.pool, account_of(request), campaign_id)
    progress = progress_of(request)
    unread: list[KeptCall] = []
    if wanted.import_id is not None:
        report = await removal.of_import(*scope, wanted.import_id, progress=progress)
    elif wanted.call_ids is not None:
        report = await removal.of_calls(*scope, wanted.call_ids, progress=progress)
    else:
        known = []
        for text in wanted.numbers or ():
            try:
                known.append(normalise(text, context.settings.internal_numbers).text)
            except NumberError as error:
                unread.append(KeptCall(text[:LONGEST_SHOWN], None, str(error)))
        report = await removal.of_numbers(*scope, known, progress=progress)
    shown = (*unread, *report.first_kept)[:MAX_REPORTED]
    kept = report.kept + len(unread)
    return answer(
        models.RemovedNumbers(
            removed=report.removed,
            kept=kept,
            kept_calls=[models.KeptCall.model_validate(one) for one in shown],
            kept_calls_truncated=kept > len(shown),
        )
    )
