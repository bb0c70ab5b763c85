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
        turns = np.outer(np.arange(samples), np.asarray(frequencies) / SAMPLE_RATE)
        waves = np.exp(-2j * np.pi * turns) * (np.sqrt(2) / samples)
        self._waves = np.hstack((waves.real, waves.imag)).astype(np.float32)
        self._count = len(frequencies)

    def powers(self, blocks: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the mean square of each frequency's sine, in the square of the samples' unit.

        `blocks` holds one block in each row, and so does what is returned. All of them in one
        product cost less than half of a product for each.
        """
        squares = (blocks @ self._waves) ** 2
        powers: NDArray[np.float32] = squares[:, : self._count] + squares[:, self._count :]
        return powers
