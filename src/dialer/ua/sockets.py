"""The sockets of one local address: UDP and TCP at one port, TLS at another, all marked."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
from typing import TYPE_CHECKING

from dialer.ua.dscp import SIP_DSCP, mark
from dialer.ua.transport import ListenError, bind

if TYPE_CHECKING:
    from dialer.sip.identity import HostPort, Transport

_BACKLOG = 128
_TRIES = 50  # ports looked at for one that is free for UDP and for TCP
# Milliseconds until a peer that acknowledges nothing is given up: well before timer B of a request
# (RFC 5482). Without it Linux sends again for a quarter of an hour.
_USER_TIMEOUT = 15_000


@dataclasses.dataclass(frozen=True, slots=True)
class Bound:
    """The bound sockets of a local address; those for connections listen."""

    udp: socket.socket
    tcp: socket.socket
    tls: socket.socket

    def close(self) -> None:
        """Give the ports back."""
        for bound in (self.udp, self.tcp, self.tls):
            bound.close()


def bind_all(host: str, port: int, tls_port: int | None = None, dscp: int = SIP_DSCP) -> Bound:
    """Bind UDP and TCP at `port` and TLS at `tls_port`, on a literal address.

    With port 0 any will do that is free for both. Without a `tls_port` it is the next after
    `port`, or any free one. Raises ListenError.
    """
    for left in reversed(range(_TRIES)):
        udp = bind(host, port)
        try:
            tcp = listen(host, udp.getsockname()[1], "tcp", dscp)
        except OSError:
            udp.close()
            if port or not left:
                raise
            continue
        try:
            tls = _listen_for_tls(host, tcp.getsockname()[1], tls_port, dscp)
        except OSError:
            udp.close()
            tcp.close()
            raise
        _prepare(udp, dscp)
        return Bound(udp, tcp, tls)
    raise AssertionError("the last try has raised")


def _listen_for_tls(host: str, tcp_port: int, tls_port: int | None, dscp: int) -> socket.socket:
    if tls_port is not None:
        return listen(host, tls_port, "tls", dscp)
    with contextlib.suppress(OSError, OverflowError):
        return listen(host, tcp_port + 1, "tls", dscp)
    return listen(host, 0, "tls", dscp)


def listen(host: str, port: int, transport: Transport, dscp: int) -> socket.socket:
    """Open a listening socket on a literal address; raises ListenError."""
    opened = _stream(host)
    try:
        # a restart need not wait for the connections of the process before
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _prepare(opened, dscp)
        opened.bind((host, port))
        opened.listen(_BACKLOG)
    except OSError as error:
        opened.close()
        raise ListenError(transport, host, port, error.strerror) from error
    return opened


def for_connection(host: str, dscp: int) -> socket.socket:
    """Open a socket that will connect from a literal address; raises OSError."""
    opened = _stream(host)
    try:
        _prepare(opened, dscp)
        opened.bind((host, 0))
    except OSError:
        opened.close()
        raise
    return opened


def _stream(host: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    if family == socket.AF_INET6:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return opened


def _prepare(opened: socket.socket, dscp: int) -> None:
    """Set what routers and the kernel are to do with a socket's packets; a refusal is no fault."""
    mark(opened, dscp)
    if opened.type == socket.SOCK_STREAM and hasattr(socket, "TCP_USER_TIMEOUT"):
        with contextlib.suppress(OSError):
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT)


def where(peer: HostPort) -> str:
    """Return a peer's address and port as a person reads them."""
    return f"[{peer.host}]:{peer.port}" if ":" in peer.host else f"{peer.host}:{peer.port}"
