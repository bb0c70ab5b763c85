"""A campaign's report: every call with what came of its latest attempt, streamed as CSV."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from aiohttp import web

from dialer.api import inputs
from dialer.api.context import account_of, context_of
from dialer.campaign.report import csv_lines
from dialer.store import calls
from dialer.store.records import LegEvidence

if TYPE_CHECKING:
    import datetime as dt

    from dialer.store.records import ReportRow

ROWS_A_PIECE = 100  # after so many the event loop gets its turn

COLUMNS = (
    "call_id", "number", "status", "status_label", "problem", "attempts", "attempts_counted",
    "last_outcome", "last_rule", "next_attempt_at", "trunk", "caller_id", "sip_call_id",
    "sip_code", "sip_phrase", "reasons", "q850", "local_cause", "rang", "answered", "hung_up_by",
    "sent_at", "ringing_at", "answered_at", "ended_at", "talk_seconds", "payload",
)  # fmt: skip


async def read(request: web.Request) -> web.StreamResponse:
    """Stream the report; a reader that takes nothing for too long is cut off."""
    context = context_of(request)
    campaign_id = inputs.path_id(request, "campaign")
    rows = calls.report(context.pool, account_of(request), campaign_id)
    first = await anext(rows, None)  # a campaign that is not there must still be a 404

    response = web.StreamResponse(
        headers={
            "Content-Type": "text/csv; charset=utf-8; header=present",
            "Content-Disposition": f'attachment; filename="campaign-{campaign_id}.csv"',
        }
    )
    await response.prepare(request)
    piece: list[tuple[str, ...]] = [COLUMNS]
    if first is not None:
        piece.append(cells(first))
    async for row in rows:
        piece.append(cells(row))
        if len(piece) >= ROWS_A_PIECE:
            async with asyncio.timeout(context.settings.read_timeout):
                await response.write(csv_lines(piece).encode())
            await asyncio.sleep(0)  # writing waits only for a slow reader; calls must not wait
            piece = []
    async with asyncio.timeout(context.settings.read_timeout):
        await response.write_eof(csv_lines(piece).encode())
    return response


def cells(row: ReportRow) -> tuple[str, ...]:
    """Return a row's cells, in the order of COLUMNS."""
    call = row.call
    seen = row.evidence or LegEvidence()
    return (
        str(call.id),
        call.number,
        call.status.value,
        call.status.label,
        call.problem,
        str(call.attempts),
        str(call.attempts_counted),
        call.last_outcome or "",
        call.last_rule or "",
        _time(call.due),
        row.trunk or "",
        row.caller_id or "",
        row.sip_call_id or "",
        _number(seen.code),
        seen.phrase,
        "\n".join(seen.reasons),
        _number(seen.q850),
        seen.local_cause or "",
        _yes(said=seen.rang if row.evidence else None),
        _yes(said=seen.answered if row.evidence else None),
        seen.hung_up_by or "",
        _time(seen.sent_at),
        _time(seen.ringing_at),
        _time(seen.answered_at),
        _time(seen.ended_at),
        f"{seen.talk_seconds:.1f}" if seen.answered else "",
        json.dumps(dict(call.payload), ensure_ascii=False) if call.payload else "",
    )


def _time(when: dt.datetime | None) -> str:
    return "" if when is None else when.isoformat(timespec="milliseconds")


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _yes(*, said: bool | None) -> str:
    return {None: "", True: "yes", False: "no"}[said]
