"""The periods of an account's plan, and what talk time costs in them."""

from __future__ import annotations

import calendar
import dataclasses
import datetime as dt
import math
import re
import zoneinfo
from typing import Literal

PeriodKind = Literal["day", "week", "month"]

_OFFSET = re.compile(r"([+-])([01][0-9]|2[0-3]):([0-5][0-9])")
# Talk time is a difference of times in floating point: what is no more than a nanosecond over a
# whole increment has not begun the next one.
_ROUNDING = 1e-9


@dataclasses.dataclass(frozen=True, slots=True)
class Period:
    """A period of a plan: its first day, and the instants (UTC) between which it lies.

    `start` is what usage is kept under. It ends just before `ends_at`, where the next one begins.
    """

    start: dt.date
    begins_at: dt.datetime
    ends_at: dt.datetime


def period_of(now: dt.datetime, zone: dt.tzinfo, period: PeriodKind, anchor_day: int) -> Period:
    """Return the period in which `now` (aware) lies.

    It turns over at local midnight of `zone`: each day, each Monday, or each month on
    `anchor_day` (1 to 31), the last day of a month that has no such day. Where clocks skip
    midnight it is the first moment after it, where they repeat it the first of the two.
    """
    start = _start(now.astimezone(zone).date(), period, anchor_day)
    # Clocks that go back over midnight bring the day before once more; what has begun has begun.
    if now < _midnight(start, zone):
        start = _start(start - dt.timedelta(days=1), period, anchor_day)
    after = _next(start, period, anchor_day)
    if now >= _midnight(after, zone):
        start, after = after, _next(after, period, anchor_day)
    return Period(start, _midnight(start, zone), _midnight(after, zone))


def billed(talk_seconds: float, increment: int) -> int:
    """Return the seconds that an attempt costs: its talk time in whole increments, rounded up."""
    if talk_seconds <= 0:
        return 0
    return max(1, math.ceil(talk_seconds / increment - _ROUNDING)) * increment


def zone_of(name: str) -> dt.tzinfo:
    """Return a time zone by its IANA name or as a fixed offset such as `-05:00`.

    Raises ValueError for any other text: an unknown zone is never "any time".
    """
    if offset := _OFFSET.fullmatch(name):
        sign = -1 if offset[1] == "-" else 1
        return dt.timezone(sign * dt.timedelta(hours=int(offset[2]), minutes=int(offset[3])))
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"there is no time zone {name[:60]!r}; give an IANA name such as Europe/Berlin, or an"
            " offset such as -05:00"
        ) from None


def _start(day: dt.date, period: PeriodKind, anchor_day: int) -> dt.date:
    """Return the first day of the period that a day belongs to."""
    if period == "day":
        return day
    if period == "week":
        return day - dt.timedelta(days=day.weekday())
    anchor = _anchor(day.year, day.month, anchor_day)
    if anchor <= day:
        return anchor
    before = day.replace(day=1) - dt.timedelta(days=1)
    return _anchor(before.year, before.month, anchor_day)


def _next(start: dt.date, period: PeriodKind, anchor_day: int) -> dt.date:
    """Return the first day of the period after the one that begins on `start`."""
    if period == "day":
        return start + dt.timedelta(days=1)
    if period == "week":
        return start + dt.timedelta(days=7)
    after = start.replace(day=1) + dt.timedelta(days=31)
    return _anchor(after.year, after.month, anchor_day)


def _anchor(year: int, month: int, anchor_day: int) -> dt.date:
    return dt.date(year, month, min(anchor_day, calendar.monthrange(year, month)[1]))


def _midnight(day: dt.date, zone: dt.tzinfo) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), zone).astimezone(dt.UTC)
