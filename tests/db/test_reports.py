from __future__ import annotations

import datetime as dt

import pytest
from tests.db import scene

from dialer.campaign.moves import CampaignAction
from dialer.campaign.outcome import Outcome
from dialer.campaign.status import CallStatus
from dialer.store import promotion, reports
from dialer.store.errors import NotFound
from dialer.store.records import DEFAULT_ACCOUNT


async def rows(pool, campaign, *, read=reports.of_calls, **wanted):
    which = (pool, DEFAULT_ACCOUNT, campaign and campaign.id, reports.ReportFilter(**wanted))
    return [row async for page in read(*which) for row in page]


async def numbers(pool, campaign, **wanted):
    return [row.call.number[-3:] for row in await rows(pool, campaign, **wanted)]


async def attempts(pool, campaign, **wanted):
    found = await rows(pool, campaign, read=reports.of_attempts, **wanted)
    return [(row.number[-3:], row.ordinal, row.outcome) for row in found]


async def tried_twice(pool, count=4):
    """A campaign whose first two calls were busy, then answered; the last is still under way."""
    campaign = await scene.campaign(pool, count)
    node = await scene.node(pool)
    first = await node.dial_all(campaign, 2)
    await node.end(first, scene.busy(scene.soon(0)), code=486)
    await promotion.promote(pool, full=True)
    again = await node.dial_all(campaign, count)
    ids = {leg.call_id for leg in first}
    await node.end([leg for leg in again if leg.call_id in ids], code=200, talk_seconds=2.5)
    return campaign


async def test_a_report_has_every_call_in_list_order_with_its_latest_leg(pool, monkeypatch):
    monkeypatch.setattr(reports, "PAGE", 4)
    campaign = await scene.campaign(pool, 8)
    node = await scene.node(pool)
    legs = await node.dial_all(campaign, 3)
    await node.end(legs, code=200, talk_seconds=2.5)
    report = await rows(pool, campaign)
    assert [row.call.position for row in report] == list(range(1, 9))
    first, last = report[0], report[-1]
    assert (first.trunk, first.sip_call_id) == ("lab", legs[0].identity.call_id)
    assert (first.evidence.code, first.evidence.talk_seconds) == (200, 2.5)
    assert (last.trunk, last.caller_id, last.sip_call_id, last.evidence) == (None, None, None, None)


async def test_a_report_is_of_ones_own_campaigns_only(pool):
    campaign = await scene.campaign(pool, 1)
    for account, wanted in ((DEFAULT_ACCOUNT, 999), (2, campaign.id)):
        with pytest.raises(NotFound):
            await anext(reports.of_calls(pool, account, wanted, reports.ReportFilter()))
    assert [page async for page in reports.of_calls(pool, 2, None, reports.ReportFilter())] == []


@pytest.mark.parametrize("page", [1, 2, 1000])
async def test_a_report_has_one_row_per_attempt_with_its_deciding_leg(pool, monkeypatch, page):
    monkeypatch.setattr(reports, "PAGE", page)
    campaign = await tried_twice(pool, 3)
    assert await attempts(pool, campaign) == [
        ("100", 1, "busy"),
        ("100", 2, "answered"),
        ("101", 1, "busy"),
        ("101", 2, "answered"),
        ("102", 1, None),
    ]
    found = await rows(pool, campaign, read=reports.of_attempts)
    assert [row.evidence.code for row in found] == [486, 200, 486, 200, None]
    assert (found[1].trunk, found[1].legs, found[1].dialed) == ("lab", 1, "+4930000100")
    assert [row.status for row in found[3:]] == ["answered", None]


@pytest.mark.parametrize("page", [1, 1000])
async def test_calls_are_filtered_by_several_statuses_outcome_time_and_number(
    pool, monkeypatch, page
):
    monkeypatch.setattr(reports, "PAGE", page)
    campaign = await tried_twice(pool, 3)
    await scene.numbers.add(pool, DEFAULT_ACCOUNT, campaign.id, scene.listed(1, 500))
    both = (CallStatus.ANSWERED, CallStatus.PLANNED)
    assert await numbers(pool, campaign, statuses=both) == ["100", "101", "500"]
    assert await numbers(pool, campaign, statuses=both[1:]) == ["500"]
    assert await numbers(pool, campaign, outcomes=(Outcome.ANSWERED,)) == ["100", "101"]
    assert await numbers(pool, campaign, outcomes=(Outcome.BUSY,)) == []
    assert await numbers(pool, campaign, number="+4930000101") == ["101"]
    assert await numbers(pool, campaign, number="+49300001") == []
    day = dt.timedelta(days=1)
    await pool.execute("UPDATE calls SET updated_at = updated_at - $1::interval * position", day)
    moments = [row.call.updated_at for row in await rows(pool, campaign)]
    assert await numbers(pool, campaign, since=moments[1]) == ["100", "101"]
    assert await numbers(pool, campaign, until=moments[1]) == ["102", "500"]
    assert await numbers(pool, campaign, since=moments[2], until=moments[1]) == ["102"]


async def test_attempts_are_filtered_by_status_outcome_time_and_number(pool):
    campaign = await tried_twice(pool, 3)
    busy = [("100", 1, "busy"), ("101", 1, "busy")]
    assert await attempts(pool, campaign, outcomes=(Outcome.BUSY,)) == busy
    assert await attempts(pool, campaign, statuses=(CallStatus.RETRY_SCHEDULED,)) == busy
    assert await attempts(pool, campaign, statuses=(CallStatus.IN_PROGRESS,)) == [("102", 1, None)]
    of_one = await attempts(pool, campaign, number="+4930000101")
    assert of_one == [("101", 1, "busy"), ("101", 2, "answered")]
    found = await rows(pool, campaign, read=reports.of_attempts)
    for moment in sorted(row.created_at for row in found):
        later = [row.attempt_id for row in found if row.created_at >= moment]
        since = await rows(pool, campaign, read=reports.of_attempts, since=moment)
        assert [row.attempt_id for row in since] == later
        until = await rows(pool, campaign, read=reports.of_attempts, until=moment)
        assert {row.attempt_id for row in found} - set(later) == {row.attempt_id for row in until}


async def test_the_dialogs_are_the_calls_of_all_campaigns_deleted_ones_too(pool):
    first, second = await tried_twice(pool, 2), await scene.campaign(pool, 1)
    await scene.act(pool, first, CampaignAction.DELETE)
    assert await numbers(pool, None) == ["100", "101", "100"]
    assert await numbers(pool, first) == ["100", "101"]
    assert await numbers(pool, None, number="+4930000100") == ["100", "100"]
    assert len(await rows(pool, None, read=reports.of_attempts)) == 4
    assert await numbers(pool, second) == ["100"]


async def test_a_slow_reader_holds_neither_a_connection_nor_a_snapshot(pool, monkeypatch):
    monkeypatch.setattr(reports, "PAGE", 1)
    campaign = await scene.campaign(pool, 3)
    wanted = reports.ReportFilter()
    pages = reports.of_calls(pool, DEFAULT_ACCOUNT, campaign.id, wanted)
    await anext(pages)
    assert pool.get_idle_size() == pool.get_size()
    snapshots = """
        SELECT count(*) FROM pg_stat_activity
        WHERE backend_type = 'client backend' AND backend_xmin IS NOT NULL
            AND pid <> pg_backend_pid() AND datname = current_database()
    """
    assert await pool.fetchval(snapshots) == 0
    await pages.aclose()
