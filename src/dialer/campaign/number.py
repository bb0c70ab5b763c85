"""Telephone numbers as people write them, brought into the form that is dialled and stored."""

from __future__ import annotations

import dataclasses
import functools
import re

import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, NumberParseException, PhoneMetadata
from phonenumbers import ValidationResult as Possible

from dialer.campaign.emergency_number import is_emergency_or_short

LONGEST_TEXT = 64
WRITTEN = re.compile(r"\+?[0-9]+")
# What people put between digits: spaces (no-break ones too), dashes, dots, parentheses.
PUNCTUATION = dict.fromkeys(map(ord, " \u00a0\u2007\u202f-\u2010\u2011\u2012\u2013\u2212.()"))
EMERGENCY = "emergency"
"""The group of the pattern of extensions that finds those which are emergency numbers."""
PROBLEMS = {
    Possible.TOO_SHORT: "too short for a number of +{code}",
    Possible.TOO_LONG: "too long for a number of +{code}",
    Possible.INVALID_LENGTH: "a number of +{code} never has this length",
    Possible.IS_POSSIBLE_LOCAL_ONLY: "the area code is missing",
    Possible.INVALID_COUNTRY_CODE: "starts with no country calling code",
}


class NumberError(ValueError):
    """The text is no telephone number; the message is one line for a person."""


@dataclasses.dataclass(frozen=True, slots=True)
class Number:
    """A number as it is dialled: + and digits (E.164), or the digits of an internal extension.

    One that cannot exist is not `dialable`, and `problem` says why.
    """

    text: str
    dialable: bool = True
    problem: str = ""


def normalise(text: str, internal: re.Pattern[str] | None = None) -> Number:
    """Return the number that `text` means; an extension where `internal` matches all its digits.

    Raises NumberError where the text holds anything but a leading +, digits and the punctuation
    of telephone numbers, so that nothing else can reach a SIP header, and for emergency and short
    numbers, those that the group `emergency` of `internal` matches among them.
    """
    written = text.strip().translate(PUNCTUATION)
    if not written:
        raise NumberError("is empty")
    if len(text) > LONGEST_TEXT:
        raise NumberError(f"is longer than {LONGEST_TEXT} characters")
    if not WRITTEN.fullmatch(written):
        raise NumberError(f"is not a telephone number: {text!a}")
    extension = None if internal is None else internal.fullmatch(written)
    urgent = extension is not None and extension.groupdict().get(EMERGENCY)
    if urgent or is_emergency_or_short(written):
        raise NumberError(f"is an emergency or short number, which is never dialled: {written!a}")
    if extension is not None:
        return Number(written)
    digits = written.removeprefix("+")
    if is_emergency_or_short("+" + digits):
        raise NumberError(f"is an emergency or short number, which is never dialled: {written!a}")
    if _plainly_possible(digits):
        return Number("+" + digits)
    return _examined(digits)


def reads_as_number(text: str) -> bool:
    """Whether `text` could be a telephone number by its characters alone."""
    return WRITTEN.fullmatch(text.strip().translate(PUNCTUATION)) is not None


def _plainly_possible(digits: str) -> bool:
    """Whether the digits are a country calling code and a number of a right length.

    The quick answer for nearly all rows of a list. What begins with a prefix that is dropped from
    abroad needs a closer look.
    """
    for length in (1, 2, 3):
        if plan := _plan(digits[:length]):
            national = digits[length:]
            if len(national) not in plan.lengths or national.startswith("0"):
                return False
            dropped = plan.prefix and plan.prefix.match(national)
            return not (dropped and dropped.end())
    return False


@dataclasses.dataclass(frozen=True, slots=True)
class _Plan:
    """What may follow a country calling code: how many digits, and which prefix is dropped."""

    lengths: frozenset[int]
    prefix: re.Pattern[str] | None


@functools.lru_cache(maxsize=1200)  # all that may stand for a code
def _plan(code: str) -> _Plan | None:
    """Return the numbering plan of a country calling code, None where there is no such code."""
    if code.startswith("0") or int(code or 0) not in COUNTRY_CODE_TO_REGION_CODE:
        return None
    region = COUNTRY_CODE_TO_REGION_CODE[int(code)][0]
    metadata = (
        PhoneMetadata.metadata_for_nongeo_region(int(code))
        if region == phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY
        else PhoneMetadata.metadata_for_region(region)
    )
    if metadata is None or metadata.general_desc is None:
        return _Plan(frozenset(), None)
    prefix = metadata.national_prefix_for_parsing
    return _Plan(
        frozenset(metadata.general_desc.possible_length),
        re.compile(prefix) if prefix and prefix != "0" else None,
    )


def _examined(digits: str) -> Number:
    try:
        number = phonenumbers.parse("+" + digits)
    except NumberParseException as error:
        if error.error_type == NumberParseException.INVALID_COUNTRY_CODE:
            problem = PROBLEMS[Possible.INVALID_COUNTRY_CODE]
        elif error.error_type == NumberParseException.TOO_LONG:
            problem = "too long for a telephone number"
        else:
            problem = "too short for a telephone number"
        return Number("+" + digits, dialable=False, problem=problem)
    verdict = phonenumbers.is_possible_number_with_reason(number)
    if verdict == Possible.IS_POSSIBLE:
        return Number(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    problem = PROBLEMS[verdict].format(code=number.country_code)
    return Number("+" + digits, dialable=False, problem=problem)
