"""What of the packets received goes to a bot: µ-law in order, without holes in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dialer.rtp import g711
from dialer.rtp.packet import COMFORT_NOISE

if TYPE_CHECKING:
    from dialer.rtp.packet import Packet

CODEC_OF_TYPE = {0: "PCMU", 8: "PCMA"}  # RFC 3551 §6
_MAX_MISORDER = 100  # a larger step back is another stream (RFC 3550 appendix A.1)
_LONGEST_HOLE = 60 * g711.SAMPLE_RATE  # samples; a larger step is another time base
_PATIENCE = 10  # frames of 20 ms without a packet before silence stands in
_SILENCE = g711.silence(g711.FRAME_SAMPLES, "PCMU")


class Heard(msgspec.Struct, frozen=True, gc=False):
    """Up to 20 ms of µ-law, and when it began, in ms of the stream."""

    audio: bytes
    milliseconds: int


class CallerAudio:
    """The stream towards the bot, forwarded as it comes.

    What comes behind its time is left out, since it cannot be put back. Bots find the end of a
    sentence by the silence that they hear: where the far end sends nothing (it suppresses silence,
    it is on hold), silence is sent in its place.
    """

    __slots__ = (
        "_filled_since",
        "_idle_frames",
        "_next_timestamp",
        "_position",
        "_sequence",
        "_ssrc",
        "filled_frames",
        "late_packets",
        "octets",
    )

    def __init__(self) -> None:
        self.octets = 0  # forwarded, one for each sample
        self.late_packets = 0  # left out
        self.filled_frames = 0  # of silence in place of packets
        self._position = 0  # samples since the beginning of the stream
        self._ssrc: int | None = None
        self._sequence = 0
        self._next_timestamp = 0
        self._idle_frames = 0
        self._filled_since = 0  # samples of silence since the last packet

    def take(self, packet: Packet) -> list[Heard]:
        """Return what a packet says; nothing for one that is late or holds no speech."""
        if packet.payload_type == COMFORT_NOISE:
            self._idle_frames = _PATIENCE  # silence stands in from the next tick on
            return []
        codec = CODEC_OF_TYPE.get(packet.payload_type)
        if codec is None or not packet.payload or not self._in_order(packet):
            return []
        self._idle_frames = 0
        audio = packet.payload if codec == "PCMU" else g711.recode(packet.payload, codec, "PCMU")
        if len(audio) <= g711.FRAME_SAMPLES:
            return [self._forward(audio)]
        return [
            self._forward(audio[start : start + g711.FRAME_SAMPLES])
            for start in range(0, len(audio), g711.FRAME_SAMPLES)
        ]

    def tick(self) -> Heard | None:
        """Return 20 ms of silence where packets have stayed away; to be called every 20 ms."""
        self._idle_frames += 1
        if self._idle_frames <= _PATIENCE:
            return None
        self.filled_frames += 1
        self._filled_since += g711.FRAME_SAMPLES
        return self._forward(_SILENCE)

    def _forward(self, audio: bytes) -> Heard:
        heard = Heard(audio, self._position * 1000 // g711.SAMPLE_RATE)
        self._position += len(audio)
        self.octets += len(audio)
        return heard

    def _in_order(self, packet: Packet) -> bool:
        """Whether a packet is newer than all before; moves the position over a hole in time."""
        behind = (self._sequence - packet.sequence) & 0xFFFF
        same = packet.ssrc == self._ssrc
        if same and behind <= _MAX_MISORDER:
            self.late_packets += 1
            return False
        hole = (packet.timestamp - self._next_timestamp) & 0xFFFFFFFF
        if same and hole <= _LONGEST_HOLE:
            self._position += max(0, hole - self._filled_since)
        self._ssrc, self._sequence = packet.ssrc, packet.sequence
        self._next_timestamp = packet.timestamp + len(packet.payload)
        self._filled_since = 0
        return True
