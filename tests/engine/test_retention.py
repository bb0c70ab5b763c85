from __future__ import annotations

import datetime as dt

from tests.engine.scene import eventually, numbers_of

from dialer.campaign.moves import CampaignAction


async def test_an_engine_forgets_the_calls_of_finished_campaigns_when_their_time_is_over(scene):
    listed = numbers_of("4860", 5)
    going_on, finished = await scene.campaign(listed), await scene.campaign(listed)
    await scene.act(going_on, CampaignAction.PAUSE)
    await scene.act(finished, CampaignAction.FINISH)
    for change in (
        "UPDATE calls SET updated_at = now() - interval '31 days'",
        "UPDATE campaigns SET finished_at = finished_at - interval '31 days'",
    ):
        await scene.pool.execute(change)
    await scene.node(keep=dt.timedelta(days=30))

    async def forgotten():
        return not await scene.statuses(finished)

    await eventually(forgotten)
    assert await scene.statuses(going_on) == {"planned": 5}
