"""Whether somebody may be called at a moment: looked up on a clock on their wall, no arithmetic.

The settings are those of `campaigns` and `schedules`. This knows nothing of how the dialer finds
the next open time: it only says yes or no, so that the two can differ.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
import zoneinfo

import holidays

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY = dt.timedelta(days=1)


@functools.lru_cache(maxsize=4096)
def zone(name):
    """A time zone by its name, or as an offset such as -05:00."""
    offset = re.fullmatch(r"([+-])(\d\d):(\d\d)", name)
    if offset is None:
        return zoneinfo.ZoneInfo(name)
    wide = dt.timedelta(hours=int(offset[2]), minutes=int(offset[3]))
    return dt.timezone(-wide if offset[1] == "-" else wide)


@functools.lru_cache(maxsize=1024)
def holidays_of(country, year):
    """Public holidays of a country, or of a part of one such as DE-BY."""
    code, _, part = country.partition("-")
    return frozenset(holidays.country_holidays(code, subdiv=part or None, years=year))


def zones_of_customer(call, told):
    """Where the person called may be: in each of these (several are written with commas)."""
    given = told.zones.get(call.number) or call.time_zone or call.campaign["time_zone"]
    return [name.strip() for name in given.split(",")]


def why_closed(call, moment, told):
    """Why a call may not be made at a moment, by its windows and days; None where it may."""
    campaign = call.campaign
    windows = campaign["windows"] if call.windows is None else call.windows
    of_customer = campaign["window_zone"] == "customer"
    for name in zones_of_customer(call, told) if of_customer else [campaign["time_zone"]]:
        local = moment.astimezone(zone(name))
        why = _not_a_day(local.date(), campaign)
        if not why and windows and not any(_inside(window, local) for window in windows):
            why = "no window is open"
        if why:
            return f"{why} at {_said(local)} in {name}"
    return None


def why_quiet(call, moment, told):
    """The same by the quiet hours, which are local to the person called."""
    begin, _, end = told.quiet_hours.partition("-")
    for name in zones_of_customer(call, told) if told.quiet_hours else ():
        local = moment.astimezone(zone(name))
        if _within(_minutes(begin), _minutes(end), _minute_of(local)):
            return f"{_said(local)} in {name} is quiet"
    return None


def _said(local):
    return f"{local:%a %Y-%m-%d %H:%M:%S}"


def _not_a_day(day, campaign):
    if day in campaign["dates_without_calls"]:
        return "a date without calls"
    if any(day in holidays_of(country, day.year) for country in campaign["holidays"]):
        return "a holiday"
    return ""


def _inside(window, local):
    opens, closes = _minutes(window["from"]), _minutes(window["to"])
    today, yesterday = DAYS[local.weekday()], DAYS[(local - DAY).weekday()]
    days = window.get("days", DAYS)
    minute = _minute_of(local)
    if opens < closes:
        return today in days and opens <= minute < closes
    return (today in days and minute >= opens) or (yesterday in days and minute < closes)


def _within(begin, end, minute):
    return begin <= minute < end if begin < end else minute >= begin or minute < end


def _minutes(text):
    hours, _, minutes = text.strip().partition(":")
    return int(hours) * 60 + int(minutes)


def _minute_of(local):
    """Minutes since local midnight, with what there is of a further one."""
    return local.hour * 60 + local.minute + (local.second + local.microsecond / 1e6) / 60
