"""Both sides of an answered call, heard for a recording."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialer.rtp import g711
from dialer.rtp.packet import parse
from dialer.rtp.recording_timeline import AWAITED, Channel, stereo

if TYPE_CHECKING:
    import datetime as dt

    from dialer.clock import Clock
    from dialer.rtp.packet import Packet
    from dialer.ua.media_stream import MediaStream


class StreamRecording:
    """Hears both sides of a stream from now on, until `stop`."""

    def __init__(self, media: MediaStream, clock: Clock) -> None:
        self.started_at: dt.datetime = clock.now()
        self._media = media
        self._clock = clock
        self._begins = clock.monotonic()
        self._ended: float | None = None
        self._them, self._us = Channel(self._begins), Channel(self._begins)
        media.listeners.append(self._receive)
        media.sent_listeners.append(self._send)

    @property
    def seconds(self) -> float:
        """How long it is, or was."""
        return (self._ended or self._clock.monotonic()) - self._begins

    def stop(self) -> None:
        """Hear no more; stopping twice is harmless.

        The last frame is heard to its end, though the call may have been over sooner.
        """
        if self._ended is None:
            heard = max(self._them.end, self._us.end) / g711.SAMPLE_RATE
            self._ended = max(self._clock.monotonic(), self._begins + heard)
            self._media.listeners.remove(self._receive)
            self._media.sent_listeners.remove(self._send)

    def cut(self) -> bytes:
        """Return what is whole by now and was not returned before; once stopped, all that is left.

        16-bit little-endian stereo at 8 kHz, the peer on the first side.
        """
        until = self.seconds - (AWAITED if self._ended is None else 0)
        samples = max(0, round(until * g711.SAMPLE_RATE))
        return stereo(self._them.cut(samples), self._us.cut(samples))

    def _receive(self, packet: Packet) -> None:
        self._them.add(packet, self._clock.monotonic())

    def _send(self, datagram: bytes) -> None:
        self._us.add(parse(datagram), self._clock.monotonic())
