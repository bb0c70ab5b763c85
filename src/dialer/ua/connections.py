"""All TCP and TLS connections of one local address: opened on demand, reused, bounded."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import ssl
from typing import TYPE_CHECKING, Protocol, TypeVar

import structlog

from dialer.sip.fields import split_host_port
from dialer.ua.connecting import connect, failure, refused_certificate, tls_options
from dialer.ua.connection import MAX_PENDING, Connection
from dialer.ua.sockets import where
from dialer.ua.tls import TlsError, misnamed
from dialer.ua.trust import Trust, TrustTable

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from dialer.clock import Clock, Timer
    from dialer.sip.framing import Broken
    from dialer.sip.identity import HostPort
    from dialer.ua.call import TlsSettings
    from dialer.ua.certificate import TlsSession

_log = structlog.get_logger(__name__)

CONNECT = 5.0  # seconds until a connection stands, TLS included: well below timer B
MAX_INBOUND = 1000  # connections that peers opened; the one longest without a message makes room
_MAX_ENTERING = 200  # of them in their TLS handshake: these push nobody out
_MAX_OUTBOUND = 1000
_REMEMBERED = 1000  # destinations of which something is kept
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 30.0  # seconds, doubled with each failure in between
_WANTS_OURS = " at the TLS handshake; it may want a certificate of ours, or another one"
_SENT_BY = re.compile(rb"\r\nVia: SIP/2\.0/[A-Z]+ ([^;\s]+)")

V = TypeVar("V")


class Hooks(Protocol):
    """Who uses the connections; none of these may raise."""

    def may_leave(self, data: bytes) -> bool:
        """Say whether a message that waited for its connection may still be sent."""

    def on_message(self, data: bytes, source: HostPort) -> None:
        """Take in a message."""

    def on_broken(self, broken: Broken, source: HostPort) -> None:
        """Answer a request that cannot be read to its end."""

    def on_failure(self, destination: HostPort) -> None:
        """Take in that what was sent to a destination may not have arrived."""


@dataclasses.dataclass(slots=True)
class _Opening:
    """A connection on its way, and what is to be sent over it."""

    queue: list[bytes]
    size: int
    trust: Trust
    task: asyncio.Task[None] | None = None
    limit: Timer | None = None
    too_late: bool = False
    reason: str = ""  # why it fails, while more is asked about that


@dataclasses.dataclass(frozen=True, slots=True)
class _Backoff:
    """How often a destination failed in a row, and until when it is left in peace."""

    failures: int
    until: float


class Connections:
    """One connection per peer, used both ways, whoever opened it (RFC 3261 §18), but see `_proven`.

    `send` never blocks; what it cannot deliver comes back as `on_failure`. A destination that
    failed is tried again with the next send, after a back-off. `chance` gives numbers from 0 to 1.
    """

    def __init__(
        self, host: str, dscp: int, hooks: Hooks, clock: Clock, chance: Callable[[], float]
    ) -> None:
        self._host = host
        self._dscp = dscp
        self._hooks = hooks
        self._clock = clock
        self._chance = chance
        self._open: dict[HostPort, Connection] = {}
        self._opening: dict[HostPort, _Opening] = {}
        self._entering: dict[
            Connection, asyncio.Task[None]
        ] = {}  # accepted, in their TLS handshake
        self._unclaimed: set[socket.socket] = set()
        self._all: set[Connection] = set()  # those too that nothing is sent over any longer
        self._tasks: set[asyncio.Task[None]] = set()
        self._backoff: dict[HostPort, _Backoff] = {}
        self._reasons: dict[HostPort, str] = {}
        self._keep_alive: dict[HostPort, float] = {}
        self._awaited: dict[HostPort, asyncio.Future[str]] = {}
        self._trusts = TrustTable()
        self._closed = False

    # what is asked for

    def send(self, data: bytes, destination: HostPort) -> None:
        """Send over the connection to a destination, opening it where there is none."""
        if self._closed:
            return
        if destination not in self._open and data.startswith(b"SIP/2.0 "):
            destination = _listening(data, destination)
        connection = self._open.get(destination)
        if connection is not None and (data.startswith(b"SIP/2.0 ") or self._proven(connection)):
            connection.send(data)
        elif destination in self._opening:
            opening = self._opening[destination]
            opening.size += len(data)
            if opening.size <= MAX_PENDING:
                opening.queue.append(data)
            else:
                # every request that waits counts as lost then: none may ring somebody later
                opening.queue.clear()
                opening.size = 0
                self._hooks.on_failure(destination)
        elif self._may_open(destination):
            self._start(destination, data)
        else:
            self._hooks.on_failure(destination)

    async def connect(self, destination: HostPort) -> str:
        """Open a connection where there is none; return why it cannot be, "" where it stands."""
        if self._closed:
            return "closed"
        connection = self._open.get(destination)
        if connection is not None and self._proven(connection):
            return ""
        if destination not in self._opening:
            if not self._may_open(destination):
                return self.why_not(destination) or "too many connections"
            self._start(destination)
        awaited = self._awaited.setdefault(destination, asyncio.get_running_loop().create_future())
        return await asyncio.shield(awaited)

    def _came_of(self, destination: HostPort, reason: str) -> None:
        """Tell whoever waits for a connection what came of it."""
        awaited = self._awaited.pop(destination, None)
        if awaited is not None:
            awaited.set_result(reason)

    def session(self, destination: HostPort) -> TlsSession | None:
        """Return what TLS agreed on with a destination, None while there is no such connection."""
        connection = self._open.get(destination)
        return None if connection is None else connection.session

    def trust(self, destination: HostPort, settings: TlsSettings, domain: str) -> None:
        """Say how a destination proves who it is; with other settings it is connected to anew."""
        if not self._trusts.say(destination, Trust(settings, domain)):
            return
        self._backoff.pop(destination, None)
        connection = self._open.get(destination)
        if connection is not None and not connection.inbound:
            self._forget(connection)  # it serves its transactions until it is idle
            connection.keep_alive(0.0)

    def keep_alive(self, destination: HostPort, seconds: float) -> None:
        """Ping a destination every so many seconds while there is a connection; 0 ends it."""
        if self._keep_alive.get(destination, 0.0) == seconds:
            return
        _remember(self._keep_alive, destination, seconds)
        if not seconds:
            del self._keep_alive[destination]
        connection = self._open.get(destination)
        if connection is not None:
            connection.keep_alive(seconds)

    def why_not(self, destination: HostPort) -> str:
        """Return why the last connection to a destination failed, "" where it did not."""
        return self._reasons.get(destination, "")

    def local(self, peer: HostPort) -> HostPort | None:
        """Return our end of the connection to a peer, None while there is none."""
        connection = self._open.get(peer)
        return None if connection is None else connection.local

    async def close(self) -> None:
        """Close all connections, and wait until they are."""
        self._closed = True
        for connection in self._all:
            # whoever has not read what we wrote until now would only be waited for
            if connection.waiting:
                connection.abort()
            else:
                connection.close()
        # only those on their way: uvloop tells nothing of a connection whose task is cancelled
        ways = [opening.task for opening in self._opening.values()]
        for task in (*ways, *self._entering.values()):
            if task is not None:
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for accepted in self._unclaimed:
            accepted.close()
        await asyncio.gather(*(connection.closed for connection in self._all))
        for destination in tuple(self._awaited):
            self._came_of(destination, "closed")

    # connections that we open

    def _may_open(self, destination: HostPort) -> bool:
        backoff = self._backoff.get(destination)
        if backoff is not None and self._clock.monotonic() < backoff.until:
            return False
        if len(self._opening) >= _MAX_OUTBOUND:
            return False
        full = self._standing(inbound=False) >= _MAX_OUTBOUND
        return not full or self._make_room(inbound=False)

    def _start(self, destination: HostPort, *data: bytes) -> None:
        opening = _Opening([*data], sum(map(len, data)), self._trusts.of(destination))
        self._opening[destination] = opening
        name = f"connect to {where(destination)}"
        task = asyncio.create_task(self._connect(destination, opening), name=name)
        opening.task = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

        def too_late() -> None:
            opening.too_late = True
            task.cancel()

        opening.limit = self._clock.call_at(self._clock.monotonic() + CONNECT, too_late)

    async def _connect(self, destination: HostPort, opening: _Opening) -> None:
        try:
            reason = await self._attempt(destination, opening)
        except asyncio.CancelledError:
            if not opening.too_late:
                raise
            silence = f"{where(destination)} did not answer within {CONNECT:.0f} s"
            reason = opening.reason or silence
        if reason and self._opening.get(destination) is opening:
            self._take_opening(destination)
            self._not_opened(destination, reason)

    async def _attempt(self, destination: HostPort, opening: _Opening) -> str:
        """Open a connection; return why it failed, "" where it did not."""
        host, dscp, context, name = self._host, self._dscp, None, None
        trust = opening.trust
        try:
            if destination.transport == "tls":
                context, name = self._trusts.context(trust.settings), trust.indicated
            connection = self._new(destination, inbound=False)
            await connect(host, dscp, destination, connection, context, name)
        except TlsError as error:
            return str(error)
        except ssl.SSLError as error:
            opening.reason = failure(destination, error, self._clock.now())
            shown = await refused_certificate(host, dscp, destination, name, error)
            return failure(destination, error, self._clock.now(), shown)
        except (OSError, ValueError) as error:
            reason = failure(destination, error, self._clock.now())
            broke_off = context is not None and isinstance(error, ConnectionResetError)
            return reason + _WANTS_OURS if broke_off else reason
        return ""

    def _take_opening(self, destination: HostPort) -> _Opening | None:
        opening = self._opening.pop(destination, None)
        if opening is not None and opening.limit is not None:
            opening.limit.cancel()
        return opening

    def _not_opened(self, destination: HostPort, reason: str) -> None:
        """Note and tell that a destination cannot be connected to."""
        before = self._backoff.get(destination)
        failures = 1 + (before.failures if before else 0)
        wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(failures - 1, 10))
        until = self._clock.monotonic() + wait * (0.5 + 0.5 * self._chance())
        _remember(self._backoff, destination, _Backoff(failures, until))
        _remember(self._reasons, destination, reason)
        _log.warning("no connection", to=where(destination), reason=reason)
        self._came_of(destination, reason)
        self._hooks.on_failure(destination)

    # connections that peers open

    def accept(
        self, accepted: socket.socket, peer: HostPort, context: ssl.SSLContext | None
    ) -> None:
        """Take over a socket that a peer opened."""
        full = self._standing(inbound=True) + len(self._entering) >= MAX_INBOUND
        if (
            self._closed
            or len(self._entering) >= _MAX_ENTERING
            or (full and not self._make_room(inbound=True))
        ):
            accepted.close()
            return
        connection = self._new(peer, inbound=True)
        name = f"accept from {where(peer)}"
        task = asyncio.create_task(self._accept(accepted, connection, context), name=name)
        self._tasks.add(task)
        self._entering[connection] = task
        self._unclaimed.add(accepted)

        def too_late() -> None:
            task.cancel()

        def done(_: object) -> None:
            limit.cancel()
            self._tasks.discard(task)
            self._entering.pop(connection, None)

        limit = self._clock.call_at(self._clock.monotonic() + CONNECT, too_late)
        task.add_done_callback(done)

    async def _accept(
        self, accepted: socket.socket, connection: Connection, context: ssl.SSLContext | None
    ) -> None:
        self._unclaimed.discard(accepted)  # from here on the loop closes it
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(lambda: connection, accepted, **tls_options(context))
        except OSError as error:
            _log.debug("no connection from a peer", peer=where(connection.peer), reason=str(error))

    def _standing(self, *, inbound: bool) -> int:
        return sum(connection.inbound is inbound for connection in self._all)

    def _make_room(self, *, inbound: bool) -> bool:
        """Close the connection that was longest without a message; say whether there was one."""
        standing = [c for c in self._all if c.inbound is inbound]
        if not standing:
            return False
        oldest = min(standing, key=lambda connection: connection.active_at)
        self._forget(oldest)
        oldest.abort()
        return True

    # what the connections tell

    def _new(self, peer: HostPort, *, inbound: bool) -> Connection:
        return Connection(peer, self, self._clock, self._chance, inbound=inbound)

    def opened(self, connection: Connection) -> None:
        """Let what waits for a connection leave."""
        self._entering.pop(connection, None)
        peer = connection.peer
        opening = None if connection.inbound else self._take_opening(peer)
        if not self._closed:
            self._all.add(connection)
            connection.closed.add_done_callback(lambda _: self._all.discard(connection))
        if self._closed or (opening is None and not connection.inbound):
            connection.abort()
            return
        if opening is not None and peer.transport == "tls" and opening.trust.settings.verify:
            reason = misnamed(connection.certificate, opening.trust.expected, where(peer))
            if reason:
                connection.abort()
                self._not_opened(peer, reason)
                return
        standing = self._open.get(peer)
        if standing is not None and not standing.inbound and not self._proven(connection):
            return
        self._open[peer] = connection
        self._reasons.pop(peer, None)
        self._came_of(peer, "")
        if peer in self._keep_alive:
            connection.keep_alive(self._keep_alive[peer])
        for data in opening.queue if opening is not None else ():
            if self._hooks.may_leave(data):
                connection.send(data)

    def received(self, connection: Connection, data: bytes) -> None:
        """Hand a message on; a peer that says something is worth another connection at once."""
        self._backoff.pop(connection.peer, None)
        self._hooks.on_message(data, connection.peer)

    def broken(self, connection: Connection, broken: Broken) -> None:
        """Let a request that cannot be read be answered."""
        self._hooks.on_broken(broken, connection.peer)

    def lost(self, connection: Connection, error: Exception | str | None) -> None:
        """Forget a connection, and tell that what was sent over it may be lost."""
        if not self._forget(connection) or error is None:
            return
        peer = connection.peer
        if isinstance(error, str):
            reason = f"{where(peer)} {error}"
        else:
            reason = failure(peer, error, self._clock.now())
        fresh = not connection.heard and not connection.inbound
        if fresh and peer.transport == "tls" and not isinstance(error, ssl.SSLError):
            # TLS 1.3: a client that lacks a certificate learns of it after the handshake
            reason += _WANTS_OURS
        if connection.inbound:
            _log.debug("connection lost", peer=where(peer), reason=reason)
            self._hooks.on_failure(peer)
        elif connection.heard:
            _log.info("connection lost", to=where(peer), reason=reason)
            _remember(self._reasons, peer, reason)
            self._hooks.on_failure(peer)
            # a dialog outlives its connection: what ends one goes over the next
            for data in connection.unanswered.take(self._clock.monotonic()):
                self.send(data, peer)
        else:
            self._not_opened(peer, reason)

    def _proven(self, connection: Connection) -> bool:
        """Whether requests may leave over a connection.

        Who opens one to us has proved nothing of himself (cf. RFC 5923): what is for a trunk that
        has to prove who it is waits for a connection that we open.
        """
        return not (connection.inbound and self._trusts.knows(connection.peer))

    def _forget(self, connection: Connection) -> bool:
        """Send nothing more over a connection; say whether it was in use until now."""
        current = self._open.get(connection.peer) is connection
        if current:
            del self._open[connection.peer]
        return current


def _listening(response: bytes, source: HostPort) -> HostPort:
    """Return where a response goes whose connection is gone: its sent-by (RFC 3261 §18.2.2)."""
    sent_by = _SENT_BY.search(response)
    try:
        _, port = split_host_port(sent_by[1].decode()) if sent_by else ("", source.port)
    except ValueError:
        return source
    return source._replace(port=port or (5061 if source.transport == "tls" else 5060))


def _remember(table: dict[HostPort, V], key: HostPort, value: V) -> None:
    """Keep a value for a destination, in place of the oldest where there are too many."""
    table.pop(key, None)
    table[key] = value
    if len(table) > _REMEMBERED:
        del table[next(iter(table))]
