"""Keys pressed by the person, from telephone events as they arrive (RFC 4733 §2.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialer.rtp import telephone_event

if TYPE_CHECKING:
    from dialer.rtp.packet import Packet

_HALF = 1 << 31
_SEGMENT = 0xFFFF  # timestamp units


class DigitReader:
    """Gives each key once, from the first packet of its event that comes.

    All packets of an event carry the RTP timestamp of its beginning, so any of them tells it, and
    one that is not later than the last is a repetition. A key that is held longer than a duration
    can say (8 s) goes on in a segment with a timestamp of its own (§2.5.1.3).
    """

    __slots__ = ("_event", "_ssrc", "_timestamp")

    def __init__(self) -> None:
        self._ssrc: int | None = None
        self._timestamp = 0
        self._event: int | None = None  # the one under way, None once its end was seen

    @property
    def down(self) -> bool:
        """Whether a key is held, as far as packets have told its end."""
        return self._event is not None

    def take(self, packet: Packet) -> str | None:
        """Return the key that a packet of telephone events tells of, None where it is not new."""
        try:
            event = telephone_event.parse(packet.payload)
        except telephone_event.TelephoneEventError:
            return None
        later = (packet.timestamp - self._timestamp) & 0xFFFFFFFF
        known = packet.ssrc == self._ssrc
        if known and not 0 < later < _HALF:
            if later == 0 and event.end:
                self._event = None
            return None
        goes_on = known and later == _SEGMENT and event.event == self._event and not packet.marker
        self._ssrc, self._timestamp = packet.ssrc, packet.timestamp
        self._event = None if event.end else event.event
        return None if goes_on else event.digit
