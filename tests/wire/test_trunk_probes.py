"""A user agent probes a trunk by OPTIONS, and says how it stands."""

from __future__ import annotations

import pytest
from tests.wire.watching import DEGRADED, DOWN, UP, far_end, watching

from dialer.ua.resolver import Found


@pytest.fixture
async def scene():
    async with watching() as made:
        yield made


async def test_probes_take_a_trunk_down_after_two_failures_and_up_after_one_success(scene):
    scene.far.answers["OPTIONS"] = (404, {})
    scene.agent.watch([scene.trunk(options_interval=30.0)])
    assert scene.agent.status("carrier").availability is UP
    await scene.clock.elapse(0.0)
    await scene.far.received("OPTIONS", 1)
    scene.far.answers["OPTIONS"] = None
    await scene.clock.elapse(27.0)
    await scene.far.received("OPTIONS", 2)
    await scene.clock.elapse(5.0)
    status = scene.agent.status("carrier")
    assert (status.availability, status.usable) == (DEGRADED, True)
    assert status.reason == "a probe failed: OPTIONS got no answer; down after 1 more"
    await scene.clock.elapse(2.5 + 5.0)
    status = scene.agent.status("carrier")
    assert (status.availability, status.usable) == (DOWN, False)
    assert status.reason == "2 probes in a row failed: OPTIONS got no answer"
    scene.far.answers["OPTIONS"] = (200, {})
    await scene.clock.elapse(5.0)
    status = await scene.told.until(UP)
    assert (status.reason, status.learned_address) == ("", None)
    assert len({request.call_id for request in scene.far.of("OPTIONS")}) == 4
    scene.agent.unwatch(["carrier"])
    count = len(scene.far.requests)
    await scene.clock.elapse(100.0)
    assert len(scene.far.requests) == count


async def test_a_trunk_whose_second_target_answers_is_up(scene, monkeypatch):
    async with far_end() as dead:
        dead.answers["OPTIONS"] = None

        async def find(*_):
            return Found((dead.address, scene.far.address))

        monkeypatch.setattr(scene.agent._resolver, "find", find)
        scene.agent.watch([scene.trunk(options_interval=30.0)])
        for number in (1, 2, 3):
            await scene.clock.elapse(0.0 if number == 1 else 30.0)
            await dead.until(lambda far, least=number: len(far.requests) >= least)
            await scene.clock.elapse(5.0)
            await scene.far.received("OPTIONS", number)
        assert scene.told.changes == []
        assert scene.agent.status("carrier").availability is UP


async def test_a_registered_trunk_whose_probes_fail_is_down(scene):
    scene.far.answers["OPTIONS"] = (503, {})
    await scene.registered(options_interval=30.0)
    await scene.told.until(DEGRADED)
    await scene.clock.elapse(2.5)
    status = await scene.told.until(DOWN)
    assert status.registered_until is not None
    assert status.reason == "2 probes in a row failed: OPTIONS got 503 Said"
