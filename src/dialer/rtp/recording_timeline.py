"""Where in a recording the audio of each RTP packet belongs.

A recording is cut off where no packet is awaited any more, so it needs little memory. Within a
stream the timestamps place the audio (RFC 3550 §5.1), so that jitter and order of arrival are not
heard, and what was lost is silence of its length. The time of arrival places a stream as a whole:
its first packet, and again one whose timestamp tells another time than the clock, after a new SSRC,
a jump of the timestamps, or much drift.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dialer.rtp import g711

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dialer.rtp.g711 import Samples
    from dialer.rtp.packet import Packet

AWAITED = 1.0  # seconds that a packet may be late and still be recorded in its place
MOST_EARLY = 0.5  # seconds that a timestamp may be ahead of the clock before the clock is believed
_CODEC_OF_TYPE = {0: "PCMU", 8: "PCMA"}  # RFC 3551 §6
_HALF = 1 << 31


class _Piece(NamedTuple):
    position: int  # of its first sample in the recording
    codec: str
    payload: bytes


class Channel:
    """One side of a recording that begins at `begins` seconds on a clock that never steps.

    Only G.711 is heard: keys pressed (RFC 4733) and comfort noise are silence.
    """

    def __init__(self, begins: float) -> None:
        self.late = 0  # packets that came when their place had been cut off
        self._begins = begins
        self._taken = 0  # samples that were cut off
        self._pieces: list[_Piece] = []
        self._ssrc: int | None = None
        self._offset = 0  # from a timestamp to a position

    def add(self, packet: Packet, at: float) -> None:
        """Place a packet that was sent or came at `at` seconds."""
        codec = _CODEC_OF_TYPE.get(packet.payload_type)
        if codec is None:
            return
        position = self._position(packet, round((at - self._begins) * g711.SAMPLE_RATE))
        payload = packet.payload
        if position < self._taken:
            if position + len(payload) <= self._taken:
                self.late += position + len(payload) > 0  # before the beginning nothing is late
                return
            payload = payload[self._taken - position :]
            position = self._taken
        self._pieces.append(_Piece(position, codec, payload))

    @property
    def end(self) -> int:
        """The sample behind the last one that is placed, from the beginning of the recording."""
        return max((one.position + len(one.payload) for one in self._pieces), default=self._taken)

    def cut(self, samples: int) -> Samples:
        """Cut off what lies before the sample of that number; return it, as int16 at 8 kHz."""
        length = max(0, samples - self._taken)
        out = np.zeros(length, np.int16)
        rest = []
        for run in _joined(self._pieces):
            begin = run.position - self._taken
            inside = max(0, min(len(run.payload), length - begin))
            if inside:
                out[begin : begin + inside] = g711.decode(run.payload[:inside], run.codec)
            if inside < len(run.payload):
                rest.append(_Piece(run.position + inside, run.codec, run.payload[inside:]))
        self._pieces = rest
        self._taken += length
        return out

    def _position(self, packet: Packet, clock: int) -> int:
        position = (packet.timestamp + self._offset - clock + _HALF) % (2 * _HALF) - _HALF + clock
        ahead = (position - clock) / g711.SAMPLE_RATE
        if packet.ssrc != self._ssrc or not -AWAITED <= ahead <= MOST_EARLY:
            self._ssrc = packet.ssrc
            self._offset = clock - packet.timestamp
            return clock
        return position


def _joined(pieces: Sequence[_Piece]) -> list[_Piece]:
    """Return pieces in order, those that follow each other as one: few are decoded at a time.

    Of two that overlap the later one holds from where it begins.
    """
    runs: list[tuple[int, str, list[bytes]]] = []
    end = -1
    for position, codec, payload in sorted(pieces, key=lambda piece: piece.position):
        if runs and position == end and codec == runs[-1][1]:
            runs[-1][2].append(payload)
        else:
            runs.append((position, codec, [payload]))
        end = position + len(payload)
    return [_Piece(position, codec, b"".join(payloads)) for position, codec, payloads in runs]


def stereo(first: Samples, second: Samples) -> bytes:
    """Return two channels of equal length as little-endian 16-bit samples, by turns."""
    out = np.empty((len(first), 2), "<i2")
    out[:, 0], out[:, 1] = first, second
    return out.tobytes()
