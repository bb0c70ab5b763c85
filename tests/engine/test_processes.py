"""Two engine processes on one database: they share the work, and one outlives the other."""

from __future__ import annotations

import asyncio
import signal
import time

import pytest
from tests.engine.scene import eventually, numbers_of

TALKS = {"kind": "hang_up", "after_seconds": 60}


async def test_two_thousand_numbers_are_called_once_per_attempt(scene, processes):
    listed = [
        *numbers_of("2001", 600),
        *numbers_of("20021", 100),
        *numbers_of("486", 400),
        *numbers_of("4101", 200),
        *numbers_of("555", 300),
        *numbers_of("711", 200),
        *numbers_of("703", 100),
        *numbers_of("607", 100),
    ]
    assert len(listed) == 2000
    engines = await processes("one", "two", lease=5.0, calls_per_second=200)
    began = time.monotonic()
    campaign = await scene.campaign(
        listed,
        max_attempts=2,
        retry_by_outcome={"busy": 1, "no_answer": 3600, "network_failure": 3600},
        on_answer={"kind": "hang_up", "after_seconds": 0.2},
    )

    async def nothing_soon():
        soon = "SELECT count(*) FROM calls WHERE due < now() + interval '1 minute'"
        return not await scene.pool.fetchval(soon)

    await scene.tried(campaign)
    await eventually(nothing_soon)
    await scene.tried(campaign)
    assert time.monotonic() - began < 60
    assert await scene.outcomes(campaign) == {
        "answered": 1000,
        "busy": 800,
        "no_answer": 200,
        "network_failure": 300,
        "unwanted": 100,
    }
    assert await scene.statuses(campaign) == {
        "answered": 1000,
        "completed_without_answer": 500,
        "retry_scheduled": 500,
    }
    twice = set(numbers_of("486", 400))
    assert scene.ledger.calls_per_number() == {n: 1 + (n in twice) for n in listed}
    await scene.wire_agrees()
    shares = await scene.pool.fetch("SELECT node, count(*) FROM attempts GROUP BY node")
    assert {row["node"] for row in shares} == {"one", "two"}
    assert min(row["count"] for row in shares) > 2400 / 4
    for engine in engines:
        assert not engine.logged("a turn of the engine failed")


def left_up(scene):
    """The numbers that are up at the far end, but for those that it is giving up itself.

    It sends a BYE where the 200 crossed the kill, since no ACK came; nobody is left to answer it.
    """
    return {record.number for record in scene.ledger.unfinished() if not record.byes_sent}


async def one_call_id_per_attempt(scene, campaign):
    """Hold the attempts and legs of each call against its Call-IDs on the wire."""
    rows = await scene.pool.fetch(
        "SELECT k.number, k.attempts, count(l.sip_call_id) AS legs FROM calls k"
        " LEFT JOIN attempts a ON a.call_id = k.id LEFT JOIN legs l ON l.attempt_id = a.id"
        " WHERE k.campaign_id = $1 GROUP BY k.id",
        campaign,
    )
    on_wire = scene.ledger.calls_per_number()
    for row in rows:
        assert row["attempts"] == row["legs"] >= on_wire[row["number"]], row
        assert row["attempts"] <= 1 or on_wire[row["number"]] > 1, row


async def test_the_calls_of_a_killed_process_are_ended_and_recorded_by_another(scene, processes):
    first, second = await processes("first", "second", lease=2.0, calls_per_second=100)
    kinds = (
        numbers_of("2000", 60),
        numbers_of("1800", 60),
        *(numbers_of(f"486{n}", 60) for n in "0123"),
    )
    listed = [number for one_of_each in zip(*kinds, strict=True) for number in one_of_each]
    campaign = await scene.campaign(
        listed, max_attempts=3, ring_timeout_seconds=90, on_answer=TALKS, max_simultaneous_calls=120
    )

    async def held(phase):
        return await scene.pool.fetchval(
            "SELECT count(*) FROM calls WHERE node = 'first' AND phase = $1", phase
        )

    async def amid_calls():
        return await held("talking") >= 8 and await held("ringing") >= 8

    await eventually(amid_calls)
    first.signal(signal.SIGKILL)
    await first.gone()
    of_first = await scene.pool.fetch(
        "SELECT k.id, k.number, l.answered, l.rang FROM calls k"
        " JOIN legs l ON l.attempt_id = k.attempt_id"
        " WHERE k.node = 'first' AND k.phase <> 'claimed'"
    )
    assert sum(row["answered"] for row in of_first) >= 8

    async def nothing_of_the_dead():
        return not await scene.pool.fetchval("SELECT count(*) FROM calls WHERE node = 'first'")

    await eventually(nothing_of_the_dead, 15)
    found = await scene.calls(campaign)
    for row in of_first:
        call, (attempt,) = found[row["number"]].call, found[row["number"]].attempts
        assert attempt.outcome == "interrupted"
        assert call.status == ("answered" if row["answered"] else "technical_error")
        assert attempt.flags == (("answered",) if row["answered"] else ())
        assert attempt.legs[0].evidence.local_cause == "node_lost"
    numbers = {row["number"] for row in of_first}
    await eventually(lambda: numbers.isdisjoint(left_up(scene)), 15)
    second.signal(signal.SIGTERM)
    await eventually(lambda: second.logged("draining"))
    second.signal(signal.SIGTERM)
    assert await second.gone() == 0
    await eventually(lambda: not left_up(scene))
    assert not (await scene.statuses(campaign)).get("in_progress")
    await one_call_id_per_attempt(scene, campaign)


async def test_a_process_that_was_killed_alone_ends_its_calls_when_it_starts_again(
    scene, processes
):
    (first,) = await processes("first", lease=1.0)
    campaign = await scene.campaign(
        [*numbers_of("2000", 5), *numbers_of("1800", 5)], ring_timeout_seconds=90, on_answer=TALKS
    )

    async def all_up():
        return await scene.phases(campaign) == {"talking": 5, "ringing": 5}

    await eventually(all_up)
    first.signal(signal.SIGKILL)
    await first.gone()
    await eventually(lambda: no_lease(first))
    await processes("first", lease=1.0)
    await scene.tried(campaign, 15)
    assert await scene.statuses(campaign) == {"answered": 5, "technical_error": 5}
    assert await scene.outcomes(campaign) == {"interrupted": 10}
    await asyncio.wait_for(scene.ledger.until(lambda ledger: not ledger.unfinished()), 10)
    await scene.wire_agrees()


async def no_lease(process):
    return not await process.leases()


@pytest.mark.parametrize("end", ["by itself", "at the deadline", "at the second signal"])
async def test_sigterm_lets_calls_end_and_places_no_more(scene, processes, end):
    drain = 1.0 if end == "at the deadline" else 30.0
    seconds = 2.5 if end == "by itself" else 60
    (engine,) = await processes("one", drain=drain, max_calls=20, calls_per_second=100)
    campaign = await scene.campaign(
        [*numbers_of("2000", 10), *numbers_of("180", 4), *numbers_of("20011", 100)],
        ring_timeout_seconds=2 if end == "by itself" else 60,
        on_answer={"kind": "hang_up", "after_seconds": seconds},
    )

    async def up():
        found = await scene.phases(campaign)
        return found.get("talking", 0) >= 10 and found.get("ringing", 0) >= 4

    await eventually(up)
    engine.signal(signal.SIGTERM)
    asked = time.monotonic()
    if end == "at the second signal":
        await eventually(lambda: engine.logged("draining"))
        assert scene.ledger.live_dialogs()
        engine.signal(signal.SIGTERM)
    assert await engine.gone() == 0
    assert max(record.began_at for record in scene.ledger.calls.values()) < asked + 1.0
    assert not await engine.leases()
    assert not await scene.phases(campaign)
    assert not scene.ledger.unfinished()
    found = await scene.calls(campaign)
    talkers = {found[number].call.last_outcome for number in numbers_of("2000", 10)}
    ringers = {found[number].call.last_outcome for number in numbers_of("180", 4)}
    assert talkers == {"answered"}
    assert ringers == {"no_answer" if end == "by itself" else "interrupted"}
    assert "planned" in await scene.statuses(campaign)
    hung_up = await scene.pool.fetch(
        "SELECT DISTINCT hung_up_by FROM legs WHERE answered AND number LIKE '+15552000%'"
    )
    assert [row["hung_up_by"] for row in hung_up] == ["us"]
    await scene.wire_agrees()
