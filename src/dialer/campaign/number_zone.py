"""The time zones in which the person behind a number may be, by the number's beginning."""

from __future__ import annotations

import functools

from phonenumbers.tzdata import TIMEZONE_DATA, TIMEZONE_LONGEST_PREFIX

from dialer.campaign.plan import zone_of

MOST = 4
"""Time zones that are taken as they are; more say no more than the country, or less."""


def zone_of_number(number: str) -> str:
    """Return the time zone of a number like +4930..., "" where it is not known.

    Where the number may be in one of a few zones that differ, they stand with commas between: a
    call then has to fit all of them.
    """
    if not number.startswith("+"):
        return ""
    digits = number[1:]
    for length in range(min(TIMEZONE_LONGEST_PREFIX, len(digits)), 0, -1):
        zones = TIMEZONE_DATA.get(digits[:length])
        if zones is not None:
            return _known(zones)
    return ""


@functools.cache
def _known(zones: tuple[str, ...]) -> str:
    known = []
    for name in zones:
        try:
            zone_of(name)
        except ValueError:
            continue
        known.append(name)
    return ",".join(known) if 0 < len(known) <= MOST else ""
