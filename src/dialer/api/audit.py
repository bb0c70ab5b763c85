"""The audit log over HTTP, and what is written into it of a request."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from dialer.api import audit_models, inputs
from dialer.api.context import REQUEST_ID, account_of, answer, bearer_of, context_of, told_path
from dialer.store import audit as store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from dialer.api.route import Route
    from dialer.store.pool import Database

# Texts that are shown; of others, which may be secrets or be about persons, only the name.
SHOWN = frozenset({"name", "role", "reason", "by", "kind", "scope", "trunk_order", "time_zone"})
MOST_FIELDS = 50
LONGEST_TEXT = 200
CAMPAIGNS = "/v1/campaigns/"
_MADE = re.compile(r"/v1/[a-z-]+/(?P<id>[0-9]+)")  # where what was made is read


async def list_page(request: web.Request) -> web.Response:
    """List what was done in the account, newest first."""
    context = context_of(request)
    asked = inputs.query(request, audit_models.AuditQuery)
    found = await store.list_page(
        context.pool,
        account_of(request),
        since=asked.since,
        until=asked.until,
        route=asked.route,
        campaign_id=asked.campaign_id,
        before=inputs.read_cursor(asked.cursor),
        limit=asked.limit + 1,
    )
    page, next_cursor = inputs.cut_page(found, asked.limit)
    items = [audit_models.AuditEntry.model_validate(one) for one in page]
    return answer(audit_models.AuditPage(items=items, next_cursor=next_cursor))


async def write(db: Database, request: web.Request, route: Route, response: web.Response) -> None:
    """Write what a request did or was refused; a fault of ours did nothing."""
    if not route.audited or response.status >= 500:
        return
    made = _MADE.fullmatch(response.headers.get("Location", ""))
    path = told_path(request)
    await note(
        db,
        request,
        route.name,
        status=response.status,
        campaign_id=_campaign(made[0] if made else path),
        about=made["id"] if made else _object(request),
        details=await _details(request, response),
    )


async def note(
    db: Database,
    request: web.Request,
    name: str,
    *,
    status: int,
    campaign_id: int | None,
    about: str | None,
    details: Mapping[str, Any],
) -> None:
    """Write that somebody did what has the operationId `name`; `about` is the id of its object."""
    bearer = bearer_of(request)
    await store.write(
        db,
        store.NewEntry(
            account_id=bearer.account_id,
            token_id=bearer.token_id,
            token_name=bearer.name,
            role=bearer.role,
            address=request.remote or "",
            request_id=request.get(REQUEST_ID, ""),
            route=name,
            method=request.method,
            path=told_path(request)[:LONGEST_TEXT],
            campaign_id=bearer.campaign_id or campaign_id,
            object=about,
            status=status,
            details=details,
        ),
    )


def _campaign(path: str) -> int | None:
    """Return the campaign that a path is of, if it is of one."""
    text = path.removeprefix(CAMPAIGNS).partition("/")[0] if path.startswith(CAMPAIGNS) else ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def _object(request: web.Request) -> str | None:
    """Return the id or name of what a request was about."""
    found = request.match_info
    named = found.get("id") or found.get("name") or found.get("recording_id")
    return named and named[:LONGEST_TEXT]


async def _details(request: web.Request, response: web.Response) -> dict[str, Any]:
    """Return which fields a body sets, with the values that may be shown to whoever reads it."""
    if request.content_type not in inputs.JSON_TYPES:
        return {"body": request.content_type} if request.body_exists else {}
    if not request.body_exists or response.status == 403:
        return {}  # whose body nobody has read
    try:
        body = json.loads(await request.read())
    except (ValueError, RecursionError):
        return {}
    if isinstance(body, list):
        return {"items": len(body)}
    if not isinstance(body, dict):
        return {}
    return {
        name[:LONGEST_TEXT]: _shown(name, value) for name, value in list(body.items())[:MOST_FIELDS]
    }


def _shown(name: str, value: object) -> object:
    if isinstance(value, str):
        return value[:LONGEST_TEXT] if name in SHOWN else "…"
    if isinstance(value, list):
        return f"{len(value)} items"
    if isinstance(value, dict):
        return f"{len(value)} fields"
    return value
