"""What a node's lease tells it of time and of its share."""

from __future__ import annotations

import datetime as dt

import pytest
from tests.driven_clock import DrivenClock

from dialer.engine.lease import NodeLease

HOUR = dt.timedelta(hours=1)


class SteppedClock(DrivenClock):
    """Its wall clock is `off` by some time, which may change."""

    off = dt.timedelta(0)

    def now(self):
        return super().now() + self.off


@pytest.mark.parametrize("step", [-HOUR, HOUR])
async def test_a_step_of_the_wall_clock_moves_no_schedule(pool, step):
    clock = SteppedClock()
    lease = NodeLease(pool, clock, "one", 15.0)
    await lease.join()
    before = lease.database_now()
    now = await pool.fetchval("SELECT clock_timestamp()")
    assert abs(before - now) < dt.timedelta(seconds=5)
    clock.off = step
    assert lease.database_now() == before
    await lease.leave()


async def test_a_node_whose_lease_ran_out_waits_for_its_share_of_the_rates(pool):
    clock = DrivenClock()
    one, two = (NodeLease(pool, clock, name, 15.0) for name in ("one", "two"))
    await one.join()
    await two.join()
    assert await one.renew()
    assert one.share() == 0.5
    clock.advance(20)
    assert not one.safe()
    assert await one.renew()
    assert one.safe()
    assert one.share() == 0.0
    clock.advance(2 * one.interval)
    assert one.share() == 0.5
    for lease in (one, two):
        await lease.leave()
