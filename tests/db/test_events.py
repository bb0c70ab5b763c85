from __future__ import annotations

import asyncio

from tests.db import scene

from dialer.campaign.moves import CampaignAction
from dialer.store import events


async def read(pool, count, after=(0, 0)):
    """Read so many events, once the transactions of other tests let them through."""
    while len(found := await events.read(pool, after)) < count:
        pass
    assert len(found) == count
    return found


async def test_every_status_change_leaves_its_event(pool):
    campaign = await scene.campaign(pool, 2)
    node = await scene.node(pool)
    [leg] = await node.dial_all(campaign, 1)
    await node.end([leg])
    await scene.act(pool, campaign, CampaignAction.FINISH)
    found = await read(pool, 7)
    assert [event.kind for event in found] == [
        "campaign.draft",
        "numbers.added",
        "campaign.in_progress",
        "call.in_progress",
        "call.answered",
        "campaign.finished",
        "call.not_dialed",
    ]
    answered = found[4]
    assert (answered.account_id, answered.campaign_id) == (1, campaign.id)
    assert (answered.call_id, answered.attempt_id) == (leg.call_id, leg.attempt_id)
    assert answered.data == {
        "from": "in_progress",
        "to": "answered",
        "outcome": "answered",
        "rule": "rule of answered",
    }


async def test_reading_goes_on_from_a_cursor(pool):
    await scene.campaign(pool, 1)
    first, *rest = await read(pool, 3)
    assert await events.read(pool, first.cursor) == rest
    assert await events.read(pool, first.cursor, limit=1) == rest[:1]
    assert await events.read(pool, account_id=2) == []


async def test_an_event_is_held_back_while_an_earlier_transaction_is_open(pool):
    campaign, other = await scene.campaign(pool), await scene.campaign(pool)
    start = (await read(pool, 4))[-1].cursor
    async with pool.acquire() as connection:
        slow = connection.transaction()
        await slow.start()
        await scene.act(connection, campaign, CampaignAction.PAUSE)
        await scene.act(pool, other, CampaignAction.PAUSE)
        assert await events.read(pool, start) == []
        await slow.commit()
    found = await read(pool, 2, start)
    assert [event.campaign_id for event in found] == [campaign.id, other.id]


async def test_a_batch_wakes_the_listeners_once_and_an_empty_one_does_not(pool):
    campaign = await scene.campaign(pool, 20)
    node = await scene.node(pool)
    claimed = await node.claim(campaign)
    heard = asyncio.Queue()
    async with events.listening(pool, lambda: heard.put_nowait(None)):
        await scene.Node(pool, "nobody", 0).dial(claimed)
        await node.dial(claimed)
        await heard.get()
        await pool.execute("NOTIFY dialer_events, 'last'")
        await heard.get()
        assert heard.empty()


async def test_a_listener_is_woken_when_its_connection_is_lost(pool):
    heard = asyncio.Event()
    async with events.listening(pool, heard.set):
        await pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await heard.wait()
