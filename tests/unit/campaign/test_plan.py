"""A plan's periods turn over at local midnight of the account, and lie end to end."""

from __future__ import annotations

import datetime as dt
import math
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.campaign.plan import Period, billed, period_of, zone_of

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "America/St_Johns",  # its clocks went back at one minute past midnight
    "America/Havana",
    "Africa/Cairo",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Pacific/Apia",  # where there was no 30 December 2011
    "Pacific/Kiritimati",
)
A_MICROSECOND = dt.timedelta(microseconds=1)
zones = st.sampled_from([zone_of(name) for name in (*ZONES, "-05:00", "+13:45")])
kinds = st.sampled_from(["day", "week", "month"])
instants = st.datetimes(
    dt.datetime.fromisoformat("1990-01-01"),
    dt.datetime.fromisoformat("2060-01-01"),
    timezones=st.just(dt.UTC),
)


def at(text, zone="UTC"):
    return dt.datetime.fromisoformat(text).replace(tzinfo=zone_of(zone))


def of(text, zone="UTC", kind="month", anchor=1):
    return period_of(at(text, zone), zone_of(zone), kind, anchor)


def test_a_monthly_period_turns_over_at_local_midnight_of_the_account():
    assert of("2026-03-31T23:59:59", "America/New_York").start == dt.date(2026, 3, 1)
    assert of("2026-04-01T00:00:00", "America/New_York") == Period(
        start=dt.date(2026, 4, 1),
        begins_at=at("2026-04-01T04:00:00"),
        ends_at=at("2026-05-01T04:00:00"),
    )


@pytest.mark.parametrize(
    ("now", "anchor", "first", "after"),
    [
        ("2026-05-14T12:00", 15, "2026-04-15", "2026-05-15"),
        ("2026-05-15T00:00", 15, "2026-05-15", "2026-06-15"),
        ("2026-02-27T12:00", 31, "2026-01-31", "2026-02-28"),
        ("2026-02-28T00:00", 31, "2026-02-28", "2026-03-31"),
        ("2026-03-30T23:59", 31, "2026-02-28", "2026-03-31"),
        ("2028-02-29T00:00", 30, "2028-02-29", "2028-03-30"),
        ("2026-01-01T00:00", 2, "2025-12-02", "2026-01-02"),
        ("2026-12-31T00:00", 31, "2026-12-31", "2027-01-31"),
    ],
)
def test_a_month_begins_on_its_anchor_day_or_on_its_last_day(now, anchor, first, after):
    found = of(now, anchor=anchor)
    assert (found.start.isoformat(), found.ends_at.date().isoformat()) == (first, after)


def test_a_week_begins_on_monday():
    assert of("2026-11-29T23:59", "Asia/Kathmandu", "week").start == dt.date(2026, 11, 23)
    assert of("2026-11-30T00:00", "Asia/Kathmandu", "week").start == dt.date(2026, 11, 30)


@pytest.mark.parametrize(
    ("day", "zone", "hours"),
    [
        ("2026-03-29", "Europe/Berlin", 23),
        ("2026-10-25", "Europe/Berlin", 25),
        ("2026-03-08", "America/New_York", 23),
        ("2018-11-04", "America/Sao_Paulo", 23),  # midnight was skipped
        ("2023-04-28", "Africa/Cairo", 23),  # as here
        ("2026-10-31", "America/Havana", 24),
    ],
)
def test_a_day_has_the_hours_that_the_clocks_give_it(day, zone, hours):
    found = of(f"{day}T12:00", zone, "day")
    assert found.start.isoformat() == day
    assert found.ends_at - found.begins_at == dt.timedelta(hours=hours)


def test_clocks_that_go_back_over_midnight_bring_no_period_back():
    zone = zone_of("America/St_Johns")
    turned = at("2006-10-29T02:30:00")  # midnight, a minute before the clocks go back
    days = [period_of(turned + minutes, zone, "day", 1).start.day for minutes in (
        -dt.timedelta(minutes=1), dt.timedelta(0), dt.timedelta(minutes=30), dt.timedelta(hours=2)
    )]  # fmt: skip
    assert days == [28, 29, 29, 29]


@given(instants, zones, kinds, st.integers(1, 31))
def test_every_instant_lies_in_one_period_and_they_lie_end_to_end(now, zone, kind, anchor):
    found = period_of(now, zone, kind, anchor)
    assert found.begins_at <= now < found.ends_at
    assert period_of(found.begins_at, zone, kind, anchor) == found
    assert period_of(found.ends_at - A_MICROSECOND, zone, kind, anchor) == found
    after = period_of(found.ends_at, zone, kind, anchor)
    assert after.begins_at == found.ends_at
    assert after.start > found.start
    before = period_of(found.begins_at - A_MICROSECOND, zone, kind, anchor)
    assert before.ends_at == found.begins_at
    assert before.start < found.start


@pytest.mark.parametrize(
    ("talked", "increment", "cost"),
    [
        (0.0, 60, 0),
        (-1.0, 60, 0),
        (0.001, 1, 1),
        (1.0, 1, 1),
        (1.2, 1, 2),
        (60.0, 60, 60),
        (60.1, 60, 120),
        (5.9, 6, 6),
        (1e-12, 1, 1),
    ],
)
def test_talk_time_is_rounded_up_to_the_increment(talked, increment, cost):
    assert billed(talked, increment) == cost


@given(st.integers(1, 100_000), st.floats(-1e7, 1e7, allow_nan=False), st.integers(1, 600))
def test_the_noise_of_floating_point_costs_nobody_an_increment(units, began, increment):
    seconds = units * increment
    assert billed((began + seconds) - began, increment) in {seconds, seconds + increment}
    assert billed(float(seconds), increment) == seconds
    assert billed(math.nextafter(float(seconds), math.inf), increment) == seconds


@given(st.floats(0, 1e6), st.integers(1, 600))
def test_what_is_billed_covers_the_talk_time_and_less_than_an_increment_more(talked, increment):
    cost = billed(talked, increment)
    assert cost % increment == 0
    assert talked - 1e-6 <= cost < talked + increment + 1e-6


@pytest.mark.parametrize(
    "name", ["", "Mars/Phobos", "../etc/passwd", "+5", "Z", "+24:00", "x" * 500]
)
def test_an_unknown_time_zone_is_an_error(name):
    with pytest.raises(ValueError, match="there is no time zone") as caught:
        zone_of(name)
    assert len(str(caught.value)) < 200


def test_zones_are_iana_names_or_fixed_offsets():
    assert zone_of("Europe/Berlin") == zoneinfo.ZoneInfo("Europe/Berlin")
    assert zone_of("-05:30").utcoffset(None) == -dt.timedelta(hours=5, minutes=30)
