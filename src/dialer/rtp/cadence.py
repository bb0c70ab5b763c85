"""Ringback, busy and congestion, by the cadence of bursts of one tone.

All three are often of the same frequency, so only the cadence tells them apart: busy and congestion
have pauses as long as their bursts (ITU-T E.180 §5 and §7), ringback a pause of seconds after a
burst, or after two close together. Where the same cadence is busy in one country and congestion in
another, it is taken as most countries have it: bursts under 0.3 s are congestion.
"""

from __future__ import annotations

import dataclasses
import enum
import itertools
import statistics
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dialer.rtp.tones import Tone

_LOWEST, _HIGHEST = 375.0, 505.0  # Hz; 400 to 450 or two of 400 to 480 together, in all plans
_NORTH_AMERICAN_BUSY = (480.0, 620.0)  # Hz
_SAME_TONE = 25.0  # Hz
_LONGEST_PAUSE = 6.5  # seconds between two rings

_FAST_BURST, _FAST_PAUSE = (0.13, 0.85), (0.11, 0.9)  # seconds, of busy and congestion
_FAST_RATIO = (0.63, 1.6)  # pause to burst (E.180: 0.67 to 1.5)
_ALIKE = 0.72  # least share that a burst has of the longest: packets are lost
_CONGESTION_BELOW = 0.3  # seconds, mean of burst and pause
_FAST_BURSTS = 3  # at least, of congestion
_BUSY_PAIR = 0.33  # seconds of bursts and pause, of which two bursts are enough

_RING = (0.6, 2.8)  # seconds
_DOUBLE_BURST, _DOUBLE_PAUSE = (0.22, 0.62), (0.1, 0.34)  # seconds, as in the United Kingdom
_RING_PAUSE = 1.2  # seconds, at least


class Signal(enum.StrEnum):
    """What a cadence says."""

    RINGBACK = "ringback"
    BUSY = "busy"
    CONGESTION = "congestion"


@dataclasses.dataclass(frozen=True, slots=True)
class Cadence:
    """Bursts in a row that are one signal; `confidence` is 0 to 1."""

    signal: Signal
    bursts: tuple[Tone, ...]
    confidence: float


def cadences(tones: Sequence[Tone]) -> Iterator[Cadence]:
    """Yield the signals among tones, given in order."""
    train: list[Tone] = []
    for tone in tones:
        if train and not _goes_on(train[-1], tone):
            yield from _of_train(train)
            train = []
        if _may_signal(tone):
            train.append(tone)
    if train:
        yield from _of_train(train)


def _may_signal(tone: Tone) -> bool:
    alone = len(tone.frequencies) == 1 or tone.frequencies[1] <= _HIGHEST
    return (alone and _LOWEST <= tone.frequencies[0] <= _HIGHEST) or _is_double(tone)


def _is_double(tone: Tone) -> bool:
    return tone.is_of(*_NORTH_AMERICAN_BUSY, within=20)


def _goes_on(before: Tone, tone: Tone) -> bool:
    return tone.begin - before.end <= _LONGEST_PAUSE and tone.is_of(
        *before.frequencies, within=_SAME_TONE
    )


def _of_train(train: list[Tone]) -> Iterator[Cadence]:
    """Yield the signals in bursts of one tone: parts that are fast, and parts that are slow."""
    slow: list[Tone] = []
    begin = 0
    while begin < len(train):
        end = begin
        while end < len(train) - 1 and _is_fast(train, end):
            end += 1
        if end - begin + 1 >= _FAST_BURSTS or _is_busy_pair(train[begin : end + 1]):
            yield from _slow(slow)
            yield _fast(train[begin : end + 1])
            slow, begin = [], end + 1
        else:
            slow.append(train[begin])
            begin += 1
    yield from _slow(slow)


def _is_fast(train: list[Tone], number: int) -> bool:
    """Whether a burst and the next are like those of busy or congestion.

    The first and the last of a train may have been cut off.
    """
    one, other = train[number : number + 2]
    pause, burst = other.begin - one.end, max(one.seconds, other.seconds)
    cut = (number == 0 and one.seconds < other.seconds) or (
        number == len(train) - 2 and other.seconds < one.seconds
    )
    return (
        _between(burst, _FAST_BURST)
        and _between(pause, _FAST_PAUSE)
        and _between(pause / burst, _FAST_RATIO)
        and (cut or min(one.seconds, other.seconds) >= _ALIKE * burst)
    )


def _is_busy_pair(bursts: list[Tone]) -> bool:
    """Whether two bursts are too long, and too far apart, to be anything else but busy."""
    return (
        len(bursts) == _FAST_BURSTS - 1
        and min(bursts[0].seconds, bursts[1].seconds, bursts[1].begin - bursts[0].end) >= _BUSY_PAIR
    )


def _fast(bursts: list[Tone]) -> Cadence:
    pauses = [after.begin - before.end for before, after in itertools.pairwise(bursts)]
    longest = max(burst.seconds for burst in bursts)
    whole = [burst.seconds for burst in bursts if burst.seconds >= _ALIKE * longest]
    half = (statistics.median(whole) + statistics.median(pauses)) / 2
    signal = Signal.CONGESTION if half < _CONGESTION_BELOW else Signal.BUSY
    sure = 0.95 if len(bursts) > _FAST_BURSTS else 0.85 if len(bursts) == _FAST_BURSTS else 0.75
    return Cadence(signal, tuple(bursts), sure)


def _slow(bursts: list[Tone]) -> Iterator[Cadence]:
    """Yield the ringback among bursts with longer pauses."""
    if not bursts or _is_double(bursts[0]):
        return
    rings: list[list[Tone]] = []
    for burst in bursts:
        if rings and len(rings[-1]) == 1 and _is_second_of_ring(rings[-1][0], burst):
            rings[-1].append(burst)
        else:
            rings.append([burst])
    group: list[list[Tone]] = []
    for ring in rings:
        if group and ring[0].begin - group[-1][-1].end < _RING_PAUSE:
            yield from _ringback(group)
            group = []
        group.append(ring)
    yield from _ringback(group)


def _is_second_of_ring(one: Tone, other: Tone) -> bool:
    return (
        _between(one.seconds, (0.0, _DOUBLE_BURST[1]))
        and _between(other.seconds, (0.0, _DOUBLE_BURST[1]))
        and max(one.seconds, other.seconds) >= _DOUBLE_BURST[0]
        and _between(other.begin - one.end, _DOUBLE_PAUSE)
    )


def _ringback(rings: list[list[Tone]]) -> Iterator[Cadence]:
    """Yield one signal, where at least one ring was heard whole and none is too long."""
    whole = [ring for ring in rings if len(ring) > 1 or _between(ring[0].seconds, _RING)]
    too_long = any(ring[0].seconds > _RING[1] for ring in rings)
    if whole and not too_long:
        bursts = tuple(itertools.chain.from_iterable(rings))
        yield Cadence(Signal.RINGBACK, bursts, 0.95 if len(rings) > 1 else 0.7)


def _between(value: float, bounds: tuple[float, float]) -> bool:
    return bounds[0] <= value <= bounds[1]
