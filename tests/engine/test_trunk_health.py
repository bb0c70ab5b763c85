"""A trunk in trouble is held, the list is not burned, and the log says why."""

from __future__ import annotations

import asyncio

import pytest
from tests.engine.scene import TRUNK, eventually, free_even_port, numbers_of

QUIET = 1.0  # seconds of which a good many turns of the engine fall


def held(logged):
    return [entry for entry in logged if entry["event"] == "trunk held"]


async def test_a_trunk_that_answers_nothing_is_held_after_five_calls(scene, logged):
    node = await scene.node("one", scene.trunk(max_calls=5))
    campaign = await scene.campaign(numbers_of("0000", 50), max_attempts=2)
    await eventually(lambda: held(logged))
    (entry,) = held(logged)
    assert (entry["trunk"], entry["log_level"]) == (TRUNK, "warning")
    assert "5 calls in a row did not reach it (trunk_unreachable)" in entry["reason"]
    # four more may have left while the fifth failure was on its way
    await eventually(lambda: idle(scene, campaign))
    called = len(scene.ledger.calls)
    assert 5 <= called <= 9
    await asyncio.sleep(QUIET)
    assert len(scene.ledger.calls) == called
    assert await scene.statuses(campaign) == {"retry_scheduled": called, "planned": 50 - called}
    assert await scene.pool.fetchval("SELECT sum(attempts_counted) FROM calls") == 0
    # the hold over, a single call probes; a trunk that lives again gets the rest
    node.trunks[TRUNK].health.held_until = 0.0
    await scene.ledger.until(lambda ledger: len(ledger.calls) == called + 1)
    await asyncio.sleep(QUIET)
    assert len(scene.ledger.calls) == called + 1


async def test_a_trunk_that_is_up_again_gets_the_rest_of_the_list(scene, logged):
    node = await scene.node("one", scene.trunk(max_calls=5))
    campaign = await scene.campaign([*numbers_of("0000", 5), *numbers_of("2000", 20)])
    await eventually(lambda: held(logged))
    await eventually(lambda: idle(scene, campaign))
    assert (await scene.statuses(campaign))["retry_scheduled"] == 5
    node.trunks[TRUNK].health.held_until = 0.0
    await scene.tried(campaign)
    assert await scene.statuses(campaign) == {"retry_scheduled": 5, "answered": 20}
    assert [entry["trunk"] for entry in logged if entry["event"] == "trunk up again"] == [TRUNK]


async def idle(scene, campaign):
    return not await scene.phases(campaign)


async def test_another_trunk_of_the_campaign_takes_over_and_no_attempt_is_lost(scene):
    nobody = await free_even_port()
    dead = scene.trunk("dead", host="127.0.0.1", port=nobody, max_calls=5)
    await scene.node("one", dead, scene.trunk())
    campaign = await scene.campaign(numbers_of("2000", 40), trunks=("dead", TRUNK))
    await scene.tried(campaign)
    assert await scene.outcomes(campaign) == {"answered": 40}
    assert not dead.health.usable(scene.clock.monotonic())
    failed = await scene.pool.fetch("SELECT outcome FROM legs WHERE trunk = 'dead'")
    assert {row["outcome"] for row in failed} == {"trunk_unreachable"}
    assert 5 <= len(failed) < 40
    await scene.wire_agrees(TRUNK)


async def test_no_call_goes_out_while_the_trunk_asks_for_a_pause(scene, logged):
    await scene.node("one", scene.trunk(max_calls=1))
    listed = ["+15557040002", *numbers_of("2000", 5)]
    campaign = await scene.campaign(listed)
    await scene.tried(campaign)
    refused, *others = scene.ledger.calls.values()
    assert (refused.number, refused.finals) == ("+15557040002", [503])
    assert min(record.began_at for record in others) >= refused.ended_at + 2.0
    assert await scene.statuses(campaign) == {"answered": 5, "retry_scheduled": 1}
    (entry,) = held(logged)
    assert "Retry-After" in entry["reason"]
    details = (await scene.calls(campaign))["+15557040002"]
    assert (details.call.attempts, details.call.attempts_counted) == (1, 0)


@pytest.mark.parametrize("credentials", [{"password": "wrong"}, {"username": None}])
async def test_a_trunk_that_refuses_the_credentials_is_down_after_three(scene, logged, credentials):
    await scene.node("one", scene.trunk(max_calls=1, **credentials))
    campaign = await scene.campaign(numbers_of("711", 30))
    await eventually(lambda: held(logged))
    await eventually(lambda: idle(scene, campaign))
    await asyncio.sleep(QUIET)
    assert len(scene.ledger.calls) == 3
    assert await scene.statuses(campaign) == {"retry_scheduled": 3, "planned": 27}
    assert await scene.outcomes(campaign) == {"trunk_auth_failed": 3}
    (entry,) = held(logged)
    assert "refused 3 calls in a row (trunk_auth_failed)" in entry["reason"]
