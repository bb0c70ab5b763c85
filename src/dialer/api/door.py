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
REST_SECONDS = 0.2  # between two pieces of what a stranger sends
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
                access_log=None,  # as AppRunner does without one
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
    """Speaks HTTP with a client, and says in our own form what is wrong with what is no HTTP.

    Of a stranger's body it reads a piece at a time, with a rest after it.
    """

    __slots__ = ("_rests", "slowly")

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.slowly = False
        self._rests = False

    def data_received(self, data: bytes) -> None:
        """Take what has come, and rest where it is a stranger's."""
        super().data_received(data)
        transport = self.transport
        if self.slowly and data and transport is not None and not self._reading_paused:
            transport.pause_reading()
            self._rest()

    def resume_reading(self, resume_parser: bool = True) -> None:  # noqa: FBT001, FBT002 - aiohttp's
        """Read on, after a rest where it is a stranger's body."""
        if self.slowly and resume_parser:
            self._rest()
        else:
            super().resume_reading(resume_parser)

    def _rest(self) -> None:
        if not self._rests:
            self._rests = True
            asyncio.get_running_loop().call_later(REST_SECONDS, self._end_rest)

    def _end_rest(self) -> None:
        self._rests = False
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        if self._reading_paused:
            super().resume_reading()
        else:
            transport.resume_reading()

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


def pace_reading(request: web.Request, *, slowly: bool) -> None:
    """Say whether what else comes over a request's connection is a stranger's."""
    if isinstance(request.protocol, _Handler):
        request.protocol.slowly = slowly


class _Full(asyncio.Protocol):
    """Tells whoever connects that there is no room."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say so (which of asyncio's or uvloop's classes the transport has does not matter)."""
        told = cast("asyncio.WriteTransport", transport)
        told.write(ANSWER)
        told.close()
