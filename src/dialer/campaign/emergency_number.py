"""Emergency and short numbers, which no campaign ever dials."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    PhoneNumber,
    is_emergency_number,
    is_valid_number,
    is_valid_short_number,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

# Emergency numbers of so many countries that a telephone or PBX anywhere may put them through. All
# others are extensions of a PBX too, so those of its own country alone are looked at.
EVERYWHERE = frozenset({"000", "110", "112", "118", "119", "911", "999"})
LONGEST = 6  # digits of a short number; of all countries none is longer
LONGEST_CODE = 3  # digits of a country calling code


def is_emergency_or_short(text: str, regions: Iterable[str] = ()) -> bool:
    """Whether a number is one for emergencies, or a short number of its country.

    `text` is digits as they are dialled, or with a + a number with its country calling code; an
    emergency number counts behind a code, too. Digits alone are compared with the emergency numbers
    that hold everywhere, and with those of `regions` (ISO 3166, such as DE).
    """
    digits = text.removeprefix("+")
    if len(digits) > LONGEST + LONGEST_CODE:
        return False
    if digits in EVERYWHERE:
        return True
    if text.startswith("+"):
        return _is_short(digits)
    return len(digits) <= LONGEST and any(is_emergency_number(digits, one) for one in regions)


def regions_of(number: str) -> tuple[str, ...]:
    """Return the regions that have the country calling code of a number; none without a +."""
    if not number.startswith("+"):
        return ()
    for length in range(1, LONGEST_CODE + 1):
        code = number[1 : 1 + length]
        if code.isdecimal() and int(code) in COUNTRY_CODE_TO_REGION_CODE:
            return COUNTRY_CODE_TO_REGION_CODE[int(code)]
    return ()


@functools.lru_cache(maxsize=1000)
def _is_short(digits: str) -> bool:
    for length in range(1, LONGEST_CODE + 1):
        code, national = digits[:length], digits[length:]
        if int(code or "0") in COUNTRY_CODE_TO_REGION_CODE:
            break
    else:
        return False
    if not 2 <= len(national) <= LONGEST:
        return False
    if any(is_emergency_number(national, one) for one in COUNTRY_CODE_TO_REGION_CODE[int(code)]):
        return True
    zeros = len(national) - len(national.lstrip("0"))
    number = PhoneNumber(
        country_code=int(code),
        national_number=int(national),
        italian_leading_zero=bool(zeros),
        number_of_leading_zeros=zeros or None,
    )
    return is_valid_short_number(number) and not is_valid_number(number)
