"""Reports over HTTP: calls or attempts, of a campaign or of all, as CSV, XLSX or JSON lines."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from dialer.api import inputs, report_rows
from dialer.api.context import account_of, context_of
from dialer.api.report_models import ReportQuery
from dialer.api.workbook import Workbook
from dialer.campaign.report import csv_lines, json_lines, text_of
from dialer.store import reports

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence

    from dialer.campaign.report import Value
    from dialer.store.records import AttemptRow, ReportRow

    Page = Sequence[Sequence[Value]]
    Pages = AsyncGenerator[Page, None]

ROWS_A_PIECE = 100  # after so many the event loop gets its turn
FILE_PIECE = 256 * 1024  # bytes

CSV = "text/csv; charset=utf-8; header=present"
JSON_LINES = "application/jsonl; charset=utf-8"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


async def csv(request: web.Request) -> web.StreamResponse:
    """Stream the report as guarded CSV."""
    columns, pages = await _begin(request)

    def text(rows: Page) -> str:
        return csv_lines(map(text_of, row) for row in rows)

    return await _stream(request, CSV, "csv", csv_lines([columns]), pages, text)


async def jsonl(request: web.Request) -> web.StreamResponse:
    """Stream the report as JSON objects, one a line."""
    columns, pages = await _begin(request)

    def text(rows: Page) -> str:
        return json_lines(columns, rows)

    return await _stream(request, JSON_LINES, "jsonl", "", pages, text)


async def xlsx(request: web.Request) -> web.StreamResponse:
    """Write the report as a workbook into a temporary file, then send that."""
    columns, pages = await _begin(request)
    with tempfile.TemporaryDirectory(prefix="dialer-report-") as folder:
        path = Path(folder) / "report.xlsx"
        book = await asyncio.to_thread(Workbook, path, columns)
        async with contextlib.aclosing(pages):
            async for page in pages:
                await asyncio.to_thread(book.add, page)
        await asyncio.to_thread(book.close)
        response = _response(request, XLSX, "xlsx")
        response.content_length = path.stat().st_size
        await response.prepare(request)
        with path.open("rb") as file:
            while piece := await asyncio.to_thread(file.read, FILE_PIECE):
                async with asyncio.timeout(context_of(request).settings.read_timeout):
                    await response.write(piece)
        await response.write_eof()
    return response


async def _begin(request: web.Request) -> tuple[tuple[str, ...], Pages]:
    """Return the columns, and the pages; what is refused is refused here."""
    wanted = inputs.query(request, ReportQuery)
    campaign_id = inputs.path_id(request, "campaign") if "id" in request.match_info else None
    which = (context_of(request).pool, account_of(request), campaign_id, wanted.chosen())
    columns: tuple[str, ...]
    pages: Pages
    if wanted.per == "attempt":
        columns, pages = report_rows.ATTEMPT_COLUMNS, _attempts(reports.of_attempts(*which))
    else:
        columns, pages = report_rows.CALL_COLUMNS, _calls(reports.of_calls(*which))
    first = await anext(pages, None)  # a campaign that is not there must still be a 404
    return columns, _again(first or [], pages)


async def _calls(pages: AsyncIterator[list[ReportRow]]) -> Pages:
    async for page in pages:
        yield [report_rows.of_call(row) for row in page]


async def _attempts(pages: AsyncIterator[list[AttemptRow]]) -> Pages:
    async for page in pages:
        yield [report_rows.of_attempt(row) for row in page]


async def _again(first: Page, pages: Pages) -> Pages:
    yield first
    async for page in pages:
        yield page


async def _stream(
    request: web.Request,
    content_type: str,
    suffix: str,
    head: str,
    pages: Pages,
    text: Callable[[Page], str],
) -> web.StreamResponse:
    """Send text as it is made; a reader that takes nothing for too long is cut off."""
    patience = context_of(request).settings.read_timeout
    response = _response(request, content_type, suffix)
    await response.prepare(request)
    async with asyncio.timeout(patience):
        await response.write(head.encode())
    async with contextlib.aclosing(pages):
        async for page in pages:
            for start in range(0, len(page), ROWS_A_PIECE):
                piece = text(page[start : start + ROWS_A_PIECE])
                async with asyncio.timeout(patience):
                    await response.write(piece.encode())
                # writing waits only for a slow reader; calls must not wait
                await asyncio.sleep(0)
    async with asyncio.timeout(patience):
        await response.write_eof()
    return response


def _response(request: web.Request, content_type: str, suffix: str) -> web.StreamResponse:
    whose = f"campaign-{request.match_info['id']}" if "id" in request.match_info else "dialogs"
    return web.StreamResponse(
        headers={
            "Content-Type": content_type,
            "Content-Disposition": f'attachment; filename="{whose}.{suffix}"',
        }
    )
