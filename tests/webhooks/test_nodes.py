"""Several nodes send, one dies or is held up: each event is sent, by one of them, and in order."""

from __future__ import annotations

import asyncio
import contextlib
import random

from tests.db import scene
from tests.webhooks.scene import DAY, called, statuses, webhook

from dialer.store import (
    webhook_queue,
)


async def test_two_nodes_at_once_send_each_event_once(pool, make_node, receiver):
    await webhook(pool, receiver.url, kinds=("call.*",))
    nodes = [make_node(), make_node()]
    await called(pool, scene.ANSWERED, count=100)
    await asyncio.gather(*(node.until_idle() for node in nodes))
    await nodes[0].until_idle()
    assert len(receiver.got) == 200
    assert len(set(receiver.ids)) == 200
    seen = {}
    for one in receiver.got:
        seen.setdefault(one.json["data"]["call"]["id"], []).append(one.json["type"])
    assert all(kinds == ["call.in_progress", "call.answered"] for kinds in seen.values())


async def test_three_nodes_and_a_receiver_that_often_fails_lose_nothing_and_keep_the_order(
    pool, make_node, clock, receiver
):
    await webhook(pool, receiver.url, kinds=("call.*",))
    chance = random.Random(7)
    nodes = [make_node(), make_node(), make_node()]
    engine = await scene.node(pool)
    campaign = await scene.campaign(pool, 60)
    for _ in range(3):
        receiver.answers = [chance.choice([200, 200, 500]) for _ in range(150)]
        legs = await engine.dial_all(campaign, 60)
        sending = [asyncio.create_task(node.until_idle()) for node in nodes]
        await engine.end(legs, scene.busy(scene.soon(0)))
        await asyncio.gather(*sending)
        await scene.promotion.promote(pool)
        clock.advance(10)
    await nodes[0].play(hours=0.5)
    assert await statuses(pool) == ["delivered"] * 360
    asked = {}
    for one in receiver.got:
        heard = asked.setdefault(one.json["data"]["call"]["id"], [])
        if one.id not in heard:
            heard.append(one.id)
    events = await pool.fetch("SELECT call_id, xid::text, id FROM events ORDER BY events.xid, id")
    for call_id, heard in asked.items():
        ours = [f"{row['xid']}-{row['id']}" for row in events if row["call_id"] == call_id]
        assert heard == ours


async def test_a_result_that_cannot_be_written_holds_up_no_other(
    pool, node, clock, receiver, monkeypatch
):
    await webhook(pool, receiver.url, kinds=("campaign.draft",))
    await scene.campaign(pool)
    while not receiver.got:
        await node.turn()
        await node.sender.settled()
    monkeypatch.setattr(webhook_queue, "RECORD", "SELECT 1/0")
    await node.turn()
    monkeypatch.undo()
    clock.advance(41)
    await node.until_idle()
    assert await statuses(pool) == ["delivered"]
    assert receiver.ids[0] == receiver.ids[1]


async def test_what_a_node_was_sending_when_it_died_is_sent_by_another(
    pool, make_node, clock, receiver
):
    await webhook(pool, receiver.url)
    dead, alive = make_node(), make_node()
    receiver.held = True
    await scene.campaign(pool)
    while not receiver.got:
        await dead.turn()
        await asyncio.sleep(0)
    await receiver.has(1)
    for task in list(dead.sender._sending):
        task.cancel()
    await dead.sender.settled()
    receiver.held = False
    receiver.release.set()
    await alive.until_idle()
    assert len(receiver.got) == 1  # the lease holds
    clock.advance(41)
    await alive.until_idle()
    assert receiver.kinds == ["campaign.draft", "campaign.draft", "campaign.in_progress"]
    assert receiver.ids[0] == receiver.ids[1]


async def test_what_a_node_was_held_up_with_is_left_to_others(pool, make_node, clock, receiver):
    await webhook(pool, receiver.url)
    held_up, other = make_node(), make_node()
    await scene.campaign(pool)
    while await held_up.unread():
        await webhook_queue.fan_out(pool, DAY, clock.now())
    await held_up.sender._take()
    clock.jump(60)  # it stood still before it could begin
    await held_up.sender.settled()
    assert receiver.got == []
    await other.until_idle()
    assert receiver.kinds == ["campaign.draft", "campaign.in_progress"]


async def test_a_late_record_of_a_node_that_lost_its_claim_changes_nothing(
    pool, make_node, clock, receiver
):
    await webhook(pool, receiver.url, kinds=("campaign.draft",))
    late, other = make_node(), make_node()
    receiver.answers = [500]
    await scene.campaign(pool)
    while not receiver.got:
        await late.turn()
        await late.sender.settled()
    clock.advance(41)
    await other.until_idle()
    await late.until_idle()
    assert await statuses(pool) == ["delivered"]
    assert len(receiver.got) == 2


async def test_the_whole_backlog_is_never_in_memory(pool, make_node, receiver):
    node = make_node(concurrency=3, per_receiver=3)
    await webhook(pool, receiver.url, kinds=("call.in_progress",))
    receiver.held = True
    await called(pool, scene.ANSWERED, count=50)
    while await node.unread():
        await node.turn()
    await receiver.has(3)
    await node.turn()
    assert len(node.sender._sending) == 3
    assert node.value("dialer_webhooks_in_flight") == 3
    receiver.held = False
    receiver.release.set()
    await node.until_idle()
    assert len(receiver.got) == 50
    assert receiver.most_at_once == 3


async def test_a_running_sender_hears_of_events_by_itself(pool, make_node, receiver):
    node = make_node()
    await webhook(pool, receiver.url)
    node.sender.start()
    async with asyncio.timeout(60):
        # an event waits for older transactions, which those of other tests may be, for the next one
        while len(receiver.got) < 2:
            await scene.campaign(pool)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(receiver.has(2), 2)
    assert set(receiver.kinds) <= {"campaign.draft", "campaign.in_progress"}
