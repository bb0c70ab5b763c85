"""The UDP ports that RTP is received on."""

from __future__ import annotations

import collections
import errno
import ipaddress
import socket
from typing import NamedTuple

from dialer.ua.dscp import mark

_TAKEN = {errno.EADDRINUSE, errno.EACCES}


class MediaError(Exception):
    """The media of a call cannot be had; the text says why in one line."""


class NoPortAvailable(MediaError):  # noqa: N818 - it is a state of the host, not a fault
    """Every RTP port of the range is in use, or the host grants no more sockets."""


class Pair(NamedTuple):
    """Non-blocking sockets for RTP, at an even port, and for RTCP at the next.

    There is none for RTCP at the last port of a range that ends with an even one.
    """

    port: int
    rtp: socket.socket
    rtcp: socket.socket | None


class RtpPorts:
    """Hands out the even ports of a range (RFC 3550 §11), bound; a port given back rests longest.

    With each comes the odd one above it, for RTCP; a pair of which another program has one is
    passed over.

    `host` is the address literal to bind; `start` turns the range, so that neither two processes
    nor two runs begin at the same port. `dscp` marks what the sockets send, 0 leaves them alone.
    Raises ValueError for a range without an even port.
    """

    def __init__(self, host: str, ports: tuple[int, int], start: int = 0, *, dscp: int = 0) -> None:
        low, high = ports
        if not 1 <= low <= high <= 65535 or (low == high and low % 2):
            raise ValueError(f"RTP ports {low}-{high}: no even port from 1 to 65535 in there")
        self.host = host
        self.ip_version = ipaddress.ip_address(host).version
        self._dscp = dscp
        self._range = f"{low}-{high}"
        self._last = high
        self._free = collections.deque(range(low + low % 2, high + 1, 2))
        self._free.rotate(-start)

    def bind(self) -> Pair:
        """Return sockets bound to a free pair of ports; raises `NoPortAvailable`."""
        for _ in range(len(self._free)):
            port = self._free.popleft()
            try:
                rtp = self._bound(port)
            except OSError as error:
                self._pass_over(port, error)
                continue
            try:
                return Pair(port, rtp, self._bound(port + 1) if port < self._last else None)
            except OSError as error:
                rtp.close()
                self._pass_over(port, error)
        raise NoPortAvailable(f"every even port of {self._range} is in use on {self.host}")

    def _bound(self, port: int) -> socket.socket:
        """Return a socket bound to a port; raises OSError."""
        family = socket.AF_INET if self.ip_version == 4 else socket.AF_INET6
        try:
            bound = socket.socket(family, socket.SOCK_DGRAM)
        except OSError as error:
            raise NoPortAvailable(f"no socket for RTP: {error.strerror}") from None
        try:
            bound.setblocking(False)  # noqa: FBT003 - the library's signature
            mark(bound, self._dscp)
            bound.bind((self.host, port))
        except BaseException:
            bound.close()
            raise
        return bound

    def _pass_over(self, port: int, error: OSError) -> None:
        """Put a port back whose pair another program has; raises for what is no matter of ports."""
        self._free.append(port)
        if error.errno not in _TAKEN:
            where = f"{self.host} port {port}"
            raise NoPortAvailable(f"no RTP on {where}: {error.strerror}") from None

    def release(self, port: int) -> None:
        """Take back a port whose socket is closed."""
        self._free.append(port)
