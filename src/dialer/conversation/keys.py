"""The one place where the keys of an answered call come in, whichever way they come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialer.conversation.caller_audio import CODEC_OF_TYPE
from dialer.rtp import g711
from dialer.rtp.digits import DigitReader
from dialer.rtp.dtmf import InBandDigits

if TYPE_CHECKING:
    from collections.abc import Callable

    from dialer.rtp.packet import Packet
    from dialer.ua.outbound import OutboundCall


class Keys:
    """Tells of each key that is pressed once: telephone events (RFC 4733), INFO, or tones.

    Tones in the audio are looked for where the far end has no telephone events.

    Some gateways send a key both ways, so the way that the first one came is the call's. A further
    way of hearing keys calls `pressed` with a name of its own.
    """

    def __init__(self, call: OutboundCall, on_key: Callable[[str], None]) -> None:
        self.way: str | None = None
        self._call = call
        self._on_key = on_key
        self._digits = DigitReader()
        self._in_band = InBandDigits()
        call.media.listeners.append(self.take)
        call.digit_listeners.append(self._informed)

    def close(self) -> None:
        """Listen no longer."""
        self._call.media.listeners.remove(self.take)
        self._call.digit_listeners.remove(self._informed)

    @property
    def down(self) -> bool:
        """Whether a key is held, as far as it can be told."""
        return self._digits.down or self._in_band.down

    def pressed(self, key: str, way: str) -> None:
        """Take a key that came one way, unless the call's keys come another way."""
        self.way = self.way or way
        if way == self.way:
            self._on_key(key)

    def take(self, packet: Packet) -> None:
        """Look for a key in a packet that was received."""
        codec = CODEC_OF_TYPE.get(packet.payload_type)
        if codec is not None:
            if self._call.media.telephone_event is None:
                for key in self._in_band.take(g711.decode(packet.payload, codec)):
                    self.pressed(key, "in-band")
        elif packet.payload_type in self._call.media.telephone_event_types:
            digit = self._digits.take(packet)
            if digit is not None:
                self.pressed(digit, "telephone-event")

    def _informed(self, key: str) -> None:
        self.pressed(key, "info")
