"""Coded audio, ready to be sent in frames of 20 ms."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from dialer.rtp import g711

if TYPE_CHECKING:
    from dialer.rtp.g711 import Samples


@dataclasses.dataclass(frozen=True, slots=True)
class Frames:
    """G.711 audio, 160 octets of `data` for each frame; `codec` is "PCMU" or "PCMA"."""

    codec: str
    data: bytes

    @classmethod
    def of(cls, samples: Samples, codec: str) -> Frames:
        """Encode int16 samples at 8 kHz; silence fills the last frame up."""
        missing = -len(samples) % g711.FRAME_SAMPLES
        return cls(codec, g711.encode(samples, codec) + g711.silence(missing, codec))

    @classmethod
    def silence(cls, seconds: float, codec: str) -> Frames:
        """Return at least `seconds` of silence."""
        frames = math.ceil(round(seconds * g711.SAMPLE_RATE) / g711.FRAME_SAMPLES)
        return cls(codec, g711.silence(frames * g711.FRAME_SAMPLES, codec))

    def __len__(self) -> int:
        return len(self.data) // g711.FRAME_SAMPLES

    @property
    def seconds(self) -> float:
        """How long they play."""
        return len(self) * g711.FRAME_SECONDS

    def __add__(self, other: Frames) -> Frames:
        return Frames(self.codec, self.data + other.coded_as(self.codec).data)

    def coded_as(self, codec: str) -> Frames:
        """Return the same audio in `codec`."""
        if codec == self.codec:
            return self
        return Frames(codec, g711.recode(self.data, self.codec, codec))
