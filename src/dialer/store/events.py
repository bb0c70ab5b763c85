"""The outbox: status changes in the order in which readers may rely on them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import asyncpg

from dialer.store.errors import Unavailable
from dialer.store.pool import CONNECT_TIMEOUT, session, translated
from dialer.store.records import Event

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from dialer.store.pool import Database, Pool

CHANNEL = "dialer_events"

# Below the oldest transaction that is still open, nothing can appear any more.
NEWEST = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
COUNT = """
SELECT count(*) FROM (
    SELECT FROM events
    WHERE (xid, id) > ($1::bigint::text::xid8, $2) AND (xid, id) <= ($3::bigint::text::xid8, $4)
    LIMIT $5
) AS found
"""
FORGOTTEN = "SELECT xid::text::bigint AS xid, id FROM forgotten_events"
# Whether committed events wait above it for a transaction that is open.
NEWS = """
SELECT xmin, EXISTS (SELECT FROM events WHERE xid >= xmin::text::xid8) AS held_back
FROM (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS xmin) AS s
"""
READ = """
SELECT xid::text::bigint AS xid, id, account_id, campaign_id, call_id, attempt_id, kind, at, data
FROM events
WHERE (xid, id) > ($1::bigint::text::xid8, $2)
    AND xid < pg_snapshot_xmin(pg_current_snapshot())
    AND ($3::bigint IS NULL OR account_id = $3)
    AND ($5::bigint IS NULL OR (xid, id) <= ($5::bigint::text::xid8, $6::bigint))
ORDER BY xid, id
LIMIT $4
"""


async def read(
    db: Database,
    after: tuple[int, int] = (0, 0),
    *,
    account_id: int | None = None,
    limit: int = 500,
    until: tuple[int, int] | None = None,
) -> list[Event]:
    """Read events after a cursor, oldest first; none is ever skipped by reading on.

    Events of transactions still open, and those behind them, come in a later read. With `until`,
    none above that cursor comes.
    """
    async with session(db) as connection:
        found = await connection.fetch(READ, *after, account_id, limit, *(until or (None, None)))
    return [
        Event(
            cursor=(row["xid"], row["id"]),
            account_id=row["account_id"],
            campaign_id=row["campaign_id"],
            call_id=row["call_id"],
            attempt_id=row["attempt_id"],
            kind=row["kind"],
            at=row["at"],
            data=row["data"],
        )
        for row in found
    ]


async def newest(db: Database) -> tuple[int, int]:
    """Return a cursor that no event has reached yet."""
    async with session(db) as connection:
        return int(await connection.fetchval(NEWEST)), 0


async def count(db: Database, after: tuple[int, int], until: tuple[int, int], most: int) -> int:
    """Count the events of all accounts between two cursors, but not beyond `most`."""
    async with session(db) as connection:
        return int(await connection.fetchval(COUNT, *after, *until, most))


async def forgotten(db: Database) -> tuple[int, int]:
    """Return the cursor of the last event that was forgotten; below it not all are there."""
    async with session(db) as connection:
        row = await connection.fetchrow(FORGOTTEN)
    return row["xid"], row["id"]


async def held_back(db: Database) -> tuple[tuple[int, int], bool]:
    """Return the horizon, and whether events wait above it for a transaction that is open.

    Below that cursor nothing can appear any more; whatever comes is above it.
    """
    async with session(db) as connection:
        row = await connection.fetchrow(NEWS)
    return (row["xmin"], 0), row["held_back"]


@contextlib.asynccontextmanager
async def listening(pool: Pool, wake: Callable[[], None]) -> AsyncIterator[Callable[[], bool]]:
    """Call `wake` whenever events were committed, and once when the connection is lost.

    Yields what says whether it is lost by now: from then on nothing wakes any more.
    Raises `Unavailable`. A notification says only that there is news: read it with `read`.
    """

    def heard(*_: object) -> None:
        wake()

    with translated():
        connection = await pool.acquire(timeout=CONNECT_TIMEOUT)
    try:
        with translated():
            await connection.add_listener(CHANNEL, heard)
        connection.add_termination_listener(heard)
        yield connection.is_closed
    finally:
        # A connection that was lost has left the pool by itself.
        with contextlib.suppress(Unavailable, asyncpg.InterfaceError), translated():
            connection.remove_termination_listener(heard)
            await connection.remove_listener(CHANNEL, heard)
        with contextlib.suppress(Unavailable), translated():
            await pool.release(connection)
