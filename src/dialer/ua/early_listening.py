"""Listening to a call from its INVITE to its answer or end: what the network says in sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialer.rtp.early_media import EarlyMediaEar
from dialer.ua.guard import asked

if TYPE_CHECKING:
    from dialer.clock import Clock
    from dialer.rtp.early_media import EarlyMedia
    from dialer.rtp.packet import Packet
    from dialer.ua.media_stream import MediaStream


class EarlyListening:
    """Hears a stream from now on, until it is ended; the call goes on whatever comes of it.

    No timer: some seconds of audio are looked at when their last packet has come.
    """

    def __init__(self, stream: MediaStream, clock: Clock) -> None:
        self._stream = stream
        self._began = clock.monotonic()
        self._ear = EarlyMediaEar()
        self._over = False
        stream.listeners.append(self._received)

    def end(self) -> EarlyMedia | None:
        """Hear no more; return what was heard, None where nothing came or it was ended before."""
        if self._over:
            return None
        self._over = True
        self._stream.listeners.remove(self._received)
        return asked(self._ear.result)

    def _received(self, packet: Packet) -> None:
        at = self._stream.reception.last_at or self._began
        self._ear.take(packet, at - self._began)
