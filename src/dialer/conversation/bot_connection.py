"""The WebSocket to a bot: one connection for each call, opened by us."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import socket
from typing import TYPE_CHECKING

import aiohttp

from dialer.rtp import g711

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

    from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

_OVERHEAD = 64 * 1024  # bytes of a message besides its speech
_CLOSE_SECONDS = 1.0  # for the bot to answer our closing


class BotFailure(Exception):  # noqa: N818 - it is the outcome's name
    """The bot cannot be reached or has failed; the text is one sentence for a person."""


@dataclasses.dataclass(frozen=True, slots=True)
class BotSettings:
    """What holds for every bot.

    `allows` says whether an address, as text, may be connected to. `buffer_seconds` of speech may
    wait to be played, and what does not come ahead is played `delay_seconds` late.
    `unread_seconds` of what was heard may wait to be read. A bot that is silent is asked by ping
    after `heartbeat_seconds`, and has half of it to answer. `after_call_seconds` is how long a bot
    may still send its result. `tls` of None trusts the system's authorities.
    """

    allows: Callable[[str], bool]
    buffer_seconds: float = 120.0
    delay_seconds: float = 0.04
    unread_seconds: float = 5.0
    heartbeat_seconds: float = 10.0
    after_call_seconds: float = 2.0
    tls: ssl.SSLContext | None = None


class BotConnection:
    """An open WebSocket with what belongs to it; to be closed or aborted."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        websocket: aiohttp.ClientWebSocketResponse,
        bound: socket.socket,
    ) -> None:
        self.websocket = websocket
        self._session = session
        self._socket = bound

    async def close(self) -> None:
        """Close it in order."""
        await self.websocket.close()
        await self._session.close()

    async def abort(self) -> None:
        """Close it at once, whatever the bot has not read: nobody waits for its buffers."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        await self.close()


async def connect(url: str, headers: Mapping[str, str], settings: BotSettings) -> BotConnection:
    """Open the WebSocket; raises `BotFailure`. It may take for ever: cancel it.

    Every call has a session of its own: nothing, not a cookie, passes from one to another.
    """
    sockets = _Sockets(settings.allows)
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(socket_factory=sockets.new, ssl=settings.tls or True),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
        middlewares=(_refuse_redirects,),
    )
    try:
        websocket = await session.ws_connect(
            url,
            headers=headers,
            autoping=False,  # whoever reads it answers, and counts what comes for a sign of life
            timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_SECONDS),
            max_msg_size=_OVERHEAD + round(settings.buffer_seconds * g711.SAMPLE_RATE * 4 / 3),
            compress=0,
        )
    except (aiohttp.ClientError, OSError, ValueError) as error:
        await session.close()
        raise BotFailure(sockets.refused or _why(error)) from None
    except BaseException:
        await session.close()
        raise
    return BotConnection(session, websocket, sockets.latest)


class _Sockets:
    """Makes the sockets of one connection, and refuses addresses that are not allowed.

    It stands behind the look-up of names, so that no name can lead where an address may not.
    """

    def __init__(self, allows: Callable[[str], bool]) -> None:
        self._allows = allows
        self.latest: socket.socket
        self.refused = ""

    def new(self, info: aiohttp.AddrInfoType) -> socket.socket:
        """Return a socket towards an address; raises OSError."""
        family, kind, protocol, _, address = info
        host = str(address[0])
        if not self._allows(host):
            self.refused = f"its address {host} is not in bots.allow_networks of the configuration"
            raise OSError(errno.EACCES, self.refused)
        self.latest = socket.socket(family, kind, protocol)
        self.latest.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.latest


async def _refuse_redirects(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Let nobody send us elsewhere, with our headers, by a redirect."""
    response = await handler(request)
    if 300 <= response.status < 400:
        response.close()
        raise BotFailure(f"it answers with a redirect ({response.status}), which is not followed")
    return response


def _why(error: Exception) -> str:
    """Return why there is no connection, in one line."""
    match error:
        case aiohttp.WSServerHandshakeError():
            return f"it answers {error.status} to the WebSocket handshake"
        case aiohttp.ClientConnectorCertificateError():
            return f"its certificate is not trusted: {error.certificate_error}"
        case aiohttp.ClientConnectorDNSError():
            return f"the name {error.host} has no address"
        case aiohttp.ClientConnectorError():
            return f"no connection to {error.host}:{error.port}: {_reason(error.os_error)}"
        case aiohttp.ServerDisconnectedError():
            return "it closed the connection during the handshake"
    return f"no connection: {_reason(error)}"


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return " ".join((str(error) or type(error).__name__).split())[:200]
