"""Imports over HTTP: lists that were added, and the rows of them that did not go in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from dialer.api import inputs, models
from dialer.api.context import account_of, answer, context_of
from dialer.campaign.report import csv_lines
from dialer.store import imports

if TYPE_CHECKING:
    from dialer.store.records import SkippedRow

ROWS_A_PIECE = 500  # after so many the event loop gets its turn
COLUMNS = ("line", "phone", "reason")


async def of_campaign(request: web.Request) -> web.Response:
    """List a campaign's imports, newest first."""
    context = context_of(request)
    campaign_id = inputs.path_id(request, "campaign")
    asked = inputs.query(request, models.Page)
    found = await imports.list_page(
        context.pool,
        account_of(request),
        campaign_id,
        before=inputs.read_cursor(asked.cursor),
        limit=asked.limit + 1,
    )
    page, next_cursor = inputs.cut_page(found, asked.limit)
    items = [models.Import.model_validate(one) for one in page]
    return answer(models.ImportPage(items=items, next_cursor=next_cursor))


async def read(request: web.Request) -> web.Response:
    """Read an import."""
    import_id = inputs.path_id(request, "import")
    found = await imports.get(context_of(request).pool, account_of(request), import_id)
    return answer(models.Import.model_validate(found))


async def skipped(request: web.Request) -> web.StreamResponse:
    """Stream the rows that did not go in; a reader that takes nothing for too long is cut off."""
    context = context_of(request)
    import_id = inputs.path_id(request, "import")
    rows = imports.skipped(context.pool, account_of(request), import_id)
    first = await anext(rows, None)  # an import that is not there must still be a 404
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/csv; charset=utf-8; header=present",
            "Content-Disposition": f'attachment; filename="import-{import_id}-skipped.csv"',
        }
    )
    await response.prepare(request)
    piece = [COLUMNS] if first is None else [COLUMNS, _cells(first)]
    async for row in rows:
        piece.append(_cells(row))
        if len(piece) >= ROWS_A_PIECE:
            async with asyncio.timeout(context.settings.read_timeout):
                await response.write(csv_lines(piece).encode())
            await asyncio.sleep(0)  # writing waits only for a slow reader; calls must not wait
            piece = []
    async with asyncio.timeout(context.settings.read_timeout):
        await response.write_eof(csv_lines(piece).encode())
    return response


def _cells(row: SkippedRow) -> tuple[str, str, str]:
    return str(row.line), row.number, row.reason
