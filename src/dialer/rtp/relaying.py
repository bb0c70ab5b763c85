"""The numbers of packets that are passed on into a stream of our own (RFC 3550 §5.1, §7.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from dialer.rtp.packet import Packet

_LEAP = 3_000  # packets between two neighbours that make another stream of it (RFC 3550 A.1)


class Stamp(NamedTuple):
    """Where a packet stands in our stream."""

    sequence: int
    timestamp: int
    ssrc: int
    marker: bool


class Restamping:
    """Gives packets of a source our own numbers, so that its gaps and its order stay.

    `sequence` and `timestamp` are the next ones of our stream. A source that begins anew (another
    SSRC, or numbers that leap) goes on where the last one was. What we keep back ourselves leaves
    no gap in the sequence, only in time.
    """

    def __init__(self, sequence: int, timestamp: int, ssrc: int) -> None:
        self._ssrc = ssrc
        self._next_sequence = sequence & 0xFFFF
        self._next_timestamp = timestamp & 0xFFFFFFFF
        self._source: int | None = None  # its SSRC
        self._sequence_offset = self._timestamp_offset = 0
        self._newest = self._oldest = 0  # sequence numbers of the source, past its wraps
        self._marks = True

    def next(self) -> tuple[int, int]:
        """Return the sequence number and timestamp that come after all that was passed on."""
        return self._next_sequence, self._next_timestamp

    def take(self, packet: Packet) -> Stamp | None:
        """Return the numbers of a packet, None for one from before the first."""
        number = self._place(packet)
        if number < self._oldest:
            return None
        sequence = (number + self._sequence_offset) & 0xFFFF
        timestamp = (packet.timestamp + self._timestamp_offset) & 0xFFFFFFFF
        marker = packet.marker or self._marks
        self._marks = False
        if number >= self._newest:
            self._newest = number
            self._next_sequence = (sequence + 1) & 0xFFFF
            self._next_timestamp = (timestamp + len(packet.payload)) & 0xFFFFFFFF
        return Stamp(sequence, timestamp, self._ssrc, marker)

    def pass_over(self, packet: Packet) -> None:
        """Take in a packet that is not passed on."""
        number = self._place(packet)
        if number >= self._newest:
            self._newest = number + 1
            self._oldest = self._newest
            self._sequence_offset -= 1
            self._marks = True

    def _place(self, packet: Packet) -> int:
        """Return a packet's number past the wraps of its source."""
        if self._source == packet.ssrc:
            ahead = (packet.sequence - self._newest + 0x8000) % 0x10000 - 0x8000
            if abs(ahead) < _LEAP:
                return self._newest + ahead
        self._begin(packet)
        return self._newest

    def _begin(self, packet: Packet) -> None:
        self._source = packet.ssrc
        self._newest = self._oldest = packet.sequence
        self._sequence_offset = self._next_sequence - packet.sequence
        self._timestamp_offset = self._next_timestamp - packet.timestamp
        self._marks = True
