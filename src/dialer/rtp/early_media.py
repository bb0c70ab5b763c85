"""What is heard of a call before its answer: the evidence that networks give in sound.

Carriers play ringback, busy, congestion, special information tones and announcements as early
media (RFC 3960). Here they are told apart, cheaply enough for every call that rings: packets are
kept until there are two seconds of audio, which are then looked at in one pass.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from dialer.rtp import g711
from dialer.rtp.heard import HeardKind, heard_in, joined, with_silence
from dialer.rtp.packet import COMFORT_NOISE
from dialer.rtp.sound_runs import SoundReader

if TYPE_CHECKING:
    from dialer.rtp.heard import Heard
    from dialer.rtp.packet import Packet

LONGEST = 180.0  # seconds of a stream that are looked at
MOST_STREAMS = 4
MOST_HEARD = 40
LEAST = 10  # packets; fewer in which nothing is heard have overtaken the answer, that is all
_MOST_RUNS = 3000

_CODEC_OF_TYPE = {0: "PCMU", 8: "PCMA"}  # RFC 3551 §6
_PASS = 2 * g711.SAMPLE_RATE  # samples that are looked at together; more are no cheaper
_PATIENCE = g711.SAMPLE_RATE // 10  # samples, for packets out of order
_STEP = 15 * g711.SAMPLE_RATE  # samples; a larger step is another time base
_HOLE = g711.SAMPLE_RATE // 5  # samples; a larger hole is not looked at
_HALF, _MASK = 1 << 31, (1 << 32) - 1
_MOST_WAITING = 500  # packets, however short they are
_LEVELS = g711.decode(bytes(range(256)), "PCMU").astype(np.float32)


@dataclasses.dataclass(frozen=True, slots=True)
class EarlyMedia:
    """What came before the answer; times are seconds since the INVITE.

    `begin` is when the first packet came, `seconds` how much time the streams (SSRCs) cover.
    `packets` held speech as G.711, `comfort_noise` none (RFC 3389), `others` another payload type,
    or more than is looked at. `heard` is in order of time, and may overlap where streams do.
    """

    begin: float
    seconds: float
    streams: int
    packets: int
    comfort_noise: int
    others: int
    heard: tuple[Heard, ...]


class EarlyMediaEar:
    """Listens to the packets of one call, whatever streams they belong to."""

    def __init__(self) -> None:
        self._streams: dict[int, _Stream] = {}
        self._begin: float | None = None
        self._packets = 0
        self._comfort_noise = 0
        self._others = 0

    def take(self, packet: Packet, at: float) -> None:
        """Take in a packet that came `at` seconds since the INVITE."""
        if self._begin is None:
            self._begin = at
        codec = _CODEC_OF_TYPE.get(packet.payload_type)
        stream = self._streams.get(packet.ssrc)
        if codec is None:
            if packet.payload_type == COMFORT_NOISE:
                self._comfort_noise += 1
            else:
                self._others += 1
            return
        if stream is None:
            if len(self._streams) >= MOST_STREAMS:
                self._others += 1
                return
            stream = self._streams[packet.ssrc] = _Stream(at, packet.timestamp)
        if stream.take(packet.timestamp, g711.recode(packet.payload, codec, "PCMU"), at):
            self._packets += 1
        else:
            self._others += 1

    def result(self) -> EarlyMedia | None:
        """Return what was heard up to now, once, at the end; None where there was nothing.

        Nothing: no packet came, or a few in which nothing is heard, as they do where the answer
        takes longer than the sound behind it.
        """
        if self._begin is None:
            return None
        heard: list[Heard] = []
        end = self._begin
        for stream in self._streams.values():
            stream.finish()
            heard += stream.heard()
            end = max(end, stream.end)
        if len(self._streams) > 1:  # silence in one is none where another is heard
            sounds = [one for one in heard if one.kind is not HeardKind.SILENCE]
            first = min(stream.begin for stream in self._streams.values())
            heard = with_silence(joined(sorted(sounds, key=lambda one: one.begin)), first, end)
        if not heard and self._packets + self._comfort_noise + self._others < LEAST:
            return None
        return EarlyMedia(
            begin=round(self._begin, 2),
            seconds=round(end - self._begin, 2),
            streams=len(self._streams),
            packets=self._packets,
            comfort_noise=self._comfort_noise,
            others=self._others,
            heard=tuple(_rounded(one) for one in heard[:MOST_HEARD]),
        )


def _rounded(one: Heard) -> Heard:
    return dataclasses.replace(
        one,
        begin=round(one.begin, 2),
        end=round(one.end, 2),
        frequencies=tuple(round(frequency, 1) for frequency in one.frequencies),
    )


class _Stream:
    """The audio of one SSRC, put in order by its timestamps; what is lost is silence."""

    def __init__(self, at: float, timestamp: int) -> None:
        self.begin = at
        self._reader = SoundReader(_MOST_RUNS)
        self._base = timestamp  # of what has the position `_base_position`
        self._base_position = 0
        self._highest = 0  # position behind the latest audio
        self._origin: int | None = None  # position of the earliest; packets may be out of order
        self._next = 0  # position of what is to be read next
        self._rest = b""  # before that: less than a frame
        self._waiting: list[tuple[int, bytes]] = []
        self._octets = 0  # of those that wait

    @property
    def end(self) -> float:
        """When the latest audio ends."""
        return self.begin + self._highest / g711.SAMPLE_RATE

    def take(self, timestamp: int, audio: bytes, at: float) -> bool:
        """Keep µ-law; False where there is none, or it lies beyond what is looked at."""
        step = (timestamp - self._base + _HALF & _MASK) - _HALF
        position = self._base_position + step
        if abs(position - self._highest) > _STEP:
            position = max(self._highest, round((at - self.begin) * g711.SAMPLE_RATE))
            self._base, self._base_position = timestamp, position
        if position > LONGEST * g711.SAMPLE_RATE or not audio:
            return False
        self._waiting.append((position, audio))
        self._octets += len(audio)
        self._highest = max(self._highest, position + len(audio))
        if len(self._waiting) >= _MOST_WAITING:
            self._read(self._highest)
        elif self._octets >= _PASS + _PATIENCE:
            self._read(self._highest - _PATIENCE)
        return True

    def finish(self) -> None:
        """Read what is left."""
        self._read(self._highest)
        self._look([], fill=True)

    def heard(self) -> list[Heard]:
        """Return what was heard, in seconds since the INVITE."""
        origin = self.begin + (self._origin or 0) / g711.SAMPLE_RATE
        return [
            dataclasses.replace(one, begin=one.begin + origin, end=one.end + origin)
            for one in heard_in(self._reader.runs)
        ]

    def _read(self, until: int) -> None:
        """Read what begins before a position."""
        self._waiting.sort()
        if self._origin is None:
            self._origin = self._next = self._waiting[0][0] if self._waiting else 0
        parts: list[bytes] = []
        count = 0
        for position, audio in self._waiting:
            if position >= until:
                break
            count += 1
            hole = position - self._next
            if hole >= _HOLE:
                self._pass_over(parts, hole)
                parts = []
            elif hole > 0:
                parts.append(g711.silence(hole, "PCMU"))
            new = audio if hole >= 0 else audio[-hole:]  # what came twice is heard once
            parts.append(new)
            self._next = max(self._next, position) + len(new)
        del self._waiting[:count]
        self._octets = sum(len(audio) for _, audio in self._waiting)
        self._look(parts)

    def _pass_over(self, parts: list[bytes], hole: int) -> None:
        """Read what was there, and leave out most of a hole behind it."""
        filled = self._look(parts, fill=True)
        frames, odd = divmod(hole - filled, g711.FRAME_SAMPLES)
        self._reader.skip(frames)
        self._rest = g711.silence(odd, "PCMU")

    def _look(self, parts: list[bytes], *, fill: bool = False) -> int:
        """Look at the frames that are whole; return how much silence made the last one so."""
        data = b"".join((self._rest, *parts))
        filled = -len(data) % g711.FRAME_SAMPLES if fill else 0
        data += g711.silence(filled, "PCMU")
        whole = len(data) - len(data) % g711.FRAME_SAMPLES
        self._rest = data[whole:]
        if whole:
            self._reader.read(np.take(_LEVELS, np.frombuffer(data, np.uint8, whole)))
        return filled
