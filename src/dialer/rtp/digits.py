"""Keys pressed by the person, from telephone events as they arrive (RFC 4733 §2.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialer.rtp import telephone_event

if TYPE_CHECKING:
    from dialer.rtp.packet import Packet

_HALF = 1 << 31


class DigitReader:
    """Gives each key once, from the first packet of its event that comes.

    All packets of an event carry the RTP timestamp of its beginning, so any of them tells it, and
    one that is not later than the last is a repetition.
    """

    __slots__ = ("_ssrc", "_timestamp")

    def __init__(self) -> None:
        self._ssrc: int | None = None
        self._timestamp = 0

    def take(self, packet: Packet) -> str | None:
        """Return the key that a packet of telephone events tells of, None where it is not new."""
        try:
            event = telephone_event.parse(packet.payload)
        except telephone_event.TelephoneEventError:
            return None
        later = (packet.timestamp - self._timestamp) & 0xFFFFFFFF
        if packet.ssrc == self._ssrc and not 0 < later < _HALF:
            return None
        self._ssrc, self._timestamp = packet.ssrc, packet.timestamp
        return event.digit
