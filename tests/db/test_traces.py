from __future__ import annotations

import asyncio
import datetime as dt
import threading
import uuid

import pytest
from tests.db import scene

from dialer.store import traces
from dialer.store.errors import NotFound
from dialer.store.records import LegTrace, Passage

AT = dt.datetime(2026, 5, 6, 7, 8, 9, 123456, tzinfo=dt.UTC)
SENT, RECEIVED = True, False
DAY = dt.timedelta(days=1)
MESSAGE = Passage(AT, SENT, "tls", "2001:db8::9", 5061, "2001:db8::1", 5061, b"INVITE \xff\x00")
PACKET = Passage(AT, RECEIVED, "udp", "192.0.2.9", 20000, "192.0.2.1", 30000, bytes(range(256)))


async def leg_of(pool):
    campaign = await scene.campaign(pool, 1)
    [leg] = await (await scene.node(pool)).dial_all(campaign, 1)
    return leg


async def test_what_was_kept_comes_back(pool):
    leg = await leg_of(pool)
    second = LegTrace(leg.call_id, leg.attempt_id, 1, (MESSAGE,))
    first = LegTrace(leg.call_id, leg.attempt_id, 0, (MESSAGE, MESSAGE), (PACKET,))
    await traces.keep(pool, [second, first])
    await traces.keep(pool, [LegTrace(leg.call_id, leg.attempt_id, 0, ())])  # it stays
    assert await traces.of_call(pool, 1, leg.call_id) == [first, second]


async def test_calls_go_on_while_traces_are_compressed(pool, monkeypatch):
    leg = await leg_of(pool)
    packed, went_on, waited = traces._packed, threading.Event(), []

    def slowly(passages):
        waited.append(went_on.wait(5))
        return packed(passages)

    monkeypatch.setattr(traces, "_packed", slowly)
    trace = LegTrace(leg.call_id, leg.attempt_id, 0, (MESSAGE,), (PACKET,))
    asyncio.get_running_loop().call_soon(went_on.set)
    await traces.keep(pool, [trace])
    assert waited == [True, True]
    assert await traces.of_call(pool, 1, leg.call_id) == [trace]


async def test_a_call_of_which_nothing_is_kept(pool):
    leg = await leg_of(pool)
    assert await traces.of_call(pool, 1, leg.call_id) == []


async def test_nobody_sees_the_calls_of_another_account(pool):
    leg = await leg_of(pool)
    for account, call in ((2, leg.call_id), (1, leg.call_id + 1)):
        with pytest.raises(NotFound):
            await traces.of_call(pool, account, call)


async def test_old_traces_are_forgotten_a_batch_at_a_time(pool):
    leg = await leg_of(pool)
    kept = [LegTrace(leg.call_id, uuid.uuid4(), n, (MESSAGE,)) for n in range(5)]
    await traces.keep(pool, kept)
    now = await pool.fetchval("SELECT clock_timestamp()")
    assert await traces.forget(pool, DAY, now=now) == 0
    assert await traces.forget(pool, DAY, limit=3, now=now + 2 * DAY) == 3
    assert await traces.forget(pool, DAY, limit=3, now=now + 2 * DAY) == 2
    assert await traces.forget(pool, DAY, limit=3, now=now + 2 * DAY) == 0
