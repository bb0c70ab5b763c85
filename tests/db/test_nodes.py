from __future__ import annotations

import datetime as dt

import pytest
from tests.db import scene

from dialer.store import nodes
from dialer.store.errors import NodeNameInUse

NOW = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)


async def test_a_name_belongs_to_one_process_while_its_lease_runs(pool):
    first = await nodes.join(pool, "one", scene.LEASE, NOW)
    with pytest.raises(NodeNameInUse, match="'one' is in use"):
        await nodes.join(pool, "one", scene.LEASE, NOW + scene.LEASE / 2)
    assert await nodes.join(pool, "one", scene.LEASE, NOW + scene.LEASE) > first
    assert await nodes.join(pool, "two", scene.LEASE, NOW) > first


async def test_a_renewed_lease_counts_the_live_nodes(pool):
    one = await nodes.join(pool, "one", scene.LEASE, NOW)
    await nodes.join(pool, "two", scene.LEASE / 3, NOW)
    lease = await nodes.renew(pool, "one", one, scene.LEASE, NOW + scene.LEASE / 4)
    assert (lease.until, lease.live_nodes) == (NOW + scene.LEASE * 1.25, 2)
    lease = await nodes.renew(pool, "one", one, scene.LEASE, NOW + scene.LEASE / 2)
    assert lease.live_nodes == 1


async def test_a_lease_that_ran_out_is_renewed_unless_the_name_was_taken(pool):
    old = await nodes.join(pool, "one", scene.LEASE, NOW)
    later = NOW + 2 * scene.LEASE
    assert await nodes.renew(pool, "one", old, scene.LEASE, later) is not None
    new = await nodes.join(pool, "one", scene.LEASE, later + scene.LEASE)
    assert await nodes.renew(pool, "one", old, scene.LEASE, later + scene.LEASE) is None
    await nodes.leave(pool, "one", old)
    assert await nodes.renew(pool, "one", new, scene.LEASE, later + scene.LEASE) is not None


async def test_who_leaves_frees_the_name_at_once(pool):
    epoch = await nodes.join(pool, "one", scene.LEASE)
    await nodes.leave(pool, "one", epoch)
    assert await nodes.join(pool, "one", scene.LEASE) > epoch
