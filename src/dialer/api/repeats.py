"""Calling again, over HTTP: calls that are over requeued, a campaign cloned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialer.api import campaigns, inputs, report_models
from dialer.api.context import account_of, answer, context_of, progress_of
from dialer.store import clone as store_clone
from dialer.store import requeue as store_requeue

if TYPE_CHECKING:
    from aiohttp import web


async def requeue(request: web.Request) -> web.Response:
    """Plan calls of chosen final statuses anew."""
    context = context_of(request)
    campaign_id = inputs.path_id(request, "campaign")
    asked = await inputs.json_body(request, report_models.REQUEUE, context.settings)
    done = await store_requeue.requeue(
        context.pool,
        account_of(request),
        campaign_id,
        asked.statuses,
        outcomes=asked.outcomes,
        call_ids=asked.call_ids,
        progress=progress_of(request),
    )
    return answer(report_models.Requeued(requeued=done))


async def clone(request: web.Request) -> web.Response:
    """Make a new draft of a campaign."""
    context = context_of(request)
    campaign_id = inputs.path_id(request, "campaign")
    asked = await inputs.json_body(request, report_models.CLONE, context.settings)
    made, added = await store_clone.clone(
        context.pool,
        account_of(request),
        campaign_id,
        asked.name,
        asked.numbers,
        progress=progress_of(request),
    )
    shown = campaigns.shown(made)
    body = report_models.ClonedCampaign(
        **{name: getattr(shown, name) for name in type(shown).model_fields},
        cloned_from=campaign_id,
        numbers_added=added,
    )
    response = answer(body, status=201)
    response.headers["Location"] = f"/v1/campaigns/{made.id}"
    return response
