"""The tones by which networks say that a call fails: special information, busy, congestion.

Special information: three tones one after another (ITU-T E.180 §6). Busy and congestion: one tone
on and off, about half a second each for busy and half of that for congestion, of 425 Hz in most
countries (400 to 450), of 480 and 620 Hz together in North America (ITU-T E.180 annex).
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dialer.rtp.tones import Tone

_SPECIAL = (950.0, 1400.0, 1800.0)  # Hz; each 50 Hz beside, North America's 914 and 985 too
_SPECIAL_SECONDS = (0.2, 0.45)
_SPECIAL_GAP = 0.1  # seconds between two of the three
_BUSY_SECONDS = (0.33, 0.62)  # on, and off
_CONGESTION_SECONDS = (0.14, 0.33)
_ALIKE = 0.06  # seconds that two bursts of one signal may differ in length
_BURSTS = 3


class ProgressTone(enum.StrEnum):
    """What a network says in tones."""

    SPECIAL_INFORMATION = "special_information"
    BUSY = "busy"
    CONGESTION = "congestion"


class ProgressToneSequence:
    """Recognises the signals in tones that are over, fed in order."""

    def __init__(self) -> None:
        self._last: list[Tone] = []

    def take(self, tone: Tone) -> ProgressTone | None:
        """Return the signal that this tone completes."""
        self._last = [*self._last[1 - _BURSTS :], tone]
        if len(self._last) < _BURSTS:
            return None
        if self._is_special():
            return ProgressTone.SPECIAL_INFORMATION
        if not all(_is_busy_tone(one) for one in self._last) or not self._is_regular():
            return None
        lengths = [
            *(one.seconds for one in self._last),
            *(after.begin - before.end for before, after in self._pairs()),
        ]
        for signal, (shortest, longest) in (
            (ProgressTone.BUSY, _BUSY_SECONDS),
            (ProgressTone.CONGESTION, _CONGESTION_SECONDS),
        ):
            if shortest <= min(lengths) and max(lengths) <= longest:
                return signal
        return None

    def _pairs(self) -> list[tuple[Tone, Tone]]:
        return list(zip(self._last, self._last[1:], strict=False))

    def _is_special(self) -> bool:
        shortest, longest = _SPECIAL_SECONDS
        return all(
            tone.is_of(wanted, within=50) and shortest <= tone.seconds <= longest
            for tone, wanted in zip(self._last, _SPECIAL, strict=True)
        ) and all(after.begin - before.end <= _SPECIAL_GAP for before, after in self._pairs())

    def _is_regular(self) -> bool:
        lengths = [one.seconds for one in self._last]
        return max(lengths) - min(lengths) <= _ALIKE


def _is_busy_tone(tone: Tone) -> bool:
    return tone.is_of(425, within=30) or tone.is_of(480, 620, within=20)
