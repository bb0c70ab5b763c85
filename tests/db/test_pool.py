from __future__ import annotations

import asyncio

import asyncpg
import pytest
from tests.db import scene

from dialer.store import nodes, promotion
from dialer.store import pool as store_pool
from dialer.store.errors import Misconfigured, StoreError, Unavailable

OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


async def test_a_lost_connection_is_unavailable_and_the_pool_recovers(pool, database_url):
    async with pool.acquire() as held:
        killer = await store_pool.connect(database_url)
        await killer.execute(OTHERS)
        await killer.close()
        with pytest.raises(Unavailable, match="unavailable"):
            await promotion.next_due(held)
    assert await nodes.join(pool, "one", scene.LEASE)


async def test_a_slow_database_is_unavailable(database_url, pool):
    impatient = await store_pool.open_pool(database_url, command_timeout=0.05)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE nodes")
        with pytest.raises(Unavailable):
            await nodes.join(impatient, "one", scene.LEASE)
    await store_pool.close_pool(impatient)


async def test_a_closed_pool_is_unavailable(database_url):
    opened = await store_pool.open_pool(database_url)
    await store_pool.close_pool(opened)
    with pytest.raises(Unavailable, match="clos"):
        await promotion.next_due(opened)


async def test_nobody_listens(tmp_path):
    with pytest.raises(Unavailable):
        await store_pool.open_pool(f"postgresql://dialer@/postgres?host={tmp_path}")


@pytest.mark.parametrize("url", ["mysql://here", "postgresql://%zz@/x?sslmode=sideways"])
async def test_a_bad_address_is_a_clear_line(url):
    with pytest.raises(Misconfigured, match=r"cannot use the database.*DATABASE_URL"):
        await store_pool.open_pool(url)


async def test_our_own_faults_are_not_taken_for_an_outage(pool):
    for statement, arguments in (("SELEC", ()), ("SELECT $1::int", ("x",)), ("SELECT $1", ())):
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)) as raised:
            async with store_pool.session(pool) as connection:
                await connection.fetch(statement, *arguments)
        assert not isinstance(raised.value, StoreError)


async def test_a_transaction_that_was_cut_short_is_rolled_back_before_reuse(database_url, audit):
    single = await store_pool.open_pool(database_url, size=1)
    connection = await single.acquire()
    await connection.execute("BEGIN")
    await connection.execute("SELECT pg_advisory_xact_lock(1)")
    await single.release(connection)
    held = """
        SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database
        WHERE locktype = 'advisory' AND datname = current_database()
    """
    assert await single.fetchval(held) == 0
    assert await audit(single) == []
    await store_pool.close_pool(single)


async def test_closing_does_not_wait_for_ever(database_url):
    opened = await store_pool.open_pool(database_url)
    query = asyncio.create_task(opened.fetch("SELECT pg_sleep(60)"))
    running = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'"
    while not await opened.fetchval(running):
        pass
    await store_pool.close_pool(opened, patience=0.05)
    with pytest.raises(asyncpg.PostgresConnectionError):
        await query


async def test_a_farewell_between_two_steps_of_a_query_is_unavailable(pool):
    async with store_pool.session(pool) as connection:
        lost = connection.get_server_pid()
    with pytest.raises(Unavailable, match="another operation"):
        async with store_pool.session(pool):
            raise asyncpg.InternalClientError("cannot switch to state 11; another operation")
    async with store_pool.session(pool) as connection:
        assert connection.get_server_pid() != lost
