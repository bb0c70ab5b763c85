from __future__ import annotations

import asyncio
import datetime as dt

import pytest
from tests.db import scene

from dialer.campaign.moves import CampaignAction
from dialer.campaign.status import CampaignStatus
from dialer.store import attempts, campaigns, numbers, promotion, queue
from dialer.store.records import DEFAULT_ACCOUNT, NewCall


async def test_calls_are_claimed_in_list_order_with_all_that_dialing_needs(pool):
    campaign = await scene.campaign(pool, 3, caller_ids=("+49301",), retry_by_outcome={"busy": 60})
    node = await scene.node(pool)
    claimed = await node.claim(campaign, 2)
    assert [call.number for call in claimed] == ["+4930000100", "+4930000101"]
    first = claimed[0]
    assert (first.campaign_id, first.trunk, first.caller_ids) == (campaign.id, "lab", ("+49301",))
    assert first.retry.retry_by_outcome == {"busy": 60}
    assert first.retry.max_attempts == campaign.settings.max_attempts
    assert (first.history.attempts, first.history.was) == (0, "planned")
    assert [call.number for call in await node.claim(campaign, 2)] == ["+4930000102"]
    assert await node.claim(campaign, 2) == []


async def test_a_number_of_high_priority_goes_first_and_keeps_its_own_settings(pool):
    campaign = await scene.campaign(pool, 2, promote=False)
    urgent = NewCall("+4930999999", priority=5, max_attempts=7, retry_interval_seconds=60)
    await numbers.add(pool, DEFAULT_ACCOUNT, campaign.id, [urgent])
    assert await promotion.promote(pool) == 3
    first, *_ = await (await scene.node(pool)).claim(campaign)
    assert first.number == "+4930999999"
    assert (first.retry.max_attempts, first.retry.retry_interval_seconds) == (7, 60)


async def test_the_ready_set_is_bounded_and_refilled_where_promotion_left_off(pool):
    campaign = await scene.campaign(pool, 30, promote=False)
    node = await scene.node(pool)
    assert await promotion.promote(pool, bound=10) == 10
    assert await promotion.promote(pool, bound=10) == 0
    seen = [call.number for call in await node.claim(campaign)]
    while await promotion.promote(pool, bound=10):
        seen += [call.number for call in await node.claim(campaign)]
    assert seen == [new.number for new in scene.listed(30)]


async def test_a_full_pass_finds_a_call_that_came_due_behind_the_mark(pool):
    campaign = await scene.campaign(pool, 2)
    node = await scene.node(pool)
    await node.claim(campaign)
    long_ago = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    await numbers.add(pool, DEFAULT_ACCOUNT, campaign.id, scene.listed(1, 500), long_ago)
    assert await promotion.promote(pool) == 0
    assert await promotion.promote(pool, full=True) == 1
    assert len(await node.claim(campaign)) == 1


async def test_a_call_is_not_promoted_before_it_is_due(pool):
    campaign = await scene.campaign(pool)
    later = scene.soon()
    await numbers.add(pool, DEFAULT_ACCOUNT, campaign.id, scene.listed(1), later)
    assert await promotion.promote(pool) == 0
    assert await promotion.next_due(pool) == later
    assert await promotion.promote(pool, now=later) == 1


async def test_one_node_promotes_at_a_time(pool):
    await scene.campaign(pool, 5, promote=False)
    async with pool.acquire() as one, one.transaction():
        assert await promotion.promote(one) == 5
        assert await promotion.promote(pool) == 0


@pytest.mark.parametrize("action", [CampaignAction.PAUSE, CampaignAction.FINISH])
async def test_nothing_is_claimed_of_a_campaign_that_is_not_in_progress(pool, action):
    campaign = await scene.campaign(pool, 3)
    node = await scene.node(pool)
    await scene.act(pool, campaign, action)
    assert await node.claim(campaign) == []
    assert await queue.dialable_campaigns(pool) == []
    assert await promotion.promote(pool) == 0


async def test_nothing_is_claimed_without_a_live_lease(pool):
    campaign = await scene.campaign(pool, 3)
    node = await scene.node(pool)
    await node.die()
    assert await node.claim(campaign) == []
    stranger = scene.Node(pool, "never joined", 1)
    assert await stranger.claim(campaign) == []


async def test_the_campaigns_limit_counts_what_is_claimed_and_under_way(pool):
    campaign = await scene.campaign(pool, 9, max_simultaneous_calls=4)
    node = await scene.node(pool)
    legs = await node.dial_all(campaign, 3)
    assert len(await node.claim(campaign)) == 1
    assert await node.claim(campaign) == []
    await node.end(legs[:2])
    assert len(await node.claim(campaign)) == 2
    [listed] = await queue.dialable_campaigns(pool)
    assert (listed.id, listed.live, listed.ready) == (campaign.id, 4, 3)


async def test_trunks_are_filled_in_the_campaigns_order_and_shared_between_campaigns(pool):
    one = await scene.campaign(pool, 9, trunks=("a", "b"))
    two = await scene.campaign(pool, 9, first=200, trunks=("b", "a"))
    node = await scene.node(pool)
    limits = {"a": 2, "b": 3, "not of the campaign": 9}
    assert [call.trunk for call in await node.claim(one, 3, limits)] == ["a", "a", "b"]
    assert [call.trunk for call in await node.claim(two, 9, limits)] == ["b", "b"]
    assert await node.claim(two, 9, limits) == []
    assert await node.claim(one, 9, {"neither": 9}) == []


async def test_a_lowered_limit_claims_nothing_until_calls_end(pool):
    campaign = await scene.campaign(pool, 9)
    node = await scene.node(pool)
    await node.claim(campaign, 4)
    assert await node.claim(campaign, 9, {"lab": 2}) == []


async def test_nodes_that_claim_at_once_share_the_calls_and_keep_the_limits(pool):
    campaign = await scene.campaign(pool, 60, max_simultaneous_calls=50)
    other = await scene.campaign(pool, 60, first=200)
    crowd = [await scene.node(pool, f"node {i}") for i in range(6)]
    limits = {"lab": 70}
    batches = await asyncio.gather(
        *(
            one.claim(which, 9, limits)
            for one in crowd
            for _ in range(3)
            for which in (campaign, other)
        )
    )
    claimed = [call for batch in batches for call in batch]
    assert len({call.id for call in claimed}) == len(claimed) == 70
    assert sum(call.campaign_id == campaign.id for call in claimed) <= 50


async def test_calls_given_back_are_ready_at_once_and_only_the_holder_gives_back(pool):
    campaign = await scene.campaign(pool, 2)
    node, other = await scene.node(pool), await scene.node(pool, "two")
    claimed = [call.id for call in await node.claim(campaign)]
    assert await queue.give_back(pool, other.name, other.epoch, claimed) == 0
    assert await queue.give_back(pool, node.name, node.epoch, claimed) == 2
    assert await queue.give_back(pool, node.name, node.epoch, claimed) == 0
    assert await attempts.live_count(pool) == 0
    assert [call.id for call in await other.claim(campaign)] == claimed


async def test_a_planned_campaign_starts_when_its_time_comes(pool):
    start = scene.soon()
    campaign = await scene.campaign(pool, 1, start_at=start)
    assert campaign.status is CampaignStatus.PLANNED
    assert await promotion.start_due_campaigns(pool) == 0
    assert await promotion.start_due_campaigns(pool, start) == 1
    started = await campaigns.get(pool, DEFAULT_ACCOUNT, campaign.id)
    assert (started.status, started.started_at) == (CampaignStatus.IN_PROGRESS, start)


async def test_a_retry_is_claimed_when_due_and_not_before(pool):
    campaign = await scene.campaign(pool, 1)
    node = await scene.node(pool)
    later = scene.soon()
    await node.end(await node.dial_all(campaign), scene.busy(later))
    assert await promotion.promote(pool) == 0
    assert await promotion.promote(pool, now=later) == 1
    [again] = await node.claim(campaign)
    assert (again.history.attempts, again.history.counted) == (1, 1)
    assert again.history.was == "retry_scheduled"
