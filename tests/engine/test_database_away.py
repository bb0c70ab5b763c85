"""The database fails: in the middle of everything, for long, or just before it answers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import time

import asyncpg
import pytest
from tests.db import scene as store_scene
from tests.engine.scene import TRUNK, eventually, free_even_port, new_carrier, numbers_of, running
from tests.engine.severed import Severed

from dialer.campaign.moves import CampaignAction
from dialer.store import campaigns, migrate, trunks
from dialer.store import pool as store_pool
from dialer.store.embedded import EmbeddedPostgres
from dialer.store.errors import Unavailable
from dialer.store.records import DEFAULT_ACCOUNT, NewCall


@pytest.fixture
async def own_server(short_folder):
    """A Postgres of this test's own."""
    made = EmbeddedPostgres(short_folder / "postgres")
    await migrate.upgrade(await made.start())
    yield made
    await made.stop()


@pytest.fixture
async def fragile(own_server, audit):
    """A scene on that Postgres."""
    pool = await store_pool.open_pool(own_server.url)
    try:
        async with running(pool, new_carrier()) as made:
            yield made
        assert await audit(pool) == []
    finally:
        await store_pool.close_pool(pool)


async def asked(scene, question, *arguments):
    """Ask the database, again while it is away."""
    while True:
        with contextlib.suppress(Unavailable, asyncpg.PostgresError, OSError):
            return await getattr(scene, question)(*arguments)
        await asyncio.sleep(0.1)


async def all_over(scene, campaign, patience=40):
    async def over():
        return not (await asked(scene, "statuses", campaign)).keys() & {"planned", "in_progress"}

    await eventually(over, patience)


async def test_postgres_is_killed_again_and_again_amid_calls(fragile, own_server):
    await fragile.node("one", lease=3.0)
    await fragile.node("two", lease=3.0)
    kinds = (numbers_of("20012", 80), numbers_of("486", 80), numbers_of("20026", 80))
    listed = [number for three in zip(*kinds, strict=True) for number in three]
    campaign = await fragile.campaign(
        listed, calls_per_second=60, on_answer={"kind": "hang_up", "after_seconds": 5}
    )
    for already in (40, 110):
        await eventually(lambda already=already: len(fragile.ledger.calls) >= already)
        os.kill(own_server.pid, signal.SIGKILL)
        await asyncio.sleep(1.0)
    await all_over(fragile, campaign)
    assert await fragile.statuses(campaign) == {"answered": 160, "completed_without_answer": 80}
    assert fragile.ledger.calls_per_number() == dict.fromkeys(listed, 1)
    await fragile.wire_agrees()


async def test_calls_go_on_through_an_outage_longer_than_the_lease(fragile, own_server):
    await fragile.node(lease=1.0)
    talkers, ringers = numbers_of("2000", 10), numbers_of("1800", 5)
    listed = [*talkers, *ringers, *numbers_of("20011", 100)]
    campaign = await fragile.campaign(
        listed,
        max_simultaneous_calls=15,
        ring_timeout_seconds=4,
        on_answer={"kind": "hang_up", "after_seconds": 4},
    )
    await eventually(lambda: len(fragile.ledger.calls) == 15)
    await eventually(lambda: len(fragile.ledger.live_dialogs()) == 10)
    await own_server.stop()
    stopped = time.monotonic()
    await asyncio.sleep(2.5)  # more than two leases
    assert len(fragile.ledger.live_dialogs()) == 10
    await eventually(lambda: not fragile.ledger.unfinished())  # each at its own time
    assert time.monotonic() - stopped > 2.5
    assert len(fragile.ledger.calls) == 15
    await own_server.start()
    await all_over(fragile, campaign)
    assert await fragile.statuses(campaign) == {"answered": 110, "completed_without_answer": 5}
    assert await fragile.outcomes(campaign) == {"answered": 110, "no_answer": 5}
    assert fragile.ledger.calls_per_number() == dict.fromkeys(listed, 1)
    await fragile.wire_agrees()


@pytest.mark.parametrize("joined", ["before", "after"])
async def test_a_database_that_has_lost_what_it_committed_pauses_the_campaign(
    fragile, own_server, short_folder, logged, joined
):
    """A replica that lags behind has taken over: of the calls that are up it knows nothing.

    Nor of their node, where that has joined after the last commit that it has.
    """
    if joined == "before":
        await fragile.node(lease=3.0)
    await trunks.hold(fragile.pool, TRUNK, "until there is a copy", "ada")
    listed = numbers_of("2000", 5)
    campaign = await fragile.campaign(listed, on_answer={"kind": "hang_up", "after_seconds": 3})
    other = await fragile.campaign(numbers_of("2001", 5))
    await own_server.stop()
    data, copy = own_server.folder / "data", short_folder / "copy"
    process = await asyncio.create_subprocess_exec("cp", "-a", data, copy)
    assert await process.wait() == 0
    await own_server.start()
    await eventually(lambda: up_again(fragile))
    if joined == "after":
        await fragile.node(lease=3.0)
    await fragile.act(other, CampaignAction.PAUSE)
    await trunks.release(fragile.pool, TRUNK)

    async def on_record():
        return await asked(fragile, "phases", campaign) == {"talking": 5}

    await eventually(on_record)
    await own_server.stop()
    shutil.rmtree(data)
    copy.rename(data)
    await own_server.start()  # where the trunk is still held

    async def paused():
        with contextlib.suppress(Unavailable):
            found = await campaigns.get(fragile.pool, DEFAULT_ACCOUNT, campaign)
            return found if found.status == "paused" else None

    found = await eventually(paused)
    assert found.pause_reason == "system_failure"
    assert "the database has lost attempts of this campaign" in found.pause_detail
    assert "then resume" in found.pause_detail
    assert [one for one in logged if one["event"] == "the database has lost what it committed"]
    await eventually(lambda: not fragile.ledger.unfinished())
    await trunks.release(fragile.pool, TRUNK)
    await all_over(fragile, other)  # it had no calls up; that it was paused is lost too
    assert await fragile.statuses(campaign) == {"planned": 5}
    assert fragile.ledger.calls_per_number() == dict.fromkeys([*listed, *numbers_of("2001", 5)], 1)


async def up_again(scene):
    with contextlib.suppress(Unavailable):
        return await scene.pool.fetchval("SELECT true")


# What a server says of every statement that writes, once there is no room, or the disk fails.
FAILING_DISK = """
CREATE FUNCTION failing_disk() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'could not extend file' USING ERRCODE = '{error}';
END $$;
DO $$
DECLARE written name;
BEGIN
    FOR written IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('CREATE TRIGGER failing_disk BEFORE INSERT OR UPDATE OR DELETE ON %I'
            ' FOR EACH STATEMENT EXECUTE FUNCTION failing_disk()', written);
    END LOOP;
END $$
"""
DISK_MENDED = "DROP FUNCTION failing_disk() CASCADE"


@pytest.mark.parametrize("error", ["disk_full", "io_error"])
async def test_calls_go_on_and_none_is_made_while_the_disk_of_the_database_is_full_or_fails(
    scene, logged, error
):
    node = await scene.node(lease=1.0)
    talkers, ringers = numbers_of("2000", 10), numbers_of("1800", 5)
    listed = [*talkers, *ringers, *numbers_of("20011", 100)]
    campaign = await scene.campaign(
        listed,
        max_simultaneous_calls=15,
        ring_timeout_seconds=3,
        on_answer={"kind": "hang_up", "after_seconds": 3},
    )

    async def all_up():
        return await scene.phases(campaign) == {"talking": 10, "ringing": 5}

    await eventually(all_up)
    await scene.pool.execute(FAILING_DISK.replace("{error}", error))
    assert len(scene.ledger.live_dialogs()) == 10
    await eventually(lambda: not scene.ledger.unfinished())  # each at its own time
    told = "results wait for the database"
    (entry,) = await eventually(lambda: [one for one in logged if one["event"] == told])
    assert "could not extend file" in entry["reason"]
    lapsed = "SELECT lease_until < clock_timestamp() FROM nodes"
    await eventually(lambda: scene.pool.fetchval(lapsed))
    assert node.engine.not_ready()
    assert len(scene.ledger.calls) == 15
    assert await scene.phases(campaign) == {"talking": 10, "ringing": 5}  # nothing got in
    await scene.pool.execute(DISK_MENDED)
    await all_over(scene, campaign)
    assert await scene.statuses(campaign) == {"answered": 110, "completed_without_answer": 5}
    assert await scene.outcomes(campaign) == {"answered": 110, "no_answer": 5}
    assert scene.ledger.calls_per_number() == dict.fromkeys(listed, 1)
    await eventually(lambda: node.engine.not_ready() is None)
    await scene.wire_agrees()


async def test_all_connections_are_lost_every_moment(scene, database_url):
    await scene.node("one")
    await scene.node("two")
    listed = [*numbers_of("486", 100), *numbers_of("20012", 100)]
    campaign = await scene.campaign(listed, calls_per_second=60)
    admin = await store_pool.connect(database_url)
    try:
        for _ in range(15):
            await asyncio.sleep(0.15)
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
    finally:
        await admin.close()
    await all_over(scene, campaign)
    assert await scene.statuses(campaign) == {"answered": 100, "completed_without_answer": 100}
    assert scene.ledger.calls_per_number() == dict.fromkeys(listed, 1)
    await scene.wire_agrees()


def is_commit_after(statement):
    return lambda data, before: b"COMMIT" in data and statement in before


LOST = {
    "claim": is_commit_after(b"phase = 'claimed', node = $2"),
    "commit of the attempts": lambda data, _: b'"caller_id"' in data,
    "progress": lambda data, _: b'"first_provisional_at"' in data,
    "results": lambda data, _: b'"final_status"' in data,
}


@pytest.mark.parametrize("what", LOST)
async def test_an_answer_is_lost_after_the_database_has_done_it(
    scene, database_url, short_folder, what
):
    async with Severed(database_url, short_folder, LOST[what]) as severed:
        pool = await store_pool.open_pool(severed.url, size=3)
        node = await scene.node(pool=pool)
        listed = [*numbers_of("486", 30), *numbers_of("20012", 30)]
        campaign = await scene.campaign(listed)
        await scene.tried(campaign)
        assert severed.done.is_set()
        assert await scene.statuses(campaign) == {"answered": 30, "completed_without_answer": 30}
        assert scene.ledger.calls_per_number() == dict.fromkeys(listed, 1)
        await scene.wire_agrees()
        await node.stop()
        await store_pool.close_pool(pool)


async def test_ports_are_given_back_when_the_record_of_the_undialable_fails(
    scene, database_url, short_folder
):
    async with Severed(
        database_url, short_folder, lambda data, _: b"number-not-dialable" in data
    ) as severed:
        pool = await store_pool.open_pool(severed.url, size=3)
        low = await free_even_port()
        node = await scene.node(pool=pool, rtp_ports=(low, low + 3))  # two ports
        undialable = NewCall("+1555", dialable=False, problem="too short")
        campaign = await scene.campaign([undialable, *numbers_of("2000", 2)])
        await scene.tried(campaign, 15)
        assert severed.done.is_set()
        assert await scene.statuses(campaign) == {"technical_error": 1, "answered": 2}
        await node.stop()
        await store_pool.close_pool(pool)


async def test_the_answer_to_a_rescue_is_lost(scene, database_url, short_folder):
    campaign = await scene.campaign(numbers_of("2000", 20))
    dead = await store_scene.node(scene.pool, "dead")
    await store_scene.promotion.promote(scene.pool)
    claimed = await store_scene.queue.claim(
        scene.pool, campaign, "dead", dead.epoch, 12, {"carrier": 100}
    )
    legs = await dead.dial(claimed[:8])
    assert (len(claimed), len(legs)) == (12, 8)
    await dead.die()
    condition = is_commit_after(b"taken AS (")
    async with Severed(database_url, short_folder, condition) as severed:
        pool = await store_pool.open_pool(severed.url, size=3)
        node = await scene.node(pool=pool)
        await scene.tried(campaign)
        assert severed.done.is_set()
        assert await scene.statuses(campaign) == {"technical_error": 8, "answered": 12}
        assert await scene.outcomes(campaign) == {"interrupted": 8, "answered": 12}
        await node.stop()
        await store_pool.close_pool(pool)
