from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import uuid

import pytest
from tests.db import scene

from dialer.campaign.moves import CampaignAction
from dialer.store import campaigns, erasure, recording_deletion, recordings, retention
from dialer.store.errors import NotFound
from dialer.store.records import DEFAULT_ACCOUNT

DAY = dt.timedelta(days=1)


@pytest.fixture
async def call(pool):
    """A call that is over."""
    campaign = await scene.campaign(pool, 1)
    node = await scene.node(pool)
    [leg] = await node.dial_all(campaign)
    await node.end([leg])
    return (await scene.read(pool, leg.call_id)).call


async def added(pool, call, **more):
    new = scene.recording(call, **more)
    assert await recordings.add(pool, new)
    return new


async def sweep(pool, now=None):
    """What is taken to be deleted in its place; it is then noted as gone."""
    await recording_deletion.doom_expired(pool, now)
    taken = await recording_deletion.take_doomed(pool, now)
    for one in taken:
        await recording_deletion.note_deleted(pool, one.id, now)
    return [one.place_key for one in taken]


async def reasons(pool):
    return [row[0] for row in await pool.fetch("SELECT doomed_because FROM recordings")]


async def test_a_recording_is_read_as_it_was_noted_and_noting_it_again_is_no_error(pool, call):
    new = await added(pool, call, format="opus", whole=False, expires_at=None)
    assert await recordings.add(pool, dataclasses.replace(new, seconds=99.0))
    found = await recordings.get(pool, DEFAULT_ACCOUNT, new.id)
    given = {field.name: getattr(found, field.name) for field in dataclasses.fields(new)}
    assert given == dataclasses.asdict(new)
    assert (found.doomed_at, found.doomed_because, found.deleted_at) == (None, None, None)
    assert await recordings.of_calls(pool, DEFAULT_ACCOUNT, [call.id]) == [found]


async def test_it_is_seen_by_its_account_alone(pool, call):
    new = await added(pool, call)
    with pytest.raises(NotFound, match=str(new.id)):
        await recordings.get(pool, 7, new.id)
    with pytest.raises(NotFound):
        await recordings.doom(pool, 7, new.id)
    assert await recordings.list_page(pool, 7) == []
    assert await recordings.of_calls(pool, 7, [call.id]) == []
    assert (await recordings.get(pool, DEFAULT_ACCOUNT, new.id)).doomed_at is None
    assert not await recordings.add(pool, scene.recording(call, account_id=7))


async def test_pages_go_from_the_last_added_by_campaign_call_and_time(pool, call):
    new = [await added(pool, call, started_at=scene.soon(n)) for n in range(4)]
    page = await recordings.list_page(pool, DEFAULT_ACCOUNT, limit=3)
    assert [one.id for one in page] == [one.id for one in reversed(new[1:])]
    rest = await recordings.list_page(pool, DEFAULT_ACCOUNT, before=page[-1].ordinal)
    assert [one.id for one in rest] == [new[0].id]
    for asked, count in (
        ({"campaign_id": call.campaign_id}, 4),
        ({"campaign_id": call.campaign_id + 1}, 0),
        ({"call_id": call.id}, 4),
        ({"call_id": call.id + 1}, 0),
        ({"since": new[2].started_at}, 2),
    ):
        assert len(await recordings.list_page(pool, DEFAULT_ACCOUNT, **asked)) == count


async def test_one_that_a_person_deletes_is_taken_once_and_stays_as_evidence(pool, call):
    new, other = await added(pool, call), await added(pool, call)
    for _ in range(2):
        await recordings.doom(pool, DEFAULT_ACCOUNT, new.id)
    doomed = await recordings.get(pool, DEFAULT_ACCOUNT, new.id)
    assert (doomed.doomed_because, doomed.deleted_at) == ("deleted", None)
    assert await sweep(pool) == [new.place_key]
    assert await sweep(pool) == []
    await recordings.doom(pool, DEFAULT_ACCOUNT, new.id)
    assert await sweep(pool) == []
    gone = await recordings.get(pool, DEFAULT_ACCOUNT, new.id)
    assert (gone.doomed_because, gone.doomed_at) == ("deleted", doomed.doomed_at)
    assert gone.deleted_at > gone.doomed_at
    assert (await recordings.get(pool, DEFAULT_ACCOUNT, other.id)).doomed_at is None


async def test_one_whose_time_is_over_goes_and_one_without_a_time_stays(pool, call):
    old = await added(pool, call, expires_at=scene.soon(0) + 30 * DAY)
    await added(pool, call, expires_at=scene.soon(0) + 31 * DAY)
    await added(pool, call, expires_at=None)
    assert await sweep(pool) == []
    assert await sweep(pool, scene.soon(0) + 30 * DAY + scene.HOUR) == [old.place_key]
    assert (await recordings.get(pool, DEFAULT_ACCOUNT, old.id)).doomed_because == "expired"


async def test_what_was_not_deleted_comes_again_later_and_later(pool, call):
    new = await added(pool, call)
    await recordings.doom(pool, DEFAULT_ACCOUNT, new.id)
    now, waits = scene.soon(10), []
    for tries in range(1, 10):
        [taken] = await recording_deletion.take_doomed(pool, now)
        assert taken == recording_deletion.Doomed(
            new.id, new.place_key, new.octets, gone=False, tries=tries
        )
        following = await pool.fetchval("SELECT delete_at FROM recordings")
        assert await recording_deletion.take_doomed(pool, following - dt.timedelta(seconds=1)) == []
        waits.append((following - now) // dt.timedelta(minutes=1))
        now = following
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


async def test_two_nodes_never_take_the_same_at_once(pool, call):
    for _ in range(30):
        await recordings.doom(pool, DEFAULT_ACCOUNT, (await added(pool, call)).id)
    taken = [
        one.id
        for batch in await asyncio.gather(*(recording_deletion.take_doomed(pool) for _ in range(4)))
        for one in batch
    ]
    assert len(taken) == len(set(taken)) == 30


async def test_what_comes_late_for_an_erased_or_missing_call_is_to_be_deleted(pool, call):
    await erasure.erase(pool, DEFAULT_ACCOUNT, call.number)
    assert not await recordings.add(pool, scene.recording(call))
    assert not await recordings.add(pool, scene.recording(call, call_id=call.id + 1))
    assert await pool.fetchval("SELECT count(*) FROM recordings") == 0


async def test_what_is_put_again_after_it_was_deleted_is_to_be_deleted(pool, call):
    new = await added(pool, call)
    await recordings.doom(pool, DEFAULT_ACCOUNT, new.id)
    assert not await recordings.add(pool, new)
    await sweep(pool)
    assert not await recordings.add(pool, new)


async def test_one_that_is_added_while_its_person_is_erased_does_not_stay(pool, call):
    new = scene.recording(call)
    async with pool.acquire() as erasing, erasing.transaction():
        await erasure.erase(erasing, DEFAULT_ACCOUNT, call.number)
        adding = asyncio.create_task(recordings.add(pool, new))
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        while not await erasing.fetchval(waiting):
            assert not adding.done()
    assert not await adding
    assert await pool.fetchval("SELECT count(*) FROM recordings") == 0


async def test_those_of_an_erased_person_are_unseen_at_once_and_leave_no_row(pool, call):
    new, deleted, gone = [await added(pool, call) for _ in range(3)]
    await recordings.doom(pool, DEFAULT_ACCOUNT, gone.id)
    assert await sweep(pool) == [gone.place_key]
    await recordings.doom(pool, DEFAULT_ACCOUNT, deleted.id)
    erased = await erasure.erase(pool, DEFAULT_ACCOUNT, call.number)
    assert erased.recordings == 3
    assert await recordings.list_page(pool, DEFAULT_ACCOUNT) == []
    assert await recordings.of_calls(pool, DEFAULT_ACCOUNT, [call.id]) == []
    for one in (new, deleted, gone):
        with pytest.raises(NotFound):
            await recordings.get(pool, DEFAULT_ACCOUNT, one.id)
        with pytest.raises(NotFound):
            await recordings.doom(pool, DEFAULT_ACCOUNT, one.id)
    taken = {one.id: one.gone for one in await recording_deletion.take_doomed(pool)}
    assert taken == {new.id: False, deleted.id: False, gone.id: True}
    for recording_id in taken:
        await recording_deletion.note_deleted(pool, recording_id)
    assert await pool.fetchval("SELECT count(*) FROM recordings") == 0


async def test_one_that_is_erased_while_it_is_being_deleted_leaves_no_row(pool, call):
    new = await added(pool, call)
    await recordings.doom(pool, DEFAULT_ACCOUNT, new.id)
    [taken] = await recording_deletion.take_doomed(pool)
    await erasure.erase(pool, DEFAULT_ACCOUNT, call.number)
    await recording_deletion.note_deleted(pool, taken.id)
    assert await pool.fetchval("SELECT count(*) FROM recordings") == 0


async def test_those_of_forgotten_calls_outlive_them_until_their_sound_is_gone(pool, call):
    new = await added(pool, call, expires_at=None)
    await pool.execute("UPDATE nodes SET lease_until = '-infinity'")
    finished = await campaigns.get(pool, DEFAULT_ACCOUNT, call.campaign_id)
    await scene.act(pool, finished, CampaignAction.FINISH)
    assert await retention.forget_calls(pool, DAY, scene.soon(0) + 2 * DAY) > 0
    assert await pool.fetchval("SELECT count(*) FROM calls") == 0
    assert await reasons(pool) == ["forgotten"]
    assert await recordings.list_page(pool, DEFAULT_ACCOUNT) == []
    assert not await recordings.add(pool, new)
    assert await sweep(pool) == [new.place_key]
    assert await reasons(pool) == []


async def test_noting_what_is_not_there_is_no_error(pool):
    await recording_deletion.note_deleted(pool, uuid.uuid4())
