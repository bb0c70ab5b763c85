import itertools

import numpy as np
import pytest
from tests.unit.rtp import sounds

from dialer.rtp.dtmf import InBandDigits

LOW = {key: row for row, keys in zip((697, 770, 852, 941), ("123A", "456B", "789C", "*0#D"),
       strict=True) for key in keys}  # fmt: skip
HIGH = {key: column for keys in ("123A", "456B", "789C", "*0#D")
        for key, column in zip(keys, (1209, 1336, 1477, 1633), strict=True)}  # fmt: skip
KEYS = "1234567890*#ABCD"


def key(name, seconds, *, high_over_low=0.0, off=0.0, level=-20.0):
    """One key; levels in dB and dBFS, `off` the share by which its frequencies are wrong."""
    low = sounds.tone(seconds, LOW[name] * (1 + off))
    high = sounds.tone(seconds, HIGH[name] * (1 + off), phase=1.0) * 10 ** (high_over_low / 20)
    return (low + high) * 10 ** (level / 20)


def digits(sound, *, seed=1, noise_level=-60):
    reader = InBandDigits()
    frames = sounds.on_the_line(np.random.default_rng(seed), sound, noise_level=noise_level)
    return "".join(reader.take(frame) for frame in frames)


def dialled(names, seconds, pause, **how):
    parts = [(key(name, seconds, **how), sounds.silence(pause)) for name in names]
    return np.concatenate((*itertools.chain.from_iterable(parts), sounds.silence(0.1)))


@pytest.mark.parametrize("begin", range(0, 160, 20))
@pytest.mark.parametrize("seconds", [0.045, 0.07, 0.5])
def test_every_key_is_found_once_wherever_it_begins(begin, seconds):
    lead = np.zeros(begin)
    assert digits(np.concatenate((lead, dialled(KEYS, seconds, 0.05)))) == KEYS


def test_a_key_pressed_twice_is_two_keys():
    assert digits(dialled("5500", 0.06, 0.05)) == "5500"


@pytest.mark.parametrize("level", [-6, -20, -35])
def test_loud_and_soft_keys_are_found(level):
    assert digits(dialled(KEYS, 0.08, 0.06, level=level)) == KEYS


@pytest.mark.parametrize("high_over_low", [3, 0, -3, -6])
def test_the_twist_of_a_line_is_borne(high_over_low):
    assert digits(dialled(KEYS, 0.08, 0.06, high_over_low=high_over_low)) == KEYS


@pytest.mark.parametrize("high_over_low", [7, -11])
def test_more_twist_is_no_key(high_over_low):
    assert digits(dialled(KEYS, 0.08, 0.06, high_over_low=high_over_low)) == ""


@pytest.mark.parametrize("off", [0.012, -0.012])
def test_frequencies_a_little_beside_are_found(off):
    assert digits(dialled(KEYS, 0.08, 0.06, off=off)) == KEYS


@pytest.mark.parametrize("off", [0.04, -0.04])
def test_frequencies_far_beside_are_not(off):
    assert digits(dialled(KEYS, 0.08, 0.06, off=off)) == ""


def test_a_short_burst_is_no_key():
    assert digits(dialled(KEYS, 0.02, 0.06)) == ""


def test_one_tone_alone_is_no_key():
    bursts = [sounds.tone(0.1, one) * 0.1 for one in {*LOW.values(), *HIGH.values()}]
    assert digits(np.concatenate(bursts)) == ""


def test_speech_and_music_press_no_keys():
    found = ""
    for seed in range(30):
        random = np.random.default_rng(seed)
        found += digits(sounds.machine(random)[0], seed=seed)
        found += digits(sounds.music(random), seed=seed)
    assert found == ""  # some five minutes of it
