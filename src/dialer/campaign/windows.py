"""Calling windows: weekdays and hours in which people may be called, as local times."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY = 24 * 60  # minutes
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00", re.ASCII)

Span = tuple[int, int]
"""Minutes of a day, from the first to the one after the last."""


@dataclasses.dataclass(frozen=True, slots=True)
class Window:
    """Some hours of some weekdays (0 is Monday), in minutes from midnight.

    With `closes` at or before `opens` it ends on the next day; where both are the same it lasts
    for 24 hours.
    """

    days: frozenset[int]
    opens: int
    closes: int

    def on(self, weekday: int) -> Iterable[Span]:
        """Return the parts of the window on a weekday, whichever day they began on."""
        overnight = self.closes <= self.opens
        if weekday in self.days:
            yield self.opens, DAY if overnight else self.closes
        if overnight and self.closes and (weekday - 1) % 7 in self.days:
            yield 0, self.closes


def minutes(text: str) -> int:
    """Return the minutes from midnight that a time like 09:30 stands for; raises ValueError."""
    if _TIME.fullmatch(text) is None:
        raise ValueError(f"{text[:20]!r} is not a time of the day; write it as 09:30")
    hours, _, rest = text.partition(":")
    return int(hours) * 60 + int(rest)


def windows_of(given: Iterable[Mapping[str, Any]]) -> tuple[Window, ...]:
    """Return windows from their JSON: days of the week, `from` and `to`; raises ValueError."""
    return tuple(
        Window(
            frozenset(DAYS.index(day) for day in one["days"]),
            minutes(one["from"]),
            minutes(one["to"]),
        )
        for one in given
    )


def quiet_hours(text: str) -> Span | None:
    """Return quiet hours like 21:00-08:00 in minutes, None for an empty text; raises ValueError."""
    if not text:
        return None
    begins, dash, ends = text.partition("-")
    if not dash:
        raise ValueError(f"{text[:20]!r} are not hours; write them as 21:00-08:00")
    span = minutes(begins.strip()), minutes(ends.strip())
    if span[0] == span[1]:
        raise ValueError("quiet hours that begin and end at the same time leave no hour to call")
    return span


def open_on(windows: Iterable[Window], weekday: int, quiet: Span | None) -> list[Span]:
    """Return the open parts of a weekday in order, merged; no windows is the whole day."""
    whole = [(0, DAY)]
    spans = sorted(span for window in windows for span in window.on(weekday)) or []
    return subtract(merge(spans) if windows else whole, quiet)


def merge(spans: Iterable[Span]) -> list[Span]:
    """Return sorted spans with those that touch made one."""
    merged: list[Span] = []
    for begins, ends in spans:
        if merged and begins <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], ends)
        else:
            merged.append((begins, ends))
    return merged


def subtract(spans: Iterable[Span], quiet: Span | None) -> list[Span]:
    """Return spans of a day without the quiet hours, which may run over midnight."""
    if quiet is None:
        return list(spans)
    begins, ends = quiet
    loud = [(ends, begins)] if ends < begins else [(0, begins), (ends, DAY)]
    cut = ((max(a, c), min(b, d)) for a, b in spans for c, d in loud)
    return [(a, b) for a, b in cut if a < b]
