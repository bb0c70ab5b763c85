"""The UDP ports that RTP is received on."""

from __future__ import annotations

import collections
import errno
import ipaddress
import socket

from dialer.ua.dscp import mark

_TAKEN = {errno.EADDRINUSE, errno.EACCES}


class MediaError(Exception):
    """The media of a call cannot be had; the text says why in one line."""


class NoPortAvailable(MediaError):  # noqa: N818 - it is a state of the host, not a fault
    """Every RTP port of the range is in use, or the host grants no more sockets."""


class RtpPorts:
    """Hands out the even ports of a range (RFC 3550 §11), bound; a port given back rests longest.

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
        self._free = collections.deque(range(low + low % 2, high + 1, 2))
        self._free.rotate(-start)

    def bind(self) -> tuple[socket.socket, int]:
        """Return a non-blocking socket bound to a free port; raises `NoPortAvailable`."""
        family = socket.AF_INET if self.ip_version == 4 else socket.AF_INET6
        try:
            bound = socket.socket(family, socket.SOCK_DGRAM)
        except OSError as error:
            raise NoPortAvailable(f"no socket for RTP: {error.strerror}") from None
        try:
            bound.setblocking(False)  # noqa: FBT003 - the library's signature
            mark(bound, self._dscp)
            return bound, self._bind(bound)
        except BaseException:
            bound.close()
            raise

    def _bind(self, bound: socket.socket) -> int:
        """Bind to the first port that nobody else on this host has."""
        for _ in range(len(self._free)):
            port = self._free.popleft()
            try:
                bound.bind((self.host, port))
            except OSError as error:
                self._free.append(port)
                if error.errno not in _TAKEN:
                    where = f"{self.host} port {port}"
                    raise NoPortAvailable(f"no RTP on {where}: {error.strerror}") from None
            else:
                return port
        raise NoPortAvailable(f"every even port of {self._range} is in use on {self.host}")

    def release(self, port: int) -> None:
        """Take back a port whose socket is closed."""
        self._free.append(port)
