"""The do-not-call list over HTTP: an account's own, and that for all accounts."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from aiohttp import web

from dialer.api import account_models, inputs, models
from dialer.api.context import (
    Context,
    account_of,
    answer,
    bearer_of,
    context_of,
    progress_of,
    runs_instance,
)
from dialer.api.list_upload import ListUpload
from dialer.api.problem import Problem, invalid
from dialer.campaign.do_not_call import pattern_of
from dialer.campaign.list_row import NumberListError, RowProblem
from dialer.campaign.number import NumberError
from dialer.campaign.report import csv_lines
from dialer.campaign.role import Role
from dialer.store import do_not_call
from dialer.store.account_records import NewListing
from dialer.store.pool import transaction

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dialer.campaign.list_row import Row
    from dialer.store.account_records import Listing, ListingSource

BATCH = 1000  # entries that go in together
PAGE = 1000  # entries of an export that are read together
MAX_REPORTED = 100  # rejected rows that an answer names
LONGEST_SHOWN = 100  # characters of one
LONGEST_REASON = 500
FILE_TYPES = frozenset({"text/csv", "multipart/form-data"})
COLUMNS = ("phone", "kind", "reason", "source", "created_at")


async def list_page(request: web.Request) -> web.Response:
    """List entries, newest first, or those that list a number."""
    context = context_of(request)
    asked = inputs.query(request, account_models.ListingQuery)
    if asked.number is not None:
        number = _pattern(asked.number, "number", context, "number")
        found = await do_not_call.listing(context.pool, account_of(request), number)
        return answer(account_models.ListingPage(items=_shown(found), next_cursor=None))
    page, next_cursor = inputs.cut_page(
        await do_not_call.list_page(
            context.pool,
            _whose(request, asked.scope),
            before=inputs.read_cursor(asked.cursor),
            limit=asked.limit + 1,
        ),
        asked.limit,
    )
    return answer(account_models.ListingPage(items=_shown(page), next_cursor=next_cursor))


async def add(request: web.Request) -> web.Response:
    """Add entries, or a CSV list of them; what is listed already stays as it is."""
    context = context_of(request)
    asked = inputs.query(request, account_models.ScopeQuery)
    whose = _whose(request, asked.scope, Role.ADMIN)
    if request.content_type in FILE_TYPES:
        intake = _Intake(request, whose, "import")
        await _read_list(request, intake)
    else:
        intake = _Intake(request, whose, "api")
        given = await inputs.json_body(request, account_models.NEW_LISTINGS, context.settings)
        for line, one in enumerate(given, start=1):
            await intake.put(line, one.phone, one.kind, one.reason)
    return answer(await intake.end())


async def remove(request: web.Request) -> web.Response:
    """Take an entry off a list."""
    context = context_of(request)
    asked = inputs.query(request, account_models.GoneListing)
    whose = _whose(request, asked.scope, Role.ADMIN)
    gone = NewListing(_pattern(asked.phone, asked.kind, context, "phone"), asked.kind == "prefix")
    if not await do_not_call.remove(context.pool, whose, [gone]):
        raise Problem(404, f"the {asked.kind} {gone.pattern} is not on this do-not-call list")
    return web.Response(status=204)


async def export(request: web.Request) -> web.StreamResponse:
    """Stream a list as CSV, in the form in which it can be imported."""
    context = context_of(request)
    asked = inputs.query(request, account_models.ScopeQuery)
    whose = _whose(request, asked.scope)
    last = None
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/csv; charset=utf-8; header=present",
            "Content-Disposition": 'attachment; filename="do-not-call.csv"',
        }
    )
    rows: list[tuple[str, ...]] = [COLUMNS]
    page = await do_not_call.list_page(context.pool, whose, limit=PAGE)
    await response.prepare(request)
    while page:
        rows += [_cells(one) for one in page]
        async with asyncio.timeout(context.settings.read_timeout):
            await response.write(csv_lines(rows).encode())
        rows, last = [], page[-1].id
        page = await do_not_call.list_page(context.pool, whose, before=last, limit=PAGE)
    async with asyncio.timeout(context.settings.read_timeout):
        await response.write_eof(csv_lines(rows).encode())
    return response


def _whose(
    request: web.Request, scope: account_models.Scope, needed: Role = Role.VIEWER
) -> int | None:
    """Return whose list a request is about, None for that for all.

    That one is the default account's to keep, and needs a role of its own to be changed.
    """
    if scope == "account":
        return account_of(request)
    if not runs_instance(request):
        raise Problem(403, "the list for all accounts needs a token of the default account")
    bearer = bearer_of(request)
    if not bearer.role.may(needed):
        raise Problem(
            403,
            f"the list for all accounts needs the role {needed}; the token {bearer.name!r} has"
            f" the role {bearer.role}",
        )
    return None


def _pattern(text: str, kind: account_models.Kind, context: Context, parameter: str) -> str:
    try:
        return pattern_of(text, kind, context.settings.internal_numbers)
    except NumberError as error:
        raise invalid([(parameter, str(error))], "query parameter") from None


async def _read_list(request: web.Request, intake: _Intake) -> None:
    """Take the rows of a list as they come: `phone`, and where there are, `kind`, `reason`."""
    settings = intake.context.settings
    upload = ListUpload(request, models.ListReading(), settings, spool=False)
    try:
        async with contextlib.aclosing(upload.rows()) as pieces:
            async for rows in pieces:
                await intake.put_rows(rows)
    except NumberListError as error:
        raise Problem(422, str(error)) from None
    except Problem as problem:
        problem.members["added"] = intake.added
        raise


class _Intake:
    """Puts entries on a list batch by batch, and keeps count.

    It goes on where an earlier try of the request ended.
    """

    def __init__(self, request: web.Request, whose: int | None, source: ListingSource) -> None:
        self.context = context_of(request)
        self._progress = progress_of(request)
        done = self._progress.state or {"line": 0, "added": 0, "listed_already": 0}
        self._done: int = done["line"]
        self._line = self._done
        self.added: int = done["added"]
        self._whose = whose
        self._source: ListingSource = source
        self._batch: list[NewListing] = []
        self._listed_already: int = done["listed_already"]
        self._rejected = 0
        self._rejected_rows: list[models.RejectedRow] = []

    async def put_rows(self, rows: Iterable[Row]) -> None:
        """Take rows of a list."""
        for row in rows:
            if isinstance(row, RowProblem):
                self._reject(row.line, row.phone, row.reason)
                continue
            cells = {name.casefold(): cell for name, cell in row.payload.items()}
            kind, reason = cells.get("kind", ""), cells.get("reason", "")
            if kind not in {"", "number", "prefix"}:
                self._reject(row.line, row.number.text, f"kind: is {kind!a}, not number or prefix")
            elif len(reason) > LONGEST_REASON:
                problem = f"reason: is longer than {LONGEST_REASON} characters"
                self._reject(row.line, row.number.text, problem)
            else:
                kinds: dict[str, account_models.Kind] = {"prefix": "prefix"}
                await self.put(row.line, row.number.text, kinds.get(kind, "number"), reason)

    async def put(self, line: int, phone: str, kind: account_models.Kind, reason: str) -> None:
        """Take an entry."""
        try:
            pattern = pattern_of(phone, kind, self.context.settings.internal_numbers)
        except NumberError as error:
            self._reject(line, phone, f"phone: {error}")
            return
        if line <= self._done:
            return
        self._line = line
        self._batch.append(NewListing(pattern, kind == "prefix", reason))
        if len(self._batch) >= BATCH:
            await self._flush()

    def _reject(self, line: int, phone: str, reason: str) -> None:
        self._rejected += 1
        if self._rejected <= MAX_REPORTED:
            self._rejected_rows.append(
                models.RejectedRow(line=line, phone=phone[:LONGEST_SHOWN], reason=reason)
            )

    async def _flush(self) -> None:
        async with transaction(self.context.pool) as connection:
            added = await do_not_call.add(connection, self._whose, self._batch, self._source)
            self.added += added
            self._listed_already += len(self._batch) - added
            await self._progress.note(
                connection,
                line=self._line,
                added=self.added,
                listed_already=self._listed_already,
            )
        self._batch = []

    async def end(self) -> account_models.AddedListings:
        """Put in what is left; return what became of every entry."""
        await self._flush()
        return account_models.AddedListings(
            added=self.added,
            already_listed=self._listed_already,
            rejected=self._rejected,
            rejected_rows=self._rejected_rows,
            rejected_rows_truncated=self._rejected > len(self._rejected_rows),
        )


def _shown(found: Iterable[Listing]) -> list[account_models.Listing]:
    return [
        account_models.Listing(
            id=one.id,
            scope="all" if one.account_id is None else "account",
            phone=one.pattern,
            kind="prefix" if one.is_prefix else "number",
            reason=one.reason,
            source=one.source,
            created_at=one.created_at,
        )
        for one in found
    ]


def _cells(one: Listing) -> tuple[str, ...]:
    """Return an entry's cells, in the order of COLUMNS."""
    kind = "prefix" if one.is_prefix else "number"
    return (one.pattern, kind, one.reason, one.source, one.created_at.isoformat(timespec="seconds"))
