"""Campaigns pause by themselves, with the reason and what to do, and never without."""

from __future__ import annotations

import datetime as dt

from tests.engine.scene import TRUNK, eventually, numbers_of

from dialer.campaign.moves import CampaignAction
from dialer.campaign.system_failure import Thresholds
from dialer.store import campaigns, trunks
from dialer.store.records import DEFAULT_ACCOUNT


def without_cause(code, count):
    """Numbers that get a code and no Q.850 cause."""
    return [f"+1555{code}0{200 + n}" for n in range(count)]


async def paused(scene, campaign_id):
    found = await campaigns.get(scene.pool, DEFAULT_ACCOUNT, campaign_id)
    return found if found.status == "paused" else None


async def event_of_pause(scene, campaign_id):
    return await scene.pool.fetchval(
        "SELECT data FROM events WHERE campaign_id = $1 AND kind = 'campaign.paused'", campaign_id
    )


async def test_all_campaigns_in_progress_pause_when_the_minutes_run_out_and_live_calls_go_on(scene):
    await scene.pool.execute("UPDATE accounts SET minutes = 1, increment_seconds = 60")
    await scene.node("one")
    draft = await scene.campaign(numbers_of("2000", 1), start=False)
    second = await scene.campaign(numbers_of("180", 2), ring_timeout_seconds=30)
    await eventually(lambda: ringing(scene, second))
    first = await scene.campaign(
        ["+15552000500"], on_answer={"kind": "hang_up", "after_seconds": 1}
    )
    for campaign_id in (first, second):
        found = await eventually(lambda one=campaign_id: paused(scene, one))
        assert found.pause_reason == "out_of_minutes"
        assert "the 1 minutes of the account's plan are used up" in found.pause_detail
        told = await event_of_pause(scene, campaign_id)
        assert told["reason"] == "out_of_minutes"
    await eventually(lambda: answered(scene, first))
    assert await scene.pool.fetchval("SELECT status FROM campaigns WHERE id = $1", draft) == "draft"
    assert await ringing(scene, second)


async def ringing(scene, campaign_id):
    return await scene.phases(campaign_id) == {"ringing": 2}


async def answered(scene, campaign_id):
    return await scene.statuses(campaign_id) == {"answered": 1}


async def test_a_campaign_whose_attempts_fail_technically_is_paused_and_may_be_resumed(scene):
    thresholds = Thresholds(technical_attempts=10)
    await scene.node("one", pauses=thresholds)
    campaign = await scene.campaign(without_cause(500, 99), calls_per_second=25)
    found = await eventually(lambda: paused(scene, campaign))
    assert found.pause_reason == "system_failure"
    assert "10 of the last 10 attempts failed technically" in found.pause_detail
    assert (await event_of_pause(scene, campaign))["detail"] == found.pause_detail
    await scene.act(campaign, CampaignAction.RESUME)
    tried = len(scene.ledger.calls)
    await scene.ledger.until(lambda ledger: len(ledger.calls) > tried)  # it is not paused at once


async def test_a_trunk_that_refuses_our_credentials_pauses_the_campaigns_on_it_alone(scene):
    refusing = scene.trunk("refusing", password="wrong")
    await scene.node("one", refusing, scene.trunk())
    alone = await scene.campaign(numbers_of("711", 10), trunks=("refusing",))
    found = await eventually(lambda: paused(scene, alone))
    assert found.pause_reason == "system_failure"
    assert "refusing" in found.pause_detail
    both = await scene.campaign(numbers_of("2000", 5), trunks=("refusing", TRUNK))
    await scene.tried(both)
    assert not await paused(scene, both)


async def test_a_trunk_without_funds_pauses_the_campaigns_on_it_alone_and_once_paid_gets_the_rest(
    scene,
):
    broke = scene.trunk("broke", max_calls=1)
    await scene.node("one", broke, scene.trunk())
    refused, rest = without_cause(402, 3), numbers_of("2000", 10)
    alone = await scene.campaign([*refused, *rest], trunks=("broke",), max_attempts=3)
    found = await eventually(lambda: paused(scene, alone))
    assert found.pause_reason == "system_failure"
    assert "broke: it refused 3 calls in a row (trunk_no_funds)" in found.pause_detail
    assert "mend credentials or account there, then resume" in found.pause_detail
    assert (await event_of_pause(scene, alone))["detail"] == found.pause_detail
    assert scene.ledger.calls_per_number() == dict.fromkeys(refused, 1)
    assert await scene.statuses(alone) == {"retry_scheduled": 3, "planned": 10}
    assert await scene.outcomes(alone) == {"trunk_no_funds": 3}
    assert await scene.pool.fetchval("SELECT sum(attempts_counted) FROM calls") == 0
    both = await scene.campaign(numbers_of("2001", 5), trunks=("broke", TRUNK))
    await scene.tried(both)
    assert await scene.statuses(both) == {"answered": 5}
    assert not await paused(scene, both)
    # the bill is paid, and the hold over: the call that proves the trunk brings it back
    broke.health.held_until = 0.0
    await scene.act(alone, CampaignAction.RESUME)
    await scene.tried(alone)
    assert await scene.statuses(alone) == {"retry_scheduled": 3, "answered": 10}
    assert broke.health.reason == ""
    await scene.wire_agrees()


async def test_a_campaign_none_of_whose_trunks_is_usable_is_paused_after_its_time(scene):
    thresholds = Thresholds(trunks_unusable=dt.timedelta(seconds=2))
    await scene.node("one", scene.trunk(max_calls=5), pauses=thresholds)
    campaign = await scene.campaign(numbers_of("0000", 20))
    found = await eventually(lambda: paused(scene, campaign))
    assert "no trunk of the campaign was usable" in found.pause_detail
    nowhere = await scene.campaign(numbers_of("2000", 1), trunks=("nobody has it",))
    found = await eventually(lambda: paused(scene, nowhere))
    assert "no node has it in its configuration" in found.pause_detail


async def test_a_campaign_whose_trunk_a_person_holds_is_paused_after_its_time_and_says_why(scene):
    await scene.node("one", pauses=Thresholds(trunks_unusable=dt.timedelta(seconds=1)))
    await trunks.hold(scene.pool, TRUNK, "the SBC is moved", "ada")
    campaign = await scene.campaign(numbers_of("2000", 5))
    found = await eventually(lambda: paused(scene, campaign))
    assert found.pause_reason == "system_failure"
    assert "carrier: held by a person (the SBC is moved)" in found.pause_detail
    assert await scene.statuses(campaign) == {"planned": 5}


async def test_numbers_that_a_trunk_says_do_not_exist_pause_the_campaigns_before_the_list_burns(
    scene,
):
    await scene.node("one", pauses=Thresholds(invalid_calls=10))
    campaign = await scene.campaign(without_cause(404, 200), calls_per_second=25)
    found = await eventually(lambda: paused(scene, campaign))
    assert "there is no such number" in found.pause_detail
    assert (await scene.statuses(campaign))["planned"] > 100
