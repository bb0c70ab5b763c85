"""When people may be called: windows, zones, holidays, quiet hours, and clocks that change."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import hypothesis
import pytest
from hypothesis import strategies as st

from dialer.campaign.calendar import Calendar, Interval, NoWindow, check_country
from dialer.campaign.number_zone import zone_of_number
from dialer.campaign.windows import DAYS, minutes, quiet_hours, windows_of

MINUTE = dt.timedelta(minutes=1)
EVERY_DAY = list(DAYS)
WORKDAYS = EVERY_DAY[:5]
ZONES = (
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Africa/Cairo",
    "Asia/Kolkata",
    "Pacific/Auckland",
    "-03:30",
)


def window(opens, closes, days=EVERY_DAY):
    return {"days": list(days), "from": opens, "to": closes}


def calendar(zone, *windows, **more):
    zones = (zone,) if isinstance(zone, str) else zone
    return Calendar(zones, windows=windows_of(windows), **more)


def utc(text):
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def local(text, zone):
    return dt.datetime.fromisoformat(text).replace(tzinfo=zoneinfo.ZoneInfo(zone))


def opens_at(found, after):
    interval = found.next_open(after)
    assert isinstance(interval, Interval)
    return interval


def test_without_windows_it_is_open_at_any_time():
    now = utc("2026-06-03T12:00")
    assert calendar("UTC").first_open(now) == now


def test_several_windows_a_day_and_the_weekend_between():
    found = calendar(
        "Europe/Berlin", window("09:00", "12:00", WORKDAYS), window("14:00", "18:00", WORKDAYS)
    )
    friday = local("2026-06-05T12:30", "Europe/Berlin")
    interval = opens_at(found, friday)
    assert interval.opens == local("2026-06-05T14:00", "Europe/Berlin")
    assert interval.closes == local("2026-06-05T18:00", "Europe/Berlin")
    evening = local("2026-06-05T18:00", "Europe/Berlin")
    assert opens_at(found, evening).opens == local("2026-06-08T09:00", "Europe/Berlin")


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins():
    found = calendar("UTC", window("22:00", "02:00", ["fri"]))
    interval = opens_at(found, utc("2026-06-05T12:00"))
    assert (interval.opens, interval.closes) == (utc("2026-06-05T22:00"), utc("2026-06-06T02:00"))
    assert found.is_open(utc("2026-06-06T01:00"))
    assert not found.is_open(utc("2026-06-06T22:30"))


def test_windows_that_touch_or_overlap_are_one():
    found = calendar(
        "UTC", window("09:00", "12:00"), window("11:00", "14:00"), window("14:00", "15:00")
    )
    interval = opens_at(found, utc("2026-06-03T09:30"))
    assert (interval.opens, interval.closes) == (utc("2026-06-03T09:00"), utc("2026-06-03T15:00"))


@pytest.mark.parametrize(
    ("zone", "day", "opens", "closes", "begins", "ends"),
    [
        # an hour that does not exist: the next minute that does
        ("America/New_York", "2026-03-08", "02:30", "05:00", "07:00", "09:00"),
        ("America/New_York", "2026-03-08", "01:00", "02:30", "06:00", "07:00"),
        ("Europe/Berlin", "2026-03-29", "02:15", "04:00", "01:00", "02:00"),
        ("Australia/Lord_Howe", "2026-10-04", "02:10", "03:00", "15:30", "16:00"),
        ("America/Santiago", "2026-09-06", "00:15", "02:00", "04:00", "05:00"),
        ("Africa/Cairo", "2026-04-24", "00:30", "02:00", "22:00", "23:00"),
        # an hour that happens twice is one window
        ("America/New_York", "2026-11-01", "01:00", "02:00", "05:00", "07:00"),
        ("America/New_York", "2026-11-01", "00:00", "03:00", "04:00", "08:00"),
        ("Europe/Berlin", "2026-10-25", "02:00", "03:00", "00:00", "02:00"),
        # a window that begins or ends within it never takes in a minute outside
        ("America/New_York", "2026-11-01", "01:30", "03:00", "06:30", "08:00"),
        ("America/New_York", "2026-11-01", "00:00", "01:30", "04:00", "05:30"),
        ("Australia/Lord_Howe", "2026-04-05", "01:30", "02:00", "14:30", "15:30"),
    ],
)
def test_windows_keep_to_the_clock_on_the_wall_through_its_changes(
    zone, day, opens, closes, begins, ends
):
    found = calendar(zone, window(opens, closes))
    midnight = local(day, zone)
    interval = opens_at(found, midnight)
    assert interval.opens.strftime("%H:%M") == begins
    assert interval.closes.strftime("%H:%M") == ends


def test_a_day_that_a_zone_left_out_is_left_out():
    found = calendar("Pacific/Apia", window("09:00", "10:00", ["fri"]))  # 2011-12-30 was no day
    after = local("2011-12-29T10:00", "Pacific/Apia")
    assert opens_at(found, after).opens == local("2012-01-06T09:00", "Pacific/Apia")


def test_no_calls_on_holidays_and_on_dates_that_are_listed():
    found = calendar(
        "Europe/Berlin",
        window("09:00", "17:00"),
        countries=("DE", "US"),
        dates_off=frozenset({dt.date(2026, 12, 24), dt.date(2026, 12, 28)}),
    )
    after = local("2026-12-23T17:00", "Europe/Berlin")
    assert opens_at(found, after).opens == local("2026-12-27T09:00", "Europe/Berlin")
    after = local("2026-12-27T17:00", "Europe/Berlin")
    assert opens_at(found, after).opens == local("2026-12-29T09:00", "Europe/Berlin")


def test_a_holiday_of_a_part_of_a_country():
    found = calendar("Europe/Berlin", window("09:00", "17:00"), countries=("DE-BY",))
    assert not found.is_open(local("2026-01-06T10:00", "Europe/Berlin"))
    found = calendar("Europe/Berlin", window("09:00", "17:00"), countries=("DE-HH",))
    assert found.is_open(local("2026-01-06T10:00", "Europe/Berlin"))


@pytest.mark.parametrize("code", ["XX", "DE-XX", ""])
def test_a_country_without_known_holidays_is_an_error_at_input(code):
    with pytest.raises(ValueError, match="no holidays are known"):
        check_country(code)


def test_quiet_hours_cut_every_window_also_one_in_the_campaigns_zone():
    found = Calendar(
        ("America/Los_Angeles",),
        ("Europe/Berlin",),
        windows_of([window("08:00", "14:00")]),
        quiet=quiet_hours("21:00-08:00"),
    )
    interval = opens_at(found, local("2026-06-03T00:00", "America/Los_Angeles"))
    assert interval.opens == local("2026-06-03T08:00", "America/Los_Angeles")
    assert interval.closes == local("2026-06-03T21:00", "Europe/Berlin")


def test_where_a_number_may_be_in_several_zones_a_call_fits_all_of_them():
    found = calendar(("America/New_York", "America/Chicago"), window("09:00", "17:00"))
    interval = opens_at(found, utc("2026-06-03T05:00"))
    assert interval.opens == local("2026-06-03T09:00", "America/Chicago")
    assert interval.closes == local("2026-06-03T17:00", "America/New_York")


@pytest.mark.parametrize(
    "never",
    [
        calendar("UTC", window("22:00", "23:00"), quiet=quiet_hours("21:00-08:00")),
        calendar(("Pacific/Auckland", "Europe/London"), window("12:00", "13:00")),
    ],
)
def test_where_no_window_ever_opens_the_reason_is_given(never):
    found = never.next_open(utc("2026-06-03T12:00"))
    assert isinstance(found, NoWindow)
    assert "no window opens within a year" in found.reason
    assert never.zones[0] in found.reason
    assert never.first_open(utc("2026-06-03T12:00")) is None


@pytest.mark.parametrize("text", ["9:00", "25:00", "24:01", "09-00", "", "aa:bb", "09:60"])
def test_what_is_no_time_of_the_day_is_refused(text):
    with pytest.raises(ValueError, match="not a time of the day"):
        minutes(text)


@pytest.mark.parametrize("text", ["21:00", "21:00-21:00", "21:00-8:00"])
def test_what_are_no_quiet_hours_is_refused(text):
    with pytest.raises(ValueError, match="hour"):
        quiet_hours(text) if "8:00" not in text[-4:] else minutes("no hour")


@pytest.mark.parametrize(
    ("number", "zone"),
    [
        ("+4930123456", "Europe/Berlin"),
        ("+12125551234", "America/New_York"),
        ("+18005551234", ""),  # all of North America
        ("+999123", ""),
        ("100", ""),
    ],
)
def test_the_zone_of_a_number_is_told_by_its_beginning(number, zone):
    assert zone_of_number(number) == zone


times = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
windows = st.lists(
    st.builds(window, times, times, st.lists(st.sampled_from(DAYS), min_size=1, unique=True)),
    max_size=3,
)
days = st.dates(dt.date(2026, 1, 1), dt.date(2026, 12, 31))
calendars = st.builds(
    lambda zones, windows, off, quiet, campaign: Calendar(
        (campaign,) if campaign else zones,
        zones,
        windows_of(windows),
        frozenset(off),
        quiet=None if quiet is None or quiet[0] == quiet[1] else quiet,
    ),
    st.lists(st.sampled_from(ZONES), min_size=1, max_size=2, unique=True).map(tuple),
    windows,
    st.lists(days, max_size=3),
    st.none() | st.tuples(st.integers(0, 1439), st.integers(0, 1439)),
    st.none() | st.sampled_from(ZONES),
)
START = dt.datetime(2026, 1, 1)  # noqa: DTZ001 - Hypothesis draws from naive times
CHANGES = (66, 87, 94, 276, 304)  # days of 2026 on which clocks change somewhere
# around these, and anywhere
moments = st.one_of(
    *(
        st.datetimes(day - dt.timedelta(days=2), day + dt.timedelta(days=2))
        for day in (START + n * dt.timedelta(days=1) for n in CHANGES)
    ),
    st.datetimes(START, START + dt.timedelta(days=364)),
).map(lambda at: at.replace(second=0, microsecond=0, tzinfo=dt.UTC))


def inside(found, at):
    """Whether a moment is inside, told minute by minute from the clock on the wall."""
    return all(_inside_in(found, zone, at) for zone in found.zones) and all(
        _loud_in(found, zone, at) for zone in found.customer_zones or found.zones
    )


def _wall(zone, at):
    if zone[0] in "+-":
        hours, rest = int(zone[1:3]), int(zone[4:])
        sign = -1 if zone[0] == "-" else 1
        return (at + sign * dt.timedelta(hours=hours, minutes=rest)).replace(tzinfo=None)
    return at.astimezone(zoneinfo.ZoneInfo(zone)).replace(tzinfo=None)


def _loud_in(found, zone, at):
    if found.quiet is None:
        return True
    wall = _wall(zone, at)
    minute, (begins, ends) = wall.hour * 60 + wall.minute, found.quiet
    quiet = begins <= minute < ends if begins < ends else minute >= begins or minute < ends
    return not quiet


def _inside_in(found, zone, at):
    wall = _wall(zone, at)
    if wall.date() in found.dates_off:
        return False
    if not found.windows:
        return True
    minute, today, yesterday = (
        wall.hour * 60 + wall.minute,
        wall.weekday(),
        (wall.weekday() - 1) % 7,
    )
    for one in found.windows:
        if one.opens < one.closes:
            if today in one.days and one.opens <= minute < one.closes:
                return True
        elif (today in one.days and minute >= one.opens) or (
            yesterday in one.days and minute < one.closes
        ):
            return True
    return False


@hypothesis.settings(max_examples=80)
@hypothesis.given(calendars, moments)
def test_for_any_settings_the_next_attempt_lies_inside_a_window_or_the_reason_is_given(found, at):
    first = found.first_open(at)
    if first is None:
        assert isinstance(found.next_open(at), NoWindow)
        assert found.next_open(at).reason
        step = dt.timedelta(minutes=7)
        assert not any(inside(found, at + n * step) for n in range(1500))
        return
    assert first >= at
    assert inside(found, first)
    interval = found.next_open(at)
    span = min(interval.closes - first, dt.timedelta(days=3))
    for n in range(0, int(span / MINUTE), 11):
        assert inside(found, first + n * MINUTE)
    assert inside(found, first + span - MINUTE)


@hypothesis.settings(max_examples=40)
@hypothesis.given(calendars, moments)
def test_no_window_is_passed_over_by_more_than_a_change_of_the_clock(found, at):
    first = found.first_open(at)
    if first is None or inside(found, at):
        return
    # what begins within an hour that happens twice waits for its second time
    gap = [at + n * MINUTE for n in range(0, int((first - at) / MINUTE), 13)]
    assert sum(inside(found, moment) for moment in gap) * 13 <= 2 * 60 * len(ZONES)
