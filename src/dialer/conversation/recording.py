"""Both sides of an answered call, heard for a recording."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dialer.rtp import g711
from dialer.rtp.packet import parse
from dialer.rtp.recording_timeline import AWAITED, Channel, stereo

if TYPE_CHECKING:
    import datetime as dt

    from dialer.clock import Clock
    from dialer.rtp.packet import Packet
    from dialer.ua.media_stream import MediaStream

MOST_WAITING = 10_000  # packets of each side until they are taken: more than a minute of them


class Batch(NamedTuple):
    """What came and left since the batch before, with times; the samples that are whole by now."""

    heard: list[tuple[Packet, float]]
    sent: list[tuple[bytes, float]]
    samples: int


class StreamRecording:
    """Hears both sides of a stream from now on, until `stop`.

    What was heard is taken in batches, in the event loop. Each batch is then made into samples by
    `block`, one after the other, which may be done in a thread.
    """

    def __init__(self, media: MediaStream, clock: Clock) -> None:
        self.started_at: dt.datetime = clock.now()
        self.lost = False  # more came than was taken
        self._media = media
        self._clock = clock
        self._begins = clock.monotonic()
        self._ended: float | None = None
        self._heard: list[tuple[Packet, float]] = []
        self._sent: list[tuple[bytes, float]] = []
        self._them, self._us = Channel(self._begins), Channel(self._begins)
        media.listeners.append(self._receive)
        media.sent_listeners.append(self._send)

    @property
    def seconds(self) -> float:
        """How long it is, or was."""
        return (self._ended or self._clock.monotonic()) - self._begins

    def stop(self) -> None:
        """Hear no more; stopping twice is harmless."""
        if self._ended is None:
            self._ended = self._clock.monotonic()
            self._media.listeners.remove(self._receive)
            self._media.sent_listeners.remove(self._send)

    def take(self) -> Batch:
        """Return what has come and left since; once stopped, with all that is left."""
        heard, self._heard = self._heard, []
        sent, self._sent = self._sent, []
        until = self.seconds - (AWAITED if self._ended is None else 0)
        return Batch(heard, sent, max(0, round(until * g711.SAMPLE_RATE)))

    def block(self, batch: Batch) -> bytes:
        """Return the samples that are whole: 16-bit stereo at 8 kHz, the peer on the first side."""
        for received, at in batch.heard:
            self._them.add(received, at)
        for datagram, at in batch.sent:
            self._us.add(parse(datagram), at)
        return stereo(self._them.cut(batch.samples), self._us.cut(batch.samples))

    def _receive(self, packet: Packet) -> None:
        if len(self._heard) < MOST_WAITING:
            self._heard.append((packet, self._clock.monotonic()))
        else:
            self.lost = True

    def _send(self, datagram: bytes) -> None:
        if len(self._sent) < MOST_WAITING:
            self._sent.append((datagram, self._clock.monotonic()))
        else:
            self.lost = True
