"""What the simulated far ends say: a person's hello, a machine's greeting and beep, a fax.

And what the carrier says before an answer: German ringback, North American busy and congestion,
special information tones for a vacant number with an announcement.
"""

from __future__ import annotations

import enum
import functools
from typing import TYPE_CHECKING

import numpy as np

from dialer.rtp import g711
from dialer.rtp.frames import Frames

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dialer.rtp.g711 import Samples

_LEVEL = 0.15  # of full scale
_PITCH = 120.0  # Hz
_FORMANTS = (600.0, 1200.0, 2400.0)  # Hz
_SYLLABLE = 0.16  # seconds


class Sound(enum.Enum):
    """Who says it."""

    PERSON = "person"
    MACHINE = "machine"
    FAX = "fax"
    RINGBACK = "ringback"
    BUSY = "busy"
    CONGESTION = "congestion"
    VACANT_NUMBER = "vacant number"


@functools.cache
def sound_of(who: Sound, codec: str) -> Frames:
    """Return what somebody says, or the carrier for him."""
    return Frames.of(_samples(who), codec)


@functools.cache
def seconds_of(who: Sound) -> float:
    """Return how long that is."""
    return len(_samples(who)) / g711.SAMPLE_RATE


def _samples(who: Sound) -> Samples:
    match who:
        case Sound.PERSON:
            parts = [_silence(0.3), _speech(3)]
        case Sound.MACHINE:
            greeting = [_speech(9), _silence(0.3), _speech(9), _silence(0.6)]
            parts = [_silence(0.3), *greeting, _sine(1000.0, 0.3), _silence(0.5)]
        case Sound.FAX:
            parts = [_silence(0.3), _sine(2100.0, 3.0)]
        case Sound.RINGBACK:
            parts = [_sine(425.0, 1.0), _silence(4.0), _sine(425.0, 1.0), _silence(0.5)]
        case Sound.BUSY:
            parts = [_pair(480.0, 620.0, 0.5), _silence(0.5)] * 4
        case Sound.CONGESTION:
            parts = [_pair(480.0, 620.0, 0.25), _silence(0.25)] * 8
        case Sound.VACANT_NUMBER:
            tones = [_sine(985.2, 0.38), _sine(1370.6, 0.274), _sine(1776.7, 0.38)]
            parts = [*tones, _silence(0.2), _speech(9), _silence(0.3), _speech(9)]
    return np.rint(np.concatenate(parts) * _LEVEL * 32767).astype(np.int16)


def _silence(seconds: float) -> NDArray[np.float64]:
    return np.zeros(round(seconds * g711.SAMPLE_RATE))


def _time(seconds: float) -> NDArray[np.float64]:
    return np.arange(round(seconds * g711.SAMPLE_RATE)) / g711.SAMPLE_RATE


def _sine(frequency: float, seconds: float) -> NDArray[np.float64]:
    wave: NDArray[np.float64] = np.sin(2 * np.pi * frequency * _time(seconds))
    return wave


def _pair(one: float, other: float, seconds: float) -> NDArray[np.float64]:
    return (_sine(one, seconds) + _sine(other, seconds)) / 2


def _speech(syllables: int) -> NDArray[np.float64]:
    """Return vowels one after another: harmonics of a falling pitch, louder near the formants."""
    time = _time(_SYLLABLE)
    phase = 2 * np.pi * _PITCH * (time - 0.3 * time**2)
    harmonics = [
        np.sin(number * phase)
        * sum(1 / (1 + ((number * _PITCH - formant) / 100) ** 2) for formant in _FORMANTS)
        for number in range(1, 25)
    ]
    vowel = np.sum(harmonics, axis=0) * np.sin(np.pi * time / _SYLLABLE)
    return np.tile(vowel / np.abs(vowel).max(), syllables)
