"""What one frame of audio is like: how loud, whether a tone, whether a voice."""

from __future__ import annotations

import collections
import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from dialer.rtp.g711 import FRAME_SAMPLES, SAMPLE_RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dialer.rtp.g711 import Samples

_WINDOW = 2 * FRAME_SAMPLES  # samples: a frame with the one before, 25 Hz between two bins
_HANN = np.hanning(_WINDOW + 1)[:-1]
_BIN = SAMPLE_RATE / _WINDOW  # Hz
_BAND = slice(8, 145)  # bins: 200 to 3600 Hz, what a telephone line carries
_LINE = 2  # bins on each side that one sine fills under this window

_PURE = 0.9  # share of the band's power: what little else is there is noise
_SECOND_TONE = 0.1  # of the first one's power
_LOWEST_TONE = 380.0  # Hz; below it a single line is the pitch of a voice
_HIGHEST_OF_TWO = 700.0  # Hz; above it two lines are harmonics where a vowel resounds

_SHORTEST_PITCH, _LONGEST_PITCH = 20, 133  # samples: 400 to 60 Hz
_VOICED = 0.6  # correlation with itself a pitch period ago

_FULL_SCALE = 32768.0
_LOWEST_LEVEL = -90.0  # dBFS


@dataclasses.dataclass(frozen=True, slots=True)
class Features:
    """What one frame is like.

    `level` is in dBFS, `tone` the frequencies of a tone of one or two sines in Hz, falling in
    power, and empty where it is no tone. `voiced`: it repeats itself, as a voice does and a tone.
    """

    level: float
    tone: tuple[float, ...]
    voiced: bool


class FeatureReader:
    """Looks at the frames of one stream in order."""

    def __init__(self) -> None:
        self._before = np.zeros(FRAME_SAMPLES)

    def take(self, samples: Samples) -> Features:
        """Return what 160 samples are like, together with those before them."""
        frame = samples.astype(np.float64)
        window = np.concatenate((self._before, frame))
        self._before = frame
        power = float(np.mean(frame**2)) / _FULL_SCALE**2
        level = 10 * np.log10(power) if power > 0 else _LOWEST_LEVEL
        return Features(max(float(level), _LOWEST_LEVEL), _tone(window), _is_voiced(window))


def _tone(window: NDArray[np.float64]) -> tuple[float, ...]:
    powers = np.abs(np.fft.rfft(window * _HANN)) ** 2
    everything = float(powers[_BAND].sum())
    if everything <= 0 or everything < 0.5 * float(powers[1:].sum()):
        return ()
    band = powers.copy()
    band[: _BAND.start] = 0
    band[_BAND.stop :] = 0
    first, one = _strongest(band)
    found: tuple[float, ...] = (_frequency(powers, first),)
    highest = _BAND.stop * _BIN
    if one < _PURE * everything:
        band[first - _LINE : first + _LINE + 1] = 0
        second, other = _strongest(band)
        if one + other < _PURE * everything or other < _SECOND_TONE * one:
            return ()
        found = (*found, _frequency(powers, second))
        highest = _HIGHEST_OF_TWO
    return found if min(found) >= _LOWEST_TONE and max(found) <= highest else ()


def _strongest(band: NDArray[np.float64]) -> tuple[int, float]:
    """Return the highest bin, and the power of the line around it."""
    place = int(band.argmax())
    return place, float(band[place - _LINE : place + _LINE + 1].sum())


def _frequency(powers: NDArray[np.float64], place: int) -> float:
    """Return where the top of a line lies, by the parabola through its three highest bins."""
    left, top, right = np.log(powers[place - 1 : place + 2] + 1e-9)
    bend = left - 2 * top + right
    shift = 0.0 if bend == 0 else 0.5 * float((left - right) / bend)
    return (place + max(-0.5, min(0.5, shift))) * _BIN


def _is_voiced(window: NDArray[np.float64]) -> bool:
    """Whether the last samples are like those of some pitch period before."""
    centred = window - window.mean()
    latest = centred[_LONGEST_PITCH:]
    products = np.correlate(centred, latest, "valid")[: _LONGEST_PITCH - _SHORTEST_PITCH + 1]
    sums = np.concatenate(([0.0], np.cumsum(centred**2)))
    energies = (sums[len(latest) :] - sums[: len(sums) - len(latest)])[: len(products)]
    scale = np.sqrt(np.maximum(energies * float(latest @ latest), 1e-9))
    return bool((products / scale).max() >= _VOICED)


class SoundLevel:
    """Tells sound from the line's own noise, by a floor that follows the noise.

    The floor falls at once to what is quieter, rises by 3 dB a second, and is what has kept its
    level for 0.4 s: speech never does, noise and hum do.
    """

    _OVER_FLOOR = 9.0  # dB
    _QUIETEST = -50.0  # dBFS; below is no speech to somebody who telephones
    _RISE = 0.06  # dB a frame
    _STEADY_FRAMES = 20
    _STEADY = 1.3  # dB, standard deviation

    def __init__(self) -> None:
        self._floor = -65.0
        self._levels: collections.deque[float] = collections.deque(maxlen=self._STEADY_FRAMES)

    def is_sound(self, features: Features) -> bool:
        """Whether a frame stands out of the noise; to be asked for each frame in order."""
        level = features.level
        loud = level > max(self._floor + self._OVER_FLOOR, self._QUIETEST)
        if features.tone:
            self._levels.clear()
            return loud
        self._levels.append(level)
        self._floor = max(-65.0, min(level, self._floor + self._RISE))
        if len(self._levels) == self._STEADY_FRAMES:  # by hand: of so few, an array takes longer
            mean = sum(self._levels) / self._STEADY_FRAMES
            spread = sum((one - mean) ** 2 for one in self._levels) / self._STEADY_FRAMES
            if spread < self._STEADY**2:
                self._floor = max(self._floor, mean)
        return loud
