"""The clock on the wall of whoever is called, on days when it is set."""

from __future__ import annotations

import dataclasses
import datetime as dt
import types

import pytest
from tests.week import open_hours
from tests.week.planted import BEGAN, OFFICE_HOURS, TOLD

EVERY_DAY = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def window(begin, end, *days):
    return {"days": list(days or EVERY_DAY), "from": begin, "to": end}


def call(zone, *windows, own=None, **settings):
    campaign = {
        "time_zone": "UTC",
        "window_zone": "customer",
        "windows": list(windows),
        "holidays": [],
        "dates_without_calls": [],
        **settings,
    }
    return types.SimpleNamespace(number="+1", campaign=campaign, time_zone=zone, windows=own)


def utc(text):
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("zone", "hours", "opened", "closed"),
    [
        ("America/New_York", ("03:00", "04:00"), "2026-03-08T07:00", "2026-03-08T06:59"),
        ("America/New_York", ("02:00", "03:00"), "2026-03-09T06:30", "2026-03-08T07:00"),
        ("America/New_York", ("01:00", "02:00"), "2026-11-01T06:59", "2026-11-01T07:00"),
        ("America/New_York", ("01:00", "01:30"), "2026-11-01T05:10", "2026-11-01T05:40"),
        ("Europe/Berlin", ("09:00", "18:00"), "2026-03-29T07:00", "2026-03-28T07:59"),
        ("Europe/Berlin", ("22:00", "02:00"), "2026-03-29T00:59", "2026-03-29T01:00"),
        ("Australia/Lord_Howe", ("01:30", "02:00"), "2026-04-04T15:15", "2026-04-04T15:30"),
        ("America/Sao_Paulo", ("00:00", "01:00"), "2018-11-05T02:30", "2018-11-04T03:00"),
        ("Africa/Casablanca", ("09:00", "10:00"), "2026-02-18T09:30", "2026-02-18T08:30"),
        ("Pacific/Apia", ("09:00", "18:00"), "2011-12-30T19:00", "2011-12-30T18:59"),
        ("Asia/Kathmandu", ("09:00", "24:00"), "2026-03-09T18:14", "2026-03-09T18:15"),
        ("-05:00", ("09:00", "18:00"), "2026-03-09T14:00", "2026-03-09T13:59"),
        ("+05:30", ("09:00", "09:00"), "2026-03-09T03:29", None),
    ],
)
def test_a_window_is_what_the_clock_on_the_wall_says(zone, hours, opened, closed):
    found = call(zone, window(*hours))
    assert open_hours.why_closed(found, utc(opened), TOLD) is None
    if closed is not None:
        assert "no window is open" in open_hours.why_closed(found, utc(closed), TOLD)


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_opens():
    found = call("UTC", window("22:00", "02:00", "mon"))
    moments = ["2026-03-09T01:00", "2026-03-09T23:00", "2026-03-10T01:59", "2026-03-10T02:00"]
    seen = [open_hours.why_closed(found, utc(moment), TOLD) is None for moment in moments]
    assert seen == [False, True, True, False]


def test_no_windows_are_any_time_and_a_numbers_own_go_before_the_campaigns():
    night = BEGAN + dt.timedelta(hours=3)
    assert open_hours.why_closed(call("UTC"), night, TOLD) is None
    assert open_hours.why_closed(call("UTC", *OFFICE_HOURS), night, TOLD)
    own = call("UTC", *OFFICE_HOURS, own=[window("02:00", "04:00")])
    assert open_hours.why_closed(own, night, TOLD) is None


def test_days_without_calls_are_those_of_the_zone_of_the_windows():
    christmas = utc("2026-12-24T23:30")
    assert "holiday" in open_hours.why_closed(
        call("Europe/Berlin", holidays=["DE"]), christmas, TOLD
    )
    assert open_hours.why_closed(call("Europe/London", holidays=["DE"]), christmas, TOLD) is None
    epiphany = utc("2026-01-06T12:00")
    for country, off in (("DE", False), ("DE-BY", True)):
        found = open_hours.why_closed(call("Europe/Berlin", holidays=[country]), epiphany, TOLD)
        assert (found is not None) is off
    listed = {"dates_without_calls": [dt.date(2026, 12, 25)]}
    assert "date without" in open_hours.why_closed(call("Europe/Berlin", **listed), christmas, TOLD)
    ours = call("Europe/Berlin", window_zone="campaign", **listed)
    assert open_hours.why_closed(ours, christmas, TOLD) is None


def test_quiet_hours_are_the_customers_whatever_the_campaign_says():
    told = dataclasses.replace(TOLD, quiet_hours="21:00-08:00")
    found = call("Asia/Tokyo", window("00:00", "24:00"), window_zone="campaign")
    for hour, quiet in ((11, False), (12, True), (22, True), (23, False)):
        moment = BEGAN + dt.timedelta(hours=hour)
        assert (open_hours.why_quiet(found, moment, told) is not None) is quiet


def test_of_several_zones_all_must_be_open():
    found = call("America/New_York,America/Chicago", window("09:00", "18:00"))
    for clock, opened in (("13:30", False), ("14:00", True), ("21:59", True), ("22:30", False)):
        moment = utc(f"2026-03-09T{clock}")
        assert (open_hours.why_closed(found, moment, TOLD) is None) is opened
