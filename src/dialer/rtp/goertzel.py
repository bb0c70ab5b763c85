"""The power of a few known frequencies in a block of samples (Goertzel, 1958).

Where only eight of hundreds of frequencies matter, each is summed by itself, at its own place and
not at the nearest bin of a transform. The recursion is written as the sum that it stands for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dialer.rtp.g711 import SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class Goertzel:
    """Measures `frequencies` (Hz) in blocks of `samples` samples at 8 kHz."""

    def __init__(self, frequencies: Sequence[float], samples: int) -> None:
        turns = np.outer(np.asarray(frequencies) / SAMPLE_RATE, np.arange(samples))
        self._waves = np.exp(-2j * np.pi * turns) * (np.sqrt(2) / samples)

    def powers(self, block: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean square of each frequency's sine, in the square of the samples' unit."""
        sums = self._waves @ block
        powers: NDArray[np.float64] = sums.real**2 + sums.imag**2
        return powers
