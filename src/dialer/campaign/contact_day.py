"""The day and the week of the person called, in which the attempts to a number are counted."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

DAY = dt.timedelta(days=1)


@dataclasses.dataclass(frozen=True, slots=True)
class ContactDay:
    """A calendar day, the Monday of its week, and when the next of either begins."""

    day: dt.date
    monday: dt.date
    next_day: dt.datetime
    next_week: dt.datetime

    def count(self, attempts: Mapping[dt.date, int]) -> tuple[int, int]:
        """Return the attempts of this day and of this week, of attempts by day."""
        week = sum(count for day, count in attempts.items() if day >= self.monday)
        return attempts.get(self.day, 0), week


def contact_day(now: dt.datetime, zone: dt.tzinfo) -> ContactDay:
    """Return the day of `now`, aware, in a time zone; weeks begin on Monday."""
    day = now.astimezone(zone).date()
    monday = day - day.weekday() * DAY
    return ContactDay(day, monday, _midnight(day + DAY, zone), _midnight(monday + 7 * DAY, zone))


def _midnight(day: dt.date, zone: dt.tzinfo) -> dt.datetime:
    """Return the first moment of a day; where midnight does not exist, the moment after the gap."""
    return dt.datetime.combine(day, dt.time(), zone).astimezone(dt.UTC)
