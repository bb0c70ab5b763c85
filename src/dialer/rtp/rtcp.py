"""RTCP packets: reports, source descriptions and goodbyes (RFC 3550 §6).

What is read is bounded by the datagram, and whatever a peer sends raises nothing but `RtcpError`.
"""

from __future__ import annotations

import dataclasses
import struct
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKET_TYPES = range(192, 224)  # RFC 5761 §4: what the second octet of an RTCP packet may be
_SR, _RR, _SDES, _BYE = 200, 201, 202, 203
_CNAME = 1  # the SDES item
_MAX_ITEM = 255  # octets
_HEADER = struct.Struct("!BBH")
_WORD = struct.Struct("!I")
_SENDER = struct.Struct("!QIII")
_BLOCK = struct.Struct("!IIIIII")
_EPOCH = 2_208_988_800  # seconds from 1900, where NTP begins, to 1970


class RtcpError(ValueError):
    """A datagram that is not RTCP."""


@dataclasses.dataclass(frozen=True, slots=True)
class ReportBlock:
    """What a receiver says of one stream (§6.4.1).

    `fraction_lost` is of the packets since the report before, in 256ths; `lost` of all, below 0
    where duplicates outnumber the losses. `jitter` in timestamp units. `last_sr` is the middle of
    the NTP timestamp of the last sender report, 0 for none; `delay` the time since then in 65536ths
    of a second.
    """

    ssrc: int
    fraction_lost: int
    lost: int
    highest_sequence: int
    jitter: int
    last_sr: int = 0
    delay: int = 0

    def __bytes__(self) -> bytes:
        lost = max(-(1 << 23), min(self.lost, (1 << 23) - 1)) & 0xFFFFFF
        return _BLOCK.pack(
            self.ssrc,
            self.fraction_lost << 24 | lost,
            self.highest_sequence & 0xFFFFFFFF,
            min(self.jitter, 0xFFFFFFFF),
            self.last_sr,
            self.delay & 0xFFFFFFFF,
        )


@dataclasses.dataclass(frozen=True, slots=True)
class SenderReport:
    """What a sender says of its own stream, and of those it hears (§6.4.1).

    `ntp` is a 64-bit NTP timestamp, `timestamp` the same moment in the stream's own units.
    """

    ssrc: int
    ntp: int
    timestamp: int
    packets: int
    octets: int
    blocks: tuple[ReportBlock, ...] = ()

    def __bytes__(self) -> bytes:
        sender = _SENDER.pack(
            self.ntp, self.timestamp, self.packets & 0xFFFFFFFF, self.octets & 0xFFFFFFFF
        )
        blocks = b"".join(map(bytes, self.blocks))
        return _packet(_SR, len(self.blocks), _WORD.pack(self.ssrc) + sender + blocks)


@dataclasses.dataclass(frozen=True, slots=True)
class ReceiverReport:
    """What one that sends nothing says of the streams it hears (§6.4.2)."""

    ssrc: int
    blocks: tuple[ReportBlock, ...] = ()

    def __bytes__(self) -> bytes:
        blocks = b"".join(map(bytes, self.blocks))
        return _packet(_RR, len(self.blocks), _WORD.pack(self.ssrc) + blocks)


@dataclasses.dataclass(frozen=True, slots=True)
class SourceDescription:
    """The canonical name of a source (§6.5.1), at most 255 octets of it."""

    ssrc: int
    cname: str

    def __bytes__(self) -> bytes:
        name = self.cname.encode()[:_MAX_ITEM]
        chunk = _WORD.pack(self.ssrc) + bytes((_CNAME, len(name))) + name
        return _packet(_SDES, 1, chunk + bytes(4 - len(chunk) % 4))  # one null octet at least


@dataclasses.dataclass(frozen=True, slots=True)
class Goodbye:
    """Sources that send no more (§6.6)."""

    sources: tuple[int, ...]

    def __bytes__(self) -> bytes:
        return _packet(_BYE, len(self.sources), b"".join(map(_WORD.pack, self.sources)))


RtcpPacket: TypeAlias = SenderReport | ReceiverReport | SourceDescription | Goodbye


def parse(data: bytes) -> list[RtcpPacket]:
    """Read a compound packet, of other types than the four nothing; raises `RtcpError`.

    It must begin with a report, its lengths must add up, and only its last packet may be padded
    (§A.2).
    """
    if len(data) < _HEADER.size or data[1] not in (_SR, _RR):
        raise RtcpError("it does not begin with a report")
    found: list[RtcpPacket] = []
    start = 0
    while start < len(data):
        if start + _HEADER.size > len(data):
            raise RtcpError("a header is cut off")
        first, kind, words = _HEADER.unpack_from(data, start)
        end = start + 4 * (words + 1)
        if first >> 6 != 2:
            raise RtcpError("not RTCP version 2")
        if end > len(data):
            raise RtcpError("a packet is cut off")
        body = data[start + _HEADER.size : end]
        if first & 0x20:
            body = _unpadded(body, last=end == len(data))
        found += _read(kind, first & 0x1F, body)
        start = end
    return found


def ntp_timestamp(unix_seconds: float) -> int:
    """Return a moment as 64 bits: seconds since 1900, and their fraction (§4)."""
    return round((unix_seconds + _EPOCH) * (1 << 32)) & 0xFFFFFFFFFFFFFFFF


def middle_of(ntp: int) -> int:
    """Return the middle 32 bits of an NTP timestamp, in 65536ths of a second."""
    return ntp >> 16 & 0xFFFFFFFF


def _packet(kind: int, count: int, body: bytes) -> bytes:
    return _HEADER.pack(0x80 | count, kind, len(body) // 4) + body


def _unpadded(body: bytes, *, last: bool) -> bytes:
    if not last or not body or not 0 < body[-1] <= len(body) or body[-1] % 4:
        raise RtcpError("the padding makes no sense")
    return body[: -body[-1]]


def _read(kind: int, count: int, body: bytes) -> Iterator[RtcpPacket]:
    """Read one packet; what stands behind that which we know is a profile's."""
    try:
        if kind == _SR:
            (ssrc,) = _WORD.unpack_from(body)
            ntp, timestamp, packets, octets = _SENDER.unpack_from(body, 4)
            blocks = _blocks(body, 4 + _SENDER.size, count)
            yield SenderReport(ssrc, ntp, timestamp, packets, octets, blocks)
        elif kind == _RR:
            yield ReceiverReport(_WORD.unpack_from(body)[0], _blocks(body, 4, count))
        elif kind == _SDES:
            yield from _chunks(body, count)
        elif kind == _BYE:
            yield Goodbye(tuple(_WORD.unpack_from(body, 4 * n)[0] for n in range(count)))
    except (struct.error, IndexError):
        raise RtcpError("a packet is shorter than it says") from None


def _blocks(body: bytes, start: int, count: int) -> tuple[ReportBlock, ...]:
    return tuple(_block(body, start + n * _BLOCK.size) for n in range(count))


def _block(body: bytes, start: int) -> ReportBlock:
    ssrc, losses, highest, jitter, last_sr, delay = _BLOCK.unpack_from(body, start)
    lost = losses & 0xFFFFFF
    if lost >> 23:
        lost -= 1 << 24
    return ReportBlock(ssrc, losses >> 24, lost, highest, jitter, last_sr, delay)


def _chunks(body: bytes, count: int) -> Iterator[SourceDescription]:
    """Read the canonical names; chunks end with a null octet and begin at whole words."""
    at = 0
    for _ in range(count):
        (ssrc,) = _WORD.unpack_from(body, at)
        at += 4
        while body[at]:
            kind, text = body[at], body[at + 2 : at + 2 + body[at + 1]]
            if len(text) < body[at + 1]:
                raise RtcpError("a description is cut off")
            at += 2 + len(text)
            if kind == _CNAME:
                yield SourceDescription(ssrc, text.decode("utf-8", "replace"))
        at += 4 - at % 4
