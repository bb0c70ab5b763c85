"""RTP packets and the numbering of the stream that we send (RFC 3550 §5.1)."""

from __future__ import annotations

import struct

import msgspec

VERSION = 2
COMFORT_NOISE = 13  # the payload type of RFC 3389
_HEADER = struct.Struct("!BBHII")
HEADER_SIZE = _HEADER.size  # octets of each packet that we send
_EXTENSION = struct.Struct("!HH")
_RTCP_TYPES = range(72, 77)  # RFC 5761 §4: with the marker bit, an RTCP packet type 200 to 204


class PacketError(ValueError):
    """A datagram that is not an RTP packet."""


class Packet(msgspec.Struct, frozen=True, gc=False):
    """An RTP packet; `timestamp` in units of the codec's clock.

    A struct, since one is made for every packet that comes.
    """

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False

    def __bytes__(self) -> bytes:
        marked_type = self.payload_type | (0x80 if self.marker else 0)
        header = _HEADER.pack(VERSION << 6, marked_type, self.sequence, self.timestamp, self.ssrc)
        return header + self.payload


def parse(data: bytes) -> Packet:
    """Read a datagram, without its padding, contributing sources and header extension.

    Raises `PacketError` for what is not RTP: other versions, RTCP, lengths that lie.
    """
    if len(data) < _HEADER.size:
        raise PacketError("shorter than an RTP header")
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    if first >> 6 != VERSION:
        raise PacketError("not RTP version 2")
    payload_type = second & 0x7F
    if payload_type in _RTCP_TYPES:
        raise PacketError("RTCP, not RTP")
    start, end = _HEADER.size + 4 * (first & 0x0F), len(data)
    if first & 0x10:
        if start + _EXTENSION.size > end:
            raise PacketError("the header extension is cut off")
        start += _EXTENSION.size + 4 * _EXTENSION.unpack_from(data, start)[1]
    if first & 0x20:
        if not 0 < data[-1] <= end - _HEADER.size:
            raise PacketError("the padding is longer than the packet")
        end -= data[-1]
    if start > end:
        raise PacketError("the header is cut off")
    return Packet(payload_type, sequence, timestamp, ssrc, data[start:end], second >= 0x80)


class Numbering:
    """Gives the packets of one sent stream their headers: frames of equal length, in order.

    The first values of `sequence` and `timestamp` are to be random (RFC 3550 §5.1).
    """

    __slots__ = (
        "_event_timestamp", "_marker", "_sequence", "payload_type", "samples", "ssrc", "timestamp"
    )  # fmt: skip

    def __init__(
        self, *, payload_type: int, samples: int, ssrc: int, sequence: int, timestamp: int
    ) -> None:
        self.payload_type = payload_type
        self.samples = samples  # in each frame
        self.ssrc = ssrc & 0xFFFFFFFF
        self._sequence = sequence & 0xFFFF
        self.timestamp = timestamp & 0xFFFFFFFF  # of the next packet
        self._event_timestamp = self.timestamp
        self._marker = 0x80

    def packet(self, payload: bytes, frames: int = 1) -> bytes:
        """Return the next packet, holding so many frames."""
        marked_type = self.payload_type | self._marker
        header = _HEADER.pack(0x80, marked_type, self._sequence, self.timestamp, self.ssrc)
        self._marker = 0
        self._sequence = (self._sequence + 1) & 0xFFFF
        self.timestamp = (self.timestamp + frames * self.samples) & 0xFFFFFFFF
        return header + payload

    def event(self, payload: bytes, payload_type: int, *, begins: bool) -> bytes:
        """Return the next packet with a report of an event, in the place of a frame.

        All reports of an event have the timestamp of the one that begins it (RFC 4733 §2.5.1.1).
        """
        if begins:
            self._event_timestamp = self.timestamp
        marked_type = payload_type | (0x80 if begins else 0)
        header = _HEADER.pack(0x80, marked_type, self._sequence, self._event_timestamp, self.ssrc)
        self._sequence = (self._sequence + 1) & 0xFFFF
        self.timestamp = (self.timestamp + self.samples) & 0xFFFFFFFF
        return header + payload

    def skip(self, frames: int) -> None:
        """Let the time of `frames` pass unsent; the next packet begins a talkspurt."""
        self.timestamp = (self.timestamp + frames * self.samples) & 0xFFFFFFFF
        self._marker = 0x80

    def next(self) -> tuple[int, int, int]:
        """Return the next sequence number and timestamp, and the SSRC."""
        return self._sequence, self.timestamp, self.ssrc

    def go_on(self, sequence: int, timestamp: int) -> None:
        """Go on from these numbers, after packets of others went out in this stream."""
        self._sequence, self.timestamp, self._marker = sequence, timestamp, 0x80

    def begin_talkspurt(self) -> None:
        """Mark the next packet, so that the listener may adapt its playout (RFC 3551 §4.1)."""
        self._marker = 0x80
