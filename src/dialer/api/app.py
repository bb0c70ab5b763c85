"""The application: middlewares around the route table, and the socket it listens on."""

from __future__ import annotations

import functools
import logging
import re
import secrets
from typing import TYPE_CHECKING

import structlog
from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from dialer.api import openapi
from dialer.api.bearers import Bearers
from dialer.api.changes import changes
from dialer.api.context import BEARER, CONTEXT, RATE, REQUEST_ID, Context, told_path
from dialer.api.door import Listener, open_door
from dialer.api.etags import conditional
from dialer.api.event_stream import STREAMS, Streams
from dialer.api.guard import guard
from dialer.api.limits import Limits
from dialer.api.live_events import LiveEvents
from dialer.api.problem import answer_problems
from dialer.api.route import SAFE_METHODS
from dialer.api.routes import ROUTES
from dialer.metrics import Metrics
from dialer.web.pages import add_pages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp.typedefs import Handler, Middleware

    from dialer.api.settings import ApiSettings
    from dialer.clock import Clock
    from dialer.store.pool import Pool

PUBLIC = frozenset(route.path for route in ROUTES if route.public)
BY_REQUEST = {(route.method, route.path): route for route in ROUTES}
CLOSING_SECONDS = 5.0  # what a request under way gets at the end
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")

log = structlog.get_logger(__name__)


def create_app(
    pool: Pool, settings: ApiSettings, clock: Clock, metrics: Metrics | None = None
) -> web.Application:
    """Return the API over the store; it starts nothing and closes nothing that it is given."""
    bearers = Bearers(pool, settings.token, clock)
    limits = Limits(settings, clock)
    context = Context(pool, settings, clock, metrics or Metrics(), _document(), bearers, limits)
    pages: set[str] = set()
    app = web.Application(
        middlewares=[
            _measure(context),
            answer_problems,
            guard(settings, BY_REQUEST, bearers, limits, pages),
            changes(context, pool, BY_REQUEST),
            conditional(BY_REQUEST),
        ],
        client_max_size=settings.max_body_bytes,
    )
    app[CONTEXT] = context
    for route in ROUTES:
        app.router.add_route(route.method, route.path, route.handler, name=route.name)
    pages |= add_pages(app)
    app.on_response_prepare.append(_harden)
    live = LiveEvents(pool, clock)
    context.metrics.event_streams.set_function(lambda: float(len(live)))
    app[STREAMS] = Streams(live, settings.event_streams, settings.event_streams_per_token)
    app.cleanup_ctx.append(_live_events)
    app.on_shutdown.append(_end_streams)
    return app


async def _live_events(app: web.Application) -> AsyncIterator[None]:
    live = app[STREAMS].live
    live.start()
    yield
    await live.stop()


async def _end_streams(app: web.Application) -> None:
    app[STREAMS].live.end_streams()


@functools.cache
def _document() -> bytes:
    return openapi.text(ROUTES).encode()


async def listen(app: web.Application) -> Listener:
    """Serve `app` on its address; the caller ends it with cleanup().

    A connection that sends no whole request head in time is closed. Raises SettingsError where
    the address cannot be had.
    """
    context = app[CONTEXT]
    settings = context.settings
    logging.getLogger("aiohttp.server").addFilter(_not_a_strangers_fault)
    runner = web.AppRunner(app, shutdown_timeout=CLOSING_SECONDS)
    await runner.setup()
    return await open_door(runner, settings, context.metrics.api_refused.inc)


def _not_a_strangers_fault(record: logging.LogRecord) -> bool:
    """Whether a record of aiohttp tells more than that somebody sent broken HTTP."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


def _measure(context: Context) -> Middleware:
    """Return the middleware that counts and logs requests, by route and not by path."""

    @web.middleware
    async def measure(request: web.Request, handler: Handler) -> web.StreamResponse:
        began = context.clock.monotonic()
        status = 499  # the client went away; nginx's number for it
        given = request.headers.get("X-Request-Id", "")
        request[REQUEST_ID] = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        try:
            with structlog.contextvars.bound_contextvars(request_id=request[REQUEST_ID]):
                response = await handler(request)
            status = response.status
            return response
        finally:
            resource = request.match_info.route.resource
            route = "none" if resource is None else resource.canonical
            method = request.method if request.method in hdrs.METH_ALL else "other"
            seconds = context.clock.monotonic() - began
            context.metrics.api_requests.labels(method, route, str(status)).inc()
            context.metrics.api_seconds.labels(route).observe(seconds)
            # who watches reads twice a second; what changes something, or is refused, is news
            quiet = request.method in SAFE_METHODS and status < 400
            write = log.debug if quiet or request.path in PUBLIC else log.info
            bearer = request.get(BEARER)
            write(
                "request",
                method=method,
                path=told_path(request),
                status=status,
                seconds=round(seconds, 4),
                request_id=request[REQUEST_ID],
                address=request.remote,
                account_id=None if bearer is None else bearer.account_id,
                token_name=None if bearer is None else bearer.name,
            )

    return measure


async def _harden(request: web.Request, response: web.StreamResponse) -> None:
    """Add the headers that keep browsers from guessing, caching and sharing answers."""
    if REQUEST_ID in request:
        response.headers["X-Request-Id"] = request[REQUEST_ID]
    response.headers.update(request.get(RATE, {}))
    response.headers["Server"] = "dialer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers.setdefault(
        "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"
    )
    response.headers.setdefault("Cache-Control", "no-store")
