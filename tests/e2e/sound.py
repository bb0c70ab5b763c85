"""A sound to say, and how much of it was heard."""

from __future__ import annotations

import wave
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Samples = NDArray[np.float64]
    Sample = TypeVar("Sample", np.float64, np.int16)

TELEPHONE_RATE = 8000
PIECE = TELEPHONE_RATE // 4  # a quarter of a second


def sweep(rate: int, *, seconds: float = 3.0, first: float = 400, last: float = 2800) -> Samples:
    """Return a tone that slides from `first` to `last` Hz: nothing in it repeats."""
    time = np.arange(int(rate * seconds)) / rate
    return 0.7 * np.sin(2 * np.pi * (first * time + (last - first) / (2 * seconds) * time**2))


def write_prompt(path: Path, rate: int, *, times: int = 1) -> None:
    """Write the sweep in 16-bit mono, and a second of silence, so that no hang-up cuts it short."""
    samples = np.concatenate((*[sweep(rate)] * times, np.zeros(rate)))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((samples * 32767).astype("<i2").tobytes())


def read(path: Path) -> Samples:
    """Read a mono WAV of 8 or 16 bits at the telephone's rate."""
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getframerate()) == (1, TELEPHONE_RATE)
        data, width = file.readframes(file.getnframes()), file.getsampwidth()
    if width == 1:
        return (np.frombuffer(data, np.uint8).astype(float) - 128) / 128
    return np.frombuffer(data, "<i2") / 32768


def without_pauses(heard: NDArray[Sample]) -> NDArray[Sample]:
    """Return what was heard but for the frames in which nothing came: 20 ms of one same value.

    A sender that was kept from its work for long goes on where it was, later.
    """
    frame = TELEPHONE_RATE // 50
    runs = np.split(heard, np.flatnonzero(np.diff(heard)) + 1)
    # what is left of a run after whole frames may be a sample that was said
    return np.concatenate([run[: len(run) % frame] for run in runs])


def likeness(said: Samples, heard: Samples) -> list[float]:
    """Return, for each quarter of a second said, how well it is found anywhere in what was heard.

    It is the highest normalised cross-correlation: 1 for the same sound however loud, 0 for
    nothing in common.
    """
    size = 1 << (len(heard) + PIECE - 1).bit_length()
    spectrum = np.fft.rfft(heard, size)
    # the energy of each stretch of `heard` that a piece is laid over
    total = np.concatenate(([0.0], np.cumsum(heard**2)))
    energy = np.sqrt(np.maximum(total[PIECE:] - total[:-PIECE], 0))
    found = []
    for start in range(0, len(said) - PIECE + 1, PIECE):
        piece = said[start : start + PIECE]
        products = np.fft.irfft(spectrum * np.conj(np.fft.rfft(piece, size)), size)
        loudness = np.maximum(energy * np.linalg.norm(piece), 1e-3)
        found.append(float(np.max(products[: len(energy)] / loudness)))
    return found
