"""Trunks get the numbers that they take, by order or weight; what none takes ends as no_route."""

from __future__ import annotations

from tests.engine.scene import TRUNK, eventually, numbers_of

from dialer.campaign.routing import TrunkRule
from dialer.campaign.system_failure import Thresholds
from dialer.store import trunks
from dialer.store.records import NewCall


async def numbers_by_trunk(scene):
    rows = await scene.pool.fetch("SELECT trunk, number FROM legs")
    return {
        name: {row["number"] for row in rows if row["trunk"] == name}
        for name in {row["trunk"] for row in rows}
    }


async def test_each_trunk_gets_the_numbers_that_it_takes(scene):
    await scene.node(
        "one",
        scene.trunk("north", routing=TrunkRule("north", match=("+15552000",))),
        scene.trunk("south", routing=TrunkRule("south", match=("+15552001", "+155548"))),
    )
    north, south, busy = numbers_of("2000", 5), numbers_of("2001", 5), numbers_of("486", 3)
    mixed = [*north[:2], *south, *north[2:], *busy]
    campaign = await scene.campaign(mixed, trunks=("north", "south"))
    await scene.tried(campaign)
    assert await numbers_by_trunk(scene) == {"north": {*north}, "south": {*south, *busy}}
    await scene.wire_agrees()


async def test_a_number_that_no_trunk_takes_ends_without_an_invite_and_is_in_nobodys_way(scene):
    held = scene.trunk("other", routing=TrunkRule("other", match=("+1555180",)))
    held.health.asked_to_wait(300, scene.clock.monotonic())
    patient = Thresholds(technical_attempts=10_000)  # or the campaign would pause by itself
    trunk = scene.trunk(routing=TrunkRule(TRUNK, match=("+15552000",)))
    await scene.node("one", trunk, held, pauses=patient)
    nobodys = [f"+1666{n:07}" for n in range(1200)]  # more than are made ready at a time
    waiting = numbers_of("180", 2)
    wrong = NewCall("+1777", dialable=False, problem="too short for its country")
    campaign = await scene.campaign(
        [*nobodys, wrong, *waiting, *numbers_of("2000", 3)], trunks=(TRUNK, "other"), max_attempts=2
    )

    async def over():
        found = await scene.statuses(campaign)
        return found.get("answered") == 3 and found["planned"] == 2

    await eventually(over)
    assert await scene.statuses(campaign) == {
        "answered": 3,
        "technical_error": 1,
        "retry_scheduled": 1200,
        "planned": 2,  # their trunk will be up again
    }
    assert await scene.outcomes(campaign) == {
        "answered": 3,
        "invalid_number": 1,
        "no_route": 1200,
    }
    rows = await scene.pool.fetch(
        "SELECT DISTINCT rule, counted FROM attempts WHERE outcome = 'no_route'"
    )
    assert [tuple(row) for row in rows] == [("no-trunk-takes-number", False)]
    assert scene.ledger.calls_per_number() == dict.fromkeys(numbers_of("2000", 3), 1)


async def test_many_numbers_of_a_held_trunk_do_not_keep_those_of_another_waiting(scene):
    await scene.node(
        "one",
        scene.trunk("held", routing=TrunkRule("held", match=("+1555180",))),
        scene.trunk(routing=TrunkRule(TRUNK, match=("+15552000",))),
    )
    await trunks.hold(scene.pool, "held", "maintenance", "ada")
    campaign = await scene.campaign(
        [*numbers_of("180", 2500), *numbers_of("2000", 3)], trunks=("held", TRUNK)
    )

    async def answered():
        return (await scene.statuses(campaign)).get("answered") == 3

    await eventually(answered)
    assert await scene.statuses(campaign) == {"answered": 3, "planned": 2500}
    assert scene.ledger.calls_per_number() == dict.fromkeys(numbers_of("2000", 3), 1)


async def test_calls_are_shared_by_weight(scene):
    await scene.node(
        "one",
        scene.trunk("light", routing=TrunkRule("light", weight=1)),
        scene.trunk("heavy", routing=TrunkRule("heavy", weight=3)),
        batch=20,
    )
    campaign = await scene.campaign(
        numbers_of("2000", 160), trunks=("light", "heavy"), trunk_order="weighted"
    )
    await scene.tried(campaign)
    found = await numbers_by_trunk(scene)
    assert len(found["light"]) + len(found["heavy"]) == 160
    assert 30 <= len(found["light"]) <= 50


async def test_a_trunk_that_a_person_holds_gets_no_new_calls_on_any_node(scene):
    for name in ("one", "two"):
        await scene.node(name)
    await trunks.hold(scene.pool, TRUNK, "maintenance of the SBC", "ada")
    campaign = await scene.campaign(numbers_of("2000", 10))
    other = await scene.campaign(numbers_of("486", 1), trunks=(TRUNK,))
    promoted = "SELECT count(*) FROM ready"
    await eventually(lambda: scene.pool.fetchval(promoted))
    assert await scene.statuses(campaign) == {"planned": 10}
    await trunks.release(scene.pool, TRUNK)
    await scene.tried(campaign)
    await scene.tried(other)
    assert await scene.statuses(campaign) == {"answered": 10}


async def test_a_hold_leaves_the_calls_that_are_up(scene):
    await scene.node()
    talk = {"kind": "hang_up", "after_seconds": 1}
    campaign = await scene.campaign(numbers_of("2000", 6), max_simultaneous_calls=3, on_answer=talk)

    async def up():
        return await scene.phases(campaign) == {"talking": 3}

    await eventually(up)
    await trunks.hold(scene.pool, TRUNK, "maintenance", "ada")

    async def idle():
        return not await scene.phases(campaign)

    await eventually(idle)
    assert await scene.statuses(campaign) == {"answered": 3, "planned": 3}
    assert await scene.outcomes(campaign) == {"answered": 3}
