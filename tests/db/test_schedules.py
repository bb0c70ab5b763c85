"""Calls get ready inside their windows alone, those of the soonest-closing one first."""

from __future__ import annotations

import asyncio
import collections
import datetime as dt

from tests.db import scene

from dialer.campaign.moves import CampaignAction
from dialer.campaign.status import CallStatus
from dialer.store import (
    campaigns,
    clone,
    dry_run,
    imports,
    numbers,
    promotion,
    queue,
    requeue,
    schedules,
)
from dialer.store.records import DEFAULT_ACCOUNT, NewCall

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
NOON = dt.datetime(2027, 6, 2, 12, tzinfo=dt.UTC)  # a Wednesday


def window(opens, closes, days=DAYS):
    return {"days": list(days), "from": opens, "to": closes}


async def campaign(pool, new=(), **settings):
    made = await scene.campaign(pool, promote=False, **settings)
    await numbers.add(pool, DEFAULT_ACCOUNT, made.id, new, NOON - dt.timedelta(days=2))
    return made


async def ready(pool, now, **more):
    """Promote at a time, and return the numbers in the order in which they would be claimed."""
    await promotion.promote(pool, full=True, now=now, **more)
    found = await pool.fetch(
        "SELECT number FROM ready JOIN calls ON calls.id = call_id"
        " ORDER BY window_close, -ready.priority, ready.position"
    )
    return [row["number"] for row in found]


async def test_no_call_gets_ready_outside_its_window_and_none_stays_so(pool):
    await campaign(pool, [NewCall("+4930100")], windows=(window("09:00", "17:00"),))
    berlin_evening = NOON.replace(hour=15)  # 17:00 there
    assert await ready(pool, NOON) == ["+4930100"]
    assert await ready(pool, berlin_evening) == []
    morning = NOON.replace(day=3, hour=7)
    assert await promotion.next_due(pool) == morning
    assert await ready(pool, morning - dt.timedelta(seconds=1)) == []
    assert await ready(pool, morning) == ["+4930100"]


async def test_a_claim_takes_nothing_whose_window_has_closed_since(pool):
    made = await campaign(pool, [NewCall("+4930100")], windows=(window("09:00", "17:00"),))
    node = await scene.node(pool)
    await pool.execute("UPDATE nodes SET lease_until = 'infinity'")
    assert await ready(pool, NOON) == ["+4930100"]
    assert await node.claim(made, now=NOON.replace(hour=15)) == []
    assert len(await node.claim(made, now=NOON.replace(hour=14, minute=59))) == 1


async def test_the_soonest_closing_window_goes_first_then_priority_then_the_order_of_the_list(pool):
    new = [
        NewCall("+12125550100"),
        NewCall("+4930100"),
        NewCall("+4930101", priority=1),
        NewCall("+4930102"),
        NewCall("+4420100", windows=(window("09:00", "14:00"),)),
    ]
    await campaign(pool, new, windows=(window("08:00", "18:00"),))
    assert await ready(pool, NOON) == [
        "+4420100",
        "+4930101",
        "+4930100",
        "+4930102",
        "+12125550100",
    ]


async def test_a_number_has_its_own_zone_given_or_derived_or_the_campaigns(pool):
    new = [
        NewCall("+12125550100"),
        NewCall("+18005550100"),
        NewCall("+4930100", time_zone="Asia/Tokyo"),
        NewCall("+4930101", time_zone="-11:00"),
    ]
    await campaign(pool, new, windows=(window("12:00", "13:00"),), time_zone="Europe/Berlin")
    assert await ready(pool, NOON.replace(hour=3)) == ["+4930100"]
    assert await ready(pool, NOON.replace(hour=10)) == ["+18005550100"]
    assert await ready(pool, NOON.replace(hour=16)) == ["+12125550100"]
    assert await ready(pool, NOON.replace(hour=23)) == ["+4930101"]


async def test_windows_may_be_those_of_the_campaigns_zone(pool):
    settings = {"windows": (window("12:00", "13:00"),), "time_zone": "Asia/Tokyo"}
    await campaign(pool, [NewCall("+4930100")], window_zone="campaign", **settings)
    assert await ready(pool, NOON.replace(hour=3)) == ["+4930100"]
    assert await ready(pool, NOON.replace(hour=10)) == []


async def test_no_campaign_overrides_the_quiet_hours(pool):
    await campaign(pool, [NewCall("+4930100")])
    quiet = (13 * 60, 15 * 60)
    assert await ready(pool, NOON, quiet=quiet) == []  # 14:00 in Berlin
    assert await ready(pool, NOON.replace(hour=13), quiet=quiet) == ["+4930100"]


async def test_changed_windows_hold_at_once(pool):
    made = await campaign(pool, [NewCall("+4930100")], windows=(window("09:00", "17:00"),))
    assert await ready(pool, NOON) == ["+4930100"]
    later = scene.dataclasses.replace(made.settings, windows=(window("20:00", "21:00"),))
    await campaigns.change(pool, DEFAULT_ACCOUNT, made.id, later)
    assert await queue.dialable_campaigns(pool) == []
    assert await ready(pool, NOON) == []
    assert await ready(pool, NOON.replace(hour=18)) == ["+4930100"]


async def test_a_million_calls_whose_window_is_closed_are_in_nobodys_way(pool):
    new = [NewCall(f"+1212555{n:04}") for n in range(3000)]
    await campaign(pool, [*new, NewCall("+4930100")], windows=(window("09:00", "15:00"),))
    assert await ready(pool, NOON) == ["+4930100"]


async def test_where_no_window_ever_opens_the_schedule_says_why(pool):
    await campaign(pool, [NewCall("+4930100")], windows=(window("22:00", "23:00"),))
    quiet = (21 * 60, 8 * 60)
    assert await ready(pool, NOON, quiet=quiet) == []
    problem = await pool.fetchval("SELECT problem FROM schedules WHERE problem <> ''")
    assert "no window opens within a year" in problem
    assert await promotion.next_due(pool) is None or problem


async def test_numbers_of_one_zone_share_a_schedule(pool):
    made = await campaign(pool, scene.listed(20))
    await numbers.add(pool, DEFAULT_ACCOUNT, made.id, scene.listed(20, 500))
    assert await pool.fetchval("SELECT count(DISTINCT schedule_id) FROM calls") == 1
    ids = [row["schedule_id"] for row in await pool.fetch("SELECT schedule_id FROM calls")]
    [found] = (await schedules.calendars(pool, ids, None)).values()
    assert found.zones == ("Europe/Berlin",)


async def of_three_windows(pool):
    """A campaign open at noon in the zone of each number, one of which has hours of its own."""
    new = [
        NewCall("+4930100"),
        NewCall("+4930101", time_zone="Asia/Tokyo"),
        NewCall("+4930102", windows=(window("18:00", "19:00"),)),
    ]
    return await campaign(pool, new, windows=(window("12:00", "13:00"),))


async def hours_of(pool, of):
    """At which hours of a day (UTC) each number of a campaign is ready."""
    found = collections.defaultdict(list)
    for hour in range(24):
        at = NOON.replace(day=3, hour=hour)
        promoted = await ready(pool, at)
        mine = await pool.fetch("SELECT number FROM calls WHERE campaign_id = $1", of.id)
        for number in {row["number"] for row in mine} & set(promoted):
            found[number].append(hour)
    return found


OF_EACH = {"+4930101": [3], "+4930100": [10], "+4930102": [16]}


async def test_the_calls_of_a_clone_keep_their_hours(pool):
    made = await of_three_windows(pool)
    assert await hours_of(pool, made) == OF_EACH
    await scene.act(pool, made, CampaignAction.FINISH)
    again, added = await clone.clone(
        pool, DEFAULT_ACCOUNT, made.id, "Again", "all", NOON - dt.timedelta(days=1)
    )
    assert added == 3
    await scene.act(pool, again, CampaignAction.START)
    assert await hours_of(pool, again) == OF_EACH


async def test_requeued_calls_wait_for_their_hours(pool):
    made = await of_three_windows(pool)
    node = await scene.node(pool)
    await pool.execute("UPDATE nodes SET lease_until = 'infinity'")
    given_up = scene.verdict("busy", CallStatus.COMPLETED_WITHOUT_ANSWER)
    for hour in (3, 10, 16):
        at = NOON.replace(hour=hour)
        await ready(pool, at)
        [claimed] = await node.claim(made, now=at)
        await node.end(await node.dial([claimed]), given_up)
    assert await scene.statuses(pool, made) == {"completed_without_answer": 3}
    midnight = NOON.replace(day=3, hour=0)
    statuses = [CallStatus.COMPLETED_WITHOUT_ANSWER]
    assert await requeue.requeue(pool, DEFAULT_ACCOUNT, made.id, statuses, now=midnight) == 3
    assert await node.claim(made, now=midnight) == []
    assert await hours_of(pool, made) == OF_EACH


def in_zones(*hours, first=100):
    """A number in each of the time zones at so many hours from UTC."""
    return [
        NewCall(f"+4930{first + place}", time_zone=f"+{hour:02}:00", line=place + 1)
        for place, hour in enumerate(hours)
    ]


async def test_rows_beyond_the_schedules_that_a_campaign_may_have_are_rejected_and_the_rest_goes_in(
    pool, monkeypatch
):
    monkeypatch.setattr(schedules, "MOST", 1 + 3)  # its own is one of them
    made = await scene.campaign(pool)
    new = [
        *in_zones(1, 2, 1, 3, 4, 2),
        NewCall("+4930200", time_zone="+03:00", windows=(window("09:00", "10:00"),), line=7),
        NewCall("+491", dialable=False, time_zone="+05:00", line=8),
        NewCall("+492", dialable=False, time_zone="+03:00", line=9),
    ]
    async with dry_run.begin(pool, DEFAULT_ACCOUNT, made.id) as check:
        told = [await check(new[:5]), await check(new[5:])]
    import_id = await imports.begin(pool, DEFAULT_ACCOUNT, made.id)
    added = [
        await numbers.add(pool, DEFAULT_ACCOUNT, made.id, batch, import_id=import_id)
        for batch in (new[:5], new[5:])
    ]
    assert told == added
    assert [(one.added, one.undialable) for one in added] == [(4, 0), (2, 1)]
    assert [(row.line, row.number) for one in added for row in one.rejected] == [
        (5, "+4930104"),
        (7, "+4930200"),
        (8, "+491"),
    ]
    found = await imports.get(pool, DEFAULT_ACCOUNT, import_id)
    assert (found.added, found.undialable, found.rejected) == (6, 1, 3)
    reasons = {row.reason async for row in imports.skipped(pool, DEFAULT_ACCOUNT, import_id)}
    assert reasons == {schedules.TOO_MANY}
    assert await schedules.count(pool, made.id) == 1 + 3
    async with dry_run.begin(pool, DEFAULT_ACCOUNT, made.id) as check:
        assert len((await check(in_zones(1, 2, 3, 4, first=300))).rejected) == 1
    other = await scene.campaign(pool)  # each campaign has its own
    assert (await numbers.add(pool, DEFAULT_ACCOUNT, other.id, in_zones(4, 5, 6))).added == 3


async def test_lists_that_come_at_once_never_make_more_schedules_than_a_campaign_may_have(
    pool, monkeypatch
):
    monkeypatch.setattr(schedules, "MOST", 1 + 5)
    made = await scene.campaign(pool)
    lists = [in_zones(hour, hour + 5, first=100 * (hour + 1)) for hour in range(5)]
    reports = await asyncio.gather(
        *(numbers.add(pool, DEFAULT_ACCOUNT, made.id, one) for one in lists)
    )
    assert sum(report.added for report in reports) == 5
    assert sum(len(report.rejected) for report in reports) == 5
    assert await schedules.count(pool, made.id) == 1 + 5
