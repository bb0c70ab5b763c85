"""The WebSocket to a bot: one connection for each call, opened by us."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import errno
import functools
import logging
import os
import socket
import ssl
from typing import TYPE_CHECKING

import aiohappyeyeballs
import picows
import yarl

from dialer import __version__
from dialer.clock import SystemClock
from dialer.conversation.bot_exchange import BotExchange
from dialer.rtp import g711
from dialer.ua.resolver import Resolver

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from picows.url import WSParsedURL

    from dialer.conversation.bot_link import BotLink

_OVERHEAD = 64 * 1024  # bytes of a message besides its speech
_CLOSE_SECONDS = 1.0  # for the bot to answer our closing
_SECOND_ADDRESS_SECONDS = 0.25  # RFC 8305 §5: then the next address of a name is tried too
_MOST_UNHEARD = 200  # messages of a bot that wait to be handed over; then no more are read
_FEW_UNHEARD = 50  # with so many left, reading goes on
_READ_BUFFER = 64 * 1024  # bytes that the system keeps unread, so that one read is soon dealt with
_NORMAL_CLOSING = frozenset({0, 1000, 1005})  # RFC 6455 §7.4.1; 0 stands for a frame without a code
_CONTROL = frozenset({picows.WSMsgType.PING, picows.WSMsgType.PONG, picows.WSMsgType.CLOSE})

# What goes wrong is the outcome of one call and told there, not in a log of the library.
_NO_LOG = logging.Logger("picows", logging.CRITICAL + 1)  # noqa: LOG001 - nobody else's


class BotFailure(Exception):  # noqa: N818 - it is the outcome's name
    """The bot cannot be reached or has failed; the text is one sentence for a person."""


@dataclasses.dataclass(frozen=True, slots=True)
class BotSettings:
    """What holds for every bot.

    `allows` says whether an address, as text, may be connected to. `buffer_seconds` of speech may
    wait to be played, and what does not come ahead is played `delay_seconds` late.
    `unread_seconds` of what was heard may wait to be read. A bot that is silent is asked by ping
    after `heartbeat_seconds`, and has half of it to answer. `after_call_seconds` is how long a bot
    may still send its result. `tls` of None trusts the system's authorities. Names of bots are
    looked up by `resolver`.
    """

    allows: Callable[[str], bool]
    buffer_seconds: float = 120.0
    delay_seconds: float = 0.04
    unread_seconds: float = 5.0
    heartbeat_seconds: float = 10.0
    after_call_seconds: float = 2.0
    tls: ssl.SSLContext | None = None
    resolver: Resolver = dataclasses.field(default_factory=lambda: Resolver(SystemClock()))
    exchange: BotExchange = dataclasses.field(default_factory=BotExchange)

    @property
    def longest_message(self) -> int:
        """Bytes that a message of the bot may have."""
        return _OVERHEAD + round(self.buffer_seconds * g711.SAMPLE_RATE * 4 / 3)


class BotConnection(picows.WSListener):
    """An open WebSocket; to be closed or aborted.

    Messages, text or binary, are handed over as they come, with no task between: there are fifty a
    second. What comes faster than it is dealt with waits unread. `ended` is done once the bot has
    closed in order; it fails with the `BotFailure` that ended the connection, or with what the
    receiver of the messages raised. `lives` becomes True with all that comes.
    """

    __slots__ = (
        "_early",
        "_exchange",
        "_full",
        "_link",
        "_longest",
        "_parts",
        "_receive",
        "_resting",
        "_transport",
        "_unheard",
        "_watching",
        "ended",
        "lives",
    )

    def __init__(self, settings: BotSettings) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lives = False
        self._exchange = settings.exchange
        self._longest = settings.longest_message
        self._transport: picows.WSTransport
        self._receive: Callable[[bytes], None] = self._keep
        self._early: list[bytes] = []  # messages that came before anybody listened
        self._parts: bytearray | None = None  # of a message in several frames
        self._link: BotLink | None = None
        self._full = False  # the bot does not read
        self._unheard = 0  # messages read that were not handed over yet
        self._resting = False  # we do not read
        self._watching: asyncio.Task[None] | None = None  # while it is open

    def listen(self, receive: Callable[[bytes], None], link: BotLink) -> None:
        """Hand messages over from now on, those that came before first.

        `link` is told to pause and to resume.
        """
        self._receive, self._link = receive, link
        for message in self._early:
            self._hand_over(message)
        self._early.clear()
        self._read_on()

    def send(self, text: str) -> None:
        """Send a message in this turn of the event loop; lost where the connection is gone."""
        self._exchange.put(self._transport, text)

    def ping(self) -> None:
        """Ask the bot for a sign of life."""
        self._transport.send_ping()

    async def close(self) -> None:
        """Close it in order."""
        self._exchange.send()
        self._transport.send_close(picows.WSCloseCode.OK)
        await self._gone()
        await self.abort()

    async def abort(self) -> None:
        """Close it at once, whatever the bot has not read: nobody waits for its buffers."""
        self.drop()
        await self._gone()

    def drop(self) -> None:
        """Close it at once, where it is open at all, and wait for nothing."""
        self.ended.add_done_callback(lambda ended: ended.exception())  # not to be told by the loop
        if self._watching is not None:
            self._transport.disconnect(graceful=False)

    # for picows

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        """Begin to watch the connection, and read nothing more until somebody listens."""
        self._transport = transport
        self._watching = asyncio.create_task(self._until_gone(), name="bot-connection")
        self._rest()

    def on_ws_frame(self, _transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        """Take a frame."""
        self.lives = True
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            raise _broken("reserved bits are set")
        kind = frame.msg_type
        if kind in _CONTROL:
            self._control(kind, frame)
            return
        continues = kind is picows.WSMsgType.CONTINUATION
        if continues == (self._parts is None):
            raise _broken("a part of no message" if continues else "a message within another")
        if frame.fin and not continues:
            self._came(frame.get_payload_as_bytes())
        else:
            self._piece(frame)

    def pause_writing(self) -> None:
        """Let messages wait: the bot does not read."""
        self._full = True
        if self._link is not None:
            self._link.pause()

    def resume_writing(self) -> None:
        """Let them go on."""
        self._full = False
        if self._link is not None:
            self._link.resume()

    def _came(self, message: bytes) -> None:
        self._unheard += 1
        if self._unheard > _MOST_UNHEARD and not self._resting:
            self._rest()
        self._exchange.take(self._hand, message)

    def _hand(self, message: bytes) -> None:
        self._unheard -= 1
        if self._resting and self._unheard < _FEW_UNHEARD and self._link is not None:
            self._read_on()
        if not self.ended.done():
            self._hand_over(message)

    def _hand_over(self, message: bytes) -> None:
        try:
            self._receive(message)
        except Exception as error:  # noqa: BLE001 - whoever waits for the end gets it
            if not self.ended.done():
                self.ended.set_exception(error)

    def _rest(self) -> None:
        """Read nothing for now; what is read already comes in spite of it."""
        self._resting = True
        transport = self._transport.underlying_transport
        if not transport.is_closing():
            transport.pause_reading()

    def _read_on(self) -> None:
        self._resting = False
        transport = self._transport.underlying_transport
        if not transport.is_closing():
            transport.resume_reading()

    def _keep(self, message: bytes) -> None:
        self._early.append(message)

    def _piece(self, frame: picows.WSFrame) -> None:
        """Take a part of a message."""
        if self._parts is None:
            self._parts = bytearray()
        self._parts += frame.get_payload_as_memoryview()
        if len(self._parts) > self._longest:
            raise _broken("a message is too long", picows.WSCloseCode.MESSAGE_TOO_BIG)
        if frame.fin:
            message, self._parts = bytes(self._parts), None
            self._came(message)

    def _control(self, kind: picows.WSMsgType, frame: picows.WSFrame) -> None:
        if kind is picows.WSMsgType.PING:
            if not self._full:  # else answers would pile up
                self._transport.send_pong(frame.get_payload_as_bytes())
        elif kind is picows.WSMsgType.CLOSE and self._transport.is_close_frame_sent:
            self._transport.disconnect()  # it has answered ours
        elif kind is picows.WSMsgType.CLOSE:
            code, reason = frame.get_close_code().value, frame.get_close_reason()
            said = f" {reason!r}" if reason else ""
            normal = code in _NORMAL_CLOSING
            self._end("" if normal else f"it closed the stream with code {code}{said}")
            self._transport.send_close(picows.WSCloseCode.OK)
            self._transport.disconnect()

    async def _until_gone(self) -> None:
        """Note how the connection ended where the bot has not said so."""
        failure = "the connection to it broke off"
        try:
            await self._transport.wait_disconnected()
        except picows.WSProtocolError as error:
            failure = f"it broke the rules of WebSocket: {error}"
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody waits for ever
            failure = f"the connection to it broke off: {error!r}"
        self._end(failure)

    async def _gone(self) -> None:
        """Wait, not for ever, until the connection is gone."""
        assert self._watching is not None
        await asyncio.wait([self._watching], timeout=_CLOSE_SECONDS)

    def _end(self, failure: str) -> None:
        self._exchange.hand_over()  # what came before the end
        if self.ended.done():
            return
        if failure:
            self.ended.set_exception(BotFailure(failure))
        else:
            self.ended.set_result(None)


def _broken(
    what: str, code: picows.WSCloseCode = picows.WSCloseCode.PROTOCOL_ERROR
) -> picows.WSProtocolError:
    return picows.WSProtocolError(code, what)


async def connect(url: str, headers: Mapping[str, str], settings: BotSettings) -> BotConnection:
    """Open the WebSocket; raises `BotFailure`. It may take for ever: cancel it."""
    sockets = _Sockets(settings.allows, settings.resolver)
    connection = BotConnection(settings)
    try:
        address = yarl.URL(url)
    except ValueError as error:
        raise BotFailure(f"its address is none: {_reason(error)}") from None
    tls = settings.tls
    if tls is None and address.scheme == "wss":
        tls = _authorities_of_the_system()
    try:
        _, listener = await picows.ws_connect(
            lambda _request, _response: connection,
            str(address),  # in ASCII
            ssl_context=tls,
            websocket_handshake_timeout=None,
            logger_name=_NO_LOG,
            enable_auto_pong=False,  # we answer, and count what comes for a sign of life
            max_frame_size=settings.longest_message,
            extra_headers={"User-Agent": f"dialer/{__version__}", **headers},
            max_redirects=0,  # nobody sends us elsewhere, with our headers
            socket_factory=sockets.connected,
            use_aiofastnet=False,
        )
    except (picows.WSError, OSError, ValueError) as error:
        sockets.shut()
        connection.drop()
        raise BotFailure(sockets.refused or _why(error, address)) from None
    except BaseException:
        sockets.shut()
        connection.drop()
        raise
    if listener is None:
        raise BotFailure("it closed the connection during the handshake")
    return connection


@functools.cache
def _authorities_of_the_system() -> ssl.SSLContext:
    return ssl.create_default_context()


class _Sockets:
    """Connects the socket of one connection, and refuses addresses that are not allowed.

    It stands behind the look-up of names, so that no name can lead where an address may not.
    """

    def __init__(self, allows: Callable[[str], bool], resolver: Resolver) -> None:
        self._allows = allows
        self._resolver = resolver
        self._connected: socket.socket | None = None
        self.refused = ""

    async def connected(self, url: WSParsedURL) -> socket.socket:
        """Return a socket connected to an address of a URL; raises OSError and `BotFailure`."""
        found = await self._resolver.find(url.host, url.port)
        if not found.targets:
            raise BotFailure(found.reason)
        self._connected = await aiohappyeyeballs.start_connection(
            [_stream_to(one.host, one.port) for one in found.targets],
            happy_eyeballs_delay=_SECOND_ADDRESS_SECONDS,
            socket_factory=self._new,
        )
        self.refused = ""
        return self._connected

    def shut(self) -> None:
        """End the connection, where there is one, in spite of whoever holds it."""
        if self._connected is not None:
            with contextlib.suppress(OSError):
                self._connected.shutdown(socket.SHUT_RDWR)

    def _new(self, address: aiohappyeyeballs.AddrInfoType) -> socket.socket:
        family, kind, protocol, _, place = address
        host = str(place[0])
        if not self._allows(host):
            self.refused = f"its address {host} is not in bots.allow_networks of the configuration"
            raise OSError(errno.EACCES, self.refused)
        made = socket.socket(family, kind, protocol)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _READ_BUFFER)
        return made


def _stream_to(host: str, port: int) -> aiohappyeyeballs.AddrInfoType:
    """Return an address as the system's look-up gives it."""
    if ":" in host:
        return (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port, 0, 0))
    return (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))


def _why(error: Exception, url: yarl.URL) -> str:
    """Return why there is no connection, in one line."""
    match error:
        case picows.WSInvalidStatusError(response=response) if response is not None:
            if 300 <= response.status < 400:
                return f"it answers with a redirect ({response.status:d}), which is not followed"
            return f"it answers {response.status:d} to the WebSocket handshake"
        case picows.WSError():
            return f"it answers the WebSocket handshake with what is none: {_reason(error)}"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted: {error}"
    return f"no connection to {url.host}:{url.port}: {_reason(error)}"


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return " ".join((str(error) or type(error).__name__).split())[:200]
