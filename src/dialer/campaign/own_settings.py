"""A number's own settings, as the reserved columns of a list write them."""

from __future__ import annotations

import dataclasses
import functools
import re
from typing import TYPE_CHECKING, Any

from dialer.campaign.number import NumberError, normalise
from dialer.campaign.plan import zone_of
from dialer.campaign.settings import ONE_WEEK_MINUTES
from dialer.campaign.windows import DAYS

if TYPE_CHECKING:
    from collections.abc import Mapping

Windows = tuple[dict[str, Any], ...]

PRIORITIES = (-1000, 1000)
MOST_ATTEMPTS = 100
MOST_WINDOWS = 100
NUMBERS = tuple(f"phone_{place}" for place in range(2, 10))
RESERVED = frozenset(
    {"time_zone", "window", "priority", "max_attempts", "retry_interval_minutes", *NUMBERS}
)
TIMES = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])-([01]?[0-9]|2[0-3]|24):([0-5][0-9])")
WINDOW_EXAMPLE = "mon-fri 09:00-17:00; sat 10:00-12:00"


class OwnSettingError(ValueError):
    """A cell of a reserved column that cannot be used; the message is one line."""


@dataclasses.dataclass(frozen=True, slots=True)
class OwnSettings:
    """What a number sets of its own; '' and None stand for the campaign's.

    `windows` are objects of `days`, `from` and `to`. `alternates` are further numbers of the same
    person, in the order in which they are tried.
    """

    time_zone: str = ""
    windows: Windows | None = None
    priority: int = 0
    max_attempts: int | None = None
    retry_interval_minutes: int | None = None
    alternates: tuple[str, ...] = ()


NONE = OwnSettings()


def parse(
    cells: Mapping[str, str], number: str, internal: re.Pattern[str] | None = None
) -> OwnSettings:
    """Return the settings in the cells of reserved columns, by column; empty cells set nothing.

    `number` is the row's own; `internal` matches extensions. Raises OwnSettingError.
    """
    if not any(cells.values()):
        return NONE
    given = {name: text for name in NUMBERS if (text := cells.get(name, ""))}
    return OwnSettings(
        time_zone=time_zone(cells.get("time_zone", "")),
        windows=windows(text) if (text := cells.get("window", "")) else None,
        priority=_whole("priority", cells, *PRIORITIES) or 0,
        max_attempts=_whole("max_attempts", cells, 1, MOST_ATTEMPTS),
        retry_interval_minutes=_whole("retry_interval_minutes", cells, 1, ONE_WEEK_MINUTES),
        alternates=alternates(given, number, internal),
    )


@functools.lru_cache(maxsize=1024)
def time_zone(text: str) -> str:
    """Return an IANA name or a fixed offset such as -05:00, checked. Raises OwnSettingError."""
    try:
        if text:
            zone_of(text)
    except ValueError as error:
        raise OwnSettingError(f"time_zone: {error}") from None
    return text


@functools.lru_cache(maxsize=1024)
def windows(text: str) -> Windows:
    """Return windows written as `mon-fri 09:00-12:00, 13:00-17:00; sat 10:00-12:00`.

    A window that ends before it begins goes over midnight. Raises OwnSettingError.
    """
    found = tuple(window for part in text.split(";") if part.strip() for window in _window(part))
    if len(found) > MOST_WINDOWS:
        raise OwnSettingError(f"window: more than {MOST_WINDOWS} windows")
    return found


def _window(text: str) -> list[dict[str, Any]]:
    """Return the windows of some days."""
    written = re.sub(r"\s*-\s*", "-", text.strip().lower())
    days, times = [], []
    for word in re.split(r"[\s,]+", written):
        if found := TIMES.fullmatch(word):
            times.append(_times(*found.groups(), shown=text))
        elif times:
            raise _no_window(text)
        else:
            days += _days(word, shown=text)
    if not days or not times:
        raise _no_window(text)
    ordered = [day for day in DAYS if day in days]
    return [{"days": ordered, "from": opens, "to": closes} for opens, closes in times]


def _times(hour: str, minute: str, last_hour: str, last_minute: str, *, shown: str) -> list[str]:
    opens, closes = f"{hour:0>2}:{minute}", f"{last_hour:0>2}:{last_minute}"
    if closes > "24:00" or closes == opens:
        raise _no_window(shown)
    return [opens, closes]


def _days(word: str, *, shown: str) -> list[str]:
    """Return the days of `mon`, `mon-fri` or `sat-mon`."""
    first, _, last = word.partition("-")
    if first not in DAYS or (last or first) not in DAYS:
        raise _no_window(shown)
    begins, length = DAYS.index(first), (DAYS.index(last or first) - DAYS.index(first)) % 7 + 1
    return [DAYS[(begins + place) % 7] for place in range(length)]


def _no_window(text: str) -> OwnSettingError:
    return OwnSettingError(f"window: {text.strip()[:60]!r} is none; write it as {WINDOW_EXAMPLE}")


def _whole(name: str, cells: Mapping[str, str], least: int, most: int) -> int | None:
    text = cells.get(name, "")
    if not text:
        return None
    if re.fullmatch(r"[+-]?[0-9]{1,9}", text) and least <= int(text) <= most:
        return int(text)
    raise OwnSettingError(f"{name}: {text[:60]!r} is no whole number from {least} to {most}")


def alternates(
    given: Mapping[str, str], number: str, internal: re.Pattern[str] | None = None
) -> tuple[str, ...]:
    """Return further numbers of a person beside `number`, each once; `given` has them by name.

    Raises OwnSettingError, which begins with the name.
    """
    found = {_alternate(name, text, internal): None for name, text in given.items()}
    found.pop(number, None)
    return tuple(found)


def _alternate(name: str, text: str, internal: re.Pattern[str] | None) -> str:
    try:
        number = normalise(text, internal)
    except NumberError as error:
        raise OwnSettingError(f"{name}: {error}") from None
    if not number.dialable:
        raise OwnSettingError(f"{name}: {number.problem}")
    return number.text
