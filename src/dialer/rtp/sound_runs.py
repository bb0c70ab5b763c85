"""A stream's audio as runs of silence, tone and other sound, found some seconds at a time.

What `frame_features` asks of each frame by itself is asked of many frames at once, in a few array
operations, so that it can be done for every call that rings. A window has two frames of
20 ms, and each frame begins one: times are true to about 20 ms.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING

import numpy as np

from dialer.rtp.g711 import FRAME_SAMPLES, SAMPLE_RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_WINDOW = 2 * FRAME_SAMPLES
_BIN = SAMPLE_RATE / _WINDOW  # Hz
_BAND = slice(8, 145)  # bins: 200 to 3600 Hz, what a telephone line carries
_HANN = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)
_FULL_SCALE = (  # the power in the band of a full-scale square wave, 0 dBFS
    32768.0**2 * _WINDOW * float((_HANN**2).sum()) / 2
)
_LINE = np.arange(-3, 4)  # bins that one sine fills, or two as close as 440 and 480 Hz
_LINE_WEIGHTS = _LINE.astype(np.float32)
_NARROW_LINE = np.arange(-2, 3)  # bins that one sine fills under this window

_SILENT = -55.0  # dBFS; a tone may be as low
_QUIET = -48.0  # dBFS; below is no sound that is no tone
_OVER_FLOOR = 9.0  # dB; what is quieter is the line's own noise
_LOUDEST_FLOOR = -40.0  # dBFS; a louder noise is meant to be heard
_FLOOR_RISE = 0.03  # dB a window
_PURE = 0.85  # share of the band's power
_LEAST_OF_TWO = 0.4  # share of the band's power that the stronger of two has at least
_SECOND_TONE = 0.1  # of the first one's power
_LOWEST_TONE = 330.0  # Hz; below it a single line is the pitch of a voice
_HIGHEST_OF_TWO = 700.0  # Hz; above it two lines are harmonics where a vowel resounds
_LINE_APART = 80.0  # Hz; two closer ones are told from one only by chance
_SAME_TONE = 15.0  # Hz between two windows
_STEADY = 6.0  # Hz between two windows, of the strongest line: a note holds, a voice glides
_HELD = 3  # windows in which it must not have moved more than a little over that
_HELD_WITHIN = 8.0  # Hz


class RunKind(enum.IntEnum):
    """What a run is."""

    SILENCE = 0
    TONE = 1
    SOUND = 2


@dataclasses.dataclass(slots=True)
class Run:
    """Windows in a row that are alike; `begin` counts windows from the beginning of the stream.

    The frequencies are the mean of a tone, in Hz with the lower first, the second 0 for a single
    sine. `purity` is the sum of the shares that the strongest line has of the power; `held` the
    number of windows whose strongest line is where it was in the three before.
    """

    kind: RunKind
    begin: int
    count: int
    first: float = 0.0
    second: float = 0.0
    purity: float = 0.0
    held: int = 0

    @property
    def end(self) -> int:
        """The window after the last."""
        return self.begin + self.count

    def is_same(self, other: Run, within: float) -> bool:
        """Whether it is of the same kind and, for a tone, of the same frequencies."""
        return self.kind == other.kind and (
            self.kind is not RunKind.TONE
            or (
                abs(self.first - other.first) <= within
                and abs(self.second - other.second) <= within
            )
        )

    def extend(self, other: Run) -> None:
        """Take in a later run; what lies between is part of it."""
        whole = self.count + other.count
        self.first = (self.first * self.count + other.first * other.count) / whole
        self.second = (self.second * self.count + other.second * other.count) / whole
        self.count = other.end - self.begin
        self.purity += other.purity
        self.held += other.held


class SoundReader:
    """Reads the audio of one stream in order; `runs` is what it has heard, the oldest first.

    There are never more than `most_runs`; what comes after is not looked at.
    """

    def __init__(self, most_runs: int) -> None:
        self.runs: list[Run] = []
        self._most_runs = most_runs
        self._windows = 0
        self._before = np.zeros(FRAME_SAMPLES, np.float32)
        self._lines_before = np.zeros(_HELD, np.float32)
        self._floor = -65.0

    def skip(self, frames: int) -> None:
        """Let silence pass unseen."""
        if frames > 0:
            self._before = np.zeros(FRAME_SAMPLES, np.float32)
            self._lines_before = np.zeros(_HELD, np.float32)
            self._add(Run(RunKind.SILENCE, self._windows, frames))
            self._windows += frames

    def read(self, samples: Floats) -> None:
        """Read whole frames of 160 samples, in units of int16."""
        if len(self.runs) >= self._most_runs:
            return
        block = np.concatenate((self._before, samples))
        self._before = block[-FRAME_SAMPLES:]
        frames = block.reshape(-1, FRAME_SAMPLES)
        energies = np.einsum("ij,ij->i", frames, frames)
        count = len(frames) - 1
        least = 32768.0**2 * 10 ** (_SILENT / 10) * _WINDOW
        loud = np.flatnonzero(energies[:-1] + energies[1:] > least)
        if len(loud):
            self._analyse(block, count, loud)
        else:
            self._add(Run(RunKind.SILENCE, self._windows, count))
            self._lines_before = np.zeros(_HELD, np.float32)
        self._windows += count

    def _analyse(self, block: Floats, count: int, loud: NDArray[np.intp]) -> None:
        step = FRAME_SAMPLES * block.itemsize
        windows = np.lib.stride_tricks.as_strided(
            block, (count, _WINDOW), (step, block.itemsize), writeable=False
        )
        kinds = np.zeros(count, np.int8)
        lines = np.zeros((3, count), np.float32)  # the first, the second, the first one's share
        kinds[loud], lines[:, loud] = self._lines(windows[loud] * _HANN)
        first, second = lines[:2]
        past = np.concatenate((self._lines_before, first))
        self._lines_before = past[-_HELD:]
        moved = np.abs(np.diff(past))
        still = moved <= _STEADY
        held = still[2:] & still[1:-1] & still[:-2] & (first > 0)
        held &= np.abs(first - past[:-_HELD]) <= _HELD_WITHIN
        tonal = kinds == RunKind.TONE
        breaks = np.empty(count, bool)
        breaks[0] = True
        breaks[1:] = (kinds[1:] != kinds[:-1]) | (np.abs(np.diff(second)) > _SAME_TONE)
        breaks |= tonal & (moved[2:] > _SAME_TONE)
        starts = np.flatnonzero(breaks)
        sums = np.add.reduceat(np.vstack((lines, held)), starts, axis=1).T.tolist()
        places = starts.tolist()
        for place, following, kind, (one, other, purity, still) in zip(
            places, (*places[1:], count), kinds[starts].tolist(), sums, strict=True
        ):
            length = following - place
            run = Run(RunKind(kind), self._windows + place, length, 0.0, 0.0, purity, int(still))
            if kind == RunKind.TONE:
                run.first, run.second = one / length, other / length
                if run.second and run.first > run.second:
                    run.first, run.second = run.second, run.first
            self._add(run)

    def _lines(self, windows: Floats) -> tuple[NDArray[np.int8], Floats]:
        """Return the kind of each window, its one or two strongest lines, and the first's share."""
        spectra = np.fft.rfft(windows)
        powers: Floats = (spectra.real**2 + spectra.imag**2).astype(np.float32, copy=False)
        band = powers[:, _BAND]
        whole = band.sum(axis=1)
        place, power, first = _strongest(powers, band)
        share = np.minimum(power / np.maximum(whole, 1e-9), 1)
        second = np.zeros_like(first)
        tonal = share >= _PURE
        mixed = np.flatnonzero(~tonal & (share > _LEAST_OF_TWO) & (first <= _HIGHEST_OF_TWO))
        if len(mixed):
            one, other = _pairs(powers[mixed], place[mixed], whole[mixed])
            tonal[mixed] = one > 0
            first[mixed] = np.where(one > 0, one, first[mixed])
            second[mixed] = other
        tonal &= first >= _LOWEST_TONE
        levels = 10 * np.log10(np.maximum(whole / _FULL_SCALE, 1e-9))
        sounds = levels > self._threshold(levels, tonal)
        kinds = np.where(tonal & (levels > _SILENT), 1, np.where(sounds, 2, 0)).astype(np.int8)
        first = np.where(kinds > 0, first, 0)
        return kinds, np.vstack((first, np.where(kinds == RunKind.TONE, second, 0), share))

    def _threshold(self, levels: Floats, tonal: NDArray[np.bool_]) -> float:
        """Follow the line's noise, as far as it is heard between what is meant to be heard."""
        others = levels[~tonal]
        quietest = float(others.min()) if len(others) else _SILENT
        self._floor = min(max(quietest, -65.0), self._floor + _FLOOR_RISE * len(levels))
        return max(_QUIET, min(self._floor, _LOUDEST_FLOOR) + _OVER_FLOOR)

    def _add(self, run: Run) -> None:
        last = self.runs[-1] if self.runs else None
        if last is not None and last.end == run.begin and last.is_same(run, _SAME_TONE):
            last.extend(run)
        elif len(self.runs) < self._most_runs:
            self.runs.append(run)


def _pairs(
    powers: Floats, place: NDArray[np.intp], whole: NDArray[np.float32]
) -> tuple[Floats, Floats]:
    """Return the two sines of each row, whose strongest bin is `place`; 0 where it has no two."""
    narrow = np.arange(len(place))[:, None], place[:, None] + _NARROW_LINE
    line = powers[narrow]
    power = line.sum(axis=1)
    first = (place + line @ _NARROW_LINE / np.maximum(power, 1e-9)) * _BIN
    powers[narrow] = 0
    _, other, second = _strongest(powers, powers[:, _BAND])
    are = (
        (power + other >= _PURE * whole)
        & (other >= _SECOND_TONE * power)
        & (np.maximum(first, second) <= _HIGHEST_OF_TWO)
        & (second >= _LOWEST_TONE)
    )
    one = np.abs(second - first) <= _LINE_APART
    first = np.where(
        are, np.where(one, (first * power + second * other) / (power + other), first), 0
    )
    return first.astype(np.float32), np.where(are & ~one, second, 0).astype(np.float32)


def _strongest(powers: Floats, band: Floats) -> tuple[NDArray[np.intp], Floats, Floats]:
    """Return the bin of the strongest line of each row, its power, and where it lies in Hz."""
    place = band.argmax(axis=1) + _BAND.start
    line = powers[np.arange(len(place))[:, None], place[:, None] + _LINE]
    power = line.sum(axis=1)
    frequency = (place + line @ _LINE_WEIGHTS / np.maximum(power, 1e-9)) * _BIN
    return place, power, frequency.astype(np.float32)
