"""What the recorder takes in is written in order, and one bad row keeps nothing else waiting."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import uuid

import pytest
from tests.db import scene as store_scene
from tests.engine.scene import eventually

from dialer.campaign.status import CallStatus, Phase
from dialer.clock import SystemClock
from dialer.engine.lease import NodeLease
from dialer.engine.recorder import Recorder
from dialer.store.attempt_records import AttemptResult, LegProgress
from dialer.store.records import LegEvidence

SOON = 10  # seconds


class Under:
    """A recorder with its node, and attempts under way for it to record."""

    def __init__(self, pool, recorder, campaign, legs, lost):
        self.pool = pool
        self.recorder = recorder
        self.campaign = campaign
        self.legs = legs
        self.lost = lost

    async def statuses(self):
        return await store_scene.statuses(self.pool, self.campaign)


def end(leg, **evidence):
    return AttemptResult(leg.call_id, leg.attempt_id, store_scene.ANSWERED, LegEvidence(**evidence))


@pytest.fixture
async def under(pool):
    clock = SystemClock()
    lease = NodeLease(pool, clock, "one", 30.0)
    await lease.join()
    node = store_scene.Node(pool, "one", lease.epoch)
    campaign = await store_scene.campaign(pool, 6)
    lost = []

    async def on_lost(calls):
        lost.extend(calls.items())

    recorder = Recorder(pool, clock, lease, on_lost)
    task = asyncio.create_task(recorder.run())
    yield Under(pool, recorder, campaign, await node.dial_all(campaign), lost)
    task.cancel()
    await asyncio.wait({task})


async def test_an_end_that_is_taken_in_right_after_the_news_is_written_after_them(under):
    now = dt.datetime.now(dt.UTC)
    for leg in under.legs:
        under.recorder.progress(
            LegProgress(leg.call_id, leg.attempt_id, phase=Phase.TALKING, answered_at=now)
        )
        under.recorder.result(end(leg, code=200, answered=True))
    await asyncio.wait_for(under.recorder.drained(), SOON)
    assert await under.statuses() == {"answered": 6}
    assert under.lost == []
    answered = await under.pool.fetch("SELECT answered_at FROM legs")
    assert [row["answered_at"] for row in answered] == [now] * 6


async def test_ends_do_not_wait_for_news_that_keep_coming(under):
    first, *others = under.legs
    under.recorder.result(end(first))

    async def chatter():
        while True:
            for leg in others:
                under.recorder.progress(
                    LegProgress(leg.call_id, leg.attempt_id, sent_at=dt.datetime.now(dt.UTC))
                )
            await asyncio.sleep(0)

    async def recorded():
        return (await under.statuses()).get("answered") == 1

    talking = asyncio.create_task(chatter())
    try:
        await eventually(recorded, SOON)
    finally:
        talking.cancel()


async def test_a_row_that_cannot_be_written_is_dropped_alone(under, logged):
    bad, *good = under.legs
    poison = dataclasses.replace(
        end(bad), verdict=dataclasses.replace(store_scene.ANSWERED, status=CallStatus.PLANNED)
    )
    for row in (end(good[0]), poison, *map(end, good[1:])):
        under.recorder.result(row)
    await asyncio.wait_for(under.recorder.drained(), SOON)
    assert await under.statuses() == {"answered": 5, "in_progress": 1}
    assert under.recorder.healthy
    (entry,) = [one for one in logged if one["event"] == "a row could not be recorded"]
    assert str(bad.attempt_id) in entry["row"]
    under.recorder.result(end(bad))
    await asyncio.wait_for(under.recorder.drained(), SOON)


async def test_attempts_that_are_another_nodes_by_now_are_told(under):
    stranger = dataclasses.replace(under.legs[0], attempt_id=uuid.uuid4())
    await under.pool.execute("UPDATE calls SET node = 'two' WHERE id = $1", under.legs[1].call_id)
    await under.pool.execute(
        "UPDATE attempts SET node = 'two' WHERE id = $1", under.legs[1].attempt_id
    )
    under.recorder.progress(LegProgress(stranger.call_id, stranger.attempt_id, phase=Phase.RINGING))
    for leg in under.legs[1:3]:
        under.recorder.result(end(leg))
    await asyncio.wait_for(under.recorder.drained(), SOON)
    assert under.lost == [(one.attempt_id, one.call_id) for one in (stranger, under.legs[1])]
    assert await under.statuses() == {"answered": 1, "in_progress": 5}


async def test_a_result_is_recorded_once_however_often_it_is_written(under):
    leg = under.legs[0]
    for _ in range(3):
        under.recorder.result(end(leg))
        await asyncio.wait_for(under.recorder.drained(), SOON)
    assert under.lost == []
    events = await under.pool.fetchval(
        "SELECT count(*) FROM events WHERE call_id = $1 AND kind = 'call.answered'", leg.call_id
    )
    assert events == 1
