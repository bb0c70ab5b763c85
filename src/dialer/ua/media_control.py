"""RTCP of one stream: reports to and fro, on the port above its own (RFC 3550 §6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialer.rtp import report_interval
from dialer.rtp.reports import Reports, Sent
from dialer.rtp.rtcp import RtcpError
from dialer.ua.srtp import SrtpError

if TYPE_CHECKING:
    import asyncio
    import socket

    from dialer.rtp.latch import Address
    from dialer.ua.media import MediaPlane
    from dialer.ua.media_stream import MediaStream

_DATAGRAM = 2048  # octets
_HEADERS = 28  # octets of UDP and IPv4, which count for the average size (RFC 3550 §6.2)


class MediaControl:
    """Sends a report every few seconds once the stream is connected, and hears the peer's.

    Only the host that the stream's packets come from, and those that the SDP names, are heard.
    `bound` is None where there is no port to spare: then nothing is sent or heard.
    """

    def __init__(
        self,
        plane: MediaPlane,
        stream: MediaStream,
        bound: socket.socket | None,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.silent_at: float | None = None  # when the peer last said that it sends nothing
        self.packets_dropped = 0  # received, but not RTCP, not from the peer, or not authentic
        self.reports = Reports(stream.ssrc, plane.cname, stream.reception)
        self._plane = plane
        self._stream = stream
        self._socket = bound
        self._loop = loop
        self._agreed: Address | None = None
        self._source: Address | None = None  # where the peer's reports come from
        self._average_size = 128.0
        self._begun = False
        if bound is not None:
            loop.add_reader(bound, self._receive)

    def agree(self, address: Address) -> None:
        """Report to where the SDP says, from now on."""
        if address != self._agreed:
            self._agreed, self._source = address, None
        if not self._begun and self._socket is not None:
            self._begun = True
            self._wait(self._plane.clock.monotonic(), first=True)

    def remind(self, now: float) -> None:
        """Send the report that is due."""
        self._report(now)
        self._wait(now, first=False)

    def close(self) -> None:
        """Say goodbye, where anything was ever sent (RFC 3550 §6.3.7), and close the socket."""
        self._plane.ticker.remind_no_more(self)
        if self._socket is None:
            return
        if self._begun and (self._stream.packets_sent or self.reports.sent):
            self._report(self._plane.clock.monotonic(), last=True)
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def _wait(self, now: float, *, first: bool) -> None:
        fraction = self._plane.random_bits(32) / (1 << 32)
        interval = report_interval.seconds(self._average_size, fraction, first=first)
        self._plane.ticker.remind(self, now + interval)

    @property
    def _destination(self) -> Address | None:
        """Where the peer's own reports come from; else beside its packets, if NAT moved them."""
        if self._source is not None:
            return self._source
        latch = self._stream.latch
        if latch.source is not None and latch.source != latch.expected:
            return latch.source[0], latch.source[1] + 1
        return self._agreed

    def _sent(self) -> Sent:
        stream = self._stream
        return Sent(stream.packets_sent, stream.octets_sent, stream.timestamp)

    def _report(self, now: float, *, last: bool = False) -> None:
        destination = self._destination
        if destination is None or self._socket is None or not 0 < destination[1] < 65536:
            return
        unix_seconds = self._plane.clock.now().timestamp()
        plain = self.reports.write(self._sent(), now, unix_seconds, last=last)
        self._count(plain)
        srtp = self._stream.srtp
        try:
            datagram = srtp.protect_control(plain) if srtp.agreed else plain
            self._socket.sendto(datagram, destination)
        except (OSError, SrtpError):
            return  # the next one may get through

    def _receive(self) -> None:
        """Read one datagram; the event loop calls again while there are more."""
        assert self._socket is not None
        try:
            data, source = self._socket.recvfrom(_DATAGRAM)
        except OSError:
            return
        address, stream = source[:2], self._stream
        if not self._allows(address[0]) or (stream.secure_only and not stream.srtp.agreed):
            self.packets_dropped += 1
            return
        now = self._plane.clock.monotonic()
        try:
            if stream.srtp.agreed:
                data = stream.srtp.unprotect_control(data)
            silent = self.reports.read(data, now, self._sent())
        except (RtcpError, SrtpError):
            self.packets_dropped += 1
            return
        self._source = address
        self._count(data)
        if silent:
            self.silent_at = now

    def _allows(self, host: str) -> bool:
        """Whether reports from a host may be the peer's."""
        latch = self._stream.latch
        source = latch.source or latch.expected
        return (source is not None and host == source[0]) or (
            self._agreed is not None and host == self._agreed[0]
        )

    def _count(self, packet: bytes) -> None:
        """Take a packet into the average size (RFC 3550 §6.3.3)."""
        self._average_size += (len(packet) + _HEADERS - self._average_size) / 16
