"""Pause, resume and finish while calls are being placed."""

from __future__ import annotations

import asyncio
import collections
import time

import pytest
from tests.engine.scene import eventually, numbers_of

from dialer.campaign.moves import CampaignAction
from dialer.campaign.status import CampaignStatus
from dialer.store import calls, campaigns
from dialer.store.records import DEFAULT_ACCOUNT

LATE = 0.1  # seconds after a pause was acknowledged in which an INVITE may still leave
QUIET = 0.6  # seconds of which a good many turns of the engine fall


async def nothing_left_after(scene, acknowledged):
    """Look a while, and return how many calls the far end has seen."""
    await asyncio.sleep(QUIET)
    assert max(scene.invites_left.values()) < acknowledged + LATE
    await eventually(lambda: len(scene.ledger.calls) == len(scene.invites_left))
    return len(scene.ledger.calls)


async def test_nothing_is_dialled_after_a_pause_and_all_of_it_after_a_resume(scene):
    await scene.node("one")
    await scene.node("two")
    # rings half a second, or is busy: there are calls up at every pause
    kinds = (numbers_of("20050", 100), numbers_of("4860", 100), numbers_of("4861", 100))
    listed = [number for three in zip(*kinds, strict=True) for number in three]
    campaign = await scene.campaign(listed)
    for already in (40, 120, 200):
        await eventually(lambda already=already: len(scene.ledger.calls) >= already)
        paused = await scene.act(campaign, CampaignAction.PAUSE)
        acknowledged = time.monotonic()
        assert paused.status is CampaignStatus.PAUSED
        seen = await nothing_left_after(scene, acknowledged)
        assert seen < len(listed)
        assert (await scene.act(campaign, CampaignAction.PAUSE)).status is CampaignStatus.PAUSED
        await eventually(lambda: not scene.ledger.unfinished())  # they have run to their end
        assert len(scene.ledger.calls) == seen
        await scene.act(campaign, CampaignAction.RESUME)
    await scene.tried(campaign)
    assert await scene.statuses(campaign) == {"answered": 100, "completed_without_answer": 200}
    assert scene.ledger.calls_per_number() == dict.fromkeys(listed, 1)
    await scene.wire_agrees()


async def test_a_campaign_that_is_paused_while_planned_dials_nothing(scene):
    await scene.node()
    campaign = await scene.campaign(numbers_of("2000", 5), start=False)
    await asyncio.sleep(QUIET)
    assert not scene.ledger.calls
    await scene.act(campaign, CampaignAction.START)
    await scene.tried(campaign)
    assert await scene.statuses(campaign) == {"answered": 5}


async def up(scene, campaign, **phases):
    """Wait until so many calls are in those phases."""

    async def reached():
        found = await scene.phases(campaign)
        return all(found.get(phase) == count for phase, count in phases.items())

    await eventually(reached)


async def test_finish_ends_what_waits_and_lets_calls_run_to_their_end(scene):
    await scene.node()
    listed = [
        *numbers_of("4860", 20),
        *numbers_of("5550", 20),
        *numbers_of("2000", 10),  # talk until we hang up
        *numbers_of("1800", 10),  # ring until we give up
        *numbers_of("20011", 60),
    ]
    campaign = await scene.campaign(
        listed,
        max_attempts=3,
        max_simultaneous_calls=20,
        ring_timeout_seconds=6,
        on_answer={"kind": "hang_up", "after_seconds": 6},
    )
    waiting = {"retry_scheduled": 40, "in_progress": 20, "planned": 60}

    async def as_wanted():
        return await scene.statuses(campaign) == waiting

    await eventually(as_wanted, every=0.01)
    await scene.act(campaign, CampaignAction.FINISH)
    acknowledged = time.monotonic()
    assert await scene.statuses(campaign) == {
        "not_dialed": 60,
        "completed_without_answer": 20,
        "technical_error": 20,
        "in_progress": 20,
    }
    await scene.tried(campaign)
    assert await scene.statuses(campaign) == {
        "not_dialed": 60,
        "completed_without_answer": 30,
        "technical_error": 20,
        "answered": 10,
    }
    await nothing_left_after(scene, acknowledged)
    assert set(scene.ledger.calls_per_number().values()) == {1}
    (rung,) = (await scene.calls(campaign))["+15551800000"].attempts
    assert (rung.outcome, rung.status) == ("no_answer", "completed_without_answer")
    await scene.wire_agrees()


async def test_finish_with_hang_up_ends_what_is_up(scene):
    await scene.node()
    campaign = await scene.campaign(
        [*numbers_of("2000", 10), *numbers_of("1800", 10), "+15551000000", "+15550000000"],
        max_attempts=3,
        ring_timeout_seconds=60,
        on_answer={"kind": "hang_up", "after_seconds": 60},
    )
    await up(scene, campaign, talking=10, ringing=10, dialing=2)
    await scene.act(campaign, CampaignAction.FINISH, hang_up=True)
    await scene.tried(campaign, 15)
    found = await scene.calls(campaign)
    assert {one.call.last_outcome for one in found.values()} == {"cancelled"}
    assert await scene.statuses(campaign) == {
        "answered": 10,
        "completed_without_answer": 10,
        "not_dialed": 2,
    }
    assert {one.call.status for number, one in found.items() if "555180" in number} == {
        "completed_without_answer"
    }
    assert {record.finals[-1] for record in scene.ledger.calls.values() if record.cancels} == {487}
    await scene.wire_agrees()


@pytest.mark.parametrize("hang_up", [False, True])
async def test_deleting_finishes_and_the_calls_that_are_up_are_recorded_to_their_end(
    scene, hang_up
):
    await scene.node()
    campaign = await scene.campaign(
        [*numbers_of("2000", 5), *numbers_of("1800", 5), *numbers_of("20011", 20)],
        max_attempts=3,
        max_simultaneous_calls=10,
        ring_timeout_seconds=60 if hang_up else 3,
        on_answer={"kind": "hang_up", "after_seconds": 60 if hang_up else 3},
    )
    await up(scene, campaign, talking=5, ringing=5)
    gone = await scene.act(campaign, CampaignAction.DELETE, hang_up=hang_up)
    assert (gone.status, gone.deleted_at is None) == (CampaignStatus.FINISHED, False)
    assert await scene.statuses(campaign) == {"in_progress": 10, "not_dialed": 20}
    await scene.tried(campaign)
    assert await scene.statuses(campaign) == {
        "answered": 5,
        "completed_without_answer": 5,
        "not_dialed": 20,
    }
    expected = {"cancelled": 10} if hang_up else {"answered": 5, "no_answer": 5}
    assert await scene.outcomes(campaign) == expected
    assert len(scene.ledger.calls) == 10
    dialogs = await calls.list_page(scene.pool, DEFAULT_ACCOUNT, limit=100)
    assert collections.Counter(one.status for one in dialogs) == await scene.statuses(campaign)
    assert await campaigns.list_page(scene.pool, DEFAULT_ACCOUNT) == []
    await scene.wire_agrees()


async def test_a_call_that_rang_out_before_the_finish_was_not_answered(scene):
    await scene.node()
    campaign = await scene.campaign(["+15557050000"], ring_timeout_seconds=1)  # no 487 comes
    (record,) = await eventually(lambda: scene.ledger.of_number("+15557050000"))
    await eventually(lambda: time.monotonic() > scene.invites_left[record.call_id] + 1.2)
    await scene.act(campaign, CampaignAction.FINISH, hang_up=True)
    await scene.tried(campaign)
    assert await scene.outcomes(campaign) == {"no_answer": 1}
