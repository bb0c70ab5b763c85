"""Everything that carries SIP at one local address: UDP, TCP and TLS behind one `send`."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from dialer.ua.connections import Connections, Hooks
from dialer.ua.dscp import SIP_DSCP
from dialer.ua.listener import Listener
from dialer.ua.sockets import bind_all, where
from dialer.ua.transport import UdpTransport, local_address_towards

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from dialer.clock import Clock
    from dialer.sip.identity import HostPort, Transport
    from dialer.ua.call import TlsSettings
    from dialer.ua.certificate import TlsSession


class Transports:
    """UDP and TCP at one port of a literal address, TLS at another.

    Port 0 takes one that is free for both; TLS takes the next one or, where that is taken, any.
    TLS connections are accepted once `serve_tls` has given the certificate to show. The
    constructor raises OSError that says where and why; the sockets are bound from then on.
    """

    def __init__(
        self,
        address: tuple[str, int],
        tls_port: int | None,
        hooks: Hooks,
        clock: Clock,
        *,
        dscp: int = SIP_DSCP,
        chance: Callable[[], float] = random.random,
    ) -> None:
        bound = bind_all(*address, tls_port, dscp)
        self._udp = UdpTransport(bound.udp, hooks.on_message, hooks.on_failure)
        self._connections = Connections(address[0], dscp, hooks, clock, chance)
        self._tcp = Listener(bound.tcp, "tcp", self._connections, clock)
        self._tls = Listener(bound.tls, "tls", self._connections, clock)
        self._tls.refuses = True

    @property
    def local(self) -> HostPort:
        """Where we listen for datagrams, and by TCP at the same port."""
        return self._udp.local

    def listens(self, transport: Transport) -> HostPort:
        """Return where we listen."""
        match transport:
            case "udp":
                return self._udp.local
            case "tcp":
                return self._tcp.local
            case "tls":
                return self._tls.local

    def local_towards(self, peer: HostPort) -> HostPort:
        """Return our end of what connects us to a peer, where we listen while nothing does."""
        return self._connections.local(peer) or self.listens(peer.transport)

    async def start(self) -> None:
        """Begin to receive."""
        await self._udp.start()
        self._tcp.start()
        self._tls.start()

    def serve_tls(self, context: ssl.SSLContext) -> None:
        """Accept TLS connections from now on."""
        self._tls.context = context
        self._tls.refuses = False

    @property
    def serves_tls(self) -> bool:
        """Whether TLS connections are accepted."""
        return not self._tls.refuses

    def send(self, data: bytes, destination: HostPort) -> None:
        """Send at once or as soon as there is a connection; failures are told to the hooks."""
        if destination.transport == "udp":
            self._udp.send(data, destination)
        else:
            self._connections.send(data, destination)

    def trust(self, destination: HostPort, settings: TlsSettings, domain: str) -> None:
        """Say how a TLS destination proves who it is; `domain` is the trunk's configured one."""
        self._connections.trust(destination, settings, domain)

    async def connect(self, destination: HostPort) -> str:
        """Open a connection where there is none; return why it cannot be, "" where it stands.

        Over UDP, which knows none, it is a question of routes.
        """
        if destination.transport != "udp":
            return await self._connections.connect(destination)
        try:
            local_address_towards(destination, self.local.host)
        except OSError as error:
            return f"{where(destination)} cannot be reached: {error.strerror}"
        return ""

    def session(self, destination: HostPort) -> TlsSession | None:
        """Return what TLS agreed on with a destination, None while there is no such connection."""
        return self._connections.session(destination)

    def why_not(self, destination: HostPort) -> str:
        """Return why the last connection to a destination failed, "" where it did not."""
        return self._connections.why_not(destination)

    def keep_alive(self, destination: HostPort, seconds: float) -> None:
        """Ping over a connection every so many seconds, 0 ends it (RFC 5626 §3.5.1).

        It is pinged while there is one, and dropped where the peer stops to answer.
        """
        self._connections.keep_alive(destination, seconds)

    async def close(self) -> None:
        """Close every socket and connection, and wait until they are."""
        self._tcp.close()
        self._tls.close()
        await self._connections.close()
        await self._udp.close()
