from __future__ import annotations

import uuid

import pytest
from tests.db import scene

from dialer.campaign.moves import CampaignAction
from dialer.store import calls, clone, erasure, recordings, requeue, traces
from dialer.store.errors import CallIsUp
from dialer.store.records import DEFAULT_ACCOUNT, LegTrace, NewCall, Provisional

NUMBER, OTHER, MOBILE = "+4930654321", "+4930999999", "+4917012345"
NAMED = {"name": "Lovelace"}


async def erase(pool, number=NUMBER, account=DEFAULT_ACCOUNT):
    return await erasure.erase(pool, account, number)


async def call_ids(pool, campaign):
    query = "SELECT id FROM calls WHERE campaign_id = $1 ORDER BY id"
    return [row["id"] for row in await pool.fetch(query, campaign.id)]


async def whole_database(pool):
    """Every row of every table, as text."""
    tables = await pool.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    texts = []
    for table in tables:
        name = table["tablename"]
        texts += [row[0] for row in await pool.fetch(f'SELECT t::text FROM "{name}" AS t')]
    return "\n".join(texts)


async def spoken_with(pool):
    """A campaign with a person in two calls of it, one of them tried, and somebody else."""
    campaign = await scene.campaign(pool)
    new = [NewCall(NUMBER, payload=NAMED), NewCall(OTHER), NewCall(NUMBER, payload={"name": "L."})]
    await scene.numbers.add(pool, DEFAULT_ACCOUNT, campaign.id, new)
    await pool.execute("UPDATE calls SET alternates = $1 WHERE payload = $2", [MOBILE], NAMED)
    await scene.promotion.promote(pool)
    node = await scene.node(pool)
    [leg] = await node.dial_all(campaign, 1)
    await pool.execute(
        "UPDATE legs SET identity = identity || jsonb_build_object('request_uri', $1::text)",
        f"sip:{NUMBER}@pbx",
    )
    await node.end(
        [leg],
        scene.busy(scene.soon()),
        code=486,
        phrase=f"{NUMBER} is busy",
        reasons=(f'SIP;text="{NUMBER}"',),
        provisionals=(Provisional(180, f"ringing {NUMBER}", scene.soon(0)),),
    )
    await pool.execute(
        "UPDATE attempts SET detail = $1, conversation = $2, report_data = $2 WHERE id = $3",
        f"the bot failed: {NUMBER}",
        {"said": NUMBER},
        leg.attempt_id,
    )
    await traces.keep(pool, [LegTrace(leg.call_id, leg.attempt_id, 0, ())])
    tried = (await scene.read(pool, leg.call_id)).call
    assert await recordings.add(pool, scene.recording(tried, consent_detail=f"said by {NUMBER}"))
    await pool.execute(
        "UPDATE events SET data = data || jsonb_build_object('number', $1::text) "
        "WHERE call_id = $2",
        NUMBER,
        leg.call_id,
    )
    await pool.execute("UPDATE attempts SET detail = $1", f"{NUMBER} was busy")
    for number in (NUMBER, MOBILE, OTHER):
        await pool.execute("INSERT INTO contacts VALUES (1, $1, '2026-01-01', 1)", number)
        await pool.execute("INSERT INTO unique_users VALUES (1, '2026-01-01', $1)", number)
    imported = await pool.fetchval(
        "INSERT INTO imports (account_id, campaign_id) VALUES (1, $1) RETURNING id", campaign.id
    )
    for written in ("+49 (30) 65-43-21", OTHER):
        await pool.execute("INSERT INTO import_rows VALUES ($1, 2, $2, 'twice')", imported, written)
    return campaign


async def test_nothing_of_the_person_is_left_and_statuses_and_counts_stay(pool):
    campaign = await spoken_with(pool)
    first, other, second = await call_ids(pool, campaign)
    before = await scene.read(pool, first)
    gone = await erase(pool)
    assert gone == erasure.Erased(
        calls=2, legs=1, traces=1, recordings=1, events=4, contacts=3, unique_users=2, import_rows=1
    )
    left = await whole_database(pool)
    for word in (NUMBER, NUMBER[1:], MOBILE, "Lovelace", "L.", "65-43-21"):
        assert word not in left
    assert OTHER in left

    after = await scene.read(pool, first)
    assert (after.call.number, after.call.payload) == (f"erased-{first}", {})
    assert (after.call.attempts, after.call.attempts_counted) == (1, 1)
    (attempt,) = after.attempts
    assert (attempt.outcome, attempt.rule) == ("busy", before.attempts[0].rule)
    evidence, seen = attempt.legs[0].evidence, before.attempts[0].legs[0].evidence
    assert (evidence.code, evidence.ended_at) == (486, seen.ended_at)
    assert [one.code for one in evidence.provisionals] == [180]
    assert (await scene.read(pool, second)).call.number == f"erased-{second}"
    assert (await scene.read(pool, other)).call.number == OTHER
    assert await pool.fetchval("SELECT count(*) FROM unique_users") == 3
    erased = await pool.fetch("SELECT id FROM calls WHERE erased_at IS NOT NULL ORDER BY id")
    assert [row["id"] for row in erased] == [first, second]


async def test_a_call_that_waits_ends_as_not_dialed_and_is_not_called(pool):
    campaign = await spoken_with(pool)
    await erase(pool)
    assert await scene.statuses(pool, campaign) == {"not_dialed": 2, "planned": 1}
    outcomes = await pool.fetch("SELECT last_outcome FROM calls WHERE erased_at IS NOT NULL")
    assert {row["last_outcome"] for row in outcomes} == {"suppressed"}
    await scene.promotion.promote(pool, full=True, now=scene.soon(1000))
    claimed = await scene.Node(pool, "one", 1).claim(campaign)
    assert [call.number for call in claimed] == [OTHER]


async def test_an_erased_call_is_neither_requeued_nor_cloned(pool):
    campaign = await spoken_with(pool)
    await erase(pool)
    assert await requeue.requeue(pool, DEFAULT_ACCOUNT, campaign.id, requeue.STATUSES) == 0
    _, added = await clone.clone(pool, DEFAULT_ACCOUNT, campaign.id, "Again", "all")
    assert added == 1


@pytest.mark.parametrize("dialed", [False, True])
async def test_erasure_is_refused_while_a_call_is_up_and_changes_nothing(pool, dialed):
    campaign = await scene.campaign(pool)
    other = await scene.campaign(pool)
    for one in (campaign, other):
        await scene.numbers.add(pool, DEFAULT_ACCOUNT, one.id, [NewCall(NUMBER)])
    await scene.promotion.promote(pool)
    node = await scene.node(pool)
    claimed = await node.claim(campaign)
    legs = await node.dial(claimed) if dialed else []
    before = await whole_database(pool)
    with pytest.raises(CallIsUp, match="try again when it is over"):
        await erase(pool)
    assert await whole_database(pool) == before
    if dialed:
        await node.end(legs)
        assert (await erase(pool)).calls == 2


async def test_the_person_is_found_by_another_of_their_numbers(pool):
    campaign = await spoken_with(pool)
    first, _, second = await call_ids(pool, campaign)
    assert (await erase(pool, MOBILE)).calls == 1
    assert (await scene.read(pool, first)).call.number == f"erased-{first}"
    assert (await scene.read(pool, second)).call.number == NUMBER
    # it is to be called still, and the caps on its attempts hold
    left = await pool.fetch("SELECT DISTINCT number FROM contacts ORDER BY number")
    assert [row["number"] for row in left] == [NUMBER, OTHER]


async def test_it_is_over_all_campaigns_of_the_account_and_of_no_other(pool):
    campaign = await spoken_with(pool)
    await scene.act(pool, campaign, CampaignAction.DELETE)
    await pool.execute("INSERT INTO accounts (id, name) VALUES (7, 'theirs')")
    assert (await erase(pool, account=7)).calls == 0
    assert await calls.list_page(pool, DEFAULT_ACCOUNT, number=NUMBER)
    assert (await erase(pool)).calls == 2
    assert await calls.list_page(pool, DEFAULT_ACCOUNT, number=NUMBER) == []


async def test_what_passed_of_an_erased_call_is_not_kept_when_it_comes_late(pool):
    campaign = await spoken_with(pool)
    first, _, _ = await call_ids(pool, campaign)
    await erase(pool)
    await traces.keep(pool, [LegTrace(first, uuid.uuid4(), 0, ())])
    assert await pool.fetchval("SELECT count(*) FROM traces") == 0


async def test_an_entry_in_the_do_not_call_list_stays(pool):
    await spoken_with(pool)
    await pool.execute(
        "INSERT INTO do_not_call (account_id, pattern, source) VALUES (1, $1, 'callee')", NUMBER
    )
    await erase(pool)
    assert await pool.fetchval("SELECT pattern FROM do_not_call") == NUMBER


async def test_erasing_twice_and_somebody_unknown_is_no_error(pool):
    await spoken_with(pool)
    await erase(pool)
    nothing = erasure.Erased(*(0,) * 8)
    assert await erase(pool) == nothing
    assert await erase(pool, f"+{uuid.uuid4().int % 10**12}") == nothing
