from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.webhooks.attempt import Attempt
from dialer.webhooks.backoff import BackOff, Result, result_of, retry_after

NOW = dt.datetime(2026, 11, 28, 12, tzinfo=dt.UTC)
TAKEN, FAILED, GONE = Attempt(200), Attempt(500, "it answered 500"), Attempt(410, "it answered 410")


def test_waits_double_up_to_the_longest():
    waits = [BackOff(5, 60).wait(failures, 0.0) for failures in (1, 2, 3, 4, 5, 6, 5000)]
    assert waits == [5, 10, 20, 40, 60, 60, 60]


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_a_wait_is_shortened_by_half_at_the_most(failures, chance):
    whole = BackOff().wait(failures, 0.0)
    assert whole / 2 <= BackOff().wait(failures, chance) <= whole


def test_what_a_receiver_asks_for_is_a_least_and_has_a_bound():
    back_off = BackOff(5, 60, retry_after=600)
    assert back_off.wait(1, 0.0, asked=120) == 120
    assert back_off.wait(1, 0.0, asked=1) == 5
    assert back_off.wait(1, 0.0, asked=1e9) == 600


@pytest.mark.parametrize(
    ("attempt", "minutes", "result"),
    [
        (TAKEN, 90, Result.DELIVERED),
        (FAILED, 59, Result.RETRY),
        (FAILED, 60, Result.DEAD),
        (GONE, 1, Result.GONE),
    ],
)
def test_what_becomes_of_a_delivery(attempt, minutes, result):
    next_at = NOW + dt.timedelta(minutes=minutes)
    assert result_of(attempt, next_at, NOW + dt.timedelta(hours=1)) is result


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("9" * 400, 999_999_999.0),
        ("Sat, 28 Nov 2026 12:01:00 GMT", 60.0),
        ("Sat, 28 Nov 2026 11:00:00 GMT", 0.0),
        ("Sat, 28 Nov 2026 12:01:00 -0000", 60.0),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("\u0663", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text, seconds):
    assert retry_after(text, NOW) == seconds


@given(st.text())
def test_no_retry_after_raises(text):
    retry_after(text, NOW)
