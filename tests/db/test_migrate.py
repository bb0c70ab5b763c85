from __future__ import annotations

import asyncio
import zipfile
from pathlib import Path

import pytest

from dialer.store import migrate
from dialer.store import pool as store_pool
from dialer.store.errors import Misconfigured, SchemaMismatch, Unavailable

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
    for name in ("env.py", "versions/first_schema.py", "versions/first_schema.sql"):
        assert f"dialer/store/migrations/{name}" in names
