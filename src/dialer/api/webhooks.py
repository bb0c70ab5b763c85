"""Webhooks over HTTP: receivers, their secrets, their deliveries."""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import TYPE_CHECKING

from aiohttp import web

from dialer.api import etags, inputs, models, webhook_models
from dialer.api.context import Context, account_of, answer, context_of, progress_of
from dialer.api.problem import Problem, invalid
from dialer.store import webhook_deliveries, webhook_endpoints, webhook_secrets
from dialer.store.errors import VersionConflict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dialer.store.webhook_records import Delivery, Endpoint


async def create(request: web.Request) -> web.Response:
    """Make a receiver and show its secret."""
    context = context_of(request)
    asked = await inputs.json_body(request, webhook_models.NEW_WEBHOOK, context.settings)
    _check_url(asked.url, context)
    secret, made = await webhook_endpoints.create(
        context.pool,
        context.settings.secret_box,
        account_of(request),
        asked.url,
        description=asked.description,
        kinds=tuple(asked.kinds),
        enabled=asked.enabled,
    )
    shown = webhook_models.MadeWebhook(secret=secret, **_shown(made).model_dump())
    response = answer(shown, status=201)
    response.headers["Location"] = f"/v1/webhooks/{made.id}"
    return response


async def list_page(request: web.Request) -> web.Response:
    """List receivers, newest first."""
    asked = inputs.query(request, models.Page)
    found = await webhook_endpoints.list_page(
        context_of(request).pool,
        account_of(request),
        before=inputs.read_cursor(asked.cursor),
        limit=asked.limit + 1,
    )
    page, next_cursor = inputs.cut_page(found, asked.limit)
    items = [_shown(one) for one in page]
    return answer(webhook_models.WebhookPage(items=items, next_cursor=next_cursor))


async def read(request: web.Request) -> web.Response:
    """Read a receiver."""
    found = await webhook_endpoints.get(
        context_of(request).pool, account_of(request), _webhook_id(request)
    )
    return _told(found)


async def change(request: web.Request) -> web.Response:
    """Change what the body names."""
    context = context_of(request)
    asked = await inputs.json_body(request, webhook_models.WEBHOOK_CHANGES, context.settings)
    named = asked.model_fields_set
    if not named:
        raise invalid([("", "names nothing to change")], "body")
    if "url" in named:
        _check_url(asked.url, context)
    with _as_read():
        changed = await webhook_endpoints.change(
            context.pool,
            account_of(request),
            _webhook_id(request),
            asked.model_dump(include=named),
            versions=etags.versions(request),
        )
    return _told(changed)


async def delete(request: web.Request) -> web.Response:
    """Delete a receiver with its deliveries."""
    with _as_read():
        await webhook_endpoints.delete(
            context_of(request).pool,
            account_of(request),
            _webhook_id(request),
            versions=etags.versions(request),
        )
    return web.Response(status=204)


async def replace_secret(request: web.Request) -> web.Response:
    """Make a new secret for a receiver and show it."""
    endpoint = await webhook_endpoints.get(
        context_of(request).pool, account_of(request), _webhook_id(request)
    )
    return await _new_secret(request, None if endpoint.of_campaigns else endpoint.id)


async def replace_account_secret(request: web.Request) -> web.Response:
    """Make a new secret for the webhook_url of the account's campaigns and show it."""
    return await _new_secret(request, None)


async def _new_secret(request: web.Request, endpoint_id: int | None) -> web.Response:
    context = context_of(request)
    asked = await inputs.json_body(request, webhook_models.NEW_SECRET, context.settings, empty="{}")
    overlap = dt.timedelta(hours=asked.overlap_hours)
    secret = await webhook_secrets.replace(
        context.pool, context.settings.secret_box, account_of(request), endpoint_id, overlap
    )
    until = context.clock.now() + overlap
    return answer(webhook_models.MadeSecret(secret=secret, former_signs_until=until), status=201)


async def send_test(request: web.Request) -> web.Response:
    """Have a test event sent."""
    await _no_body(request)
    made = await webhook_deliveries.send_test(
        context_of(request).pool, account_of(request), _webhook_id(request)
    )
    return answer(_shown_delivery(made), status=202)


async def deliveries(request: web.Request) -> web.Response:
    """List a receiver's deliveries, newest first."""
    asked = inputs.query(request, webhook_models.DeliveryQuery)
    found = await webhook_deliveries.list_page(
        context_of(request).pool,
        account_of(request),
        _webhook_id(request),
        status=asked.status,
        before=inputs.read_cursor(asked.cursor),
        limit=asked.limit + 1,
    )
    page, next_cursor = inputs.cut_page(found, asked.limit)
    items = [_shown_delivery(one) for one in page]
    return answer(webhook_models.DeliveryPage(items=items, next_cursor=next_cursor))


async def delivery(request: web.Request) -> web.Response:
    """Read a delivery."""
    found = await webhook_deliveries.get(
        context_of(request).pool, account_of(request), inputs.path_id(request, "delivery")
    )
    return answer(_shown_delivery(found))


async def resend(request: web.Request) -> web.Response:
    """Have a delivery sent again."""
    await _no_body(request)
    context = context_of(request)
    again = await webhook_deliveries.resend(
        context.pool,
        account_of(request),
        inputs.path_id(request, "delivery"),
        context.settings.webhook_window,
    )
    return answer(_shown_delivery(again), status=202)


async def resend_dead(request: web.Request) -> web.Response:
    """Have all dead deliveries of a receiver sent again."""
    await _no_body(request)
    context = context_of(request)
    count = await webhook_deliveries.resend_dead(
        context.pool,
        account_of(request),
        _webhook_id(request),
        context.settings.webhook_window,
        progress=progress_of(request),
    )
    return answer(webhook_models.Resent(resent=count), status=202)


async def _no_body(request: web.Request) -> None:
    """Refuse a body that says something."""
    settings = context_of(request).settings
    await inputs.json_body(request, models.NOTHING, settings, empty="{}")


def _webhook_id(request: web.Request) -> int:
    return inputs.path_id(request, "webhook")


def _check_url(url: str, context: Context) -> None:
    try:
        context.settings.webhook_rules.check(url)
    except ValueError as error:
        raise invalid([("/url", str(error))], "body") from None


@contextlib.contextmanager
def _as_read() -> Iterator[None]:
    """Answer 412 where a receiver is no longer as If-Match says."""
    try:
        yield
    except VersionConflict as conflict:
        raise Problem(412, str(conflict)) from None


def _told(endpoint: Endpoint) -> web.Response:
    """Return a receiver with the tag of its version."""
    response = answer(_shown(endpoint))
    response.headers["ETag"] = etags.of_version(endpoint.version)
    return response


def _shown(endpoint: Endpoint) -> webhook_models.Webhook:
    return webhook_models.Webhook.model_validate(endpoint)


def _shown_delivery(found: Delivery) -> webhook_models.Delivery:
    return webhook_models.Delivery(
        id=found.id,
        webhook_id=found.endpoint_id,
        message_id=found.message_id,
        kind=found.kind,
        campaign_id=found.campaign_id,
        call_id=found.call_id,
        status=found.status,
        attempts=found.attempts,
        next_attempt_at=found.next_at,
        answer_status=found.answer_status,
        answer=found.answer,
        problem=found.problem,
        created_at=found.created_at,
        last_attempt_at=found.last_attempt_at,
        ended_at=found.ended_at,
    )
