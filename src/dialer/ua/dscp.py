"""The mark that routers sort packets by (DSCP, RFC 2474)."""

from __future__ import annotations

import contextlib
import socket

RTP_DSCP = 46  # EF, for speech (RFC 4594 §4.1)
SIP_DSCP = 24  # CS3, as most SIP equipment marks signalling


def mark(sock: socket.socket, dscp: int) -> None:
    """Give what `sock` sends a code point from 0 to 63; 0 leaves the socket alone.

    It is a wish: what the system does not grant is not had.
    """
    if not dscp:
        return
    traffic_class = dscp << 2  # RFC 2474 §3: the two bits below belong to ECN
    with contextlib.suppress(OSError):
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, traffic_class)
        else:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, traffic_class)
