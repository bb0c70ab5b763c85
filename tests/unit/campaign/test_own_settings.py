# ruff: noqa: E501 - a case is one line

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.campaign import own_settings
from dialer.campaign.list_row import RowProblem
from dialer.campaign.number_list import read
from dialer.campaign.own_settings import OwnSettingError, OwnSettings
from dialer.campaign.windows import DAYS, windows_of

A, B, C = "+493023125000", "+12125550100", "+442079460000"
WEEK = ["mon", "tue", "wed", "thu", "fri"]


def one(header, cells):
    (row,) = read([f"phone;{header}\n{A};{cells}\n".encode()])
    return row


def test_reserved_columns_are_the_numbers_own_settings_and_the_others_its_payload():
    row = one(
        "Name;Time_Zone;PRIORITY;max_attempts;retry_interval_minutes;phone_2;phone_9;window",
        f'Ann;America/New_York;-5;7;90;{B};44 20 7946 0000;"mon-fri 9:00-17:00; sat 10:00-12:00"',
    )
    assert row.payload == {"Name": "Ann"}
    assert row.own == OwnSettings(
        time_zone="America/New_York",
        windows=(
            {"days": WEEK, "from": "09:00", "to": "17:00"},
            {"days": ["sat"], "from": "10:00", "to": "12:00"},
        ),
        priority=-5,
        max_attempts=7,
        retry_interval_minutes=90,
        alternates=(B, C),
    )


def test_empty_cells_of_reserved_columns_mean_the_campaigns():
    assert one("time_zone;priority;phone_2;window", ";;;").own == OwnSettings()
    assert one("time_zone;priority", "").own == OwnSettings()


def test_alternate_numbers_are_tried_in_order_each_once():
    assert one("phone_3;phone_2;phone_4;phone_5", f"{B};{C};{A};{B}").own.alternates == (C, B)


@pytest.mark.parametrize(
    ("header", "cell", "reason"),
    [
        ("time_zone", "Berlin", "time_zone: there is no time zone 'Berlin'; give an IANA name such as Europe/Berlin, or an offset such as -05:00"),
        ("time_zone", "+5", "time_zone: there is no time zone '+5'; give an IANA name such as Europe/Berlin, or an offset such as -05:00"),
        ("time_zone", "../etc/passwd", "time_zone: there is no time zone '../etc/passwd'; give an IANA name such as Europe/Berlin, or an offset such as -05:00"),
        ("priority", "high", "priority: 'high' is no whole number from -1000 to 1000"),
        ("priority", "1001", "priority: '1001' is no whole number from -1000 to 1000"),
        ("priority", "1.5", "priority: '1.5' is no whole number from -1000 to 1000"),
        ("max_attempts", "0", "max_attempts: '0' is no whole number from 1 to 100"),
        ("retry_interval_minutes", "٣", "retry_interval_minutes: '٣' is no whole number from 1 to 10080"),
        ("phone_2", "xx", "phone_2: is not a telephone number: 'xx'"),
        ("phone_3", "+49", "phone_3: too short for a telephone number"),
        ("window", "mon" + " 09:00-10:00" * 101, "window: more than 100 windows"),
        ("window", "mon", "window: 'mon' is none; write it as mon-fri 09:00-17:00; sat 10:00-12:00"),
        ("window", "9:00-17:00", "window: '9:00-17:00' is none; write it as mon-fri 09:00-17:00; sat 10:00-12:00"),
        ("window", "mon 9-17", "window: 'mon 9-17' is none; write it as mon-fri 09:00-17:00; sat 10:00-12:00"),
        ("window", "mon 09:00-24:01", "window: 'mon 09:00-24:01' is none; write it as mon-fri 09:00-17:00; sat 10:00-12:00"),
        ("window", "mon 09:00-09:00", "window: 'mon 09:00-09:00' is none; write it as mon-fri 09:00-17:00; sat 10:00-12:00"),
        ("window", "mon 09:00-10:00 tue", "window: 'mon 09:00-10:00 tue' is none; write it as mon-fri 09:00-17:00; sat 10:00-12:00"),
    ],
)  # fmt: skip
def test_a_bad_value_in_a_reserved_column_rejects_the_row_with_line_and_reason(
    header, cell, reason
):
    assert one(header, cell) == RowProblem(2, reason, A)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Mon-Fri 09:00-12:00, 13:00 - 17:00",
            [(WEEK, "09:00", "12:00"), (WEEK, "13:00", "17:00")],
        ),
        ("sat-mon 22:00-02:00", [(["mon", "sat", "sun"], "22:00", "02:00")]),
        ("mon, wed,fri 8:30-24:00;", [(["mon", "wed", "fri"], "08:30", "24:00")]),
        ("mon-sun 00:00-24:00", [(list(DAYS), "00:00", "24:00")]),
    ],
)
def test_windows_are_read_as_people_write_them(text, expected):
    found = own_settings.windows(text)
    assert found == tuple(
        {"days": days, "from": opens, "to": closes} for days, opens, closes in expected
    )
    assert len(windows_of(found)) == len(expected)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "UTC", "-05:00", "+14:00", "+05:45"])
def test_a_time_zone_is_a_name_or_a_fixed_offset(zone):
    assert one("time_zone", zone).own.time_zone == zone


def test_without_a_header_no_column_is_reserved():
    (row,) = read([f"{A},x\n".encode()])
    assert row.payload == {"column_2": "x"}


@given(st.sampled_from(sorted(own_settings.RESERVED)), st.text(max_size=40))
def test_a_cell_sets_something_or_is_refused_in_one_line(name, text):
    said = None
    try:
        found = own_settings.parse({name: text.strip()}, A)
    except OwnSettingError as error:
        said = str(error)
    if said is None:
        assert isinstance(found, OwnSettings)
    else:
        assert said.startswith(f"{name}: ")
        assert said.isprintable()
