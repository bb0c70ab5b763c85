from __future__ import annotations

import itertools

import pytest
from tests.db import scene

from dialer.campaign.moves import CampaignAction
from dialer.campaign.outcome import Outcome
from dialer.campaign.status import CallStatus, Phase
from dialer.store import attempts, promotion, requeue, withdrawal
from dialer.store.attempt_records import AttemptResult, LegProgress, UndialedResult
from dialer.store.errors import CampaignClosed, NotFound
from dialer.store.records import DEFAULT_ACCOUNT, LegEvidence

GIVEN_UP = scene.verdict("busy", CallStatus.COMPLETED_WITHOUT_ANSWER)
NO_ROUTE = scene.verdict("no_route", CallStatus.TECHNICAL_ERROR, technical_in_a_row=10)
CANCELLED = scene.verdict("cancelled", CallStatus.NOT_DIALED)
LIMIT = scene.verdict("plan_limit_exceeded", CallStatus.PLAN_LIMIT_EXCEEDED, counted=False)


async def again(pool, campaign, *statuses, **which):
    return await requeue.requeue(pool, DEFAULT_ACCOUNT, campaign.id, statuses, **which)


async def one_of_each_end(pool, **settings):
    """A campaign with a call in every final status; (campaign, node, status -> call id)."""
    campaign = await scene.campaign(pool, 5, **settings)
    node = await scene.node(pool)
    *dialed, unsent = await node.claim(campaign, 5)
    legs = await node.dial(dialed)
    ends = (scene.ANSWERED, GIVEN_UP, NO_ROUTE, CANCELLED)
    for leg, verdict in zip(legs, ends, strict=True):
        await node.end([leg], verdict)
    results = [UndialedResult(unsent.id, scene.uuid.uuid4(), LIMIT)]
    await attempts.record_undialed(pool, node.name, node.epoch, results)
    ids = [*(leg.call_id for leg in legs), unsent.id]
    return (
        campaign,
        node,
        dict(zip((*(end.status for end in ends), LIMIT.status), ids, strict=True)),
    )


@pytest.mark.parametrize("status", sorted(requeue.STATUSES))
async def test_an_operator_may_requeue_calls_of_a_chosen_final_status_and_it_is_recorded(
    pool, status
):
    campaign, node, ids = await one_of_each_end(pool)
    before = await scene.read(pool, ids[status])
    assert await again(pool, campaign, status) == 1
    after = await scene.read(pool, ids[status])
    assert (after.call.status, after.call.attempts, after.call.attempts_counted) == (
        "planned",
        1,
        0,
    )
    assert after.attempts == before.attempts
    assert after.call.due is not None
    row = await pool.fetchrow("SELECT * FROM calls WHERE id = $1", ids[status])
    assert (row["requeued"], row["technical_in_a_row"], row["declined"]) == (1, 0, 0)
    told = await pool.fetchrow(
        "SELECT kind, data FROM events WHERE call_id = $1 ORDER BY xid DESC, id DESC LIMIT 1",
        ids[status],
    )
    assert told["kind"] == "call.planned"
    assert told["data"] == {"from": status, "to": "planned", "action": "requeue"}
    assert (await scene.statuses(pool, campaign))["planned"] == 1

    await promotion.promote(pool)
    [leg] = await node.dial_all(campaign)
    assert leg.call_id == ids[status]
    await node.end([leg])
    last = await scene.read(pool, ids[status])
    assert [attempt.ordinal for attempt in last.attempts] == [1, 2]
    assert (last.call.status, last.call.attempts_counted) == ("answered", 1)


async def test_a_requeued_call_is_dialled_although_its_last_time_has_passed(pool):
    campaign, node, ids = await one_of_each_end(pool)
    given_up = CallStatus.COMPLETED_WITHOUT_ANSWER
    await pool.execute("UPDATE calls SET not_after = now() - interval '1 hour'")
    assert await again(pool, campaign, given_up) == 1
    await promotion.promote(pool)
    [leg] = await node.dial_all(campaign)
    assert leg.call_id == ids[given_up]


async def test_the_numbers_of_a_requeued_person_are_tried_from_the_first_on(pool):
    campaign, node, ids = await one_of_each_end(pool)
    given_up = CallStatus.COMPLETED_WITHOUT_ANSWER
    await pool.execute("UPDATE calls SET alternates = '{+491}', next_number = '+491'")
    assert await again(pool, campaign, given_up) == 1
    await promotion.promote(pool)
    [leg] = await node.dial_all(campaign)
    assert leg.number == (await scene.read(pool, ids[given_up])).call.number != "+491"


async def test_an_answered_call_is_never_requeued(pool):
    campaign, _, ids = await one_of_each_end(pool)
    with pytest.raises(ValueError, match="answered"):
        await again(pool, campaign, CallStatus.ANSWERED)
    assert await again(pool, campaign, *requeue.STATUSES, call_ids=[ids["answered"]]) == 0
    assert (await scene.read(pool, ids["answered"])).call.status is CallStatus.ANSWERED


@pytest.mark.parametrize("status", [status for status in CallStatus if status.final])
async def test_a_final_status_never_changes_otherwise(pool, status):
    campaign, node, ids = await one_of_each_end(pool)
    call_id = ids[status]
    before = await pool.fetchrow("SELECT * FROM calls WHERE id = $1", call_id)
    attempt_id = before["attempt_id"]
    results = [AttemptResult(call_id, attempt_id, scene.busy(scene.soon()), LegEvidence(code=486))]
    await attempts.record_results(pool, node.name, node.epoch, results)
    undialed = [UndialedResult(call_id, scene.uuid.uuid4(), scene.INVALID)]
    assert await attempts.record_undialed(pool, node.name, node.epoch, undialed) == set()
    assert await node.progress(LegProgress(call_id, attempt_id, phase=Phase.TALKING)) == set()
    assert await withdrawal.withdraw(pool, node.name, node.epoch, {attempt_id}) == 0
    await pool.execute(
        "INSERT INTO ready (call_id, campaign_id, priority, position) VALUES ($1, $2, 0, 1)",
        call_id,
        campaign.id,
    )
    assert await node.claim(campaign) == []
    await promotion.promote(pool, full=True, now=scene.soon(1000))
    assert await node.claim(campaign) == []
    await node.die()
    other = await scene.node(pool, "two")
    assert await other.rescue() == []
    await scene.act(pool, campaign, CampaignAction.PAUSE)
    await scene.act(pool, campaign, CampaignAction.RESUME)
    await scene.act(pool, campaign, CampaignAction.FINISH)
    await promotion.start_due_campaigns(pool)
    await scene.act(pool, campaign, CampaignAction.DELETE)
    assert await pool.fetchrow("SELECT * FROM calls WHERE id = $1", call_id) == before


async def test_only_the_calls_that_were_asked_for_are_requeued(pool):
    campaign, _, ids = await one_of_each_end(pool)
    other, _, _ = await one_of_each_end_of_another(pool)
    error, given_up = CallStatus.TECHNICAL_ERROR, CallStatus.COMPLETED_WITHOUT_ANSWER
    assert await again(pool, campaign, error, outcomes=[Outcome.NETWORK_FAILURE]) == 0
    assert await again(pool, campaign, error, call_ids=[ids[given_up]]) == 0
    assert await again(pool, campaign, error, given_up, call_ids=[ids[given_up]]) == 1
    assert await again(pool, campaign, error, given_up, outcomes=[Outcome.NO_ROUTE]) == 1
    assert (await scene.statuses(pool, campaign))["planned"] == 2
    assert "planned" not in await scene.statuses(pool, other)
    with pytest.raises(NotFound):
        await requeue.requeue(pool, 2, campaign.id, [error])


async def one_of_each_end_of_another(pool):
    await pool.execute("UPDATE nodes SET lease_until = '-infinity'")
    return await one_of_each_end(pool, name="Another")


@pytest.mark.parametrize("action", [CampaignAction.FINISH, CampaignAction.DELETE])
async def test_nothing_of_a_finished_campaign_is_requeued(pool, action):
    campaign, _, _ = await one_of_each_end(pool)
    await scene.act(pool, campaign, action)
    before = await scene.statuses(pool, campaign)
    with pytest.raises((CampaignClosed, NotFound), match="campaign"):
        await again(pool, campaign, *requeue.STATUSES)
    assert await scene.statuses(pool, campaign) == before


async def test_a_requeued_call_that_is_not_tried_again_ends_as_its_last_attempt_at_finish(pool):
    campaign, _, _ = await one_of_each_end(pool)
    before = await scene.statuses(pool, campaign)
    assert await again(pool, campaign, *requeue.STATUSES) == 4
    await scene.act(pool, campaign, CampaignAction.FINISH)
    assert await scene.statuses(pool, campaign) == before


async def test_a_long_list_is_requeued_in_batches_each_call_once(pool, monkeypatch):
    monkeypatch.setattr(requeue, "BATCH", 10)
    campaign = await scene.campaign(pool, 25)
    node = await scene.node(pool)
    await node.end(await node.dial_all(campaign), NO_ROUTE)
    transactions = itertools.count()
    plain = requeue.transaction

    def counted(db):
        next(transactions)
        return plain(db)

    monkeypatch.setattr(requeue, "transaction", counted)
    assert await again(pool, campaign, CallStatus.TECHNICAL_ERROR) == 25
    assert next(transactions) >= 3
    assert await scene.statuses(pool, campaign) == {"planned": 25}
    assert await pool.fetchval("SELECT bool_and(requeued = 1) FROM calls")
