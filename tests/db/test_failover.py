from __future__ import annotations

import asyncio
import dataclasses
import uuid

import pytest
from tests.db import scene

from dialer.campaign.moves import CampaignAction
from dialer.campaign.status import CallStatus, Phase
from dialer.store import attempts, failover, trunks
from dialer.store.attempt_records import AttemptResult, FailedLeg, LegProgress, NewLeg
from dialer.store.failover import Commit
from dialer.store.records import LegEvidence

CONGESTED = FailedLeg(0, "trunk_congested", "trunk-congested-503", LegEvidence(code=503))


async def dialled(pool, count=1, **more):
    campaign = await scene.campaign(pool, count, trunks=("lab", "other"), **more)
    node = await scene.node(pool)
    return campaign, node, await node.dial_all(campaign)


async def go_on(node, leg, trunk="other", max_calls=10, failed=CONGESTED, now=None):
    following = NewLeg(
        leg.call_id, leg.attempt_id, trunk, leg.number, "", scene.identity(str(uuid.uuid4()))
    )
    return await failover.commit(node.db, node.name, node.epoch, failed, following, max_calls, now)


async def test_the_next_leg_stands_beside_the_end_of_the_one_before(pool):
    _, node, (leg,) = await dialled(pool)
    assert await go_on(node, leg) is Commit.DONE
    details = await scene.read(pool, leg.call_id)
    (attempt,) = details.attempts
    first, second = attempt.legs
    assert (first.trunk, first.evidence.code, first.outcome) == ("lab", 503, "trunk_congested")
    assert first.evidence.ended_at is not None
    assert (second.ordinal, second.trunk, second.outcome) == (1, "other", None)
    assert (details.call.trunk, details.call.phase, attempt.outcome) == ("other", "dialing", None)
    busy = scene.verdict("busy", CallStatus.COMPLETED_WITHOUT_ANSWER)
    end = AttemptResult(leg.call_id, leg.attempt_id, busy, LegEvidence(code=486), leg_ordinal=1)
    await attempts.record_results(pool, node.name, node.epoch, [end])
    (attempt,) = (await scene.read(pool, leg.call_id)).attempts
    assert [one.outcome for one in attempt.legs] == ["trunk_congested", "busy"]
    assert (attempt.outcome, attempt.rule) == ("busy", "rule of busy")


async def test_a_call_counts_at_the_trunk_that_carries_it(pool):
    campaign, node, (one, two, three) = await dialled(pool, 3)
    assert await go_on(node, one, max_calls=1) is Commit.DONE
    assert await go_on(node, two, max_calls=1) is Commit.NO_ROOM
    assert [leg.trunk for leg in (await scene.read(pool, two.call_id)).attempts[0].legs] == ["lab"]
    await node.end([one, three])
    assert await go_on(node, two, max_calls=1) is Commit.DONE
    more = await scene.campaign(pool, 1, trunks=("other",))
    assert await node.claim(more, trunks={"other": 1}) == []
    assert campaign.id != more.id


async def test_failovers_at_once_fill_a_trunk_and_no_more(pool):
    _, node, legs = await dialled(pool, 12)
    done = await asyncio.gather(*(go_on(node, leg, max_calls=5) for leg in legs))
    assert (done.count(Commit.DONE), done.count(Commit.NO_ROOM)) == (5, 7)


@pytest.mark.parametrize("action", [CampaignAction.PAUSE, CampaignAction.FINISH])
async def test_nothing_follows_in_a_campaign_that_is_not_in_progress(pool, action):
    campaign, node, (leg,) = await dialled(pool)
    await scene.act(pool, campaign, action)
    assert await go_on(node, leg) is Commit.REFUSED
    assert len((await scene.read(pool, leg.call_id)).attempts[0].legs) == 1


async def test_nothing_follows_once_the_lease_ran_out_or_the_call_is_anothers_or_rang(pool):
    _, node, (leg, other, rings) = await dialled(pool, 3)
    stranger = await scene.node(pool, "two")
    assert await go_on(stranger, leg) is Commit.REFUSED
    await node.progress(LegProgress(rings.call_id, rings.attempt_id, phase=Phase.RINGING))
    assert await go_on(node, rings) is Commit.REFUSED
    await node.end([other])
    assert await go_on(node, other) is Commit.REFUSED
    await node.die()
    assert await go_on(node, leg) is Commit.REFUSED


async def test_nothing_follows_over_a_trunk_that_is_held(pool):
    _, node, (leg,) = await dialled(pool)
    await trunks.hold(pool, "other", "maintenance", "ada")
    assert await go_on(node, leg) is Commit.NO_ROOM
    await trunks.release(pool, "other")
    assert await go_on(node, leg) is Commit.DONE


async def test_a_leg_that_was_committed_and_never_sent_goes_with_the_attempts_end(pool):
    _, node, (leg,) = await dialled(pool)
    assert await go_on(node, leg) is Commit.DONE
    busy = scene.verdict("trunk_congested", CallStatus.TECHNICAL_ERROR, counted=False)
    end = AttemptResult(leg.call_id, leg.attempt_id, busy, LegEvidence(code=503), leg_ordinal=0)
    assert await attempts.record_results(pool, node.name, node.epoch, [end]) == {leg.attempt_id}
    (attempt,) = (await scene.read(pool, leg.call_id)).attempts
    assert [(one.ordinal, one.outcome) for one in attempt.legs] == [(0, "trunk_congested")]


async def test_a_rescuer_takes_the_latest_leg_and_the_first_keeps_its_end(pool):
    _, node, (leg,) = await dialled(pool)
    assert await go_on(node, leg) is Commit.DONE
    await node.die()
    rescuer = await scene.node(pool, "two")
    (orphan,) = await rescuer.rescue()
    assert (orphan.leg_ordinal, orphan.trunk, orphan.evidence.sent_at) == (1, "other", None)
    lost = scene.verdict("interrupted", CallStatus.TECHNICAL_ERROR)
    evidence = dataclasses.replace(orphan.evidence, local_cause="node_lost")
    end = AttemptResult(orphan.id, orphan.attempt_id, lost, evidence, orphan.leg_ordinal)
    await attempts.record_results(pool, rescuer.name, rescuer.epoch, [end])
    (attempt,) = (await scene.read(pool, leg.call_id)).attempts
    assert [(one.outcome, one.evidence.code) for one in attempt.legs] == [
        ("trunk_congested", 503),
        ("interrupted", None),
    ]


async def test_late_news_of_the_first_leg_change_nothing_of_the_second(pool):
    _, node, (leg,) = await dialled(pool)
    assert await go_on(node, leg) is Commit.DONE
    await node.progress(
        LegProgress(leg.call_id, leg.attempt_id, sent_at=scene.soon(0)),
        LegProgress(leg.call_id, leg.attempt_id, leg_ordinal=1, phase=Phase.RINGING),
    )
    details = await scene.read(pool, leg.call_id)
    assert details.call.phase == "ringing"
    assert [one.outcome for one in details.attempts[0].legs] == ["trunk_congested", None]


async def test_a_leg_whose_commit_is_still_at_work_goes_with_the_attempts_end_too(pool):
    _, node, (leg,) = await dialled(pool)
    failed = scene.verdict("trunk_congested", CallStatus.TECHNICAL_ERROR, counted=False)
    end = AttemptResult(leg.call_id, leg.attempt_id, failed, LegEvidence(code=503), leg_ordinal=0)
    async with pool.acquire() as connection, connection.transaction():
        assert await go_on(dataclasses.replace(node, db=connection), leg) is Commit.DONE
        ending = asyncio.create_task(attempts.record_results(pool, node.name, node.epoch, [end]))
        await scene.waiting_for_a_lock(pool)
    assert await ending == {leg.attempt_id}
    (attempt,) = (await scene.read(pool, leg.call_id)).attempts
    assert [(one.ordinal, one.outcome) for one in attempt.legs] == [(0, "trunk_congested")]


async def test_no_further_leg_leaves_once_the_window_has_closed(pool):
    _, node, (leg,) = await dialled(pool)
    await pool.execute("UPDATE schedules SET closes_at = clock_timestamp()")
    assert await go_on(node, leg) is Commit.REFUSED
