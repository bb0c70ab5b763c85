"""Calls over HTTP: pages, one with all its evidence, dialogs, and the report of a campaign."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialer.api import call_models, inputs
from dialer.api.context import account_of, answer, context_of
from dialer.api.next_attempt import next_attempts
from dialer.api.recordings import shown
from dialer.store import calls, campaigns, recordings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import web

    from dialer.api.context import Context
    from dialer.store import records


async def of_campaign(request: web.Request) -> web.Response:
    """List a campaign's calls, the last added first."""
    context = context_of(request)
    campaign_id = inputs.path_id(request, "campaign")
    await campaigns.get(context.pool, account_of(request), campaign_id)  # a deleted one is gone
    return await _list(request, campaign_id)


async def dialogs(request: web.Request) -> web.Response:
    """List the calls of all campaigns, of deleted ones too."""
    return await _list(request, None)


async def _list(request: web.Request, campaign_id: int | None) -> web.Response:
    context = context_of(request)
    asked = inputs.query(request, call_models.CallQuery)
    found = await calls.list_page(
        context.pool,
        account_of(request),
        campaign_id=campaign_id,
        statuses=asked.status,
        number=asked.number,
        before=inputs.read_cursor(asked.cursor),
        limit=asked.limit + 1,
    )
    page, next_cursor = inputs.cut_page(found, asked.limit)
    return answer(call_models.CallPage(items=await _shown(context, page), next_cursor=next_cursor))


async def _shown(context: Context, calls: Sequence[records.Call]) -> list[call_models.Call]:
    """Return calls as the API shows them, with their campaigns, and when and why they wait."""
    waiting = await next_attempts(context, calls)
    named = await campaigns.names(context.pool, {call.campaign_id for call in calls})
    shown = []
    for call in calls:
        next_attempt_at, waits_because = waiting.get(call.id, (None, None))
        name, deleted_at = named[call.campaign_id]
        update = {
            "next_attempt_at": next_attempt_at,
            "waits_because": waits_because,
            "campaign_name": name,
            "campaign_deleted_at": deleted_at,
        }
        shown.append(call_models.Call.model_validate(call).model_copy(update=update))
    return shown


async def read(request: web.Request) -> web.Response:
    """Read a call with its attempts, their legs and the evidence."""
    context = context_of(request)
    call_id = inputs.path_id(request, "call")
    details = await calls.get(context.pool, account_of(request), call_id)
    [call] = await _shown(context, [details.call])
    recorded = await recordings.of_calls(context.pool, account_of(request), [call_id])
    return answer(
        call_models.CallWithAttempts(
            **{name: getattr(call, name) for name in call_models.Call.model_fields},
            attempts=[_attempt(attempt, recorded) for attempt in details.attempts],
        )
    )


def _attempt(
    attempt: records.Attempt, recorded: Sequence[recordings.Recording]
) -> call_models.Attempt:
    """Return an attempt as the API shows it, with those recordings that are of it."""
    its_own = [shown(one) for one in recorded if one.attempt_id == attempt.id]
    return call_models.Attempt.model_validate(attempt).model_copy(update={"recordings": its_own})
