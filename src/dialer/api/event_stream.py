"""Live events over HTTP, as a stream of server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import collections
import contextlib
import json
import re
from typing import TYPE_CHECKING

from aiohttp import web

from dialer.api import event_models, inputs, live_events
from dialer.api.context import account_of, bearer_of, context_of
from dialer.api.guard import still_works
from dialer.api.live_events import HEARTBEAT
from dialer.api.problem import Problem
from dialer.store import events
from dialer.store.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dialer.api.live_events import Cursor, Listener, LiveEvents

RETRY_MILLISECONDS = 2000  # after which a client whose stream has ended comes again
BEFORE_ALL = (0, 0)
MOST_MISSED = 20_000  # events that are read for one who comes again; beyond, it is to read anew

HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would keep events back
}
STREAMS: web.AppKey[Streams] = web.AppKey("streams")


class Streams:
    """The streams that are open, within what may be open at a time."""

    def __init__(self, live: LiveEvents, most: int, most_of_token: int) -> None:
        self.live = live
        self._most = most
        self._most_of_token = most_of_token
        self._open: collections.Counter[tuple[int, str]] = collections.Counter()

    @contextlib.contextmanager
    def opened(self, token: tuple[int, str]) -> Iterator[None]:
        """Count a stream of a token for as long as it is open; raises Problem (429, 503)."""
        if self._open[token] >= self._most_of_token:
            raise Problem(
                429,
                f"this token has {self._most_of_token} event streams open, which is all it may",
                headers={"Retry-After": "5"},
            )
        if self._open.total() >= self._most:
            raise Problem(
                503, "there are too many event streams; come again", headers={"Retry-After": "5"}
            )
        self._open[token] += 1
        try:
            yield
        finally:
            self._open[token] -= 1
            self._open += collections.Counter()  # forget those that have none


async def stream(request: web.Request) -> web.StreamResponse:
    """Tell of changes as they happen, until the client leaves."""
    query = inputs.query(request, event_models.EventQuery)
    seen = _last_seen(request, query)
    wanted = live_events.Wanted(
        account_of(request), frozenset(query.campaign_id), tuple(query.kind)
    )
    bearer, streams = bearer_of(request), request.app[STREAMS]
    with streams.opened((bearer.account_id, bearer.name)):
        await streams.live.ready()
        pool = context_of(request).pool
        if seen is not None and seen > await events.newest(pool):
            seen = BEFORE_ALL  # it is of another database
        response = web.StreamResponse(headers=HEADERS)
        await response.prepare(request)

        def abort() -> None:
            if request.transport is not None:
                request.transport.abort()

        with (
            contextlib.suppress(ConnectionError, StoreError),
            streams.live.joined(wanted, seen, abort) as (listener, from_here),
        ):
            await response.write(f"retry: {RETRY_MILLISECONDS}\n\n".encode())
            await _greet(request, response, wanted, seen, from_here)
            await _tell(request, response, listener)
    return response


def _last_seen(request: web.Request, query: event_models.EventQuery) -> Cursor | None:
    """Return the cursor of the last event that the client has seen, if it says so."""
    text = request.headers.get("Last-Event-ID") or query.last_event_id
    if text is None:
        return None
    if not re.match(event_models.CURSOR, text):
        raise Problem(400, "Last-Event-ID is not the id of an event, such as 4711-23")
    xid, _, id_ = text.partition("-")
    return int(xid), int(id_)


async def _greet(
    request: web.Request,
    response: web.StreamResponse,
    wanted: live_events.Wanted,
    seen: Cursor | None,
    from_here: Cursor,
) -> None:
    """Say from where on events are told, after what was missed; or that it cannot all be told."""
    text = live_events.cursor_text(from_here)
    kind = "hello"
    if seen is not None:
        pool = context_of(request).pool
        if seen >= from_here:
            return  # another node told it, and was ahead of us
        if (
            seen == BEFORE_ALL
            or seen < await events.forgotten(pool)
            or await events.count(pool, seen, from_here, MOST_MISSED + 1) > MOST_MISSED
        ):
            kind = "reset"
        else:
            async for page in request.app[STREAMS].live.gap(wanted, seen, from_here):
                await response.write(b"".join(page) or HEARTBEAT)
    await response.write(live_events.of_kind(kind, text, json.dumps({"id": text})))


async def _tell(request: web.Request, response: web.StreamResponse, listener: Listener) -> None:
    """Send what comes, as long as the token works."""
    bearers = context_of(request).bearers
    while message := await listener.take():
        if listener.to_check:
            # while the database is away nobody can tell, and nothing new can be read either
            with contextlib.suppress(StoreError):
                if not await still_works(request, bearers):
                    return
                listener.to_check = False
        await response.write(message)
