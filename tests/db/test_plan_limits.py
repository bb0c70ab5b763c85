"""The limits of an account's plan hold exactly, whoever claims at the same time."""

from __future__ import annotations

import asyncio
import datetime as dt
import zoneinfo

import pytest
from tests.db import scene

from dialer.campaign.evidence import LocalCause
from dialer.campaign.moves import CampaignAction
from dialer.campaign.status import CallStatus, PauseReason, Phase
from dialer.store import (
    automatic_pause,
    campaigns,
    do_not_call,
    numbers,
    plan_limits,
    promotion,
    queue,
)
from dialer.store.account_records import NewListing
from dialer.store.attempt_records import LegProgress
from dialer.store.errors import Refused
from dialer.store.records import DEFAULT_ACCOUNT, NewCall, PauseNote

NO_ANSWER = scene.verdict("no_answer", CallStatus.COMPLETED_WITHOUT_ANSWER)


async def plan(pool, **limits):
    columns = ", ".join(f"{name} = ${n}" for n, name in enumerate(limits, 1))
    await pool.execute(f"UPDATE accounts SET {columns}", *limits.values())


async def lasting_node(pool):
    """A node whose lease outlasts the times that a test claims at."""
    node = await scene.node(pool)
    await pool.execute("UPDATE nodes SET lease_until = clock_timestamp() + interval '9 days'")
    return node


async def usage(pool):
    async with pool.acquire() as connection:
        return await plan_limits.read(connection, DEFAULT_ACCOUNT)


async def due_of(pool, call_id):
    return await pool.fetchval("SELECT due FROM calls WHERE id = $1", call_id)


async def test_minutes_are_counted_at_hang_up_rounded_up_to_the_increment(pool):
    await plan(pool, minutes=10, increment_seconds=30)
    campaign = await scene.campaign(pool, 3)
    node = await lasting_node(pool)
    legs = await node.dial_all(campaign)
    for leg, talk in zip(legs, (0.2, 30.0000000004, 30.1), strict=True):
        await node.end([leg], answered=True, talk_seconds=talk)
    assert (await usage(pool)).billed_seconds == 30 + 30 + 60
    billed = await pool.fetch("SELECT billed_seconds FROM attempts ORDER BY billed_seconds")
    assert [row["billed_seconds"] for row in billed] == [30, 30, 60]


async def test_no_attempt_starts_once_ended_and_running_talk_time_has_reached_the_minutes(pool):
    await plan(pool, minutes=2)
    campaign = await scene.campaign(pool, 4)
    node = await lasting_node(pool)
    first, second = await node.dial_all(campaign, 2)
    await node.end([first], answered=True, talk_seconds=61)
    now = dt.datetime.now(dt.UTC)
    await node.progress(
        LegProgress(second.call_id, second.attempt_id, phase=Phase.TALKING, answered_at=now)
    )
    assert len(await node.claim(campaign, 1, now=now + dt.timedelta(seconds=58))) == 1
    assert await node.claim(campaign, 1, now=now + dt.timedelta(seconds=59)) == []
    await node.end([second], answered=True, talk_seconds=10)  # by the far end's clock
    assert len(await node.claim(campaign, 1)) == 1


async def test_resume_is_refused_while_no_minutes_are_left_and_nothing_changes(pool):
    await plan(pool, minutes=1)
    campaign = await scene.campaign(pool, 2)
    node = await lasting_node(pool)
    await node.end(await node.dial_all(campaign, 1), answered=True, talk_seconds=60)
    before = await scene.act(pool, campaign, CampaignAction.PAUSE)
    with pytest.raises(Refused, match="1 minutes of the account's plan are used up"):
        await scene.act(pool, campaign, CampaignAction.RESUME)
    assert await campaigns.get(pool, DEFAULT_ACCOUNT, campaign.id) == before
    await plan(pool, minutes=2)
    resumed = await scene.act(pool, campaign, CampaignAction.RESUME)
    assert resumed.status == "in_progress"


async def test_a_new_period_makes_resume_possible_and_nothing_resumes_by_itself(pool):
    await plan(pool, minutes=1, period="day")
    campaign = await scene.campaign(pool, 2)
    node = await lasting_node(pool)
    await node.end(await node.dial_all(campaign, 1), answered=True, talk_seconds=60)
    [found] = await automatic_pause.out_of_minutes(pool)
    assert found.campaign_ids == (campaign.id,)
    note = PauseNote(PauseReason.OUT_OF_MINUTES, "the minutes are used up")
    await scene.act(pool, campaign, CampaignAction.PAUSE, pause=note)
    begins = found.account.period.ends_at
    a_moment = dt.timedelta(seconds=1)
    with pytest.raises(Refused, match=f"until {begins:%Y-%m-%d %H:%M} UTC"):
        await scene.act(pool, campaign, CampaignAction.RESUME, now=begins - a_moment)
    await promotion.start_due_campaigns(pool, now=begins + scene.HOUR)
    await promotion.promote(pool, full=True, now=begins + scene.HOUR)
    assert await node.claim(campaign, now=begins + scene.HOUR) == []
    assert (await campaigns.get(pool, DEFAULT_ACCOUNT, campaign.id)).status == "paused"
    resumed = await scene.act(pool, campaign, CampaignAction.RESUME, now=begins)
    assert (resumed.status, resumed.pause_reason) == ("in_progress", None)
    await promotion.promote(pool, full=True, now=begins)
    assert len(await node.claim(campaign, now=begins)) == 1


async def test_a_new_period_has_all_its_unique_users_anew(pool):
    await plan(pool, unique_users=1, period="day")
    campaign = await scene.campaign(pool, 2)
    node = await lasting_node(pool)
    await node.end(await node.dial_all(campaign, 1), answered=True, talk_seconds=1)
    async with pool.acquire() as connection:
        begins = (await plan_limits.read(connection, DEFAULT_ACCOUNT)).period.ends_at
    await promotion.promote(pool, full=True, now=begins)
    [call] = await node.claim(campaign, now=begins)
    assert call.refused is None
    await node.end(await node.dial([call]), answered=True, talk_seconds=1)
    used = await pool.fetch("SELECT unique_users FROM usage ORDER BY period")
    assert [row["unique_users"] for row in used] == [1, 1]


async def test_a_place_is_reserved_kept_when_answered_and_given_back_when_not(pool):
    await plan(pool, unique_users=2)
    campaign = await scene.campaign(pool, 5)
    node = await lasting_node(pool)
    one, two = await node.dial_all(campaign)
    assert (await usage(pool)).limits.reserved == 2
    assert await node.claim(campaign) == []  # places merely reserved: the others wait
    await node.end([one], answered=True, talk_seconds=1)
    await node.end([two], NO_ANSWER)
    state = await usage(pool)
    assert (state.limits.used, state.limits.reserved) == (1, 0)
    later = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1)
    await promotion.promote(pool, full=True, now=later)
    [three] = await node.dial(await node.claim(campaign, now=later))
    await node.end([three], answered=True, talk_seconds=1)
    await promotion.promote(pool, full=True, now=later + scene.HOUR)
    refused = await node.claim(campaign, now=later + scene.HOUR)
    assert [call.refused.cause for call in refused] == [LocalCause.PLAN_LIMIT] * 2


async def test_a_number_that_has_its_place_in_this_period_costs_nothing_more(pool):
    await plan(pool, unique_users=1)
    campaign = await scene.campaign(pool, 1)
    node = await lasting_node(pool)
    await node.end(await node.dial_all(campaign), answered=True, talk_seconds=1)
    again = await scene.campaign(pool, 1)
    [call] = await node.claim(again)
    assert call.refused is None
    await node.end(await node.dial([call]), answered=True, talk_seconds=1)
    assert (await usage(pool)).limits.used == 1


async def test_many_nodes_that_claim_at_once_never_pass_unique_users_nor_simultaneous_calls(pool):
    await plan(pool, unique_users=25, max_simultaneous_calls=20)
    which = [await scene.campaign(pool, 30, first=100 * n) for n in range(1, 4)]
    crowd = [await scene.node(pool, f"node {i}") for i in range(4)]
    batches = await asyncio.gather(*(one.claim(c, 9) for one in crowd for c in which))
    claimed = [call for batch in batches for call in batch]
    assert len(claimed) == 20
    state = await usage(pool)
    assert (state.live, state.limits.reserved) == (20, 20)


async def test_one_live_call_per_number_over_all_campaigns_and_nodes(pool):
    which = [await scene.campaign(pool, 10) for _ in range(3)]
    crowd = [await scene.node(pool, f"node {i}") for i in range(3)]
    batches = await asyncio.gather(*(one.claim(c, 9) for one in crowd for c in which))
    claimed = [call.number for batch in batches for call in batch]
    assert len(claimed) == len(set(claimed)) == 10
    waiting = await pool.fetchval(
        "SELECT count(*) FROM calls WHERE node IS NULL AND due > clock_timestamp()"
    )
    assert waiting >= 2


async def test_two_accounts_never_ring_one_number_at_once(pool):
    other = await pool.fetchval("INSERT INTO accounts (name) VALUES ('other') RETURNING id")
    one = await scene.campaign(pool, 20)
    two = await scene.campaign(pool, 20, promote=False)
    await pool.execute("UPDATE campaigns SET account_id = $1 WHERE id = $2", other, two.id)
    await pool.execute("UPDATE calls SET account_id = $1 WHERE campaign_id = $2", other, two.id)
    await promotion.promote(pool)
    crowd = [await scene.node(pool, f"node {i}") for i in range(4)]
    batches = await asyncio.gather(
        *(node.claim(c, 5) for node in crowd for c in (one, two)),
    )
    claimed = [call.number for batch in batches for call in batch]
    assert len(claimed) == len(set(claimed)) > 0


async def test_attempts_to_a_number_are_capped_by_day_over_all_campaigns(pool):
    await plan(pool, attempts_per_day=2)
    node = await lasting_node(pool)
    for _ in range(2):
        legs = await node.dial_all(await scene.campaign(pool, 1))
        await node.end(legs, NO_ANSWER)
    third = await scene.campaign(pool, 1)
    assert await node.claim(third) == []
    [call] = await pool.fetch("SELECT id FROM calls WHERE campaign_id = $1", third.id)
    berlin = zoneinfo.ZoneInfo("Europe/Berlin")  # the day is that of the number
    tomorrow = dt.datetime.now(berlin).date() + dt.timedelta(days=1)
    midnight = dt.datetime.combine(tomorrow, dt.time(), berlin)
    assert await due_of(pool, call["id"]) == midnight
    await promotion.promote(pool, full=True, now=midnight)
    assert len(await node.claim(third, now=midnight)) == 1


async def test_attempts_to_a_number_are_capped_by_week_over_all_campaigns(pool):
    await plan(pool, attempts_per_week=1)
    node = await lasting_node(pool)
    await node.end(await node.dial_all(await scene.campaign(pool, 1)), NO_ANSWER)
    second = await scene.campaign(pool, 1)
    assert await node.claim(second) == []
    [call] = await pool.fetch("SELECT id FROM calls WHERE campaign_id = $1", second.id)
    berlin = zoneinfo.ZoneInfo("Europe/Berlin")
    today = dt.datetime.now(berlin).date()
    monday = dt.datetime.combine(today + dt.timedelta(days=7 - today.weekday()), dt.time(), berlin)
    assert await due_of(pool, call["id"]) == monday
    await promotion.promote(pool, full=True, now=monday)
    assert len(await node.claim(second, now=monday)) == 1


async def test_what_is_the_trunks_fault_or_was_never_sent_is_no_attempt_to_the_person(pool):
    campaign = await scene.campaign(pool, 1)
    node = await lasting_node(pool)
    failed = scene.verdict(
        "network_failure", CallStatus.TECHNICAL_ERROR, counted=False, technical_in_a_row=1
    )
    await node.end(await node.dial_all(campaign), failed)
    assert await pool.fetchval("SELECT attempts FROM contacts") == 0


async def test_a_number_on_the_do_not_call_list_comes_refused(pool):
    campaign = await scene.campaign(pool, 3)
    await do_not_call.add(pool, DEFAULT_ACCOUNT, [NewListing("+4930000101")], "api")
    claimed = await (await lasting_node(pool)).claim(campaign)
    refused = {call.number: call.refused for call in claimed if call.refused}
    assert refused.keys() == {"+4930000101"}
    assert refused["+4930000101"].cause is LocalCause.SUPPRESSED
    assert "do-not-call" in refused["+4930000101"].detail


async def test_a_person_one_of_whose_numbers_is_on_the_do_not_call_list_comes_refused(pool):
    campaign = await scene.campaign(pool, promote=False)
    person = NewCall("+4930000101", alternates=("+4930000102", "+4930000103"))
    await numbers.add(pool, DEFAULT_ACCOUNT, campaign.id, [person])
    await do_not_call.add(pool, DEFAULT_ACCOUNT, [NewListing("+4930000103")], "api")
    await promotion.promote(pool)
    [call] = await (await lasting_node(pool)).claim(campaign)
    assert call.refused.cause is LocalCause.SUPPRESSED
    assert "+4930000103" in call.refused.detail


async def test_607_puts_the_number_on_the_do_not_call_list(pool):
    campaign = await scene.campaign(pool, 1)
    node = await lasting_node(pool)
    unwanted = scene.verdict("unwanted", CallStatus.COMPLETED_WITHOUT_ANSWER)
    await node.end(await node.dial_all(campaign), unwanted)
    found = await do_not_call.matches(pool, DEFAULT_ACCOUNT, ["+4930000100"])
    assert found["+4930000100"].source == "callee"
    [call] = await node.claim(await scene.campaign(pool, 1))
    assert call.refused.cause is LocalCause.SUPPRESSED


async def test_the_numbers_of_a_person_are_tried_in_order(pool):
    campaign = await scene.campaign(pool, promote=False)
    await numbers.add(pool, DEFAULT_ACCOUNT, campaign.id, [NewCall("+491")])
    await pool.execute("UPDATE calls SET alternates = ARRAY['+492', '+493']")
    node = await lasting_node(pool)
    dialled = []
    for then in ("next", "others", "next", "next"):
        later = dt.datetime.now(dt.UTC) + scene.HOUR
        await promotion.promote(pool, full=True, now=later)
        [claimed] = await node.claim(campaign, now=later)
        dialled.append(claimed.number)
        again = scene.verdict(
            "busy",
            CallStatus.RETRY_SCHEDULED,
            CallStatus.COMPLETED_WITHOUT_ANSWER,
            dt.datetime.now(dt.UTC),
            then_dials=then,
        )
        await node.end(await node.dial([claimed]), again)
    assert dialled == ["+491", "+492", "+493", "+491"]


async def test_a_claim_looks_past_those_that_have_to_wait(pool):
    await plan(pool, attempts_per_day=1)
    node = await lasting_node(pool)
    await node.end(await node.dial_all(await scene.campaign(pool, 20)), NO_ANSWER)
    campaign = await scene.campaign(pool, 30)
    assert len(await node.claim(campaign, 10)) == 10
    assert await queue.dialable_campaigns(pool) == []
