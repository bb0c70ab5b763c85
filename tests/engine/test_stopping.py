"""An engine that stops, or may not dial any more, leaves nothing behind."""

from __future__ import annotations

import asyncio

import pytest
from tests.db import scene as store_scene
from tests.engine.scene import eventually, numbers_of


@pytest.mark.parametrize("already", [5, 60])
async def test_an_engine_that_is_stopped_amid_placing_leaves_nothing_under_way(scene, already):
    node = await scene.node()
    kinds = (numbers_of("2000", 100), numbers_of("1800", 100), numbers_of("486", 100))
    listed = [number for three in zip(*kinds, strict=True) for number in three]
    campaign = await scene.campaign(
        listed, ring_timeout_seconds=60, on_answer={"kind": "hang_up", "after_seconds": 60}
    )
    await eventually(lambda: len(scene.ledger.calls) >= already, every=0)
    await node.stop()
    found = await scene.statuses(campaign)
    assert found.keys() <= {"planned", "answered", "completed_without_answer", "technical_error"}
    assert not await scene.phases(campaign)
    outcomes = await scene.outcomes(campaign)
    assert outcomes.keys() <= {"answered", "busy", "interrupted", "no_answer"}
    crossed = await scene.pool.fetch("SELECT flags FROM attempts WHERE outcome = 'no_answer'")
    assert all(row["flags"] == ["answered_late"] for row in crossed)
    assert found.get("planned", 0) + sum(outcomes.values()) == 300
    await asyncio.wait_for(scene.ledger.until(lambda ledger: not ledger.unfinished()), 10)
    await scene.wire_agrees()


async def test_a_call_that_no_cancel_reaches_is_recorded_at_the_stop(scene):
    node = await scene.node(t1=0.5)  # Timer B is far away
    campaign = await scene.campaign(["+15550000000"], ring_timeout_seconds=60)
    await scene.ledger.until(lambda ledger: ledger.calls)
    await node.stop()
    assert await scene.statuses(campaign) == {"technical_error": 1}
    assert await scene.outcomes(campaign) == {"interrupted": 1}


async def test_calls_that_may_not_be_sent_any_more_are_taken_back_and_dialled_later(scene, logged):
    node = await scene.node()
    dispatcher = node.engine.dispatcher
    may_dial, asked = dispatcher._may_dial, []

    def all_but_once():
        """In a turn that commits: yes at its start and before its claim, no before it sends."""
        asked.append(1)
        return may_dial() and len(asked) != 3

    listed = numbers_of("2000", 10)
    dispatcher._may_dial = lambda: False  # until the campaign is ready
    campaign = await scene.campaign(listed)
    await store_scene.promotion.promote(scene.pool)
    dispatcher._may_dial = all_but_once
    await scene.tried(campaign)
    assert [one for one in logged if one["event"].startswith("calls taken back")]
    assert await scene.statuses(campaign) == {"answered": 10}
    assert await scene.pool.fetchval("SELECT max(attempts) FROM calls") == 1
    assert scene.ledger.calls_per_number() == dict.fromkeys(listed, 1)
    await scene.wire_agrees()


async def test_a_node_whose_name_is_taken_hangs_up_and_joins_anew(scene, logged):
    node = await scene.node(lease=1.0)
    campaign = await scene.campaign(
        [*numbers_of("2000", 4), *numbers_of("180", 4)],
        ring_timeout_seconds=60,
        on_answer={"kind": "hang_up", "after_seconds": 60},
    )

    async def all_up():
        return await scene.phases(campaign) == {"talking": 4, "ringing": 4}

    await eventually(all_up)
    first = node.engine.lease.epoch
    # another process took the name over while we slept, and is gone again
    await scene.pool.execute(
        "UPDATE nodes SET epoch = nextval('node_epochs'), lease_until = now() - interval '1 s'"
    )
    await scene.tried(campaign)
    assert node.engine.lease.epoch > first
    assert await scene.outcomes(campaign) == {"interrupted": 8}
    assert await scene.statuses(campaign) == {"answered": 4, "technical_error": 4}
    await asyncio.wait_for(scene.ledger.until(lambda ledger: not ledger.unfinished()), 10)
    assert any(entry["event"].startswith("lease lost") for entry in logged)
    more = await scene.campaign(["+15554860000"])
    await scene.tried(more)
    await scene.wire_agrees()
