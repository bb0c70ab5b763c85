"""Simultaneous calls are exact over all engines; the pace is shared out among them."""

from __future__ import annotations

import itertools

import pytest
from tests.engine.scene import TRUNK, numbers_of

ENGINES = pytest.mark.parametrize("engines", [1, 2])
JITTER = 1.1  # calls that left further apart may be taken in at the far end closer together


def numbers(count):
    """Rings a little, talks a little, or is busy at once: places come free at all times."""
    kinds = [numbers_of(prefix, count // 4) for prefix in ("20011", "20002", "4860", "20032")]
    return list(itertools.chain.from_iterable(zip(*kinds, strict=True)))


@ENGINES
async def test_a_campaign_has_never_more_calls_up_than_it_may(scene, engines):
    for name in range(engines):
        await scene.node(f"node-{name}")
    listed = numbers(80)
    campaign = await scene.campaign(
        listed, max_simultaneous_calls=7, on_answer={"kind": "hang_up", "after_seconds": 5}
    )
    await scene.tried(campaign)
    assert scene.ledger.max_simultaneous() == 7
    assert scene.ledger.calls_per_number() == dict.fromkeys(listed, 1)
    await scene.wire_agrees()


@ENGINES
async def test_a_trunk_has_never_more_calls_up_than_it_may_over_all_campaigns(scene, engines):
    for name in range(engines):
        await scene.node(f"node-{name}", scene.trunk(max_calls=9))
    settings = {"on_answer": {"kind": "hang_up", "after_seconds": 5}}
    first = await scene.campaign(numbers(60), **settings)
    second = await scene.campaign(numbers(60), **settings)
    await scene.tried(first)
    await scene.tried(second)
    assert scene.ledger.max_simultaneous() == 9
    await scene.wire_agrees()


@ENGINES
@pytest.mark.parametrize(
    ("of_trunk", "of_campaign"),
    [
        (40, {}),
        (400, {"calls_per_second": 40}),
        (400, {"calls_per_minute": 40 * 60}),
        (400, {"calls_per_second": 200, "calls_per_minute": 40 * 60}),  # the lower one holds
        (400, {"calls_per_second": 40, "calls_per_minute": 200 * 60}),
    ],
)
async def test_calls_per_second_and_per_minute_are_kept(scene, engines, of_trunk, of_campaign):
    rate = 40
    for name in range(engines):
        await scene.node(f"node-{name}", scene.trunk(calls_per_second=of_trunk), lease=2.0)
    campaign = await scene.campaign(numbers_of("4860", 120), **of_campaign)
    await scene.tried(campaign)
    burst = rate / 10
    assert scene.ledger.peak_invites(1.0) <= (rate + burst) * JITTER
    by_node = await scene.pool.fetch("SELECT count(*) FROM attempts GROUP BY node")
    assert len(by_node) == engines


@pytest.mark.parametrize(("of_trunk", "of_campaign"), [(20, {}), (400, {"calls_per_second": 20})])
async def test_the_pace_is_reached(scene, of_trunk, of_campaign):
    await scene.node("one", scene.trunk(calls_per_second=of_trunk))
    campaign = await scene.campaign(numbers_of("4860", 60), **of_campaign)
    await scene.tried(campaign)
    began = sorted(record.began_at for record in scene.ledger.calls.values())
    gaps = [after - before for before, after in itertools.pairwise(began)]
    # whoever looks again after a quarter of a second finds two calls, and three were due meanwhile
    assert len([gap for gap in gaps if gap > 0.2]) < 5


async def test_a_trunk_that_is_full_leaves_the_calls_of_its_campaign_to_the_next(scene):
    await scene.node("one", scene.trunk("small", max_calls=3), scene.trunk(max_calls=50))
    campaign = await scene.campaign(numbers_of("20030", 40), trunks=("small", TRUNK))
    await scene.tried(campaign)
    rows = await scene.pool.fetch("SELECT trunk, count(*) FROM legs GROUP BY trunk")
    used = {row["trunk"]: row["count"] for row in rows}
    assert used.keys() == {"small", TRUNK}
    assert used[TRUNK] > used["small"] >= 3
