"""From the spool of a recording to the file that people listen to."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from typing import TYPE_CHECKING

import numpy as np
import soundfile

if TYPE_CHECKING:
    from typing import IO

    from dialer.recordings.spool import SpoolReader

SAMPLE_RATE = 8000  # Hz
CHANNELS = 2  # the person called on the first, what they heard on the second
_PIECE = 1 << 20
_FORMATS = {"wav": ("WAV", "PCM_16"), "opus": ("OGG", "OPUS")}


@dataclasses.dataclass(frozen=True, slots=True)
class Encoded:
    """A file that was made; `sha256` in hexadecimal. It is not `whole` where pieces are missing."""

    seconds: float
    octets: int
    sha256: str
    whole: bool


def encode(spool: SpoolReader, target: IO[bytes]) -> Encoded:
    """Write the sound of a spool to an empty file, as WAV or as Opus in Ogg (RFC 7845); it blocks.

    Raises OSError, and soundfile.LibsndfileError (a RuntimeError) where it cannot be written.
    """
    container, coding = _FORMATS[spool.head.format]
    frames = 0
    # libsndfile closes what it is given
    with soundfile.SoundFile(
        os.dup(target.fileno()), "w", SAMPLE_RATE, CHANNELS, format=container, subtype=coding
    ) as file:
        for block in spool.blocks():
            samples = np.frombuffer(block, "<i2").reshape(-1, CHANNELS)
            file.write(samples)
            frames += len(samples)
    target.seek(0)
    digest, octets = hashlib.sha256(), 0
    while piece := target.read(_PIECE):
        digest.update(piece)
        octets += len(piece)
    return Encoded(frames / SAMPLE_RATE, octets, digest.hexdigest(), whole=spool.whole)
