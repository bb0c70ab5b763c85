"""RTP for the calls of one user agent: every stream has a socket, all share one ticker."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from dialer.ua.media_inbox import MediaInbox
from dialer.ua.media_ports import MediaError, NoPortAvailable, RtpPorts
from dialer.ua.media_stream import MediaStream
from dialer.ua.ticker import Ticker

if TYPE_CHECKING:
    from collections.abc import Callable

    from dialer.clock import Clock

__all__ = ["MediaError", "MediaPlane", "MediaStream", "NoPortAvailable"]


class MediaPlane:
    """The RTP side of a user agent.

    `bind_host` is an address literal, `ports` the range whose even ones are used.
    `external_address`, if any, is what the SDP gives instead of `bind_host`. `dscp` marks the
    packets, 0 leaves them alone. `random_bits(n)` supplies SSRCs and first numbers (RFC 3550 §5.1).
    """

    def __init__(
        self,
        clock: Clock,
        bind_host: str,
        ports: tuple[int, int],
        *,
        external_address: str | None = None,
        dscp: int = 0,
        random_bits: Callable[[int], int] = secrets.randbits,
    ) -> None:
        self.clock = clock
        self.address = external_address or bind_host
        self.random_bits = random_bits
        self.ports = RtpPorts(bind_host, ports, start=random_bits(15), dscp=dscp)
        self.cname = f"{random_bits(96):024x}"  # RFC 7022 §4.2: it names nobody
        self._open: set[MediaStream] = set()
        self.ticker = Ticker(clock)
        self.inbox = MediaInbox(clock, self.ticker)

    def open(self) -> MediaStream:
        """Bind a port and listen there; raises `NoPortAvailable`. Needs a running event loop."""
        stream = MediaStream(self, self.ports.bind())
        self._open.add(stream)
        return stream

    def close(self) -> None:
        """Close every stream."""
        for stream in tuple(self._open):
            stream.close()

    def forget(self, stream: MediaStream) -> None:
        """Drop a stream that is closed, whose port is free again."""
        self._open.discard(stream)
        self.ticker.drop(stream)
        self.ports.release(stream.local_port)
