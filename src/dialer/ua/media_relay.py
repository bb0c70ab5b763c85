"""RTP of one call passed on into another, packet by packet as it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dialer.rtp import g711
from dialer.rtp.relaying import Restamping

if TYPE_CHECKING:
    from dialer.rtp.packet import Packet
    from dialer.ua.media_stream import MediaStream

_CODEC_OF_TYPE = {0: "PCMU", 8: "PCMA"}  # RFC 3551 §6


class MediaRelay:
    """Passes what one stream hears to the peer of another, one way, until it is closed.

    Speech is recoded where the two peers speak different codecs; keys go under the payload type of
    the one who listens (RFC 4733), and are lost where he takes none. Packets leave in our own
    numbering, at once and without a buffer: what the network has lost, delayed or put out of
    order stays so. While the listener is on hold nothing leaves.
    """

    def __init__(self, source: MediaStream, sink: MediaStream) -> None:
        self.packets = 0  # passed on
        self._source = source
        self._sink = sink
        self._restamping = Restamping(*sink.begin_relay())
        source.listeners.append(self._received)

    def close(self) -> None:
        """Pass nothing on any more; what `play` and `source` give leaves again."""
        self._source.listeners.remove(self._received)
        self._sink.end_relay(*self._restamping.next())

    def _received(self, packet: Packet) -> None:
        sink = self._sink
        payload_type, payload = self._translated(packet)
        if payload_type is None or not sink.sends:
            self._restamping.pass_over(packet)
            return
        stamped = self._restamping.take(packet)
        if stamped is None:
            return
        self.packets += 1
        sink.relay(
            msgspec.structs.replace(
                packet, payload_type=payload_type, payload=payload, **stamped._asdict()
            )
        )

    def _translated(self, packet: Packet) -> tuple[int | None, bytes]:
        """Return payload type and payload for the listener; None for what he does not take."""
        sink = self._sink
        if packet.payload_type in self._source.telephone_event_types:
            return sink.telephone_event, packet.payload
        codec = _CODEC_OF_TYPE.get(packet.payload_type)
        if codec is None or sink.codec is None:
            return None, b""
        wanted = 0 if sink.codec == "PCMU" else 8
        if codec == sink.codec:
            return wanted, packet.payload
        return wanted, g711.recode(packet.payload, codec, sink.codec)
