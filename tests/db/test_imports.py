"""Lists as imports: what is counted and kept of them, dry runs, numbers taken out again."""

from __future__ import annotations

import datetime as dt

import pytest
from tests.db import scene

from dialer.campaign.moves import CampaignAction
from dialer.store import campaigns, dry_run, imports, numbers, promotion, removal, reports
from dialer.store.errors import CampaignClosed, NotFound
from dialer.store.records import DEFAULT_ACCOUNT, NewCall, SkippedRow

OTHER_ACCOUNT = 2


async def listed(pool, campaign):
    pages = reports.of_calls(pool, DEFAULT_ACCOUNT, campaign.id, reports.ReportFilter())
    return [row.call async for page in pages for row in page]


async def imported(pool, campaign, new, rejected=(), name="spring.csv"):
    """Add a list as an import; return its id."""
    made = await imports.begin(pool, DEFAULT_ACCOUNT, campaign.id, name)
    await numbers.add(
        pool, DEFAULT_ACCOUNT, campaign.id, new, import_id=made, rejected=list(rejected)
    )
    await imports.end(pool, DEFAULT_ACCOUNT, made, format="CSV in UTF-8 with commas")
    return made


async def skipped(pool, import_id):
    return [row async for row in imports.skipped(pool, DEFAULT_ACCOUNT, import_id)]


async def test_an_import_keeps_its_figures_and_every_row_that_was_skipped(pool, monkeypatch):
    monkeypatch.setattr(imports, "PAGE", 2)
    campaign = await scene.campaign(pool)
    short = NewCall("+49", dialable=False, problem="too short", line=3)
    new = [NewCall("+4930100", line=2), short, NewCall("+4930100", line=5), NewCall("+49", line=6)]
    rejected = [
        SkippedRow(4, "x\0", "phone: is not a number"),
        SkippedRow(7, "", "phone: is empty"),
    ]
    made = await imported(pool, campaign, new, rejected)
    found = await imports.get(pool, DEFAULT_ACCOUNT, made)
    assert (found.added, found.undialable, found.duplicates, found.rejected) == (2, 1, 2, 2)
    assert (found.file_name, found.format) == ("spring.csv", "CSV in UTF-8 with commas")
    assert found.problem == ""
    assert found.created_at <= found.finished_at
    assert await skipped(pool, made) == [
        SkippedRow(4, "x\ufffd", "phone: is not a number"),
        SkippedRow(5, "+4930100", numbers.DUPLICATE),
        SkippedRow(6, "+49", numbers.DUPLICATE),
        SkippedRow(7, "", "phone: is empty"),
    ]


async def test_imports_are_listed_newest_first_and_are_their_accounts_own(pool):
    campaign, other = await scene.campaign(pool), await scene.campaign(pool)
    made = [await imported(pool, campaign, scene.listed(1, place)) for place in range(3)]
    await imported(pool, other, scene.listed(1))
    page = await imports.list_page(pool, DEFAULT_ACCOUNT, campaign.id, limit=2)
    assert [one.id for one in page] == [made[2], made[1]]
    page = await imports.list_page(pool, DEFAULT_ACCOUNT, campaign.id, before=made[1])
    assert [one.id for one in page] == [made[0]]
    for refused in (
        imports.list_page(pool, OTHER_ACCOUNT, campaign.id),
        imports.get(pool, OTHER_ACCOUNT, made[0]),
        imports.get(pool, DEFAULT_ACCOUNT, 999),
        imports.begin(pool, OTHER_ACCOUNT, campaign.id),
        anext(imports.skipped(pool, OTHER_ACCOUNT, made[0])),
        removal.of_import(pool, OTHER_ACCOUNT, campaign.id, made[0]),
        removal.of_numbers(pool, OTHER_ACCOUNT, campaign.id, ["+4930000001"]),
        removal.of_calls(pool, OTHER_ACCOUNT, campaign.id, [1]),
        removal.of_import(pool, DEFAULT_ACCOUNT, other.id, made[0]),
    ):
        with pytest.raises(NotFound):
            await refused


async def test_a_finished_campaign_takes_no_list(pool):
    campaign = await scene.campaign(pool)
    await campaigns.act(pool, DEFAULT_ACCOUNT, campaign.id, CampaignAction.FINISH)
    with pytest.raises(CampaignClosed):
        await imports.begin(pool, DEFAULT_ACCOUNT, campaign.id)
    with pytest.raises(CampaignClosed):
        async with dry_run.begin(pool, DEFAULT_ACCOUNT, campaign.id):
            pass


async def test_alternate_numbers_are_kept_in_order_and_make_no_other_number_of_it(pool):
    campaign = await scene.campaign(pool)
    one = NewCall("+4930100", alternates=("+4930300", "+4930200"))
    again = NewCall("+4930100", alternates=("+4930400",))
    plain = NewCall("+4930101")
    report = await numbers.add(pool, DEFAULT_ACCOUNT, campaign.id, [one, again, plain])
    assert report.duplicates == (again,)
    found = await pool.fetch("SELECT number, next_number, alternates FROM calls ORDER BY id")
    assert [tuple(row) for row in found] == [
        ("+4930100", "+4930100", ["+4930300", "+4930200"]),
        ("+4930101", "+4930101", []),
    ]


async def test_a_dry_run_tells_the_same_as_adding_and_writes_nothing(pool):
    campaign = await scene.campaign(pool)
    await numbers.add(pool, DEFAULT_ACCOUNT, campaign.id, scene.listed(3))
    zoe = {"name": "Zoë \0", "a": "1"}
    batches = [
        [*scene.listed(5, 101), NewCall("+49", payload=zoe, line=6), NewCall("+49", payload=zoe)],
        [*scene.listed(2, 104), *scene.listed(2, 109), NewCall("+49", payload={"a": "1", **zoe})],
    ]
    before = await pool.fetchval(
        "SELECT (SELECT count(*) FROM calls) + (SELECT count(*) FROM events)"
    )
    for _ in range(2):
        async with dry_run.begin(pool, DEFAULT_ACCOUNT, campaign.id) as check:
            told = [await check(batch) for batch in batches]
    assert before == await pool.fetchval(
        "SELECT (SELECT count(*) FROM calls) + (SELECT count(*) FROM events)"
    )
    assert await pool.fetchval("SELECT count(*) FROM imports") == 0
    assert [report.added for report in told] == [4, 2]
    assert told == [await numbers.add(pool, DEFAULT_ACCOUNT, campaign.id, one) for one in batches]


async def test_a_dry_run_for_a_campaign_that_is_not_there_yet(pool):
    async with dry_run.begin(pool, DEFAULT_ACCOUNT, None) as check:
        report = await check([*scene.listed(2), *scene.listed(1)])
    assert (report.added, len(report.duplicates)) == (2, 1)


async def test_only_calls_never_attempted_are_removed_and_the_others_told_why(pool):
    campaign = await scene.campaign(pool, 5)
    node = await scene.node(pool)
    answered, talking, waiting = await node.dial_all(campaign, 3)
    await node.end([answered])
    await node.end([waiting], scene.busy(scene.soon(3600)))
    found = {call.id: call.number for call in await listed(pool, campaign)}
    report = await removal.of_numbers(
        pool, DEFAULT_ACCOUNT, campaign.id, [*found.values(), "+4930999999"]
    )
    assert (report.removed, report.kept) == (2, 4)
    assert {(one.call_id, one.reason) for one in report.first_kept} == {
        (answered.call_id, "its call is over: Answered"),
        (talking.call_id, "is being called now"),
        (waiting.call_id, "was called already, and waits for another attempt"),
        (None, "is not in this campaign"),
    }
    left = [call.id for call in await listed(pool, campaign)]
    assert set(left) == {answered.call_id, talking.call_id, waiting.call_id}
    assert (
        await pool.fetchval("SELECT count(*) FROM ready WHERE campaign_id = $1", campaign.id) == 0
    )
    told = await pool.fetchval("SELECT data FROM events WHERE kind = 'numbers.removed'")
    assert told["removed"] == 2
    assert set(told["call_ids"]) == found.keys() - set(left)
    assert await node.claim(campaign) == []


async def test_a_call_that_is_being_claimed_is_left_to_the_claim(pool):
    campaign = await scene.campaign(pool, 3)
    ids = [call.id for call in await listed(pool, campaign)]
    async with pool.acquire() as other, other.transaction():
        await other.execute("SELECT FROM calls WHERE id = $1 FOR UPDATE", ids[1])
        report = await removal.of_calls(pool, DEFAULT_ACCOUNT, campaign.id, [*ids, ids[0], 999])
    assert (report.removed, report.kept) == (2, 2)
    assert [(one.call_id, one.reason) for one in report.first_kept] == [
        (ids[1], "is being called now"),
        (999, "is not in this campaign"),
    ]


async def test_what_an_import_brought_can_be_taken_out_again(pool, monkeypatch):
    monkeypatch.setattr(removal, "BATCH", 2)
    campaign = await scene.campaign(pool)
    await imported(pool, campaign, scene.listed(3, 1))
    mistake = await imported(pool, campaign, scene.listed(5, 3))
    await imported(pool, campaign, scene.listed(2, 20))
    report = await removal.of_import(pool, DEFAULT_ACCOUNT, campaign.id, mistake)
    assert (report.removed, report.kept) == (5 - 1, 0)
    assert len(await listed(pool, campaign)) == 5
    again = await removal.of_import(pool, DEFAULT_ACCOUNT, campaign.id, mistake)
    assert (again.removed, again.kept) == (0, 0)


async def test_numbers_added_later_are_dialled_although_all_calls_are_done(pool):
    campaign = await scene.campaign(pool, 2)
    node = await scene.node(pool)
    await node.end(await node.dial_all(campaign))
    assert (await campaigns.get(pool, DEFAULT_ACCOUNT, campaign.id)).status == "in_progress"
    made = await imported(pool, campaign, scene.listed(1, 500))
    assert await promotion.promote(pool) == 1
    (claimed,) = await node.claim(campaign)
    assert claimed.number == scene.listed(1, 500)[0].number
    assert await pool.fetchval("SELECT import_id FROM calls WHERE id = $1", claimed.id) == made


async def test_an_import_that_was_cut_off_ends_once_nobody_can_go_on_with_it(pool):
    campaign = await scene.campaign(pool)
    cut_off = await imports.begin(pool, DEFAULT_ACCOUNT, campaign.id)
    whole = await imported(pool, campaign, [])
    day = dt.timedelta(hours=24)
    assert await imports.end_abandoned(pool, day) == 0
    tomorrow = dt.datetime.now(dt.UTC) + day
    assert await imports.end_abandoned(pool, day, tomorrow) == 1
    ended = await imports.get(pool, DEFAULT_ACCOUNT, cut_off)
    assert "cut off" in ended.problem
    assert ended.finished_at is not None
    assert not (await imports.get(pool, DEFAULT_ACCOUNT, whole)).problem
