"""UDP for SIP: one socket, its errors traced back to the destination that caused them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from dialer.sip.identity import HostPort, Transport

if TYPE_CHECKING:
    from collections.abc import Callable

Direction = Literal["sent", "received"]


class Passed(NamedTuple):
    """A SIP message that passed between our address and a peer's."""

    direction: Direction
    local: HostPort
    peer: HostPort
    data: bytes


class ListenError(OSError):
    """A socket cannot be bound; the text says where and why, `__cause__` holds the errno."""

    def __init__(self, transport: Transport, host: str, port: int, reason: str | None) -> None:
        super().__init__(f"cannot listen on {transport} {host} port {port}: {reason}")
        self.transport = transport
        self.port = port


_BUFFER = 4 * 1024 * 1024  # bytes; the kernel caps it at net.core.rmem_max
# <linux/in.h>, <linux/in6.h>, <linux/socket.h>: Python's socket module names none of them
_IP_RECVERR = 11
_IPV6_RECVERR = 25
_MSG_ERRQUEUE = 0x2000


def bind(host: str, port: int) -> socket.socket:
    """Open a UDP socket on a literal address; raises ListenError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            with contextlib.suppress(OSError):
                opened.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if sys.platform == "linux":
            # without it an unconnected socket never hears that a port is closed
            if family == socket.AF_INET6:
                opened.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
            else:
                opened.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        opened.bind((host, port))
    except OSError as error:
        opened.close()
        raise ListenError("udp", host, port, error.strerror) from error
    return opened


def local_address_towards(target: HostPort, own: str | None = None) -> str:
    """Return the address that the machine would send from; raises OSError without a route.

    With `own`, an address of ours, it is that one, or there is no route from there.
    """
    family = socket.AF_INET6 if ":" in target.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        if own is not None:
            probe.bind((own, 0))
        probe.connect((target.host, target.port or 9))
        return str(probe.getsockname()[0])


class UdpTransport(asyncio.DatagramProtocol):
    """A bound socket in the event loop.

    `on_datagram(data, source)` and `on_failure(destination)` are called from the loop, the latter
    for an ICMP error too; neither may raise.
    """

    def __init__(
        self,
        bound: socket.socket,
        on_datagram: Callable[[bytes, HostPort], None],
        on_failure: Callable[[HostPort], None],
    ) -> None:
        self.local = HostPort(*bound.getsockname()[:2])
        self._socket = bound
        self._on_datagram = on_datagram
        self._on_failure = on_failure
        self._transport: asyncio.DatagramTransport | None = None
        self._closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sending: HostPort | None = None
        self._not_sent = False

    async def start(self) -> None:
        """Begin to receive."""
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, sock=self._socket)

    def send(self, data: bytes, destination: HostPort) -> None:
        """Send a datagram; does nothing once the socket is closed."""
        if self._transport is None or self._transport.is_closing():
            return
        self._sending, self._not_sent = destination, False
        try:
            self._transport.sendto(data, destination[:2])
            if self._not_sent:
                # the kernel gave an older datagram's error in place of sending this one
                self._transport.sendto(data, destination[:2])
        except (OSError, ValueError, RuntimeError):
            self._on_failure(destination)
        finally:
            self._sending = None

    async def close(self) -> None:
        """Close the socket and wait until it is."""
        if self._transport is not None:
            self._transport.close()
            await self._closed
        else:
            self._socket.close()

    def connection_made(self, transport: Any) -> None:
        """Keep the loop's transport (which of asyncio's or uvloop's classes does not matter)."""
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Let `close` return."""
        if not self._closed.done():
            self._closed.set_result(None)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Hand a datagram on."""
        self._on_datagram(data, HostPort(addr[0], addr[1]))

    def error_received(self, exc: Exception) -> None:  # noqa: ARG002 - the queue says more
        """Tell which destination could not be reached."""
        failed = self._read_error_queue()
        if failed:
            self._not_sent = True
        elif self._sending is not None:
            failed = [self._sending]
        for destination in failed:
            self._on_failure(destination)

    def _read_error_queue(self) -> list[HostPort]:
        """Return the destinations of datagrams that came back as ICMP errors (ip(7))."""
        failed = []
        if sys.platform == "linux":
            with contextlib.suppress(OSError):
                while True:
                    *_, address = self._socket.recvmsg(0, 0, _MSG_ERRQUEUE)
                    failed.append(HostPort(address[0], address[1]))
        return failed
