from __future__ import annotations

import asyncio
import datetime as dt
import uuid

import pytest
from tests.db import scene

from dialer.campaign.moves import CampaignAction
from dialer.campaign.status import CallStatus, Phase
from dialer.store import attempts, promotion, trunks
from dialer.store.attempt_records import AttemptResult, LegProgress, UndialedResult
from dialer.store.records import LegEvidence, Provisional

AT = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)


async def test_a_dialed_call_is_in_progress_with_its_leg_committed(pool):
    campaign = await scene.campaign(pool, 1)
    node = await scene.node(pool)
    [leg] = await node.dial_all(campaign)
    found = await scene.read(pool, leg.call_id)
    assert (found.call.status, found.call.phase) == (CallStatus.IN_PROGRESS, Phase.DIALING)
    assert (found.call.due, found.call.attempts) == (None, 1)
    [attempt] = found.attempts
    assert (attempt.id, attempt.ordinal, attempt.node) == (leg.attempt_id, 1, "one")
    assert attempt.outcome is None
    assert attempt.legs[0].identity == leg.identity


async def test_a_call_that_another_node_holds_is_not_dialed(pool):
    campaign = await scene.campaign(pool, 1)
    node, other = await scene.node(pool), await scene.node(pool, "two")
    claimed = await node.claim(campaign)
    assert await other.dial(claimed) == []
    assert await scene.Node(pool, node.name, node.epoch + 99).dial(claimed) == []
    assert len(await node.dial(claimed)) == 1
    assert await node.dial(claimed) == []


async def test_nothing_is_dialed_once_the_lease_has_run_out(pool):
    campaign = await scene.campaign(pool, 1)
    node = await scene.node(pool)
    claimed = await node.claim(campaign)
    await node.die()
    assert await node.dial(claimed) == []
    assert await scene.statuses(pool, campaign) == {"planned": 1}


@pytest.mark.parametrize("action", [CampaignAction.PAUSE, CampaignAction.FINISH])
async def test_nothing_is_dialed_after_a_pause_or_finish(pool, action):
    campaign = await scene.campaign(pool, 2)
    other = await scene.campaign(pool, 1, first=200)
    node = await scene.node(pool)
    claimed = await node.claim(campaign) + await node.claim(other)
    await scene.act(pool, campaign, action)
    [sent] = await node.dial(claimed)
    assert sent.call_id == claimed[-1].id


async def test_nothing_is_dialed_over_a_trunk_that_is_held_since_the_claim(pool):
    campaign = await scene.campaign(pool, 2)
    node = await scene.node(pool)
    claimed = await node.claim(campaign)
    await trunks.hold(pool, scene.TRUNK, "maintenance", "ada")
    assert await node.dial(claimed) == []
    assert await scene.statuses(pool, campaign) == {"planned": 2}
    await trunks.release(pool, scene.TRUNK)
    assert len(await node.dial(claimed)) == 2


async def test_a_dialing_that_meets_a_pause_under_way_waits_and_sends_nothing(pool):
    campaign = await scene.campaign(pool, 1)
    node = await scene.node(pool)
    claimed = await node.claim(campaign)
    async with pool.acquire() as connection:
        pausing = connection.transaction()
        await pausing.start()
        await scene.act(connection, campaign, CampaignAction.PAUSE)
        dialing = asyncio.create_task(node.dial(claimed))
        await scene.waiting_for_a_lock(pool)
        assert not dialing.done()
        await pausing.commit()
    assert await dialing == []
    assert await scene.statuses(pool, campaign) == {"planned": 1}


async def test_a_pause_returns_after_every_dialing_that_it_did_not_stop(pool):
    campaign = await scene.campaign(pool, 1)
    node = await scene.node(pool)
    claimed = await node.claim(campaign)
    async with pool.acquire() as connection:
        dialing = connection.transaction()
        await dialing.start()
        assert len(await scene.Node(connection, node.name, node.epoch).dial(claimed)) == 1
        pausing = asyncio.create_task(scene.act(pool, campaign, CampaignAction.PAUSE))
        await scene.waiting_for_a_lock(pool)
        assert not pausing.done()
        await dialing.commit()
    await pausing
    assert await scene.statuses(pool, campaign) == {"in_progress": 1}


async def test_pausing_under_a_storm_of_dialing_lets_nothing_through_afterwards(pool):
    campaign = await scene.campaign(pool, 100)
    node = await scene.node(pool)
    claimed = await node.claim(campaign)
    paused = asyncio.Event()
    late = []

    async def dial_one_by_one(calls):
        for call in calls:
            after = paused.is_set()
            sent = await node.dial([call])
            if after:
                late.extend(sent)

    storm = [asyncio.create_task(dial_one_by_one(claimed[i::4])) for i in range(4)]
    await scene.act(pool, campaign, CampaignAction.PAUSE)
    paused.set()
    await asyncio.gather(*storm)
    assert late == []


async def test_progress_is_recorded_and_a_phase_never_goes_back(pool):
    campaign = await scene.campaign(pool, 1)
    node = await scene.node(pool)
    [leg] = await node.dial_all(campaign)
    sent_again = scene.identity(leg.identity.call_id)
    ours = await node.progress(
        LegProgress(leg.call_id, leg.attempt_id, identity=sent_again, sent_at=AT),
        LegProgress(leg.call_id, leg.attempt_id, phase=Phase.RINGING, ringing_at=AT),
        LegProgress(
            leg.call_id,
            leg.attempt_id,
            phase=Phase.TALKING,
            dialog=scene.dialog(leg.identity.call_id),
            answered_at=AT,
        ),
    )
    assert ours == {leg.attempt_id}
    await node.progress(LegProgress(leg.call_id, leg.attempt_id, phase=Phase.RINGING))
    found = await scene.read(pool, leg.call_id)
    assert found.call.phase is Phase.TALKING
    [written] = found.attempts[0].legs
    assert written.dialog == scene.dialog(leg.identity.call_id)
    assert written.evidence.ringing_at == written.evidence.answered_at == AT
    assert written.evidence.rang
    assert written.evidence.answered


async def test_progress_of_a_lost_call_is_refused(pool):
    campaign = await scene.campaign(pool, 1)
    node, other = await scene.node(pool), await scene.node(pool, "two")
    [leg] = await node.dial_all(campaign)
    await node.die()
    assert len(await other.rescue()) == 1
    assert (
        await node.progress(LegProgress(leg.call_id, leg.attempt_id, phase=Phase.RINGING)) == set()
    )
    assert await node.end([leg]) == set()
    assert (await scene.read(pool, leg.call_id)).call.phase is Phase.DIALING


async def test_a_result_keeps_all_its_evidence(pool):
    campaign = await scene.campaign(pool, 1)
    node = await scene.node(pool)
    [leg] = await node.dial_all(campaign)
    evidence = LegEvidence(
        code=486,
        phrase="Busy\0 Here \ud800",
        reasons=('Q.850;cause=17;text="User busy"', "SIP;cause=486"),
        q850=17,
        retry_after=10**12,
        local_cause=None,
        rang=True,
        hung_up_by=None,
        provisionals=(Provisional(180, "Ringing", AT),),
        sent_at=AT,
        first_provisional_at=AT,
        ringing_at=AT,
        ended_at=AT,
        talk_seconds=1.5,
        rtp_packets_sent=3,
        rtp_packets_received=4,
        media={"mos": 4.2, "lost": 3, "round_trip_ms": None},
        early_media={"begin": 0.4, "heard": [{"kind": "busy", "begin": 1.5}]},
    )
    later = scene.soon()
    result = AttemptResult(
        leg.call_id, leg.attempt_id, scene.busy(later), evidence, flags=("seen",)
    )
    await attempts.record_results(pool, node.name, node.epoch, [result])
    found = await scene.read(pool, leg.call_id)
    assert (found.call.status, found.call.phase, found.call.due) == ("retry_scheduled", None, later)
    assert (found.call.last_outcome, found.call.last_rule) == ("busy", "rule of busy")
    [attempt] = found.attempts
    assert (attempt.status, attempt.counted, attempt.flags) == ("retry_scheduled", True, ("seen",))
    written = attempt.legs[0].evidence
    assert written.phrase == "Busy\ufffd Here ?"
    assert written.retry_after == 2**31 - 1
    assert written.reasons == evidence.reasons
    assert written.provisionals == evidence.provisionals
    assert written.media == evidence.media
    assert written.early_media == evidence.early_media
    assert (written.code, written.q850, written.talk_seconds) == (486, 17, 1.5)


async def test_a_result_keeps_what_was_said_and_found_out(pool):
    campaign = await scene.campaign(pool, 1)
    node = await scene.node(pool)
    [leg] = await node.dial_all(campaign)
    result = AttemptResult(
        leg.call_id,
        leg.attempt_id,
        scene.ANSWERED,
        LegEvidence(code=200, answered=True),
        detail="the bot said \0 and \ud800",
        conversation={"kind": "bot", "seconds_to_bot": 1.5, "first_bad_message": "\0"},
        report_data={"agreed": True, "visits": 10**12, "na\0me": "Ann", "rest": None, "x": 0.1},
    )
    await attempts.record_results(pool, node.name, node.epoch, [result])
    [attempt] = (await scene.read(pool, leg.call_id)).attempts
    assert attempt.detail == "the bot said \ufffd and ?"
    assert attempt.conversation == {
        "kind": "bot",
        "seconds_to_bot": 1.5,
        "first_bad_message": "\ufffd",
    }
    assert attempt.report_data == {
        "agreed": True,
        "visits": 10**12,
        "na\ufffdme": "Ann",
        "rest": None,
        "x": 0.1,
    }


async def test_a_result_sent_twice_counts_as_recorded_and_changes_nothing(pool):
    campaign = await scene.campaign(pool, 2)
    node = await scene.node(pool)
    legs = await node.dial_all(campaign)
    both = {leg.attempt_id for leg in legs}
    assert await node.end(legs[:1]) == {legs[0].attempt_id}
    assert await node.end(legs) == both
    assert await node.end(legs, scene.busy(scene.soon())) == both
    assert await scene.statuses(pool, campaign) == {"answered": 2}
    assert (await scene.read(pool, legs[0].call_id)).call.attempts_counted == 1


async def test_in_a_finished_campaign_a_retry_becomes_final(pool):
    campaign = await scene.campaign(pool, 1)
    node = await scene.node(pool)
    legs = await node.dial_all(campaign)
    await scene.act(pool, campaign, CampaignAction.FINISH)
    await node.end(legs, scene.busy(scene.soon()))
    assert await scene.statuses(pool, campaign) == {"completed_without_answer": 1}


async def test_a_result_that_meets_a_finish_under_way_is_final(pool):
    campaign = await scene.campaign(pool, 1)
    node = await scene.node(pool)
    legs = await node.dial_all(campaign)
    async with pool.acquire() as connection:
        finishing = connection.transaction()
        await finishing.start()
        await scene.act(connection, campaign, CampaignAction.FINISH)
        ending = asyncio.create_task(node.end(legs, scene.busy(scene.soon())))
        await scene.waiting_for_a_lock(pool)
        await finishing.commit()
    assert await ending == {legs[0].attempt_id}
    assert await scene.statuses(pool, campaign) == {"completed_without_answer": 1}


async def test_a_number_that_nobody_can_dial_ends_without_a_leg(pool):
    campaign = await scene.campaign(pool, 2)
    node, other = await scene.node(pool), await scene.node(pool, "two")
    claimed = await node.claim(campaign)
    results = [UndialedResult(call.id, uuid.uuid4(), scene.INVALID) for call in claimed]
    assert await attempts.record_undialed(pool, other.name, other.epoch, results) == set()
    recorded = {result.attempt_id for result in results}
    for _ in range(2):
        assert await attempts.record_undialed(pool, node.name, node.epoch, results) == recorded
    found = await scene.read(pool, claimed[0].id)
    assert (found.call.status, found.call.attempts_counted) == ("technical_error", 1)
    assert (found.attempts[0].outcome, found.attempts[0].legs) == ("invalid_number", ())


async def test_a_dead_nodes_claims_go_back_and_its_calls_are_taken_over_once(pool):
    campaign = await scene.campaign(pool, 5)
    node, two, three = [await scene.node(pool, name) for name in ("one", "two", "three")]
    dialing, answered = await node.dial_all(campaign, 2)
    await node.progress(
        LegProgress(
            answered.call_id,
            answered.attempt_id,
            phase=Phase.TALKING,
            dialog=scene.dialog(answered.identity.call_id),
            answered_at=AT,
        )
    )
    await node.claim(campaign, 2)
    assert await two.rescue() == []
    await node.die()
    rescued = [
        call for batch in await asyncio.gather(two.rescue(), three.rescue()) for call in batch
    ]
    by_attempt = {call.attempt_id: call for call in rescued}
    assert len(rescued) == len(by_attempt) == 2
    ringing = by_attempt[dialing.attempt_id]
    assert (ringing.identity, ringing.answered, ringing.dialog) == (dialing.identity, False, None)
    assert (ringing.trunk, ringing.phase, ringing.history.was) == ("lab", "dialing", "planned")
    talking = by_attempt[answered.attempt_id]
    assert talking.answered
    assert talking.dialog == scene.dialog(answered.identity.call_id)
    assert talking.evidence.answered_at == AT
    assert len(await two.claim(campaign)) == 3
    assert await node.end([dialing, answered]) == set()


async def test_the_rescuer_records_what_it_took_over(pool):
    campaign = await scene.campaign(pool, 1)
    node, other = await scene.node(pool), await scene.node(pool, "two")
    legs = await node.dial_all(campaign)
    await node.die()
    await other.rescue()
    assert await other.end(legs) == {legs[0].attempt_id}
    assert await node.end(legs) == set()
    assert await scene.statuses(pool, campaign) == {"answered": 1}


async def test_a_node_without_a_lease_rescues_nobody(pool):
    campaign = await scene.campaign(pool, 1)
    node, other = await scene.node(pool), await scene.node(pool, "two")
    await node.dial_all(campaign)
    await node.die()
    await other.die()
    assert await other.rescue() == []


async def test_a_restarted_node_takes_over_what_it_held_before(pool):
    campaign = await scene.campaign(pool, 1)
    before = await scene.node(pool)
    [leg] = await before.dial_all(campaign)
    await before.die()
    after = await scene.node(pool)
    assert [call.attempt_id for call in await after.rescue()] == [leg.attempt_id]


async def test_finish_with_hang_up_names_the_calls_to_hang_up(pool):
    campaign, other = await scene.campaign(pool, 2), await scene.campaign(pool, 1, first=200)
    node = await scene.node(pool)
    legs = await node.dial_all(campaign)
    await node.dial_all(other)
    assert await attempts.to_hang_up(pool, node.name, node.epoch) == set()
    await scene.act(pool, campaign, CampaignAction.FINISH, hang_up=True)
    await scene.act(pool, other, CampaignAction.FINISH)
    wanted = {leg.attempt_id for leg in legs}
    assert await attempts.to_hang_up(pool, node.name, node.epoch) == wanted
    assert await attempts.live_count(pool, node.name) == 3
    assert await attempts.live_count(pool, "two") == 0


async def test_a_rate_limited_call_goes_back_to_what_it_was(pool):
    campaign = await scene.campaign(pool, 1)
    node = await scene.node(pool)
    await node.end(await node.dial_all(campaign), scene.rate_limited())
    assert await scene.statuses(pool, campaign) == {"planned": 1}
    assert await promotion.promote(pool) == 1
    [again] = await node.claim(campaign)
    assert (again.history.attempts, again.history.counted, again.history.was) == (1, 0, "planned")
    assert again.history.technical_in_a_row == 1
