"""A leg that the trunk failed is followed by one over the next trunk, within the same attempt."""

from __future__ import annotations

import asyncio
import dataclasses
import signal

import pytest
from tests.engine.scene import TRUNK, eventually, numbers_of

from dialer.campaign.moves import CampaignAction
from dialer.campaign.outcome import Outcome
from dialer.campaign.outcome_table import OutcomeTable, default_text
from dialer.store import failover, trunks
from dialer.store.errors import Unavailable
from dialer.store.failover import Commit

BOTH = ("first", TRUNK)
SLOWLY_CONGESTED = "+15551835503"  # half a second of early media, then 503
CONGESTED, NO_ROUTE, SILENT, FORBIDDEN, DECLINED, BUSY, RINGS_THEN_503 = (
    "+15555030034",
    "+15554040003",
    "+15550000000",
    "+15554030000",
    "+15556030021",
    "+15554860000",
    "+15555031034",
)


async def legs_of(scene, campaign):
    """(trunk, code, outcome) of the legs of each call's only attempt."""
    found = (await scene.calls(campaign)).values()
    attempts = [details.attempts for details in found]
    assert all(len(one) == 1 for one in attempts)
    for (attempt,) in attempts:
        assert [leg.ordinal for leg in attempt.legs] == list(range(len(attempt.legs)))
        assert (attempt.outcome, attempt.rule) == (attempt.legs[-1].outcome, attempt.legs[-1].rule)
    return [
        [(leg.trunk, leg.evidence.code, leg.outcome) for leg in attempt.legs]
        for (attempt,) in attempts
    ]


@pytest.mark.parametrize(
    ("as_if", "code", "outcome"),
    [
        (CONGESTED, 503, "trunk_congested"),
        (NO_ROUTE, 404, "no_route"),
        (FORBIDDEN, 403, "forbidden"),
        (SILENT, None, "trunk_unreachable"),
        ("+15554880000", 488, "media_rejected"),
    ],
)
async def test_the_second_trunk_answers_what_the_first_one_failed(scene, as_if, code, outcome):
    first = await scene.carrier_like(as_if)
    node = await scene.node("one", scene.trunk_of(first, "first"), scene.trunk())
    listed = numbers_of("2000", 4)
    campaign = await scene.campaign(listed, trunks=BOTH, max_attempts=2)
    await scene.tried(campaign)
    assert await scene.statuses(campaign) == {"answered": 4}
    assert (
        await legs_of(scene, campaign) == [[("first", code, outcome), (TRUNK, 200, "answered")]] * 4
    )
    assert await scene.pool.fetchval("SELECT min(attempts_counted) FROM calls") == 1
    await scene.wire_agrees("first", first)
    await scene.wire_agrees(TRUNK)
    sample = node.engine.live._metrics.registry.get_sample_value
    assert sample("dialer_failovers_total", {"trunk": "first"}) == 4


@pytest.mark.parametrize("as_if", [DECLINED, BUSY, RINGS_THEN_503, "+15554800020"])
async def test_who_was_rung_or_declined_is_not_called_over_the_second_trunk(scene, as_if):
    first = await scene.carrier_like(as_if)
    await scene.node("one", scene.trunk_of(first, "first"), scene.trunk())
    campaign = await scene.campaign(numbers_of("2000", 3), trunks=BOTH)
    await scene.tried(campaign)
    assert [len(legs) for legs in await legs_of(scene, campaign)] == [1, 1, 1]
    assert not scene.ledger.calls
    await scene.wire_agrees("first", first)


def with_definition(state, **changes):
    state.definition = dataclasses.replace(state.definition, **changes)
    return state


async def test_a_trunk_says_itself_after_which_outcomes_the_next_one_is_tried(scene):
    first = await scene.carrier_like(BUSY)
    only_busy = with_definition(
        scene.trunk_of(first, "first"), failover_on=frozenset({Outcome.BUSY})
    )
    second = await scene.carrier_like(CONGESTED)
    never = with_definition(scene.trunk_of(second, "second"), failover_on=frozenset())
    await scene.node("one", only_busy, never, scene.trunk())
    over_busy = await scene.campaign(numbers_of("2000", 1), trunks=BOTH)
    over_never = await scene.campaign(numbers_of("2001", 1), trunks=("second", TRUNK))
    await scene.tried(over_busy)
    await scene.tried(over_never)
    assert await legs_of(scene, over_busy) == [[("first", 486, "busy"), (TRUNK, 200, "answered")]]
    assert await legs_of(scene, over_never) == [[("second", 503, "trunk_congested")]]


async def test_a_rule_of_a_trunks_own_decides_of_its_calls_and_of_no_others(scene):
    change = """
    [[rule]]
    name = "busy-486"
    code = [486]
    outcome = "blocked"
    """
    own = OutcomeTable.load(default_text(), change)
    first = await scene.carrier_like(BUSY)
    await scene.node(
        "one", with_definition(scene.trunk_of(first, "first"), table=own), scene.trunk()
    )
    changed = await scene.campaign(["+15552000000"], trunks=("first",))
    usual = await scene.campaign(["+15554860000"])
    for campaign, outcome, status in (
        (changed, "blocked", "technical_error"),
        (usual, "busy", "completed_without_answer"),
    ):
        await scene.tried(campaign)
        assert await scene.outcomes(campaign) == {outcome: 1}
        assert await scene.statuses(campaign) == {status: 1}


async def test_the_attempt_ends_as_its_last_leg_did_and_counts_by_it(scene):
    first = await scene.carrier_like(CONGESTED)
    await scene.node("one", scene.trunk_of(first, "first"), scene.trunk())
    campaign = await scene.campaign(
        [*numbers_of("486", 2), *numbers_of("500", 1)], trunks=BOTH, max_attempts=2
    )
    await scene.tried(campaign)
    found = await scene.calls(campaign)
    ends = [
        (details.call.last_outcome, details.call.attempts_counted) for details in found.values()
    ]
    assert ends == [("busy", 1)] * 2 + [("network_failure", 0)]
    await legs_of(scene, campaign)
    await scene.wire_agrees("first", first)
    await scene.wire_agrees(TRUNK)


async def test_what_every_trunk_forbids_is_tried_twice_and_no_more(scene):
    carriers = [await scene.carrier_like(FORBIDDEN) for _ in range(2)]
    names = ("first", "second", TRUNK)
    trunks_of = [scene.trunk_of(one, name) for one, name in zip(carriers, names[:2], strict=True)]
    await scene.node("one", *trunks_of, scene.trunk())
    campaign = await scene.campaign(numbers_of("2000", 1), trunks=names)
    await scene.tried(campaign)
    assert await legs_of(scene, campaign) == [
        [("first", 403, "forbidden"), ("second", 403, "forbidden")]
    ]
    assert not scene.ledger.calls


async def test_a_retry_after_of_the_first_trunk_burns_no_contact(scene):
    first = await scene.carrier_like("+15557040009")
    trunk = scene.trunk_of(first, "first", max_calls=2)
    same_server = scene.trunk_of(first, "same-server")
    await scene.node("one", trunk, same_server, scene.trunk())
    campaign = await scene.campaign(
        numbers_of("2000", 20), trunks=("first", "same-server", TRUNK), max_simultaneous_calls=2
    )
    await scene.tried(campaign)
    assert await scene.statuses(campaign) == {"answered": 20}
    assert {len(details.attempts) for details in (await scene.calls(campaign)).values()} == {1}
    assert len(first.ledger.calls) <= 4, "it was left in peace"
    assert trunk.health.current_rate(scene.clock.monotonic()) == 0.5
    await scene.wire_agrees(TRUNK)


async def test_with_every_trunk_held_by_retry_after_the_calls_wait(scene):
    carriers = [await scene.carrier_like("+15557040060") for _ in range(2)]
    names = ("first", "second")
    await scene.node(
        "one",
        *(
            scene.trunk_of(one, name, max_calls=1)
            for one, name in zip(carriers, names, strict=True)
        ),
    )
    campaign = await scene.campaign(numbers_of("2000", 9), trunks=names, max_simultaneous_calls=1)
    await eventually(lambda: all(one.ledger.calls for one in carriers))

    async def idle():
        return not await scene.phases(campaign)

    await eventually(idle)
    await asyncio.sleep(0.6)
    assert [len(one.ledger.calls) for one in carriers] == [1, 1]
    assert await scene.statuses(campaign) == {"retry_scheduled": 1, "planned": 8}
    assert await scene.pool.fetchval("SELECT sum(attempts_counted) FROM calls") == 0


async def test_a_process_killed_between_the_legs_leaves_the_first_and_no_second_is_sent(
    scene, processes
):
    first = await scene.carrier_like(CONGESTED)
    (one,) = await processes("one", first=first, lease=1.0)
    await scene.pool.execute("INSERT INTO trunks (name) VALUES ($1)", TRUNK)
    campaign = await scene.campaign(numbers_of("2000", 3), trunks=BOTH)
    async with scene.pool.acquire() as connection, connection.transaction():
        # the failover waits for the trunk, and is killed there
        await connection.execute("SELECT FROM trunks WHERE name = $1 FOR UPDATE", TRUNK)
        await eventually(lambda: len(first.ledger.calls) == 3 and not first.ledger.unfinished())
        waits = """
            SELECT count(*) FROM pg_stat_activity
            WHERE wait_event_type = 'Lock' AND datname = current_database()
        """
        await eventually(lambda: scene.pool.fetchval(waits))
        one.signal(signal.SIGKILL)
        await one.gone()
    await scene.pool.execute("UPDATE trunks SET held_at = now(), held_reason = 'no more calls'")
    await processes("two", first=first, lease=1.0)
    await scene.tried(campaign, 15)
    found = await scene.calls(campaign)
    for details in found.values():
        (attempt,) = details.attempts
        assert (attempt.outcome, len(attempt.legs)) == ("interrupted", 1)
    assert not scene.ledger.calls


async def test_a_process_killed_on_the_second_leg_has_that_one_cancelled(scene, processes):
    first = await scene.carrier_like(CONGESTED)
    (one,) = await processes("one", first=first, lease=1.0)
    campaign = await scene.campaign(numbers_of("180", 3), trunks=BOTH, ring_timeout_seconds=90)

    async def all_ring():
        return await scene.phases(campaign) == {"ringing": 3}

    await eventually(all_ring)
    one.signal(signal.SIGKILL)
    await one.gone()
    await processes("two", first=first, lease=1.0)
    await scene.tried(campaign, 15)
    assert (
        await legs_of(scene, campaign)
        == [[("first", 503, "trunk_congested"), (TRUNK, None, "interrupted")]] * 3
    )
    await asyncio.wait_for(scene.ledger.until(lambda ledger: not ledger.unfinished()), 10)
    assert {tuple(record.finals) for record in scene.ledger.calls.values()} == {(487,)}
    await scene.wire_agrees("first", first)
    await scene.wire_agrees(TRUNK)


async def test_a_full_trunk_and_a_held_one_are_not_failed_over_to(scene):
    first = await scene.carrier_like(SILENT)
    held, full = scene.trunk("held"), scene.trunk("full", max_calls=1)
    await scene.node("one", scene.trunk_of(first, "first"), held, full)
    await trunks.hold(scene.pool, "held", "maintenance", "a test")
    blocking = await scene.campaign(
        ["+15552000000"], trunks=("full",), on_answer={"kind": "hang_up", "after_seconds": 30}
    )

    async def talking():
        return await scene.phases(blocking) == {"talking": 1}

    await eventually(talking)
    campaign = await scene.campaign(numbers_of("20001", 2), trunks=("first", "held", "full"))
    await scene.tried(campaign)
    assert await legs_of(scene, campaign) == [[("first", None, "trunk_unreachable")]] * 2
    assert len(scene.ledger.calls) == 1
    await scene.act(blocking, CampaignAction.FINISH, hang_up=True)
    await scene.tried(blocking)


@pytest.mark.parametrize("action", [CampaignAction.PAUSE, CampaignAction.FINISH])
async def test_no_failover_once_the_campaign_is_paused_or_finished(scene, action):
    first = await scene.carrier_like(SLOWLY_CONGESTED)
    await scene.node("one", scene.trunk_of(first, "first"), scene.trunk())
    campaign = await scene.campaign(numbers_of("2000", 5), trunks=BOTH)
    await eventually(lambda: len(first.ledger.calls) == 5)
    await scene.act(campaign, action)

    async def idle():
        return not await scene.phases(campaign)

    await eventually(idle)
    assert await legs_of(scene, campaign) == [[("first", 503, "trunk_congested")]] * 5
    ended = "retry_scheduled" if action is CampaignAction.PAUSE else "technical_error"
    assert await scene.statuses(campaign) == {ended: 5}
    assert not scene.ledger.calls


async def test_no_failover_while_the_node_drains(scene):
    first = await scene.carrier_like(SLOWLY_CONGESTED)
    node = await scene.node("one", scene.trunk_of(first, "first"), scene.trunk())
    campaign = await scene.campaign(numbers_of("2000", 3), trunks=BOTH)
    await eventually(lambda: len(first.ledger.calls) == 3)
    await node.engine.drain(10)
    await node.stop()
    assert await scene.statuses(campaign) == {"retry_scheduled": 3}
    assert not scene.ledger.calls


@pytest.mark.parametrize("how", ["before it is committed", "after it is committed"])
async def test_a_failover_whose_commit_fails_ends_with_the_first_leg(scene, monkeypatch, how):
    first = await scene.carrier_like(CONGESTED)
    await scene.node("one", scene.trunk_of(first, "first"), scene.trunk())
    commit = failover.commit

    async def severed(*arguments):
        if how == "after it is committed":
            assert await commit(*arguments) is Commit.DONE
        raise Unavailable("severed by the test")

    monkeypatch.setattr(failover, "commit", severed)
    campaign = await scene.campaign(numbers_of("2000", 3), trunks=BOTH)
    await scene.tried(campaign)
    assert await legs_of(scene, campaign) == [[("first", 503, "trunk_congested")]] * 3
    assert not scene.ledger.calls
    await scene.wire_agrees("first", first)


async def test_a_failover_that_waits_for_the_database_does_not_keep_a_node_from_stopping(scene):
    first = await scene.carrier_like(CONGESTED)
    node = await scene.node("one", scene.trunk_of(first, "first"), scene.trunk())
    await scene.pool.execute("INSERT INTO trunks (name) VALUES ($1)", TRUNK)
    campaign = await scene.campaign(numbers_of("2000", 5), trunks=BOTH)
    async with scene.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM trunks WHERE name = $1 FOR UPDATE", TRUNK)
        await eventually(lambda: len(node.engine.live._going_on) == 5)
        node.engine.live.hang_up_all()
        node.engine.live.abandon_all()
        await asyncio.wait_for(node.engine.live.ended(), 5)
    await node.stop()
    assert await legs_of(scene, campaign) == [[("first", 503, "trunk_congested")]] * 5
    assert not scene.ledger.calls


async def test_a_pause_that_comes_between_a_late_commit_and_its_invite_holds(scene, monkeypatch):
    first = await scene.carrier_like(CONGESTED)
    node = await scene.node("one", scene.trunk_of(first, "first"), scene.trunk())
    campaign = await scene.campaign(numbers_of("2000", 1), trunks=BOTH, start=False)
    commit = failover.commit

    async def slow(*arguments):
        done = await commit(*arguments)
        await scene.act(campaign, CampaignAction.PAUSE)
        await asyncio.sleep(0.15)
        return done

    monkeypatch.setattr(failover, "commit", slow)
    await scene.act(campaign, CampaignAction.START)
    await scene.tried(campaign)
    await node.engine.recorder.drained()  # the leg goes by a statement of its own, after the result
    assert await legs_of(scene, campaign) == [[("first", 503, "trunk_congested")]]
    assert not scene.ledger.calls
