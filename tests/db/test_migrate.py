from __future__ import annotations

import asyncio
import datetime as dt
import zipfile
from pathlib import Path

import pytest

from dialer.store import campaigns, migrate, trunks, webhook_endpoints, webhook_queue
from dialer.store import pool as store_pool
from dialer.store.errors import Misconfigured, SchemaMismatch, Unavailable
from dialer.store.records import DEFAULT_ACCOUNT

ROOT = Path(__file__).parents[2]


async def execute(url, statement):
    connection = await store_pool.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def test_an_empty_database_is_upgraded_once_by_whoever_comes_first(empty_database_url):
    url = empty_database_url
    assert await migrate.current(url) is None
    assert await asyncio.gather(*(migrate.upgrade(url) for _ in range(4))) == [migrate.head()] * 4
    assert await migrate.current(url) == migrate.head()


async def test_an_older_database_keeps_what_it_holds(empty_database_url):
    url = empty_database_url
    versions = Path(migrate.__file__).parent / "migrations" / "versions"
    await execute(url, (versions / "first_schema.sql").read_text())
    await execute(
        url,
        """
        CREATE TABLE alembic_version (version_num varchar(32) NOT NULL);
        INSERT INTO alembic_version VALUES ('0001');
        INSERT INTO campaigns (account_id, name, trunks, caller_ids, max_simultaneous_calls,
            max_attempts, retry_interval_seconds, retry_by_outcome, ring_timeout_seconds,
            max_talk_seconds, on_answer, redial_interrupted, webhook_url)
        VALUES (1, 'Spring', '{lab}', '{}', 1, 1, 1, '{}', 40, 60, '{}', false, 'https://a.example');
        INSERT INTO events (account_id, campaign_id, kind) VALUES (1, 1, 'campaign.draft');
        INSERT INTO trunks (name) VALUES ('lab');
        """,
    )
    assert await migrate.upgrade(url) == migrate.head()
    pool = await store_pool.open_pool(url)
    try:
        (campaign,) = await campaigns.list_page(pool, DEFAULT_ACCOUNT)
        assert (campaign.settings.name, campaign.settings.trunk_order) == ("Spring", "listed")
        assert await trunks.list_all(pool, (), dt.timedelta(hours=1)) == []
        (receiver,) = await webhook_endpoints.list_page(pool, DEFAULT_ACCOUNT)
        assert (receiver.url, receiver.of_campaigns) == ("https://a.example", True)
        # of what happened before it hears nothing
        assert await webhook_queue.fan_out(pool, dt.timedelta(hours=1)) == 0
    finally:
        await store_pool.close_pool(pool)


async def test_a_failed_revision_leaves_nothing_behind(empty_database_url):
    await execute(empty_database_url, "CREATE TABLE events ()")
    with pytest.raises(Exception, match='"events" already exists'):
        await migrate.upgrade(empty_database_url)
    assert await migrate.current(empty_database_url) is None
    await execute(empty_database_url, "DROP TABLE events")
    assert await migrate.upgrade(empty_database_url) == migrate.head()


async def test_a_database_of_a_newer_version_is_refused(database_url):
    await execute(database_url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaMismatch, match=r"9999.*newer version"):
        await migrate.upgrade(database_url)


async def test_a_database_that_is_away_or_unknown_is_told_apart(server, tmp_path):
    with pytest.raises(Unavailable, match="unavailable"):
        await migrate.upgrade(f"postgresql://dialer@/postgres?host={tmp_path}")
    with pytest.raises(Misconfigured, match="nowhere"):
        await migrate.upgrade(server[0].replace("/postgres?", "/nowhere?"))


def test_the_wheel_carries_the_revisions(tmp_path):
    from hatchling.builders.wheel import WheelBuilder  # noqa: PLC0415 - slow, and used here alone

    [wheel] = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    names = zipfile.ZipFile(wheel).namelist()
    revisions = ("first_schema", "trunk_steering")
    files = [f"versions/{name}.{kind}" for name in revisions for kind in ("py", "sql")]
    for name in ("env.py", *files):
        assert f"dialer/store/migrations/{name}" in names
