"""A trunk that is not registered, or does not answer probes, gets no call until it is back."""

from __future__ import annotations

import asyncio

import pytest
from tests.engine.scene import SECOND, T1, TRUNK, eventually, free_even_port, numbers_of

from dialer.engine.trunk_set import log_status
from dialer.simulator.carrier import Carrier, CarrierSettings
from dialer.ua.call import RegistrationSettings
from dialer.ua.trunk_status import Availability, TrunkStatus

QUIET = 0.6  # seconds of which a good many turns of the engine fall


def lines(logged, event):
    return [entry for entry in logged if entry["event"] == event]


def gauge(node):
    """What /metrics says of the trunk."""
    return node.engine._metrics.registry.get_sample_value("dialer_trunk_up", {"trunk": TRUNK})


async def test_a_trunk_that_does_not_answer_probes_gets_no_call_until_it_does(scene, logged):
    port = await free_even_port()
    trunk = scene.trunk(host="127.0.0.1", port=port, options_interval=0.2)
    node = await scene.node("one", trunk, on_status=log_status)
    await eventually(lambda: lines(logged, "trunk down"))
    assert gauge(node) == 0
    campaign = await scene.campaign(numbers_of("2000", 5))
    await asyncio.sleep(QUIET)
    assert await scene.statuses(campaign) == {"planned": 5}
    assert await scene.pool.fetchval("SELECT count(*) FROM legs") == 0
    (down,) = lines(logged, "trunk down")
    assert (down["trunk"], down["reason"]) == (
        TRUNK,
        "2 probes in a row failed: OPTIONS got no answer",
    )
    carrier = Carrier(CarrierSettings(port=port, second=SECOND, t1=T1, t2=8 * T1, t4=4 * T1))
    await carrier.start()
    scene.exits.push_async_callback(carrier.close)
    await scene.tried(campaign)
    assert await scene.statuses(campaign) == {"answered": 5}
    assert [entry["trunk"] for entry in lines(logged, "trunk up")] == [TRUNK]
    assert gauge(node) == 1


async def test_a_trunk_that_is_not_registered_gets_no_call(scene, logged):
    trunk = scene.trunk(registration=RegistrationSettings())  # the carrier is no registrar
    node = await scene.node("one", trunk, on_status=log_status)
    campaign = await scene.campaign(numbers_of("2000", 5))
    await eventually(lambda: lines(logged, "trunk down"))
    await asyncio.sleep(QUIET)
    assert await scene.statuses(campaign) == {"planned": 5}
    now = scene.clock.monotonic()
    assert trunk.why_not(now) == "REGISTER got 405 Method Not Allowed"
    assert gauge(node) == 0
    # the same trunk without registration, as after a change of the configuration
    node.trunks[TRUNK] = scene.trunk()
    node.engine.watch_trunks()
    await scene.tried(campaign)
    assert await scene.statuses(campaign) == {"answered": 5}
    del node.trunks[TRUNK]
    node.engine.watch_trunks()
    assert gauge(node) is None


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (TrunkStatus(), TrunkStatus(Availability.DOWN, "why"), [("trunk down", "warning")]),
        (TrunkStatus(), TrunkStatus(Availability.DEGRADED, "why"), [("trunk degraded", "warning")]),
        (TrunkStatus(Availability.DOWN, "why"), TrunkStatus(), [("trunk up", "info")]),
        (
            TrunkStatus(Availability.DOWN, "not registered yet"),
            TrunkStatus(Availability.DOWN, "why"),
            [("trunk down", "warning")],
        ),
        (TrunkStatus(Availability.DOWN, "why"), TrunkStatus(Availability.DOWN, "why"), []),
        (TrunkStatus(), TrunkStatus(), []),
    ],
)
def test_each_change_is_one_line(logged, before, after, expected):
    log_status("carrier", before, after)
    assert [(entry["event"], entry["log_level"]) for entry in logged] == expected
