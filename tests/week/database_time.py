"""A database that goes by the week's clock, and a pool that tells the loop of its requests."""

from __future__ import annotations

import os

import asyncpg

from dialer.store import migrate
from dialer.store import pool as store_pool

# They stand before those of pg_catalog in the search path, also when the tables and their defaults
# are made. STABLE as the real one, so that an index serves `due <= now()`.
CLOCK = """
CREATE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
    AS $$ SELECT pg_catalog.to_timestamp(pg_catalog.pg_read_file('{file}')::float8) $$;
CREATE FUNCTION now() RETURNS timestamptz LANGUAGE sql STABLE
    AS $$ SELECT pg_catalog.to_timestamp(pg_catalog.pg_read_file('{file}')::float8) $$;
"""


class DatabaseTime:
    """The file that tells the database what time it is; the server must be on this machine."""

    def __init__(self, path, clock):
        self.path = path
        self._clock = clock
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        self.set(0.0)

    def set(self, now):
        """Let it be `now` seconds after the clock began."""
        os.pwrite(self._file, b"%.6f\n" % (self._clock.began.timestamp() + now), 0)

    def close(self):
        os.close(self._file)


async def prepare(url, path):
    """Bring an empty database under the week's clock, then to the program's schema."""
    connection = await store_pool.connect(url)
    try:
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute(f"ALTER DATABASE {name} SET search_path = public, pg_catalog")
        # its tables grow from nothing in minutes, faster than what the planner knows of them
        await connection.execute(f"ALTER DATABASE {name} SET enable_seqscan = off")
        await connection.execute(CLOCK.format(file=path))
    finally:
        await connection.close()
    await migrate.upgrade(url)
    connection = await store_pool.connect(url)
    try:
        await connection.execute("VACUUM (ANALYZE)")
    finally:
        await connection.close()


class CountingPool(asyncpg.Pool):
    """Tells the loop while a connection is in somebody's hands; now and then one is late.

    What a request takes is real, and no time passes meanwhile. `late()` gives the seconds of the
    week's clock for which one has to wait first, mostly 0: pauses, claims and results then cross.
    """

    late = staticmethod(lambda: 0.0)

    async def _acquire(self, timeout):  # noqa: ASYNC109 - as asyncpg has it
        seconds = self.late()
        if seconds:
            await _sleep(self._loop, seconds)
        self._loop.in_flight += 1
        try:
            return await super()._acquire(timeout)
        except BaseException:
            self._loop.in_flight -= 1
            raise

    async def release(self, connection, *, timeout=None):  # noqa: ASYNC109 - as asyncpg has it
        try:
            await super().release(connection, timeout=timeout)
        finally:
            self._loop.in_flight -= 1


async def _sleep(loop, seconds):
    done = loop.create_future()
    timer = loop.call_later(seconds, lambda: done.done() or done.set_result(None))
    try:
        await done
    finally:
        timer.cancel()


async def open_pool(url, late, size=10):
    """As the store's, on the week's clock."""
    pool = CountingPool(
        url,
        connection_class=asyncpg.Connection,
        record_class=asyncpg.Record,
        min_size=size,
        max_size=size,
        max_queries=10_000_000,
        max_inactive_connection_lifetime=0.0,
        connect=None,
        setup=None,
        init=store_pool.prepare_connection,
        reset=store_pool._reset,
        loop=None,
        server_settings=store_pool.SESSION,
        max_cached_statement_lifetime=0,  # else they would be prepared anew every five minutes
    )
    loop = pool._loop
    loop.in_flight += 1
    try:
        await pool
    finally:
        loop.in_flight -= 1
    pool.late = late
    return pool
