"""What tells that a campaign should pause by itself, counted since it was started or resumed."""

from __future__ import annotations

from tests.db import scene

from dialer.campaign.moves import CampaignAction
from dialer.campaign.status import CallStatus
from dialer.store import automatic_pause

FAILED = scene.verdict("network_failure", CallStatus.TECHNICAL_ERROR, counted=False)


async def facts(pool, attempts=10, calls=10):
    [found] = await automatic_pause.facts(pool, {"network_failure"}, attempts, calls)
    return (found.attempts, found.technical, found.invalid)


async def test_what_failed_before_a_resume_pauses_nothing_after_it(pool):
    campaign = await scene.campaign(pool, 5)
    node = await scene.node(pool)
    await node.end(await node.dial_all(campaign, 2), FAILED)
    await node.end(await node.dial_all(campaign, 1), scene.INVALID)
    assert await facts(pool) == (3, 2, ((scene.TRUNK, 1, 3),))
    await scene.act(pool, campaign, CampaignAction.PAUSE)
    await scene.act(pool, campaign, CampaignAction.RESUME)
    assert await facts(pool) == (0, 0, ((scene.TRUNK, 0, 0),))
    await node.end(await node.dial_all(campaign, 1), FAILED)
    assert await facts(pool) == (1, 1, ((scene.TRUNK, 0, 1),))


async def test_only_the_last_attempts_of_a_campaign_and_calls_of_a_trunk_are_counted(pool):
    campaign = await scene.campaign(pool, 6)
    node = await scene.node(pool)
    for verdict in (FAILED, scene.INVALID, scene.ANSWERED, FAILED):
        await node.end(await node.dial_all(campaign, 1), verdict)
    await node.dial_all(campaign, 1)  # under way: nobody knows yet
    assert await facts(pool, attempts=2, calls=3) == (2, 1, ((scene.TRUNK, 1, 3),))
    assert await facts(pool, attempts=9, calls=2) == (4, 2, ((scene.TRUNK, 0, 2),))
