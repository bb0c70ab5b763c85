from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt

import pytest
from tests.db import scene

from dialer.campaign.moves import CampaignAction, MoveRefused
from dialer.campaign.status import CallStatus, CampaignStatus, PauseReason
from dialer.store import calls, campaigns, numbers, promotion, reports, withdrawal
from dialer.store.errors import CampaignClosed, NotFound, Refused, VersionConflict
from dialer.store.records import DEFAULT_ACCOUNT, CampaignSettings, PauseNote

A = CampaignAction


async def create(pool, **settings):
    changed = dataclasses.replace(scene.SETTINGS, **settings)
    return await campaigns.create(pool, DEFAULT_ACCOUNT, changed)


async def get(pool, campaign):
    return await campaigns.get(pool, DEFAULT_ACCOUNT, campaign.id)


async def test_settings_are_read_as_they_were_written(pool):
    settings = CampaignSettings(
        name="Spring 春",
        trunks=("a", "b"),
        caller_ids=("+49301", "+49302"),
        start_at=dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC),
        max_simultaneous_calls=7,
        calls_per_second=0.5,
        max_attempts=4,
        retry_interval_seconds=90,
        retry_by_outcome={"busy": 60},
        ring_timeout_seconds=25,
        max_talk_seconds=600,
        on_answer={"prompt": "hello.wav", "nested": {"a": [1, None, True]}},
        webhook_url="https://example.org/hook",
        redial_interrupted=True,
    )
    made = await campaigns.create(pool, DEFAULT_ACCOUNT, settings)
    assert made.settings == settings
    assert (made.status, made.version) == (CampaignStatus.DRAFT, 1)
    assert await get(pool, made) == made
    with pytest.raises(NotFound):
        await campaigns.get(pool, 2, made.id)


async def test_campaigns_are_listed_newest_first_by_status_and_page(pool):
    made = [await create(pool, name=str(i)) for i in range(5)]
    for campaign in made[:2]:
        await scene.act(pool, campaign, A.START)
    await scene.act(pool, made[1], A.PAUSE)

    async def ids(*statuses, **page):
        found = await campaigns.list_page(pool, DEFAULT_ACCOUNT, statuses=statuses, **page)
        return [campaign.id for campaign in found]

    newest_first = [campaign.id for campaign in reversed(made)]
    assert await ids() == newest_first
    assert await ids(limit=2) == newest_first[:2]
    assert await ids(before=newest_first[1], limit=2) == newest_first[2:4]
    both = (CampaignStatus.PAUSED, CampaignStatus.IN_PROGRESS)
    assert await ids(*both) == [made[1].id, made[0].id]
    assert await ids(CampaignStatus.FINISHED) == []


async def test_a_change_needs_the_version_that_was_read(pool):
    made = await create(pool)
    renamed = dataclasses.replace(made.settings, name="Summer")
    changed = await campaigns.change(pool, DEFAULT_ACCOUNT, made.id, renamed, version=made.version)
    assert (changed.settings, changed.version) == (renamed, made.version + 1)
    with pytest.raises(VersionConflict, match="has changed"):
        await campaigns.change(pool, DEFAULT_ACCOUNT, made.id, renamed, version=made.version)
    with pytest.raises(VersionConflict):
        await scene.act(pool, made, A.START, version=made.version)
    assert await get(pool, made) == changed


async def test_a_planned_campaign_keeps_a_start_time(pool):
    made = await create(pool, start_at=scene.soon())
    planned = await scene.act(pool, made, A.START)
    assert planned.status is CampaignStatus.PLANNED
    without = dataclasses.replace(made.settings, start_at=None)
    with pytest.raises(Refused, match="start time"):
        await campaigns.change(pool, DEFAULT_ACCOUNT, made.id, without)
    await scene.act(pool, made, A.PAUSE)
    with pytest.raises(Refused, match="start time"):
        await campaigns.change(pool, DEFAULT_ACCOUNT, made.id, without)
    assert (await scene.act(pool, made, A.RESUME)).status is CampaignStatus.PLANNED


async def test_a_pause_remembers_why_and_whence_and_pausing_twice_is_no_error(pool):
    campaign = await scene.campaign(pool, start_at=scene.soon())
    note = PauseNote(PauseReason.SYSTEM_FAILURE, "No trunk is usable: check the PBX.")
    paused = await scene.act(pool, campaign, A.PAUSE, pause=note)
    assert (paused.pause_reason, paused.pause_detail) == (note.reason, note.detail)
    assert paused.paused_from is CampaignStatus.PLANNED
    assert await scene.act(pool, campaign, A.PAUSE) == paused
    resumed = await scene.act(pool, campaign, A.RESUME)
    assert resumed.status is CampaignStatus.PLANNED
    assert (resumed.pause_reason, resumed.pause_detail, resumed.paused_from) == (None, "", None)


async def test_a_refused_move_changes_nothing(pool):
    made = await create(pool)
    with pytest.raises(MoveRefused, match="start"):
        await scene.act(pool, made, A.RESUME)
    assert await get(pool, made) == made


async def test_finish_ends_what_waits_and_leaves_what_runs(pool):
    campaign = await scene.campaign(pool, 4)
    node = await scene.node(pool)
    retried, running, claimed = await node.claim(campaign, 3)
    await node.end(await node.dial([retried]), scene.busy(scene.soon()))
    [leg] = await node.dial([running])
    finished = await scene.act(pool, campaign, A.FINISH)
    assert finished.status is CampaignStatus.FINISHED
    assert finished.finished_at is not None
    assert await scene.statuses(pool, campaign) == {
        "completed_without_answer": 1,
        "in_progress": 1,
        "not_dialed": 2,
    }
    assert await node.dial([claimed]) == []
    await node.end([leg])
    assert (await scene.statuses(pool, campaign))["answered"] == 1
    assert await pool.fetchval("SELECT count(*) FROM ready") == 0


async def test_finish_takes_the_last_attempts_end_for_a_call_that_went_back_to_planned(pool):
    campaign = await scene.campaign(pool, 2)
    node = await scene.node(pool)
    await node.end(await node.dial(await node.claim(campaign, 1)), scene.rate_limited())
    assert await scene.statuses(pool, campaign) == {"planned": 2}
    await scene.act(pool, campaign, A.FINISH)
    assert await scene.statuses(pool, campaign) == {"technical_error": 1, "not_dialed": 1}


@pytest.mark.parametrize("tried", [False, True])
async def test_what_was_committed_and_never_sent_ends_with_its_finished_campaign(pool, tried):
    campaign = await scene.campaign(pool, 1)
    node = await scene.node(pool)
    if tried:
        await node.end(await node.dial_all(campaign), scene.rate_limited())
        await promotion.promote(pool)
    [leg] = await node.dial_all(campaign)
    await scene.act(pool, campaign, A.FINISH)
    assert await withdrawal.withdraw(pool, node.name, node.epoch, {leg.attempt_id}) == 1
    final = "technical_error" if tried else "not_dialed"
    assert await scene.statuses(pool, campaign) == {final: 1}
    assert len((await scene.read(pool, leg.call_id)).attempts) == tried


async def test_a_long_list_is_ended_in_batches_even_if_finish_is_cut_short(pool, monkeypatch):
    monkeypatch.setattr(campaigns, "END_BATCH", 10)
    campaign, other = await scene.campaign(pool, 25), await scene.campaign(pool, 25)
    await scene.act(pool, campaign, A.FINISH)
    assert await scene.statuses(pool, campaign) == {"not_dialed": 25}
    async with pool.acquire() as connection:
        cut_short = asyncio.Event()

        async def die(*_):
            cut_short.set()
            raise asyncio.CancelledError

        with monkeypatch.context() as patch:
            patch.setattr(campaigns, "end_batch", die)
            with pytest.raises(asyncio.CancelledError):
                await scene.act(connection, other, A.FINISH)
    assert cut_short.is_set()
    assert await scene.statuses(pool, other) == {"not_dialed": 10, "planned": 15}
    for _ in range(4):
        await promotion.start_due_campaigns(pool)
    assert await scene.statuses(pool, other) == {"not_dialed": 25}
    assert not await pool.fetchval("SELECT bool_or(ending) FROM campaigns")


async def test_a_finished_campaign_takes_no_numbers_and_no_settings(pool):
    campaign = await scene.campaign(pool, 1)
    await scene.act(pool, campaign, A.FINISH)
    with pytest.raises(CampaignClosed):
        await numbers.add(pool, DEFAULT_ACCOUNT, campaign.id, scene.listed(1))
    with pytest.raises(CampaignClosed):
        await campaigns.change(pool, DEFAULT_ACCOUNT, campaign.id, campaign.settings)


async def test_a_deleted_campaign_is_gone_but_its_calls_stay_readable(pool):
    campaign = await scene.campaign(pool, 2)
    node = await scene.node(pool)
    [leg] = await node.dial_all(campaign, 1)
    gone = await scene.act(pool, campaign, A.DELETE, hang_up=True)
    assert gone.status is CampaignStatus.FINISHED
    assert gone.deleted_at is not None
    assert gone.hang_up
    assert await campaigns.list_page(pool, DEFAULT_ACCOUNT) == []
    for refused in (get(pool, campaign), scene.act(pool, campaign, A.DELETE)):
        with pytest.raises(NotFound):
            await refused
    with pytest.raises(NotFound):
        await numbers.add(pool, DEFAULT_ACCOUNT, campaign.id, scene.listed(1))
    await node.end([leg])
    dialogs = await calls.list_page(pool, DEFAULT_ACCOUNT)
    assert [call.status for call in dialogs] == ["not_dialed", "answered"]
    assert (await scene.read(pool, leg.call_id)).attempts[0].outcome == "answered"
    pages = reports.of_calls(pool, DEFAULT_ACCOUNT, campaign.id, reports.ReportFilter())
    assert [len(page) async for page in pages] == [2]


async def test_a_draft_and_a_finished_campaign_can_be_deleted(pool):
    draft, finished = await create(pool), await scene.campaign(pool)
    await numbers.add(pool, DEFAULT_ACCOUNT, draft.id, scene.listed(1))
    finished = await scene.act(pool, finished, A.FINISH)
    await scene.act(pool, draft, A.DELETE)
    deleted = await scene.act(pool, finished, A.DELETE)
    assert deleted.finished_at == finished.finished_at
    assert await scene.statuses(pool, draft) == {"not_dialed": 1}


async def test_a_campaign_whose_calls_are_all_over_stays_in_progress(pool):
    campaign = await scene.campaign(pool, 1)
    node = await scene.node(pool)
    await node.end(await node.dial_all(campaign))
    await promotion.promote(pool)
    await promotion.start_due_campaigns(pool)
    assert (await get(pool, campaign)).status is CampaignStatus.IN_PROGRESS
    await numbers.add(pool, DEFAULT_ACCOUNT, campaign.id, scene.listed(1, 500))
    assert await promotion.promote(pool) == 1


async def test_counts_name_every_status(pool):
    campaign, empty = await scene.campaign(pool, 3), await create(pool)
    await (await scene.node(pool)).dial_all(campaign, 1)
    found = await campaigns.counts(pool, [campaign.id, empty.id])
    assert found[empty.id] == dict.fromkeys(CallStatus, 0)
    assert found[campaign.id][CallStatus.PLANNED] == 2
    assert found[campaign.id][CallStatus.IN_PROGRESS] == 1
