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
READ = """
SELECT xid::text::bigint AS xid, id, account_id, campaign_id, call_id, attempt_id, kind, at, data
FROM events
WHERE (xid, id) > ($1::bigint::text::xid8, $2)
    AND xid < pg_snapshot_xmin(pg_current_snapshot())
    AND ($3::bigint IS NULL OR account_id = $3)
ORDER BY xid, id
LIMIT $4
"""


async def read(
    db: Database,
    after: tuple[int, int] = (0, 0),
    *,
    account_id: int | None = None,
    limit: int = 500,
) -> list[Event]:
    """Read events after a cursor, oldest first; none is ever skipped by reading on.

    Events of transactions still open, and those behind them, come in a later read.
    """
    async with session(db) as connection:
        found = await connection.fetch(READ, *after, account_id, limit)
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


@contextlib.asynccontextmanager
async def listening(pool: Pool, wake: Callable[[], None]) -> AsyncIterator[None]:
    """Call `wake` whenever events were committed, and once when the connection is lost.

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
        yield
    finally:
        # A connection that was lost has left the pool by itself.
        with contextlib.suppress(Unavailable, asyncpg.InterfaceError), translated():
            connection.remove_termination_listener(heard)
            await connection.remove_listener(CHANNEL, heard)
        with contextlib.suppress(Unavailable), translated():
            await pool.release(connection)
