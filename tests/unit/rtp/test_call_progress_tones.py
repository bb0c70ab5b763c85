import numpy as np
import pytest
from tests.unit.rtp import sounds

from dialer.rtp.call_progress_tones import ProgressTone, ProgressToneSequence
from dialer.rtp.frame_features import FeatureReader, SoundLevel
from dialer.rtp.tones import ToneTracker


def found(sound, *, seed=1, noise_level=-60):
    """The signals in a sound, by the tones that are heard in it."""
    reader, level = FeatureReader(), SoundLevel()
    tones, sequence = ToneTracker(), ProgressToneSequence()
    signals = []
    for frame in sounds.on_the_line(np.random.default_rng(seed), sound, noise_level=noise_level):
        features = reader.take(frame)
        tone = tones.take(features, loud=level.is_sound(features))
        if tone is not None:
            signals.append(sequence.take(tone))
    return [signal for signal in signals if signal is not None]


def cadence(on, off, *frequencies, times=4):
    burst = np.concatenate((sounds.tone(on, *frequencies) * 0.1, sounds.silence(off)))
    return np.concatenate((sounds.silence(0.4), *[burst] * times))


def special(*tones, gap=0.0):
    parts = []
    for frequency, seconds in tones:
        parts += [sounds.tone(seconds, frequency) * 0.1, sounds.silence(gap)]
    return np.concatenate((sounds.silence(0.3), *parts, sounds.silence(0.3)))


@pytest.mark.parametrize(
    "sound",
    [
        special((950, 0.33), (1400, 0.33), (1800, 0.33)),
        special((950, 0.33), (1400, 0.33), (1800, 0.33), gap=0.03),
        special((913.8, 0.274), (1370.6, 0.274), (1776.7, 0.38)),  # North America: intercept
        special((985.2, 0.38), (1428.5, 0.38), (1776.7, 0.38)),  # no circuit
    ],
)
def test_special_information_is_three_rising_tones(sound):
    assert found(sound) == [ProgressTone.SPECIAL_INFORMATION]


@pytest.mark.parametrize(
    ("on", "off", "frequencies"),
    [
        (0.48, 0.48, [425]),  # Germany
        (0.5, 0.5, [440]),  # France
        (0.375, 0.375, [400]),  # United Kingdom
        (0.5, 0.5, [480, 620]),  # North America
    ],
)
def test_busy_is_half_a_second_on_and_off(on, off, frequencies):
    assert set(found(cadence(on, off, *frequencies))) == {ProgressTone.BUSY}


@pytest.mark.parametrize(
    ("on", "off", "frequencies"),
    [(0.24, 0.24, [425]), (0.25, 0.25, [480, 620]), (0.2, 0.2, [425])],
)
def test_congestion_is_twice_as_fast(on, off, frequencies):
    assert set(found(cadence(on, off, *frequencies))) == {ProgressTone.CONGESTION}


@pytest.mark.parametrize(
    "sound",
    [
        cadence(1, 4, 425),  # it rings
        cadence(2, 4, 440, 480),
        cadence(0.5, 0.5, 1000),
        sounds.tone(5, 425) * 0.1,  # dial tone
        special((1800, 0.33), (1400, 0.33), (950, 0.33)),
        special((950, 0.33), (1400, 0.33)),
    ],
)
def test_other_tones_are_none_of_them(sound):
    assert found(sound) == []


def test_speech_and_music_are_none_of_them():
    for seed in range(20):
        random = np.random.default_rng(seed)
        assert found(sounds.machine(random)[0], seed=seed) == []
        assert found(sounds.music(random), seed=seed) == []
