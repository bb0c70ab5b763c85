"""A receiver, and calls whose events it gets."""

from __future__ import annotations

import asyncio
import datetime as dt

from tests.db import scene

from dialer.store import (
    webhook_endpoints,
)
from dialer.store.records import DEFAULT_ACCOUNT, NewCall
from dialer.store.secret_box import SecretBox

BOX = SecretBox()
NUMBER = "+4930654321"
DAY = dt.timedelta(days=1)


async def webhook(pool, url, **more):
    """A receiver of the account; its secret and itself."""
    return await webhook_endpoints.create(pool, BOX, DEFAULT_ACCOUNT, url, **more)


async def called(pool, *verdicts, count=1, node="one", **settings):
    """A campaign with calls that were tried once for each verdict; (campaign, legs of the last)."""
    campaign = await scene.campaign(pool, **settings)
    new = [NewCall(f"{NUMBER}{place}", payload={"name": "Ada"}) for place in range(count)]
    await scene.numbers.add(pool, DEFAULT_ACCOUNT, campaign.id, new)
    await scene.promotion.promote(pool)
    engine = await scene.node(pool, node)
    legs = []
    for verdict in verdicts:
        await pool.execute("UPDATE calls SET due = clock_timestamp() WHERE due IS NOT NULL")
        await scene.promotion.promote(pool)
        legs = await engine.dial_all(campaign)
        await engine.end(legs, verdict, code=486, phrase="Busy Here", talk_seconds=1.5)
    return campaign, legs


async def statuses(pool):
    rows = await pool.fetch("SELECT status FROM webhook_deliveries ORDER BY id")
    return [row["status"] for row in rows]


async def taken_turns(node):
    """Take turns for as long as it is let."""
    while True:
        await node.turn()
        await asyncio.sleep(0)
