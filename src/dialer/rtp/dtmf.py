"""Keys as two tones in the audio itself: for far ends that have no telephone-event.

Levels, twist and times are those of ITU-T Q.24: two tones, one of each group, at least 40 ms long;
the high one at most 4 dB above and 8 dB below the low one. Speech is kept out by what else is in
the block: a key is little but its two tones, and the higher one has no second harmonic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dialer.rtp.g711 import SAMPLE_RATE
from dialer.rtp.goertzel import Goertzel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dialer.rtp.g711 import Samples

_LOW = (697, 770, 852, 941)  # Hz
_HIGH = (1209, 1336, 1477, 1633)
_KEYS = ("123A", "456B", "789C", "*0#D")

_BLOCK = 120  # samples: tones 67 Hz apart are parted, and one 1.5 % beside is still met
_HOP = _BLOCK // 2  # samples between blocks
_BLOCKS_TO_BEGIN = 3  # in a row, which 40 ms always hold and 20 ms never
_BLOCKS_TO_END = 3
_QUIETEST = 32768**2 * 10 ** (-42 / 10)  # power of the two tones together, over -42 dBFS
_MOST_HIGH_OVER_LOW = 10 ** (4 / 10)
_MOST_LOW_OVER_HIGH = 10 ** (8 / 10)
_OVER_OTHERS = 10 ** (6 / 10)  # a tone over the next of its group
_SHARE_OF_ALL = 0.8  # of a block's power that the two tones hold
_MOST_HARMONIC = 10 ** (-15 / 10)  # of the tone's own power
_TONES = Goertzel((*_LOW, *_HIGH, *(2 * tone for tone in _HIGH)), _BLOCK)


_AMPLITUDE = 32768 * 10 ** (-9 / 20)  # of each tone that we send


def tones(key: str, count: int) -> Samples:
    """Return `count` int16 samples of a key; raises ValueError for what is no key."""
    row, column = divmod("".join(_KEYS).index(key), len(_HIGH))
    time = np.arange(count) / SAMPLE_RATE
    waves = np.sin(2 * np.pi * np.outer((_LOW[row], _HIGH[column]), time)).sum(axis=0)
    samples: Samples = np.rint(_AMPLITUDE * waves).astype(np.int16)
    return samples


class InBandDigits:
    """Finds keys in the audio of one stream, each once, however long it is held."""

    def __init__(self) -> None:
        self._rest: NDArray[np.float32] = np.zeros(0, np.float32)
        self._candidate = ""
        self._seen = 0  # blocks in a row of the candidate
        self._missed = 0  # blocks in a row without the key that is down
        self._down = ""

    @property
    def down(self) -> bool:
        """Whether a key is held."""
        return bool(self._down)

    def take(self, samples: Samples) -> str:
        """Return the keys that these samples complete, most often none."""
        audio = np.concatenate((self._rest, samples.astype(np.float32)))
        count = max(0, (len(audio) - _BLOCK) // _HOP + 1)
        self._rest = audio[count * _HOP :]
        return "".join(self._follow(key) for key in _keys(audio, count))

    def _follow(self, key: str) -> str:
        """Return the key that is down from this block on."""
        self._seen = self._seen + 1 if key and key == self._candidate else int(bool(key))
        self._candidate = key
        self._missed = 0 if key == self._down else self._missed + 1
        if self._down and self._missed >= _BLOCKS_TO_END:
            self._down = ""
        if self._seen == _BLOCKS_TO_BEGIN and key != self._down:
            self._down, self._missed = key, 0
            return key
        return ""


def _keys(audio: NDArray[np.float32], count: int) -> list[str]:
    """Return for each of `count` blocks the key that it holds, or ""."""
    if audio @ audio < _QUIETEST * _BLOCK / 2:
        return [""] * count
    halves = audio[: (count + 1) * _HOP].reshape(-1, _HOP)
    blocks = np.concatenate((halves[:-1], halves[1:]), axis=1)
    # plain numbers from here on: for so few, numpy takes longer to begin than to work
    everything = np.einsum("ij,ij->i", blocks, blocks).tolist()
    return [
        _key(powers, of_all / _BLOCK)
        for powers, of_all in zip(_TONES.powers(blocks).tolist(), everything, strict=True)
    ]


def _key(powers: list[float], of_all: float) -> str:
    """Return the key that a block of the power `of_all` holds, or ""."""
    lows, highs = powers[:4], powers[4:8]
    row, column = max(lows), max(highs)
    if row + column < max(_QUIETEST, _SHARE_OF_ALL * of_all):
        return ""  # speech and silence end here
    low, high = lows.index(row), highs.index(column)
    if (
        column > row * _MOST_HIGH_OVER_LOW
        or row > column * _MOST_LOW_OVER_HIGH
        or sorted(lows)[-2] * _OVER_OTHERS > row
        or sorted(highs)[-2] * _OVER_OTHERS > column
        or powers[8 + high] > column * _MOST_HARMONIC
    ):
        return ""
    return _KEYS[low][high]
