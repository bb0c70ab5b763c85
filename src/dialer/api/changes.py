"""How a request that changes something is run: whole or not at all, and once for its key.

What is done at once is done in one transaction, with its entry of the audit log and, where the
request has an idempotency key, with its answer. What goes in steps, because one transaction would
hold others up for too long, notes with each step how far it has come; a request that is repeated
after a crash goes on from there.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import weakref
from typing import TYPE_CHECKING

from aiohttp import web

from dialer.api import audit, idempotency, inputs
from dialer.api.context import AFTER, BEARER, OWN, PROGRESS, account_of
from dialer.api.idempotency import fingerprint, is_kept
from dialer.api.list_upload import FILE_TYPES, SPOOLED, spooled
from dialer.api.problem import Problem, answer_problems
from dialer.store import idempotency as keys
from dialer.store.pool import Steps, session, work

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from aiohttp.typedefs import Handler, Middleware

    from dialer.api.context import Context
    from dialer.api.route import Route
    from dialer.store.idempotency import Key, KeyedRequest
    from dialer.store.pool import Connection, Database, Pool

TRIES = 40
TRY_AGAIN_SECONDS = 0.25  # while another process works on the same request
WAIT_SECONDS = 10.0  # for a request of this process with the same key
RETRY_AFTER = 5  # seconds
LISTS_AT_ONCE = 2  # with a key, each of which holds a connection


class _Refusal(Exception):  # noqa: N818 - it undoes what was done, and carries the answer
    def __init__(self, response: web.Response) -> None:
        super().__init__(response.status)
        self.response = response


@dataclasses.dataclass(frozen=True, slots=True)
class _Keyed:
    """A request with its key, as it was sent and as it is kept."""

    text: str
    key: Key
    fingerprint: bytes

    def fits(self, known: KeyedRequest) -> bool:
        """Whether it is the request that was sent with the key before."""
        return known.fingerprint == self.fingerprint


def changes(context: Context, pool: Pool, routes: Mapping[tuple[str, str], Route]) -> Middleware:
    """Return the middleware for the routes that change something."""
    runner = _Runner(context, pool)

    @web.middleware
    async def run(request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        route = routes.get((request.method, resource.canonical)) if resource else None
        if route is None or not route.changes or BEARER not in request:
            return await handler(request)
        response = await runner.run(request, handler, route)
        if response.status < 400:
            for do in request.get(AFTER, ()):
                do()
        return response

    return run


class _Runner:
    def __init__(self, context: Context, pool: Pool) -> None:
        self._context = context
        self._pool = pool
        self._under_way: weakref.WeakValueDictionary[Key, asyncio.Lock] = (
            weakref.WeakValueDictionary()
        )
        self._lists = asyncio.Semaphore(LISTS_AT_ONCE)

    async def run(self, request: web.Request, handler: Handler, route: Route) -> web.StreamResponse:
        """Return the answer; the body is read before a connection is taken."""
        if request.content_type in inputs.JSON_TYPES:
            await inputs.whole_body(request, self._context.settings)
        text = idempotency.key_of(request)
        if text is not None:
            async with self._recognised(request, route, text) as keyed:
                return await self._once(request, handler, route, keyed)
        if route.in_steps:
            return await self._in_steps(request, handler, route)
        return await self._at_once(request, handler, route)

    async def _in_steps(
        self, request: web.Request, handler: Handler, route: Route
    ) -> web.StreamResponse:
        """Run a request that takes transactions of its own."""
        steps = Steps(self._pool)
        self._use(request, steps)
        response = await _answered(request, handler)
        if steps.begun:
            await audit.write(self._pool, request, route, response)
        return response

    async def _at_once(
        self, request: web.Request, handler: Handler, route: Route
    ) -> web.StreamResponse:
        """Run a request in one transaction, which begins when the handler asks the store."""
        try:
            async with work(self._pool) as unit:
                self._use(request, unit)
                response = await _accepted(request, handler)
                await audit.write(unit, request, route, response)
        except _Refusal as refusal:
            response = refusal.response
            if unit.begun:
                await audit.write(self._pool, request, route, response)
        return response

    @contextlib.asynccontextmanager
    async def _recognised(
        self, request: web.Request, route: Route, text: str
    ) -> AsyncIterator[_Keyed]:
        """Give what tells a request from others, a list having come whole before."""
        file_name = ""
        async with contextlib.AsyncExitStack() as stack:
            if request.content_type in FILE_TYPES and request.content_type in route.bodies:
                upload = await stack.enter_async_context(spooled(request, self._context.settings))
                request[SPOOLED] = upload
                digest, file_name = upload.digest, upload.file_name
            else:
                body = await inputs.whole_body(request, self._context.settings)
                digest = hashlib.sha256(body).digest()
            key = idempotency.stored_key(account_of(request), text)
            yield _Keyed(text, key, fingerprint(request, digest, file_name))

    async def _once(
        self, request: web.Request, handler: Handler, route: Route, keyed: _Keyed
    ) -> web.StreamResponse:
        """Run a request once; who sends it meanwhile waits for its answer, or is told to."""
        lock = self._under_way.setdefault(keyed.key, asyncio.Lock())
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await lock.acquire()
        except TimeoutError:
            raise _still_under_way() from None
        try:
            for _ in range(TRIES):
                if route.in_steps:
                    response = await self._once_in_steps(request, handler, route, keyed)
                else:
                    response = await self._once_at_once(request, handler, route, keyed)
                if response is not None:
                    return response
                await self._context.clock.sleep(TRY_AGAIN_SECONDS)
            raise _still_under_way()
        finally:
            lock.release()

    async def _once_at_once(
        self, request: web.Request, handler: Handler, route: Route, keyed: _Keyed
    ) -> web.StreamResponse | None:
        """Run a request in one transaction with its key; None while another process does."""
        async with work(self._pool) as unit:
            connection = await unit.connection()
            if not await keys.lock(connection, keyed.key):
                return None
            known = await keys.read(connection, keyed.key)
            if known is not None and (known.status is not None or not keyed.fits(known)):
                return _known(keyed, known)
            self._use(request, unit)
            try:
                async with connection.transaction():
                    response = await _accepted(request, handler)
            except _Refusal as refusal:
                response = refusal.response
            await self._close(connection, request, route, keyed, response)
            return response

    async def _once_in_steps(
        self, request: web.Request, handler: Handler, route: Route, keyed: _Keyed
    ) -> web.StreamResponse | None:
        """Run or resume a request in steps; None while another process does.

        The connection that does the work holds the lock, so that who lost the one does no more of
        the other.
        """
        room = self._lists if SPOOLED in request else contextlib.nullcontext()
        async with room, session(self._pool) as connection:
            if not await keys.lock_for_steps(connection, keyed.key):
                return None
            try:
                known = await keys.read(connection, keyed.key)
                if known is None:
                    await keys.claim(connection, keyed.key, keyed.fingerprint)
                elif known.status is not None or not keyed.fits(known):
                    return _known(keyed, known)
                self._use(request, connection)
                request[PROGRESS] = keys.Progress(keyed.key, known.progress if known else None)
                response = await _answered(request, handler)
                async with connection.transaction():
                    await self._close(connection, request, route, keyed, response)
                return response
            finally:
                if not connection.is_closed():
                    await keys.unlock(connection, keyed.key)

    async def _close(
        self,
        connection: Connection,
        request: web.Request,
        route: Route,
        keyed: _Keyed,
        response: web.Response,
    ) -> None:
        """Keep the answer, and write who got it."""
        if is_kept(response.status):
            sealed = idempotency.seal(keyed.text, keyed.key.account_id, response)
            await keys.keep(connection, keyed.key, keyed.fingerprint, response.status, sealed)
        await audit.write(connection, request, route, response)

    def _use(self, request: web.Request, db: Database) -> None:
        """Have the handler ask the store by `db`."""
        request[OWN] = dataclasses.replace(self._context, pool=db)


async def _answered(request: web.Request, handler: Handler) -> web.Response:
    response = await answer_problems(request, handler)
    assert isinstance(response, web.Response)
    return response


async def _accepted(request: web.Request, handler: Handler) -> web.Response:
    response = await _answered(request, handler)
    if response.status >= 400:
        raise _Refusal(response)
    return response


def _known(keyed: _Keyed, known: KeyedRequest) -> web.Response:
    """Return the answer again; raises Problem where the key came with another request."""
    if not keyed.fits(known):
        raise Problem(
            422,
            "the Idempotency-Key was used for another request already; take a new one for each",
        )
    return idempotency.repeated(keyed.text, keyed.key.account_id, known)


def _still_under_way() -> Problem:
    return Problem(
        409,
        "a request with this Idempotency-Key is still under way; send it again later",
        headers={"Retry-After": str(RETRY_AFTER)},
    )
