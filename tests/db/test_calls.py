from __future__ import annotations

import pytest
from tests.db import scene

from dialer.campaign.status import CallStatus
from dialer.store import calls
from dialer.store.errors import NotFound
from dialer.store.records import DEFAULT_ACCOUNT


async def test_pages_are_newest_first_by_campaign_and_status(pool):
    campaign, other = await scene.campaign(pool, 5), await scene.campaign(pool, 1)
    node = await scene.node(pool)
    await node.end(await node.dial_all(campaign, 2))

    async def positions(**page):
        return [call.position for call in await calls.list_page(pool, DEFAULT_ACCOUNT, **page)]

    of_campaign = {"campaign_id": campaign.id}
    assert await positions(**of_campaign) == [5, 4, 3, 2, 1]
    assert await positions() == [1, 5, 4, 3, 2, 1]
    third = (await calls.list_page(pool, DEFAULT_ACCOUNT, **of_campaign, limit=3))[-1].id
    assert await positions(**of_campaign, before=third, limit=3) == [2, 1]
    assert await positions(**of_campaign, statuses=[CallStatus.ANSWERED]) == [2, 1]
    assert await positions(statuses=[CallStatus.ANSWERED, CallStatus.PLANNED], limit=2) == [1, 5]
    assert await positions(campaign_id=other.id + 1) == []
    assert await calls.list_page(pool, 2) == []


async def test_a_call_shows_all_its_attempts(pool):
    campaign = await scene.campaign(pool, 1)
    node = await scene.node(pool)
    now = scene.soon(0)
    for verdict in (scene.busy(now), scene.busy(now), scene.ANSWERED):
        legs = await node.dial_all(campaign)
        await node.end(legs, verdict, code=486)
        await pool.execute("UPDATE calls SET due = clock_timestamp() WHERE due IS NOT NULL")
        await scene.promotion.promote(pool)
    found = await scene.read(pool, legs[0].call_id)
    assert [attempt.ordinal for attempt in found.attempts] == [1, 2, 3]
    assert [attempt.outcome for attempt in found.attempts] == ["busy", "busy", "answered"]
    assert all(len(attempt.legs) == 1 for attempt in found.attempts)
    assert found.call.attempt_id == legs[0].attempt_id


async def test_there_is_no_such_call(pool):
    campaign = await scene.campaign(pool, 1)
    [call] = await calls.list_page(pool, DEFAULT_ACCOUNT, campaign_id=campaign.id)
    with pytest.raises(NotFound, match="no call 999"):
        await calls.get(pool, DEFAULT_ACCOUNT, 999)
    with pytest.raises(NotFound):
        await calls.get(pool, 2, call.id)
