"""The socket that the API listens on, which lets only so many connections in.

Each connection costs a file descriptor and memory that calls need too. One that comes when all
places are taken is told so and closed, and its descriptor is free again.
"""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import os
import resource
from typing import TYPE_CHECKING, Any, cast

from aiohttp import web

from dialer.api.problem import Problem
from dialer.api.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dialer.api.settings import ApiSettings

LINGER_SECONDS = 2.0  # for which the rest of a refused body is read, so that the refusal arrives
LONGEST_REASON = 200  # characters
FULL = (
    b'{"type": "about:blank", "title": "Service Unavailable", "status": 503,'
    b' "detail": "too many connections; close some, or try again"}'
)
ANSWER = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n"
    b"Retry-After: 1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(FULL), FULL)
)


@dataclasses.dataclass(frozen=True, slots=True)
class Listener:
    """An API that listens; `addresses` are those of its sockets."""

    runner: web.AppRunner
    server: asyncio.Server
    addresses: list[Any]

    async def cleanup(self) -> None:
        """Take no more connections, let requests under way end, and close everything."""
        self.server.close()
        await self.runner.cleanup()


async def open_door(
    runner: web.AppRunner, settings: ApiSettings, refused: Callable[[], None]
) -> Listener:
    """Listen; `refused` hears of each connection that is one too many. Raises SettingsError."""
    handlers = runner.server
    assert handlers is not None

    loop = asyncio.get_running_loop()
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    places = min(settings.max_connections, descriptors // 2)

    def enter() -> asyncio.Protocol:
        if len(handlers.connections) < places:
            return _Handler(
                handlers,
                loop=loop,
                access_log=None,  # type: ignore[arg-type]  # as AppRunner does without one
                keepalive_timeout=settings.read_timeout,
                lingering_time=LINGER_SECONDS,
            )
        refused()
        return _Full()

    try:
        server = await loop.create_server(enter, settings.bind_host, settings.port)
    except OSError as error:
        await runner.cleanup()
        where = f"{settings.bind_host}:{settings.port}"
        if error.errno == errno.EADDRINUSE:
            reason = "another program listens there; end it, or set another api.port"
        else:
            reason = os.strerror(error.errno) if error.errno else str(error)
        raise SettingsError(f"api: cannot listen on {where}: {reason}") from None
    return Listener(runner, server, [one.getsockname() for one in server.sockets])


class _Handler(web.RequestHandler):
    """Speaks HTTP with a client, and says in our own form what is wrong with what is no HTTP."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return the answer to what the application never saw."""
        super().handle_error(request, status, exc, message)
        reason = message if message and status < 500 else "the request could not be handled"
        response = Problem(status, " ".join(reason.split())[:LONGEST_REASON]).response()
        response.headers.update({"Server": "dialer", "X-Content-Type-Options": "nosniff"})
        response.force_close()
        return response


class _Full(asyncio.Protocol):
    """Tells whoever connects that there is no room."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say so (which of asyncio's or uvloop's classes the transport has does not matter)."""
        told = cast("asyncio.WriteTransport", transport)
        told.write(ANSWER)
        told.close()
