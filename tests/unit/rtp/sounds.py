"""What people, machines and networks sound like on a telephone, synthesised from a seed.

All return float samples at 8 kHz, 1.0 being full scale; `on_the_line` makes int16 frames of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dialer.rtp import g711

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.random import Generator
    from numpy.typing import NDArray

    from dialer.rtp.g711 import Samples

    Sound = NDArray[np.float64]

RATE = 8000
_VOWELS = (  # formants in Hz (Peterson and Barney, 1952, men)
    (270, 2290, 3010),
    (530, 1840, 2480),
    (730, 1090, 2440),
    (570, 840, 2410),
    (300, 870, 2240),
)


def silence(seconds: float) -> Sound:
    return np.zeros(round(seconds * RATE))


def noise(random: Generator, seconds: float, low: float = 200, high: float = 3400) -> Sound:
    """Noise of a band, with a root mean square of one."""
    count = round(seconds * RATE)
    spectrum = np.fft.rfft(random.standard_normal(count))
    places = np.fft.rfftfreq(count, 1 / RATE)
    spectrum[(places < low) | (places > high)] = 0
    return _levelled(np.fft.irfft(spectrum, count))


def tone(seconds: float, *frequencies: float, phase: float = 0.0) -> Sound:
    """Sines together, with a peak below one."""
    time = np.arange(round(seconds * RATE)) / RATE
    waves = [np.sin(2 * np.pi * frequency * time + phase) for frequency in frequencies]
    return np.sum(waves, axis=0) / len(frequencies) * _edges(len(time), 0.003)


def _edges(count: int, seconds: float) -> Sound:
    ramp = np.minimum(1, np.arange(1, count + 1) / (seconds * RATE))
    return np.minimum(ramp, ramp[::-1])


def _levelled(sound: Sound) -> Sound:
    return sound / max(float(np.sqrt(np.mean(sound**2))), 1e-9)


class Voice:
    """One speaker; `pitch` in Hz."""

    def __init__(self, random: Generator) -> None:
        self._random = random
        self._pitch = random.uniform(85, 240)
        self._size = random.uniform(0.95, 1.2)  # of the formants, by the length of the throat

    def vowel(self, seconds: float) -> Sound:
        """A pulse train shaped by formants, its pitch gliding and trembling."""
        random, count = self._random, round(seconds * RATE)
        glide = np.linspace(random.uniform(0.9, 1.15), random.uniform(0.85, 1.15), count)
        tremble = 1 + 0.01 * np.repeat(random.standard_normal(count // 80 + 1), 80)[:count]
        phase = 2 * np.pi * np.cumsum(self._pitch * glide * tremble) / RATE
        formants = np.array(_VOWELS[random.integers(len(_VOWELS))]) * self._size
        sound = np.zeros(count)
        for harmonic in range(1, int(3400 / (self._pitch * 1.4)) + 1):
            place = harmonic * self._pitch
            gain = sum(
                strength / (1 + ((place - formant) / width) ** 2)
                for formant, width, strength in zip(
                    formants, (90, 110, 170), (1.0, 0.5, 0.25), strict=True
                )
            )
            sound += (gain + 0.01) / harmonic**0.3 * np.sin(harmonic * phase)
        return _levelled(sound) * _edges(count, 0.025)

    def syllable(self) -> Sound:
        random = self._random
        consonant = noise(random, random.uniform(0.03, 0.09), random.uniform(800, 2500), 3800)
        gap = silence(random.uniform(0.0, 0.03))
        vowel = self.vowel(random.uniform(0.08, 0.22)) * random.uniform(0.6, 1.0)
        return np.concatenate((consonant * random.uniform(0.05, 0.3), gap, vowel))

    def say(self, seconds: float) -> Sound:
        """A phrase of about so many seconds: words of one to four syllables."""
        parts: list[Sound] = []
        left = seconds
        while left > 0:
            for _ in range(self._random.integers(1, 5)):
                parts.append(self.syllable())
                left -= len(parts[-1]) / RATE
                if left <= 0:
                    break
            else:
                parts.append(silence(self._random.uniform(0.02, 0.14)))
                left -= len(parts[-1]) / RATE
        return np.concatenate(parts) * 10 ** (self._random.uniform(-34, -16) / 20)


def person(random: Generator) -> tuple[Sound, float]:
    """Somebody who picks up, says hello and waits; also when the hello ends, in seconds."""
    before = silence(random.uniform(0.05, 1.8))
    hello = Voice(random).say(random.uniform(0.2, 1.3))
    return np.concatenate((before, hello, silence(6))), len(np.concatenate((before, hello))) / RATE


def machine(random: Generator) -> tuple[Sound, float, float]:
    """A greeting in phrases, a pause, a beep; also when the beep begins and ends, in seconds."""
    voice = Voice(random)
    parts = [silence(random.uniform(0.1, 1.2))]
    for _ in range(random.integers(2, 6)):
        parts += [voice.say(random.uniform(1.2, 2.4)), silence(random.uniform(0.1, 0.5))]
    parts.append(silence(random.uniform(0.1, 1.2)))
    begin = sum(map(len, parts)) / RATE
    seconds = random.uniform(0.12, 1.0)
    parts.append(tone(seconds, random.uniform(420, 1950)) * 10 ** (random.uniform(-26, -8) / 20))
    return np.concatenate((*parts, silence(6))), begin, begin + seconds


def fax(random: Generator) -> Sound:
    """A fax that answers, or one that calls."""
    level = 10 ** (random.uniform(-30, -10) / 20)
    before = silence(random.uniform(0.1, 2.0))
    if random.random() < 0.6:
        modem = noise(random, 3, 1500, 2000) * level / 2
        called = tone(random.uniform(2.6, 4.0), 2100 + random.uniform(-15, 15)) * level
        return np.concatenate((before, called, silence(0.075), modem))
    calling = tone(random.uniform(0.43, 0.57), 1100 + random.uniform(-38, 38) * 0.9) * level
    return np.concatenate((before, *[np.concatenate((calling, silence(3)))] * 3))


def nobody(random: Generator) -> Sound:
    """Silence, now and then with a click or a breath."""
    sound = silence(8)
    for _ in range(random.integers(0, 4)):
        burst = noise(random, random.uniform(0.005, 0.4), 300, 3400) * 10 ** (-40 / 20)
        at = random.integers(0, len(sound) - len(burst))
        sound[at : at + len(burst)] += burst
    return sound


def music(random: Generator) -> Sound:
    """Chords of decaying notes with harmonics."""
    parts = []
    for _ in range(20):
        count = round(random.uniform(0.2, 0.6) * RATE)
        time = np.arange(count) / RATE
        root = 220 * 2 ** (random.integers(0, 12) / 12)
        chord = sum(
            np.sin(2 * np.pi * root * ratio * number * time) / number
            for ratio in (1, 1.26, 1.498)
            for number in (1, 2, 3, 4)
        )
        parts.append(chord * np.exp(-3 * time) * _edges(count, 0.005))
    return np.concatenate(parts) * 0.1


def on_the_line(
    random: Generator, sound: Sound, *, noise_level: float | None = None
) -> Iterator[Samples]:
    """The sound with the line's noise (dBFS), through G.711, in frames of 20 ms."""
    level = random.uniform(-75, -45) if noise_level is None else noise_level
    hiss = noise(random, len(sound) / RATE, 100, random.uniform(1500, 3800))[: len(sound)]
    noisy = sound + hiss * 10 ** (level / 20)
    samples = np.clip(np.rint(noisy * 32767), -32768, 32767).astype(np.int16)
    codec = g711.CODECS[random.integers(2)]
    heard = g711.decode(g711.encode(samples, codec), codec)
    for start in range(0, len(heard) - g711.FRAME_SAMPLES + 1, g711.FRAME_SAMPLES):
        yield heard[start : start + g711.FRAME_SAMPLES]
