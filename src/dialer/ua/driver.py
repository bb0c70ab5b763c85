"""Runs one SIP endpoint at one address: messages and timers in, effects carried out."""

from __future__ import annotations

import collections
import dataclasses
from typing import TYPE_CHECKING

from dialer.sip.effects import SendDatagram
from dialer.sip.endpoint import Endpoint
from dialer.ua.dscp import SIP_DSCP
from dialer.ua.guard import guarded
from dialer.ua.transport import Passed
from dialer.ua.transports import Transports

if TYPE_CHECKING:
    from collections.abc import Callable

    from dialer.clock import Clock, Timer
    from dialer.sip.effects import Effect, Event
    from dialer.sip.endpoint import EndpointSettings
    from dialer.sip.framing import Broken
    from dialer.sip.identity import HostPort
    from dialer.ua.transport import Direction


class SipDriver:
    """An endpoint, its transports, and one timer for whatever the endpoint waits for next.

    Effects are carried out in order, also those that an event's handler brings about; nothing
    that a handler raises reaches the event loop. `may_invite` is asked before each INVITE.
    """

    def __init__(
        self,
        clock: Clock,
        on_event: Callable[[SipDriver, Event], None],
        on_message: Callable[[Passed], None] | None = None,
        may_invite: Callable[[], bool] = lambda: True,
    ) -> None:
        self._clock = clock
        self._on_event = on_event
        self._on_message = on_message
        self._may_invite = may_invite
        self._pending: collections.deque[Effect] = collections.deque()
        self._running = False
        self._closed = False
        self._timer: Timer | None = None
        self._timer_at = 0.0
        self.endpoint: Endpoint
        self.transport: Transports

    async def start(
        self,
        host: str,
        port: int,
        settings: EndpointSettings,
        token: Callable[[], str],
        *,
        tls_port: int | None = None,
        dscp: int = SIP_DSCP,
    ) -> None:
        """Listen at `host`: UDP and TCP at `port`, TLS at `tls_port`; see `Transports`.

        The ports then stand in the settings. Their host stays, so that it can be an external
        address. Raises OSError that says where and why.
        """
        self.transport = Transports((host, port), tls_port, self, self._clock, dscp=dscp)
        listens = self.transport.listens
        settings = dataclasses.replace(
            settings,
            port=listens("udp").port,
            tcp_port=listens("tcp").port,
            tls_port=listens("tls").port,
        )
        self.endpoint = Endpoint(settings, token)
        await self.transport.start()

    def receive(self, data: bytes, source: HostPort) -> None:
        """Let the endpoint take in a message."""
        self._tell("received", source, data)
        self.perform(self.endpoint.receive(data, source, self._clock.monotonic()))

    def on_message(self, data: bytes, source: HostPort) -> None:
        """Take in a message from a transport."""
        self.receive(data, source)

    def on_broken(self, broken: Broken, source: HostPort) -> None:
        """Let the endpoint refuse a request whose end cannot be found."""
        self._tell("received", source, broken.head)
        now = self._clock.monotonic()
        self.perform(self.endpoint.refuse(broken.head, broken.code, source, now))

    def on_failure(self, destination: HostPort) -> None:
        """Let the endpoint know that a destination cannot be reached."""
        self.perform(self.endpoint.transport_failed(destination, self._clock.monotonic()))

    def perform(self, effects: list[Effect]) -> None:
        """Carry out what the endpoint wants, then set the timer anew; nothing once closed."""
        self._pending.extend(effects)
        if self._running or self._closed:
            return
        self._running = True
        try:
            while self._pending:
                effect = self._pending.popleft()
                if isinstance(effect, SendDatagram):
                    self.send(effect.data, effect.destination)
                else:
                    guarded(self._on_event, self, effect)
        finally:
            self._running = False
        self._set_timer()

    def send(self, data: bytes, destination: HostPort) -> None:
        """Put a message on the wire; an INVITE that may not leave is as good as lost there."""
        if not self.may_leave(data):
            return
        self._tell("sent", destination, data)
        self.transport.send(data, destination)

    def may_leave(self, data: bytes) -> bool:
        """Say whether a message may be sent now, which only an INVITE may not."""
        return not data.startswith(b"INVITE ") or self._may_invite()

    def _tell(self, direction: Direction, peer: HostPort, data: bytes) -> None:
        if self._on_message is not None and data:
            local = self.transport.local_towards(peer)
            guarded(self._on_message, Passed(direction, local, peer, data))

    def _set_timer(self) -> None:
        wanted = self.endpoint.timer_at()
        # a timer that is early costs one look at the endpoint; only one that is late is replaced
        if wanted is None or (self._timer is not None and self._timer_at <= wanted):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = wanted
        self._timer = self._clock.call_at(wanted, self._timer_due)

    def _timer_due(self) -> None:
        self._timer = None
        self.perform(self.endpoint.handle_timer(self._clock.monotonic()))

    async def close(self) -> None:
        """Stop the timer and close the sockets."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        await self.transport.close()
