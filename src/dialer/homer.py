"""Export of SIP messages to a Homer server (HEP version 3) over UDP."""

from __future__ import annotations

import ipaddress
import socket
import struct
from typing import TYPE_CHECKING

from dialer.ua.redaction import redacted

if TYPE_CHECKING:
    import datetime as dt

    from dialer.clock import Clock
    from dialer.ua.transport import Passed

_SIP = 1  # protocol type of chunk 0x000b
_IP_PROTOCOL = {"udp": 17, "tcp": 6, "tls": 6}
_MAX = 65_000  # bytes of a datagram


def _chunk(kind: int, value: bytes) -> bytes:
    """Return a chunk of the generic vendor: vendor, type, length with this head, value."""
    return struct.pack("!HHH", 0, kind, 6 + len(value)) + value


def encode(
    passed: Passed, at: dt.datetime, *, capture_id: int, password: str = "", node: str = ""
) -> bytes:
    """Return the HEP3 packet of a message; `capture_id` is this agent's number in Homer."""
    sent = passed.direction == "sent"
    source, target = (passed.local, passed.peer) if sent else (passed.peer, passed.local)
    addresses = [ipaddress.ip_address(one.host) for one in (source, target)]
    v6 = addresses[0].version == 6
    seconds, micro = int(at.timestamp()), at.microsecond
    chunks = [
        _chunk(0x0001, bytes([socket.AF_INET6 if v6 else socket.AF_INET])),
        _chunk(0x0002, bytes([_IP_PROTOCOL[passed.peer.transport]])),
        _chunk(0x0005 if v6 else 0x0003, addresses[0].packed),
        _chunk(0x0006 if v6 else 0x0004, addresses[1].packed),
        _chunk(0x0007, struct.pack("!H", source.port)),
        _chunk(0x0008, struct.pack("!H", target.port)),
        _chunk(0x0009, struct.pack("!I", seconds)),
        _chunk(0x000A, struct.pack("!I", micro)),
        _chunk(0x000B, bytes([_SIP])),
        _chunk(0x000C, struct.pack("!I", capture_id)),
    ]
    if password:
        chunks.append(_chunk(0x000E, password.encode()))
    if node:
        chunks.append(_chunk(0x0013, node.encode()))
    chunks.append(_chunk(0x000F, redacted(passed.data)[:_MAX]))
    body = b"".join(chunks)
    return b"HEP3" + struct.pack("!H", 6 + len(body)) + body


class HomerExporter:
    """A hook for `UserAgentSettings.on_message`; a Homer that is away costs nothing but its copy.

    `server` is an address literal and a port. Raises OSError without a route to it.
    """

    def __init__(
        self, server: tuple[str, int], clock: Clock, *, capture_id: int, password: str, node: str
    ) -> None:
        family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._socket.connect(server)
        except OSError:
            self._socket.close()
            raise
        self._clock = clock
        self._agent = {"capture_id": capture_id, "password": password, "node": node}
        self.lost = 0

    def __call__(self, passed: Passed) -> None:
        """Send a copy of a message."""
        try:
            self._socket.send(encode(passed, self._clock.now(), **self._agent))  # type: ignore[arg-type]
        except (OSError, ValueError):
            self.lost += 1

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
