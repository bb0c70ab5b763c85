"""What carriers play before an answer, by country, and how it comes over the network.

Sounds are float samples at 8 kHz whose level is in dBm0: a sine of 0 dBm0 is 3.14 dB below the
largest that G.711 can carry.
"""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import soundfile
from tests.unit.rtp import sounds

from dialer.rtp import g711
from dialer.rtp.packet import Packet

FULL = 10 ** (-3.14 / 20)  # peak of a sine of 0 dBm0


@dataclasses.dataclass(frozen=True)
class Plan:
    """A country's tones: frequencies, and seconds on and off (ITU-T E.180 supplement 2)."""

    ring: tuple[float, ...]
    ring_cadence: tuple[float, ...]
    busy: tuple[float, ...]
    busy_cadence: tuple[float, ...]
    congestion: tuple[float, ...] = ()
    congestion_cadence: tuple[float, ...] = ()


PLANS = {
    "Germany": Plan((425,), (1, 4), (425,), (0.48, 0.48), (425,), (0.24, 0.24)),
    "France": Plan((440,), (1.5, 3.5), (440,), (0.5, 0.5)),
    "United Kingdom": Plan((400, 450), (0.4, 0.2, 0.4, 2.0), (400,), (0.375, 0.375)),
    "United States": Plan((440, 480), (2, 4), (480, 620), (0.5, 0.5), (480, 620), (0.25, 0.25)),
    "Italy": Plan((425,), (1, 4), (425,), (0.5, 0.5), (425,), (0.2, 0.2)),
    "Spain": Plan((425,), (1.5, 3), (), ()),
    "Poland": Plan((425,), (1, 4), (425,), (0.5, 0.5)),
    "Russia": Plan((425,), (0.8, 3.2), (425,), (0.4, 0.4), (425,), (0.2, 0.2)),
    "China": Plan((450,), (1, 4), (450,), (0.35, 0.35)),
    "Japan": Plan((384, 416), (1, 2), (400,), (0.5, 0.5)),
    "Australia": Plan((413, 438), (0.4, 0.2, 0.4, 2.0), (425,), (0.375, 0.375)),
    "India": Plan((400,), (0.4, 0.2, 0.4, 2.0), (400,), (0.75, 0.75), (400,), (0.25, 0.25)),
    "Switzerland": Plan((425,), (1, 4), (425,), (0.5, 0.5), (425,), (0.2, 0.2)),
    "Brazil": Plan((425,), (1, 4), (), (), (425,), (0.25, 0.25)),
}


def tone(seconds, *frequencies):
    """Frequencies together, at 0 dBm0 each where there is one, else half as high."""
    return sounds.tone(seconds, *frequencies) * FULL


def cadence(frequencies, on_off, times):
    parts = []
    for _ in range(times):
        for number, seconds in enumerate(on_off):
            parts.append(sounds.silence(seconds) if number % 2 else tone(seconds, *frequencies))
    return np.concatenate(parts)


def special(*segments, gap=0.0):
    """Three tones (Hz, seconds)."""
    parts = []
    for frequency, seconds in segments:
        parts += [tone(seconds, frequency), sounds.silence(gap)]
    return np.concatenate(parts)


SHORT, LONG = 0.274, 0.380
SPECIAL = {
    "intercept": ((913.8, SHORT), (1370.6, SHORT), (1776.7, LONG)),
    "vacant_code": ((985.2, LONG), (1370.6, SHORT), (1776.7, LONG)),
    "reorder": ((913.8, SHORT), (1428.5, LONG), (1776.7, LONG)),
    "no_circuit": ((985.2, LONG), (1428.5, LONG), (1776.7, LONG)),
    "ineffective_other": ((913.8, LONG), (1428.5, SHORT), (1776.7, LONG)),
    "unspecified": ((950, 0.33), (1400, 0.33), (1800, 0.33)),
}
INTER_LATA = {
    "reorder": ((985.2, SHORT), (1370.6, LONG), (1776.7, LONG)),
    "no_circuit": ((913.8, LONG), (1370.6, LONG), (1776.7, LONG)),
}


def modulated(carrier, modulation, on_off, times):
    """Bursts of a tone whose level swings, as in India, Japan and South Africa."""
    parts = []
    for number, seconds in enumerate(on_off * times):
        time = np.arange(round(seconds * sounds.RATE)) / sounds.RATE
        swing = (1 + 0.9 * np.sin(2 * np.pi * modulation * time)) / 2
        parts.append(np.sin(2 * np.pi * carrier * time) * swing * FULL * (number % 2 == 0))
    return np.concatenate(parts)


def through_gsm(sound):
    """What is left of a sound behind a mobile network's full-rate codec (GSM 06.10)."""
    file = io.BytesIO()
    soundfile.write(file, np.clip(sound, -1, 1), sounds.RATE, format="WAV", subtype="GSM610")
    file.seek(0)
    return soundfile.read(file)[0][: len(sound)]


def song(random, seconds=8.0):
    """A melody with vibrato over a bass and a drum."""
    parts, left = [], seconds
    while left > 0:
        count = round(random.uniform(0.15, 0.5) * sounds.RATE)
        time = np.arange(count) / sounds.RATE
        note = 330 * 2 ** (random.integers(0, 15) / 12)
        phase = 2 * np.pi * np.cumsum(note * (1 + 0.008 * np.sin(2 * np.pi * 5.5 * time)))
        melody = sum(np.sin(k * phase / sounds.RATE) / k**1.5 for k in range(1, 5))
        low = 2 * np.pi * 110 * 2 ** (random.integers(0, 5) / 12) * time
        drum = random.standard_normal(count) * np.exp(-40 * time)
        parts.append(melody * np.minimum(1, time * 50) + 0.7 * np.sin(low) + 0.8 * drum)
        left -= count / sounds.RATE
    return np.concatenate(parts) * 0.08


def packets(
    sound,
    random,
    *,
    level=0.0,
    noise=-65.0,
    codec="PCMU",
    loss=0.0,
    ssrc=7,
    samples=160,
    timestamp=1_000_000,
):
    """The packets of a sound, with its level and the line's noise in dBm0."""
    count = len(sound)
    hiss = sounds.noise(random, count / sounds.RATE + 0.01, 200, 3400)[:count]
    # the mean square of a sine of 0 dBm0 is half of its peak's square
    noisy = sound * 10 ** (level / 20) + hiss * FULL / np.sqrt(2) * 10 ** (noise / 20)
    coded = g711.encode(np.clip(np.rint(noisy * 32767), -32768, 32767).astype(np.int16), codec)
    kind = {"PCMU": 0, "PCMA": 8}[codec]
    for number, start in enumerate(range(0, count - samples + 1, samples)):
        if loss and random.random() < loss:
            continue
        yield Packet(
            kind,
            number & 0xFFFF,
            (timestamp + start) & 0xFFFFFFFF,
            ssrc,
            coded[start : start + samples],
        )
