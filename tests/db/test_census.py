from __future__ import annotations

import datetime as dt

from tests.db import scene

from dialer.campaign.moves import CampaignAction
from dialer.store import census


async def test_campaigns_and_calls_are_counted_as_they_stand(pool):
    assert await census.take(pool) == census.Census({}, 0, 0.0)
    campaign, paused = await scene.campaign(pool, 3), await scene.campaign(pool)
    await scene.act(pool, paused, CampaignAction.PAUSE)
    finished = await scene.campaign(pool)
    await scene.act(pool, finished, CampaignAction.FINISH)
    node = await scene.node(pool)
    await node.dial_all(campaign, 1)
    later = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    found = await census.take(pool, later)
    assert found.campaigns == {("in_progress", ""): 1, ("paused", "manual"): 1}
    assert found.ready == 2
    assert 3500 < found.oldest_call_seconds < 3700
