"""A node that slept: what it had begun may be another node's by now, and is not sent."""

from __future__ import annotations

import asyncio
import time

import pytest
from tests.db import scene as store_scene
from tests.engine.scene import eventually, numbers_of

from dialer.campaign.moves import CampaignAction
from dialer.engine import dispatcher
from dialer.store import attempts
from dialer.store.errors import Unavailable


@pytest.fixture
def sleep_after_commit(monkeypatch):
    """`sleep_after_commit(node, meanwhile)` lets the first commit of a node's legs answer late."""

    def install(name, meanwhile):
        commit, slept = attempts.dial, []

        async def dial(db, node, epoch, legs):
            committed = await commit(db, node, epoch, legs)
            if node == name and committed and not slept:
                slept.append(node)
                await meanwhile()
            return committed

        monkeypatch.setattr(attempts, "dial", dial)

    return install


async def test_what_another_node_has_rescued_meanwhile_is_not_sent(scene, sleep_after_commit):
    sleeper = await scene.node("sleeper", lease=60.0)
    await scene.node("rescuer", scene.trunk("other"), lease=1.0)

    async def lose_the_lease_and_take_it_again():
        await scene.pool.execute(
            "UPDATE nodes SET lease_until = now() - interval '1 s' WHERE name = 'sleeper'"
        )

        async def rescued():
            return not await scene.pool.fetchval(
                "SELECT count(*) FROM calls WHERE node IS NOT NULL"
            )

        await asyncio.sleep(2 * dispatcher.LATE)
        await eventually(rescued)
        assert await sleeper.engine.lease.renew()

    sleep_after_commit("sleeper", lose_the_lease_and_take_it_again)
    first = await scene.campaign(numbers_of("2000", 1))
    await scene.tried(first)
    assert await scene.outcomes(first) == {"interrupted": 1}
    second = await scene.campaign(numbers_of("2001", 1))
    await scene.tried(second)
    assert await scene.outcomes(second) == {"answered": 1}
    assert scene.ledger.calls_per_number() == dict.fromkeys(numbers_of("2001", 1), 1)


async def test_a_stall_amid_sending_is_followed_by_another_look(scene, monkeypatch):
    """The process is stopped after its first INVITE; the campaign is paused meanwhile."""
    node = await scene.node()
    place, placed = node.engine.live.place, []
    campaign = await scene.campaign(numbers_of("2000", 30), start=False)
    loop = asyncio.get_running_loop()

    def place_and_stall(*call):
        place(*call)
        placed.append(loop.time())
        if len(placed) == 1:
            time.sleep(2 * dispatcher.LATE)  # nothing of this process runs

    looked = []
    look = node.engine.dispatcher._still_held

    async def paused_first(*asked):
        if not looked:
            count = len(placed)
            await scene.act(campaign, CampaignAction.PAUSE)
            looked.append(count)
        return await look(*asked)

    monkeypatch.setattr(node.engine.live, "place", place_and_stall)
    monkeypatch.setattr(node.engine.dispatcher, "_still_held", paused_first)
    await scene.act(campaign, CampaignAction.START)
    await eventually(lambda: looked)
    assert looked == [1]
    await scene.act(campaign, CampaignAction.RESUME)
    await scene.tried(campaign)
    assert await scene.statuses(campaign) == {"answered": 30}
    assert scene.ledger.calls_per_number() == dict.fromkeys(numbers_of("2000", 30), 1)
    await scene.wire_agrees()


async def test_no_invite_is_sent_again_without_a_lease_nor_for_whom_another_has_rescued(
    scene, monkeypatch, logged
):
    sent = []

    def note(passed):
        if passed.direction == "sent" and passed.data.startswith(b"INVITE "):
            sent.append(passed.data)

    scene._message = note
    sleeper = await scene.node("sleeper", lease=1.0, t1=0.1)
    campaign = await scene.campaign(["+15550000000"])  # answers nothing
    await eventually(lambda: sent)
    lease = sleeper.engine.lease
    renew = lease.renew

    async def unavailable():
        raise Unavailable("asleep")

    monkeypatch.setattr(lease, "renew", unavailable)
    await eventually(lambda: not lease.safe())
    seen = len(sent)
    assert seen > 1
    await scene.node("rescuer", scene.trunk("other"), lease=1.0)
    await scene.tried(campaign)
    assert len(sent) == seen
    assert await scene.outcomes(campaign) == {"interrupted": 1}
    monkeypatch.setattr(lease, "renew", renew)
    await eventually(lambda: any(one["event"] == "call lost to another node" for one in logged))
    assert len(sent) == seen


@pytest.mark.parametrize(
    ("redial", "status"), [(False, "technical_error"), (True, "retry_scheduled")]
)
async def test_the_calls_of_a_dead_node_are_tried_again_only_where_the_campaign_says_so(
    scene, redial, status
):
    campaign = await scene.campaign(
        numbers_of("2000", 3), max_attempts=2, redial_interrupted=redial
    )
    dead = await store_scene.node(scene.pool, "dead")
    await store_scene.promotion.promote(scene.pool)
    claimed = await store_scene.queue.claim(
        scene.pool, campaign, "dead", dead.epoch, 3, {"carrier": 100}
    )
    assert len(await dead.dial(claimed)) == 3
    await dead.die()
    await scene.node()
    await scene.tried(campaign)
    assert await scene.statuses(campaign) == {status: 3}
    assert await scene.outcomes(campaign) == {"interrupted": 3}
    assert not scene.ledger.calls
