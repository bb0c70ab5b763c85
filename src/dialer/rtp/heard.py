"""What the sounds of a stream are: signals of the network, speech, music, noise, silence."""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING

from dialer.rtp.cadence import cadences
from dialer.rtp.g711 import FRAME_SECONDS
from dialer.rtp.sound_runs import Run, RunKind
from dialer.rtp.special_information import SpecialInformation, special_information
from dialer.rtp.tones import Tone

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_HOLE = 5  # windows that lost packets may cost a tone in its middle
_SAME_TONE = 20.0  # Hz
_SHORTEST_TONE = 3  # windows
_EDGE = 0.1  # seconds beside a signal that are its beginning and end, not another sound

_TONE = 0.25  # seconds; a shorter one alone is no finding
_STANDING_TONE = 1.0  # seconds; a shorter one among other sounds is part of them
_PAUSE = 0.8  # seconds within speech or music
_SHORTEST_SOUND = 0.2  # seconds
_MUSIC = 1.5  # seconds, at least
_HELD = 0.22  # share of the windows of music whose strongest line holds
_MUSIC_FILLS = 0.85  # share of its time in which music is heard
_NOISE = 0.2  # share of the power in the strongest line; below is noise
_STEADY_NOISE = 2.0  # seconds without a pause or anything held: no voice does that
_NO_PAUSE, _NOTHING_HELD = 0.97, 0.02  # shares
_SILENCE = 2.0  # seconds; a shorter one is no finding
_RING_SILENCE = 6.5  # seconds, after ringback


class HeardKind(enum.StrEnum):
    """What was heard."""

    RINGBACK = "ringback"
    BUSY = "busy"
    CONGESTION = "congestion"
    SPECIAL_INFORMATION = "special_information"
    SPEECH = "speech"
    MUSIC = "music"
    TONE = "tone"
    NOISE = "noise"
    SILENCE = "silence"


# seconds between two findings of a kind that are one: a pause of theirs
_SAME_SIGNAL = {HeardKind.RINGBACK: _RING_SILENCE, HeardKind.SPECIAL_INFORMATION: -1.0}


@dataclasses.dataclass(frozen=True, slots=True)
class Heard:
    """One thing that was heard, from `begin` to `end` in seconds, and how sure that is (0 to 1).

    `special_information` is what such tones say. `frequencies` are those of a tone, in Hz.
    """

    kind: HeardKind
    begin: float
    end: float
    confidence: float
    special_information: SpecialInformation | None = None
    frequencies: tuple[float, ...] = ()

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.end - self.begin


@dataclasses.dataclass(slots=True)
class _Sound:
    """A run that is no signal, or what is left of one."""

    begin: float
    end: float
    windows: int
    purity: float
    held: int
    tone: Tone | None = None


def heard_in(runs: Sequence[Run]) -> list[Heard]:
    """Return what was heard in a stream, in order; times are seconds of the stream."""
    tones, sounds = _parted(runs)
    found, left = _special_information(tones)
    taken: set[int] = set()
    for cadence in cadences(left):
        taken.update(map(id, cadence.bursts))
        found.append(
            Heard(
                HeardKind(cadence.signal.value),
                cadence.bursts[0].begin,
                cadence.bursts[-1].end,
                cadence.confidence,
                frequencies=cadence.bursts[0].frequencies,
            )
        )
    left = [tone for tone in left if id(tone) not in taken]
    found += [_tone(tone) for tone in left if tone.seconds >= _STANDING_TONE]
    sounds = [one for one in sounds if not _is_edge(one, found)]
    sounds += [_as_sound(tone) for tone in left if tone.seconds < _STANDING_TONE]
    found += _passages(sorted(sounds, key=lambda one: one.begin), found)
    found.sort(key=lambda one: one.begin)
    end = _seconds(runs[-1].end) if runs else 0.0
    return with_silence(joined(found), 0.0, end)


def joined(found: Iterable[Heard]) -> list[Heard]:
    """Make one finding of those of a kind that follow one another closely."""
    result: list[Heard] = []
    for one in found:
        last = result[-1] if result else None
        if last is not None and last.kind is one.kind and _alike(last, one):
            result[-1] = dataclasses.replace(
                last, end=max(last.end, one.end), confidence=max(last.confidence, one.confidence)
            )
        else:
            result.append(one)
    return result


def _alike(last: Heard, one: Heard) -> bool:
    pause = _SAME_SIGNAL.get(one.kind, _SILENCE)
    return (
        one.begin - last.end <= pause
        and len(one.frequencies) == len(last.frequencies)
        and all(
            abs(mine - other) <= _SAME_TONE
            for mine, other in zip(one.frequencies, last.frequencies, strict=True)
        )
    )


def with_silence(found: Sequence[Heard], begin: float, end: float) -> list[Heard]:
    """Return the findings with the silence between, before and after them."""
    result: list[Heard] = []
    at, least = begin, _SILENCE
    for one in found:
        if one.begin - at >= least:
            result.append(Heard(HeardKind.SILENCE, at, one.begin, 1.0))
        result.append(one)
        at = max(at, one.end)
        least = _RING_SILENCE if one.kind is HeardKind.RINGBACK else _SILENCE
    if end - at >= least:
        result.append(Heard(HeardKind.SILENCE, at, end, 1.0))
    return result


def _seconds(windows: int) -> float:
    """Return when a window has its middle; what it holds began half a frame before."""
    return max(0.0, (windows - 0.5) * FRAME_SECONDS)


def _parted(runs: Sequence[Run]) -> tuple[list[Tone], list[_Sound]]:
    """Return tones, each one where lost packets cut it, and other sounds."""
    whole: list[Run] = []
    for run in runs:
        if run.kind is RunKind.SILENCE:
            continue
        before = next(
            (
                place
                for place in range(len(whole) - 1, max(-1, len(whole) - 2 - _HOLE), -1)
                if run.kind is RunKind.TONE
                and run.begin - whole[place].end <= _HOLE
                and run.is_same(whole[place], _SAME_TONE)
            ),
            None,
        )
        if before is not None:
            del whole[before + 1 :]
            whole[before].extend(run)
        else:
            whole.append(dataclasses.replace(run))
    tones, sounds = [], []
    for run in whole:
        if run.kind is RunKind.TONE and run.count >= _SHORTEST_TONE:
            frequencies = (run.first, run.second) if run.second else (run.first,)
            begin = _seconds(run.begin)
            tones.append(Tone(frequencies, begin, _seconds(run.end) - begin))
        else:
            begin, end = _seconds(run.begin), _seconds(run.end)
            sounds.append(_Sound(begin, end, run.count, run.purity, run.held))
    return tones, sounds


def _special_information(tones: list[Tone]) -> tuple[list[Heard], list[Tone]]:
    """Return the special information among tones, and the other tones."""
    found, left, place = [], [], 0
    while place < len(tones):
        three = tones[place : place + 3]
        said = special_information(three) if len(three) == 3 else None
        if said is None:
            left.append(tones[place])
            place += 1
            continue
        kind = HeardKind.SPECIAL_INFORMATION
        frequencies = tuple(tone.frequencies[0] for tone in three)
        found.append(Heard(kind, three[0].begin, three[2].end, 0.97, said, frequencies))
        place += 3
    return found, left


def _tone(tone: Tone) -> Heard:
    return Heard(HeardKind.TONE, tone.begin, tone.end, 0.9, frequencies=tone.frequencies)


def _as_sound(tone: Tone) -> _Sound:
    windows = round(tone.seconds / FRAME_SECONDS)
    return _Sound(tone.begin, tone.end, windows, float(windows), max(0, windows - 3), tone)


def _is_edge(sound: _Sound, signals: Iterable[Heard]) -> bool:
    """Whether a short sound is the beginning or end of a burst, or a click in between."""
    return sound.end - sound.begin <= _EDGE and any(
        one.begin - _EDGE <= sound.begin and sound.end <= one.end + _EDGE for one in signals
    )


def _passages(sounds: Sequence[_Sound], signals: Sequence[Heard]) -> list[Heard]:
    """Put sounds together that follow closely, with no signal between, and name each passage."""
    passages: list[list[_Sound]] = []
    for sound in sounds:
        last = passages[-1][-1] if passages else None
        if (
            last is None
            or sound.begin - last.end > _PAUSE
            or any(last.end - _EDGE <= one.begin <= sound.begin for one in signals)
        ):
            passages.append([])
        passages[-1].append(sound)
    return [found for passage in passages if (found := _named(passage)) is not None]


def _named(passage: Sequence[_Sound]) -> Heard | None:
    begin, end = passage[0].begin, passage[-1].end
    windows = sum(one.windows for one in passage)
    sounding, held = windows * FRAME_SECONDS, sum(one.held for one in passage) / windows
    purity = sum(one.purity for one in passage) / windows
    fills = sounding / (end - begin + FRAME_SECONDS)
    longest = max(passage, key=lambda one: one.windows)
    if longest.tone is not None and longest.windows > windows / 2:
        return _tone(longest.tone) if longest.tone.seconds >= _TONE else None
    if sounding < _SHORTEST_SOUND:
        return None
    if held >= _HELD and fills >= _MUSIC_FILLS and sounding >= _MUSIC:
        return Heard(HeardKind.MUSIC, begin, end, 0.7 if held < 1.5 * _HELD else 0.85)
    if purity < _NOISE or (
        sounding >= _STEADY_NOISE and fills > _NO_PAUSE and held < _NOTHING_HELD
    ):
        return Heard(HeardKind.NOISE, begin, end, 0.7)
    return Heard(HeardKind.SPEECH, begin, end, 0.9 if sounding >= 1 else 0.6)
