from __future__ import annotations

import datetime as dt

import pytest
from tests.db import scene

from dialer.campaign.moves import CampaignAction
from dialer.store import calls, retention, traces
from dialer.store.records import DEFAULT_ACCOUNT, LegTrace

AGE = dt.timedelta(days=90)
LATER = dt.timedelta(days=91)


async def forget(pool, after=LATER):
    """Forget as it would be done after so long; return how many rows."""
    done = 0
    while more := await retention.forget_calls(pool, AGE, scene.soon(0) + after):
        done += more
    return done


async def tried(pool, count=3):
    campaign = await scene.campaign(pool, count)
    await pool.execute("UPDATE nodes SET lease_until = '-infinity'")
    node = await scene.node(pool)
    legs = await node.dial_all(campaign, 1)
    await node.end(legs)
    kept = [LegTrace(leg.call_id, leg.attempt_id, 0, ()) for leg in legs]
    await traces.keep(pool, kept)
    imported = await pool.fetchval(
        "INSERT INTO imports (account_id, campaign_id) VALUES (1, $1) RETURNING id", campaign.id
    )
    await pool.execute("INSERT INTO import_rows VALUES ($1, 2, 'x', 'no number')", imported)
    receiver = await pool.fetchval(
        "INSERT INTO webhook_endpoints (account_id, url) VALUES (1, 'x') RETURNING id"
    )
    await pool.execute(DELIVERY, receiver, campaign.id, legs[0].call_id)
    return campaign


async def left(pool, *tables):
    return [await pool.fetchval(f"SELECT count(*) FROM {table}") for table in tables]


ALL = ("calls", "attempts", "legs", "traces", "imports", "import_rows", "webhook_deliveries")
DELIVERY = """
INSERT INTO webhook_deliveries (account_id, endpoint_id, campaign_id, call_id, kind, chain, status,
    ended_at)
VALUES (1, $1, $2, $3, 'x', 'x', 'delivered', clock_timestamp())
"""


@pytest.mark.parametrize("action", [CampaignAction.FINISH, CampaignAction.DELETE])
async def test_calls_of_a_finished_campaign_go_with_all_that_is_on_record_of_them(pool, action):
    campaign = await tried(pool)
    await scene.act(pool, campaign, action)
    assert await forget(pool) >= 4
    assert await left(pool, *ALL) == [0] * 7
    assert await left(pool, "events WHERE call_id IS NOT NULL") == [0]


async def test_a_deleted_campaign_goes_when_its_calls_are_gone_and_a_finished_one_stays(pool):
    finished, deleted = await tried(pool), await tried(pool)
    await scene.act(pool, finished, CampaignAction.FINISH)
    await scene.act(pool, deleted, CampaignAction.DELETE)
    await forget(pool)
    assert [row["id"] for row in await pool.fetch("SELECT id FROM campaigns")] == [finished.id]
    assert await left(pool, f"events WHERE campaign_id = {deleted.id}") == [0]
    assert await forget(pool) == 0


@pytest.mark.parametrize("action", [None, CampaignAction.PAUSE])
async def test_calls_of_a_campaign_that_is_not_finished_never_go(pool, action):
    campaign = await tried(pool)
    if action is not None:
        await scene.act(pool, campaign, action)
    before = await left(pool, *ALL)
    assert await forget(pool, dt.timedelta(days=10_000)) == 0
    assert await left(pool, *ALL) == before


async def test_what_changed_lately_and_what_is_up_stays(pool):
    campaign = await tried(pool)
    node = await scene.node(pool, "two")
    up = await node.dial_all(campaign, 1)
    await scene.act(pool, campaign, CampaignAction.FINISH)
    assert await forget(pool, dt.timedelta(days=89)) == 0
    assert await left(pool, *ALL) == [3, 2, 2, 1, 1, 1, 1]
    assert await forget(pool) == 3
    assert await left(pool, "calls", "attempts", "legs") == [1, 1, 1]
    await node.end(up)
    await pool.execute("UPDATE calls SET updated_at = updated_at + interval '10 days'")
    assert await forget(pool) == 0
    found = await calls.list_page(pool, DEFAULT_ACCOUNT)
    assert [call.id for call in found] == [up[0].call_id]


async def test_they_go_in_small_batches(pool, monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 2)
    campaigns = [await tried(pool), await tried(pool)]
    for campaign in campaigns:
        await scene.act(pool, campaign, CampaignAction.DELETE)
    later = scene.soon(0) + LATER
    assert await retention.forget_calls(pool, AGE, later) == 4  # calls, and imports beside them
    assert await left(pool, "calls") == [4]
    await forget(pool)
    assert await left(pool, *ALL, "campaigns") == [0] * 8


async def test_one_node_forgets_at_a_time(pool):
    await scene.act(pool, await tried(pool), CampaignAction.FINISH)
    later = scene.soon(0) + LATER
    async with pool.acquire() as one, one.transaction():
        assert await retention.forget_calls(one, AGE, later) > 0
        assert await retention.forget_calls(pool, AGE, later) == 0


async def test_counts_of_attempts_per_number_go_after_two_weeks(pool):
    today = dt.datetime(2026, 5, 20, 12, tzinfo=dt.UTC)
    for day in (5, 6, 20):
        await pool.execute("INSERT INTO contacts VALUES (1, '+49', $1, 1)", dt.date(2026, 5, day))
    assert await retention.forget_contacts(pool, today) == 1
    found = await pool.fetch("SELECT day FROM contacts ORDER BY day")
    assert [row["day"].day for row in found] == [6, 20]
