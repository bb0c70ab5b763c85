from __future__ import annotations

import asyncio
import datetime as dt

from tests.db import scene

from dialer.campaign.status import CallStatus
from dialer.store import promotion, queue, trunks
from dialer.store.trunk_records import TrunkTraffic

HOUR = dt.timedelta(hours=1)
TOLD = {"definition": "abc", "health": {"availability": "up"}}


async def listed(pool, *configured):
    return {one.name: one for one in await trunks.list_all(pool, configured, HOUR)}


async def test_a_held_trunk_is_not_claimed_for_and_another_one_is(pool):
    campaign = await scene.campaign(pool, 5, trunks=("lab", "other"))
    node = await scene.node(pool)
    await trunks.hold(pool, "lab", "maintenance", "ada")
    both = {"lab": 9, "other": 9}
    assert await node.claim(campaign, 2, {"lab": 9}) == []
    assert [call.trunk for call in await node.claim(campaign, 2, both)] == ["other"] * 2
    [dialable] = await queue.dialable_campaigns(pool)
    assert dialable.held == ("lab",)
    await trunks.release(pool, "lab")
    assert [call.trunk for call in await node.claim(campaign, 2, both)] == ["lab"] * 2


async def test_once_a_hold_is_acknowledged_no_claim_comes_after_it(pool):
    campaign = await scene.campaign(pool, 500, max_simultaneous_calls=500)
    node = await scene.node(pool)
    acknowledged = asyncio.Event()
    late = []

    async def claims():
        for _ in range(40):
            after = acknowledged.is_set()
            claimed = await node.claim(campaign, 2)
            if after:
                late.extend(claimed)

    async def holds():
        await asyncio.sleep(0.05)
        await trunks.hold(pool, "lab", "stop", "ada")
        acknowledged.set()

    await asyncio.gather(holds(), *(claims() for _ in range(4)))
    assert late == []
    assert 0 < await pool.fetchval("SELECT count(*) FROM calls WHERE node IS NOT NULL") < 320


async def test_a_hold_keeps_its_time_and_takes_a_new_reason(pool):
    await trunks.hold(pool, "lab", "one", "ada")
    first = (await listed(pool))["lab"].hold
    await trunks.hold(pool, "lab", "two\0", "bob")
    second = (await listed(pool))["lab"].hold
    assert (second.at, second.reason, second.by) == (
        first.at,
        "two\N{REPLACEMENT CHARACTER}",
        "bob",
    )
    await trunks.release(pool, "lab")
    await trunks.release(pool, "never held")
    assert await listed(pool) == {}


async def test_trunks_are_listed_as_live_nodes_publish_them(pool):
    one, two, dead = [await scene.node(pool, name) for name in ("one", "two", "dead")]
    await trunks.publish(pool, one.name, one.epoch, {"lab": TOLD})
    await trunks.publish(pool, two.name, two.epoch, {"lab": TOLD, "other": TOLD})
    await trunks.publish(pool, two.name, two.epoch + 1, {})
    await trunks.publish(pool, dead.name, dead.epoch, {"gone": TOLD})
    await dead.die()
    campaign = await scene.campaign(pool, 3)
    await two.dial_all(campaign, 2)
    await one.claim(campaign)
    found = await listed(pool, "configured")
    assert list(found) == ["configured", "lab", "other"]
    assert [(node.node, node.calls_up) for node in found["lab"].nodes] == [("one", 0), ("two", 2)]
    assert found["lab"].nodes[0].published == TOLD
    assert [node.node for node in found["other"].nodes] == ["two"]
    assert (found["lab"].calls_up, found["configured"].nodes) == (2, ())


async def test_what_a_trunk_carried_lately_and_where_it_failed(pool):
    campaign = await scene.campaign(pool, 5)
    node = await scene.node(pool)
    answered, busy, failed, up, old = await node.dial_all(campaign)
    await node.end([answered], code=200, answered=True)
    await node.end([busy], scene.verdict("busy", CallStatus.COMPLETED_WITHOUT_ANSWER), code=486)
    congested = scene.verdict("trunk_congested", CallStatus.TECHNICAL_ERROR, counted=False)
    await node.end([failed, old], congested, code=503)
    await pool.execute(
        "UPDATE legs SET created_at = now() - interval '61 min' WHERE attempt_id = $1",
        old.attempt_id,
    )
    assert (await listed(pool, "lab"))["lab"].traffic == TrunkTraffic(4, 3, 1)
    found = await trunks.failures(pool, "lab", ["trunk_congested", "no_route"])
    assert [one.call_id for one in found] == [failed.call_id, old.call_id]
    assert (found[0].leg.evidence.code, found[0].leg.outcome) == (503, "trunk_congested")
    assert len(await trunks.failures(pool, "lab", ["trunk_congested"], limit=1)) == 1
    assert await trunks.failures(pool, "other", ["trunk_congested"]) == []
    assert up.call_id


async def test_numbers_are_claimed_by_how_they_begin(pool):
    campaign = await scene.campaign(pool, 4)  # +4930000100 to +4930000103
    node = await scene.node(pool)

    async def claim(*prefixes):
        found = await queue.claim(
            pool, campaign.id, node.name, node.epoch, 9, {"lab": 9}, prefixes=prefixes
        )
        return [call.number[-1] for call in found]

    assert await claim("+49300001_", "+4%", "\\") == []
    assert await claim("+4930000102", "+1") == ["2"]
    await trunks.hold(pool, "lab", "in nobody's way", "ada")
    rest = await queue.claim_unroutable(
        pool, campaign.id, node.name, node.epoch, 9, ["+4930000100", "+1"]
    )
    assert [call.number[-1] for call in rest] == ["1", "3"]
    await trunks.release(pool, "lab")
    assert await queue.set_aside(pool, campaign.id, ["+49"]) == 0
    assert await queue.set_aside(pool, campaign.id, ["+1"]) == 1
    assert await claim("+49") == []
    assert await promotion.promote(pool, full=True) == 1
    assert await claim("+49") == ["0"]
    await node.die()
    assert await queue.claim_unroutable(pool, campaign.id, node.name, node.epoch, 9, ["+1"]) == []
