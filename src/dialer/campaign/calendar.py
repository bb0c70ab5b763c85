"""When people may be called: windows, dates without calls and quiet hours, in their time zones."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
from typing import TYPE_CHECKING

import holidays

from dialer.campaign.plan import zone_of
from dialer.campaign.windows import Span, Window, open_on

if TYPE_CHECKING:
    from collections.abc import Iterator

HORIZON = dt.timedelta(days=400)  # beyond a year, so that a window of one day in it is found
LONGEST = dt.timedelta(days=8)  # of an open time that is told as one
DAY = dt.timedelta(days=1)
MINUTE = dt.timedelta(minutes=1)
EVER = dt.datetime.max.replace(tzinfo=dt.UTC)
ALWAYS_BEFORE = dt.datetime.min.replace(tzinfo=dt.UTC)


@dataclasses.dataclass(frozen=True, slots=True)
class Interval:
    """An open time, in UTC: calls may be made from `opens` until just before `closes`."""

    opens: dt.datetime
    closes: dt.datetime


@dataclasses.dataclass(frozen=True, slots=True)
class NoWindow:
    """No window opens within a year; `reason` is a sentence."""

    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class Calendar:
    """When calls may be made to somebody.

    `zones` are the time zones in which the windows are read: where a number may be in several,
    a call has to fit all of them. `customer_zones` are those of the quiet hours, and the same
    unless the windows are read in the campaign's zone. No windows is any time. `dates_off` and the
    public holidays of `countries` (ISO codes, with a subdivision like DE-BY) are days without
    calls.
    """

    zones: tuple[str, ...]
    customer_zones: tuple[str, ...] = ()
    windows: tuple[Window, ...] = ()
    dates_off: frozenset[dt.date] = frozenset()
    countries: tuple[str, ...] = ()
    quiet: Span | None = None

    def next_open(self, after: dt.datetime) -> Interval | NoWindow:
        """Return the open time that `after`, aware, lies in, or failing that the next one."""
        if not (self.windows or self.dates_off or self.countries or self.quiet):
            return Interval(ALWAYS_BEFORE, EVER)
        parts = self._parts()
        at, end = after.astimezone(dt.UTC), after + HORIZON
        while at < end:
            found = [_next(part, at, end) for part in parts]
            intervals = [one for one in found if one is not None]
            if len(intervals) < len(found):
                break
            opens = max(one.opens for one in intervals)
            closes = min(one.closes for one in intervals)
            if opens < closes and closes > at:
                return Interval(opens, closes)
            at = max(opens, closes)
        return NoWindow(self._reason())

    def is_open(self, at: dt.datetime) -> bool:
        """Whether a call may be made at a moment."""
        found = self.next_open(at)
        return isinstance(found, Interval) and found.opens <= at < found.closes

    def first_open(self, at: dt.datetime) -> dt.datetime | None:
        """Return the first moment from `at` on at which a call may be made, None if never."""
        found = self.next_open(at)
        return max(at, found.opens) if isinstance(found, Interval) else None

    def _parts(self) -> list[_Part]:
        """Return what has to be open at the same time."""
        customer = self.customer_zones or self.zones
        if set(customer) == set(self.zones):
            return [_Part(zone, self, self.quiet) for zone in self.zones]
        parts = [_Part(zone, self, None) for zone in self.zones]
        if self.quiet is not None:
            quiet = Calendar(customer, quiet=self.quiet)
            parts += [_Part(zone, quiet, self.quiet) for zone in customer]
        return parts

    def _reason(self) -> str:
        causes = [
            name
            for name, there in (
                ("the windows", self.windows),
                ("dates without calls", self.dates_off),
                ("holidays", self.countries),
                ("quiet hours", self.quiet),
                ("several time zones", len(self.zones) > 1),
            )
            if there
        ]
        return (
            f"no window opens within a year: {', '.join(causes)} leave no time in"
            f" {', '.join(self.zones)}"
        )


@dataclasses.dataclass(frozen=True, slots=True)
class _Part:
    """A calendar as it is read in one zone."""

    zone: str
    calendar: Calendar
    quiet: Span | None


def check_country(code: str) -> None:
    """Raise ValueError unless holidays of a country, or of its part, are known."""
    _holidays(code, 2026)


def _next(part: _Part, after: dt.datetime, end: dt.datetime) -> Interval | None:
    """Return the first open time that ends after a moment and begins before another."""
    opens: dt.datetime | None = None
    closes = after
    for interval in _intervals(part, after - DAY, end):
        if opens is not None:
            if interval.opens > closes or closes - opens > LONGEST:
                break
            closes = max(closes, interval.closes)
        elif interval.closes > after:
            opens, closes = interval.opens, interval.closes
    return None if opens is None else Interval(opens, closes)


def _intervals(part: _Part, after: dt.datetime, end: dt.datetime) -> Iterator[Interval]:
    """Go through the open times of each day, in order; those that touch may come apart."""
    zone = zone_of(part.zone)
    day = after.astimezone(zone).date()
    last = end.astimezone(zone).date()
    while day <= last:
        for begins, ends in _open_on(part, day):
            opens = _utc(day, begins, zone, begins=True)
            closes = _utc(day, ends, zone, begins=False)
            if opens < closes:
                yield Interval(opens, closes)
        day += DAY


def _open_on(part: _Part, day: dt.date) -> list[Span]:
    calendar = part.calendar
    off = day in calendar.dates_off or any(
        day in _holidays(code, day.year) for code in calendar.countries
    )
    return [] if off else open_on(calendar.windows, day.weekday(), part.quiet)


def _utc(day: dt.date, minute: int, zone: dt.tzinfo, *, begins: bool) -> dt.datetime:
    """Return the moment of a local time, so that all between a window's two moments is inside it.

    A time that does not exist is the end of the gap. Of a time that happens twice a window begins
    with the second, unless all that happens twice is inside, and ends with the first.
    """
    local = dt.datetime.combine(day, dt.time()) + minute * MINUTE
    first = local.replace(tzinfo=zone).astimezone(dt.UTC)
    second = local.replace(tzinfo=zone, fold=1).astimezone(dt.UTC)
    if first == second:
        return first
    if first.astimezone(zone).replace(tzinfo=None) != local:
        return _end_of_gap(second, first, zone)
    before = local - MINUTE
    inside = (
        before.replace(tzinfo=zone).utcoffset() != before.replace(tzinfo=zone, fold=1).utcoffset()
    )
    return second if begins and inside else first


def _end_of_gap(low: dt.datetime, high: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    """Return the moment between two at which the zone's clock was put on."""
    offset = low.astimezone(zone).utcoffset()
    while high - low > dt.timedelta(seconds=1):
        middle = (low + (high - low) / 2).replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high


@functools.lru_cache(maxsize=1024)
def _holidays(code: str, year: int) -> frozenset[dt.date]:
    country, _, subdivision = code.partition("-")
    try:
        return frozenset(
            holidays.country_holidays(country, subdiv=subdivision or None, years=year).keys()
        )
    except NotImplementedError:
        raise ValueError(
            f"no holidays are known of {code[:20]!r}; give an ISO country code such as DE, or one"
            " with its part, such as DE-BY"
        ) from None
