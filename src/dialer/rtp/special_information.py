"""Special information tones, and what North American networks say by them.

Three tones, one after another: 950, 1400 and 1800 Hz, each within 50 Hz, of 330 ms within 70
(ITU-T E.180 §6). In North America the first two are a little lower or higher, and short (274 ms) or
long (380 ms), which tells why the call failed (Telcordia GR-674). The two frequencies and how long
the second one lasts are enough to tell all codes apart, so a first tone of which the beginning was
not heard does no harm.
"""

from __future__ import annotations

import enum
import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dialer.rtp.tones import Tone

_TONES = (950.0, 1400.0, 1800.0)  # Hz
_WITHIN = 60.0  # Hz, with the error of what is measured
_SHORTEST, _LONGEST = 0.2, 0.46  # seconds of a tone
_SHORTEST_FIRST = 0.08  # where its beginning was not heard
_GAP = 0.1  # seconds between two of the three
_LOW, _HIGH = (913.8, 1370.6, 1776.7), (985.2, 1428.5, 1776.7)  # Hz
_BETWEEN_LENGTHS = 0.327  # seconds: short below, long above


class SpecialInformation(enum.StrEnum):
    """Why the call failed, as the three tones say; `UNSPECIFIED` for those of other networks."""

    INTERCEPT = "intercept"
    VACANT_CODE = "vacant_code"
    REORDER = "reorder"
    NO_CIRCUIT = "no_circuit"
    INEFFECTIVE_OTHER = "ineffective_other"
    UNSPECIFIED = "unspecified"


_CODES = {  # first tone high, second tone high, second tone long
    (False, False, False): SpecialInformation.INTERCEPT,
    (False, False, True): SpecialInformation.NO_CIRCUIT,
    (True, False, False): SpecialInformation.VACANT_CODE,
    (True, False, True): SpecialInformation.REORDER,
    (False, True, False): SpecialInformation.INEFFECTIVE_OTHER,
    (False, True, True): SpecialInformation.REORDER,
    (True, True, True): SpecialInformation.NO_CIRCUIT,
    (True, True, False): SpecialInformation.UNSPECIFIED,  # kept for later use
}


def special_information(tones: Sequence[Tone]) -> SpecialInformation | None:
    """Return what three tones say, None where they are no special information."""
    for number, (tone, wanted) in enumerate(zip(tones, _TONES, strict=True)):
        shortest = _SHORTEST if number else _SHORTEST_FIRST
        if not tone.is_of(wanted, within=_WITHIN) or not shortest <= tone.seconds <= _LONGEST:
            return None
    if any(after.begin - before.end > _GAP for before, after in itertools.pairwise(tones)):
        return None
    heard = [tone.frequencies[0] for tone in tones]
    high = tuple(
        abs(one - upper) < abs(one - lower)
        for one, lower, upper in zip(heard[:2], _LOW, _HIGH, strict=False)
    )
    coded = [(_HIGH if is_high else _LOW)[number] for number, is_high in enumerate((*high, False))]
    if _far(heard, coded) > _far(heard, _TONES):
        return SpecialInformation.UNSPECIFIED
    return _CODES[high[0], high[1], tones[1].seconds > _BETWEEN_LENGTHS]


def _far(heard: Sequence[float], wanted: Sequence[float]) -> float:
    return sum(abs(one - other) for one, other in zip(heard, wanted, strict=True))
