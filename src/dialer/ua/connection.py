"""One TCP or TLS connection that carries SIP: framing, keep-alive, and its limits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from dialer.sip.framing import Broken, KeepAlive, StreamFraming
from dialer.sip.identity import HostPort
from dialer.ua.certificate import TlsSession
from dialer.ua.unanswered import Unanswered

if TYPE_CHECKING:
    from collections.abc import Callable

    from dialer.clock import Clock, Timer
    from dialer.sip.framing import Framed

MAX_PENDING = 1024 * 1024  # bytes that wait for a peer that reads slowly
IDLE = 600.0  # seconds without a message, unless the connection is kept alive
PARTIAL = 30.0  # seconds for the rest of a message, once its first byte is there
PONG = 10.0  # seconds for the answer to a ping (RFC 5626 §4.4.1)
_LINGER = 2.0  # seconds for what is still to be written when we close


class Owner(Protocol):
    """Who has the connection and hears of it; none of these may raise."""

    def opened(self, connection: Connection) -> None:
        """Take in that it stands; nothing was received so far."""

    def received(self, connection: Connection, data: bytes) -> None:
        """Take in a message."""

    def broken(self, connection: Connection, broken: Broken) -> None:
        """Take in that the stream cannot be read on; what is sent now still leaves."""

    def lost(self, connection: Connection, error: Exception | str | None) -> None:
        """Take in that it is over, and what the peer did; None: we closed it for want of use."""


class Connection(asyncio.Protocol):
    """A stream to `peer`, opened by us or, with `inbound`, by the peer.

    `heard` says that the peer has sent anything, `active_at` when a message, or a
    ping of the peer's, last passed.
    """

    def __init__(
        self,
        peer: HostPort,
        owner: Owner,
        clock: Clock,
        chance: Callable[[], float],
        *,
        inbound: bool,
    ) -> None:
        self.peer = peer
        self.local = HostPort("", 0, peer.transport)
        self.inbound = inbound
        self.heard = False
        self.active_at = clock.monotonic()
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._owner = owner
        self._clock = clock
        self._chance = chance
        self.unanswered = Unanswered()
        self._framing = StreamFraming()
        self._transport: Any = None
        self._over = False
        self._keep_alive = 0.0
        self._partial_since: float | None = None
        self._ping_at: float | None = None
        self._pong_due: float | None = None
        self._answers_pings = False
        self._timer: Timer | None = None
        self._timer_at = 0.0

    @property
    def certificate(self) -> dict[str, Any]:
        """The peer's certificate as `ssl` tells it, empty where it was not verified."""
        return self._transport.get_extra_info("peercert") or {}

    @property
    def session(self) -> TlsSession | None:
        """What TLS agreed on, None without TLS."""
        secured = self._transport.get_extra_info("ssl_object")
        if secured is None:
            return None
        return TlsSession(secured.version() or "", secured.getpeercert(binary_form=True) or b"")

    def connection_made(self, transport: Any) -> None:
        """Keep the loop's transport (which of asyncio's or uvloop's classes does not matter)."""
        self._transport = transport
        name = transport.get_extra_info("sockname")
        self.local = HostPort(name[0], name[1], self.peer.transport)
        self.active_at = self._clock.monotonic()
        self._owner.opened(self)
        self._set_timer()

    def send(self, data: bytes) -> None:
        """Write a message; a peer that lets too much of them wait loses the connection."""
        if self._over:
            return
        self.active_at = self._clock.monotonic()
        self.unanswered.sent(data, self.active_at)
        self._write(data)

    def _write(self, data: bytes) -> None:
        if self._transport.is_closing():
            return  # it broke while we wrote before; the loop tells so soon
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > MAX_PENDING:
            self.fail("reads too slowly: over 1 MiB waits for it")

    def keep_alive(self, seconds: float) -> None:
        """Send a ping about every so many seconds, none with 0 (RFC 5626 §4.4.1)."""
        self._keep_alive = seconds
        self._ping_at = self._next_ping() if seconds else None
        self._set_timer()

    def _next_ping(self) -> float:
        # RFC 5626 §4.4: between 80 and 100 % of the time, so that not all clients ping at once
        return self._clock.monotonic() + self._keep_alive * (0.8 + 0.2 * self._chance())

    # what the loop tells

    def data_received(self, data: bytes) -> None:
        """Cut messages out of the stream and hand them on."""
        if self._over:
            return
        self.heard = True
        pings = 0
        for item in self._framing.feed(data):
            pings += item is KeepAlive.PING
            self._take(item)
            if self._over:
                return
        if pings:
            self._write(KeepAlive.PONG.value * pings)  # in one piece: there may be thousands
        if not self._framing.pending:
            self._partial_since = None
        elif self._partial_since is None:
            self._partial_since = self._clock.monotonic()
        self._set_timer()

    def _take(self, item: Framed) -> None:
        if isinstance(item, bytes):
            self.active_at = self._clock.monotonic()
            self._partial_since = None
            self.unanswered.received(item)
            self._owner.received(self, item)
        elif item is KeepAlive.PING:
            self.active_at = self._clock.monotonic()
        elif item is KeepAlive.PONG:
            self._answers_pings = True
            self._pong_due = None
        elif isinstance(item, Broken):
            self._owner.broken(self, item)
            self._end(f"sent what cannot be read: {item.reason}")

    def eof_received(self) -> None:
        """Close as well: a peer that sends nothing more answers nothing more."""
        self._end("closed the connection")

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell why, unless it was us."""
        self._tell_end(exc or "closed the connection")
        if not self.closed.done():
            self.closed.set_result(None)

    # how it ends

    def fail(self, reason: str) -> None:
        """Drop the connection at once, with all that waits in it, and tell the owner."""
        if not self._over and self._transport is not None:
            self._transport.abort()
        self._tell_end(reason)

    def close(self) -> None:
        """Close without a word to the owner; what cannot be written soon is dropped."""
        self._over = True
        self._close_transport()

    def _end(self, reason: str) -> None:
        """Close after what was written has left, and tell the owner."""
        if not self._over:
            self._close_transport()
        self._tell_end(reason)

    def _close_transport(self) -> None:
        self._stop_timer()
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.close()
        if not self.closed.done():
            abort = self._transport.abort
            timer = self._clock.call_at(self._clock.monotonic() + _LINGER, abort)
            self.closed.add_done_callback(lambda _: timer.cancel())

    def abort(self) -> None:
        """Drop it at once, without a word to the owner."""
        self._over = True
        self._stop_timer()
        if self._transport is not None:
            self._transport.abort()
        elif not self.closed.done():
            self.closed.set_result(None)

    @property
    def waiting(self) -> bool:
        """Whether something is still to be written."""
        return self._transport is not None and self._transport.get_write_buffer_size() > 0

    def _tell_end(self, why: Exception | str | None) -> None:
        if self._over:
            return
        self._over = True
        self._stop_timer()
        self._owner.lost(self, why)

    # time

    @property
    def _idle(self) -> float:
        # who connects to us has something to say
        return IDLE if self.heard or not self.inbound else PARTIAL

    def _set_timer(self) -> None:
        if self._over:
            return
        wanted = min(
            float("inf") if self._keep_alive else self.active_at + self._idle,
            float("inf") if self._partial_since is None else self._partial_since + PARTIAL,
            float("inf") if self._ping_at is None else self._ping_at,
            float("inf") if self._pong_due is None else self._pong_due,
        )
        # a timer that is early costs one look; only one that is late is replaced
        if self._timer is not None and self._timer_at <= wanted:
            return
        self._stop_timer()
        self._timer_at = wanted
        self._timer = self._clock.call_at(wanted, self._timer_due)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _timer_due(self) -> None:
        self._timer = None
        now = self._clock.monotonic()
        if self._partial_since is not None and now >= self._partial_since + PARTIAL:
            self.fail(f"did not send the rest of a message within {PARTIAL:.0f} s")
        elif self._pong_due is not None and now >= self._pong_due and self._answers_pings:
            self.fail(f"did not answer a keep-alive within {PONG:.0f} s")
        elif not self._keep_alive and now >= self.active_at + self._idle:
            self._close_transport()
            self._tell_end(None)
        else:
            if self._pong_due is not None and now >= self._pong_due:
                self._pong_due = None  # many peers answer no ping: that alone says nothing
            if self._ping_at is not None and now >= self._ping_at:
                self._ping(now)
            self._set_timer()

    def _ping(self, now: float) -> None:
        self._ping_at = self._next_ping()
        if self._pong_due is None:
            self._pong_due = now + PONG
        self._framing.expect_pong()
        self._write(KeepAlive.PING.value)
