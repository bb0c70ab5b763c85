"""An account's plan and what is used of it, as the API shows them."""

from __future__ import annotations

import datetime as dt

import pytest

from dialer.campaign.plan import period_of, zone_of
from dialer.store import accounts
from dialer.store.records import DEFAULT_ACCOUNT

USED = """
INSERT INTO usage (account_id, period, billed_seconds, unique_users) VALUES ($1, $2, $3, $4)
"""


async def test_an_account_shows_its_plan_and_without_limits_nothing_is_left_to_tell(api):
    account = await api("GET", "/v1/account")
    assert account["settings"] == {
        "name": "default", "time_zone": "UTC", "minutes": None, "unique_users": None,
        "increment_seconds": 1, "period": "month", "anchor_day": 1,
        "max_simultaneous_calls": None, "allowed_prefixes": [],
        "attempts_per_day": None, "attempts_per_week": None,
    }  # fmt: skip
    assert account["usage"] == {
        "billed_minutes": 0, "talking_minutes": 0, "minutes_left": None, "unique_users": 0,
        "unique_users_reserved": 0, "unique_users_left": None, "live_calls": 0,
    }  # fmt: skip


async def test_usage_is_that_of_the_period_in_which_we_are(api, pool):
    changes = {
        "minutes": 10, "unique_users": 5, "time_zone": "Pacific/Kiritimati", "period": "day",
        "allowed_prefixes": ("+49",),
    }  # fmt: skip
    await accounts.change(pool, DEFAULT_ACCOUNT, changes)
    now = await pool.fetchval("SELECT clock_timestamp()")
    period = period_of(now, zone_of("Pacific/Kiritimati"), "day", 1)
    await pool.execute(USED, DEFAULT_ACCOUNT, period.start, 90, 2)
    await pool.execute(USED, DEFAULT_ACCOUNT, period.start - dt.timedelta(days=1), 9999, 99)
    account = await api("GET", "/v1/account")
    assert account["settings"]["allowed_prefixes"] == ["+49"]
    usage = account["usage"]
    assert (usage["billed_minutes"], usage["minutes_left"]) == (1.5, 8.5)
    assert (usage["unique_users"], usage["unique_users_left"]) == (2, 3)
    shown = account["period"]
    assert shown["start"] == period.start.isoformat()
    assert dt.datetime.fromisoformat(shown["begins_at"]) == period.begins_at
    assert dt.datetime.fromisoformat(shown["ends_at"]) == period.ends_at


@pytest.mark.parametrize(("minutes", "users"), [(1, 1), (0, 0)])
async def test_nothing_is_left_of_a_limit_that_was_lowered_below_what_is_used(
    api, pool, minutes, users
):
    await accounts.change(pool, DEFAULT_ACCOUNT, {"minutes": minutes, "unique_users": users})
    start = dt.date.fromisoformat((await api("GET", "/v1/account"))["period"]["start"])
    await pool.execute(USED, DEFAULT_ACCOUNT, start, 90, 2)
    usage = (await api("GET", "/v1/account"))["usage"]
    assert (usage["minutes_left"], usage["unique_users_left"]) == (0, 0)
