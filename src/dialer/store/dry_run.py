"""What adding a list would do, without doing it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from dialer.store import imports, numbers, schedules
from dialer.store.pool import session, transaction

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from dialer.store.pool import Connection, Database
    from dialer.store.records import AddReport, NewCall

# Of the connection alone, and no transaction stays open, so that nothing else waits or is held up.
FORGET = "DROP TABLE IF EXISTS pg_temp.listed"
REMEMBER = """
CREATE TEMPORARY TABLE listed (
    number text NOT NULL,
    payload uuid NOT NULL,
    rank bigint NOT NULL,
    PRIMARY KEY (number, payload)
)
"""
CHECK = """
WITH given AS MATERIALIZED (
    SELECT n.rank, n.number, md5(n.payload::jsonb::text) AS payload
    FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS n (number, payload, rank)
), fresh AS (
    INSERT INTO listed (number, payload, rank)
    SELECT number, payload::uuid, rank FROM given ORDER BY rank
    ON CONFLICT DO NOTHING
    RETURNING rank
)
SELECT array_agg(rank ORDER BY rank)
FROM given
WHERE NOT EXISTS (SELECT FROM fresh WHERE fresh.rank = given.rank) OR EXISTS (
    SELECT FROM calls AS k
    WHERE k.campaign_id = $1 AND k.number = given.number
        AND md5(k.payload::text) = given.payload)
"""


@contextlib.asynccontextmanager
async def begin(
    db: Database, account_id: int, campaign_id: int | None
) -> AsyncIterator[Callable[[Sequence[NewCall]], Awaitable[AddReport]]]:
    """Give a function that says of each batch of a list what `numbers.add` would.

    Without `campaign_id` it is for a campaign that is still to be created. Holds a connection and
    writes nothing that lasts. Raises `NotFound` and `CampaignClosed`.
    """
    async with session(db) as connection:
        if campaign_id is not None:
            async with transaction(connection):
                await imports.lock_open_campaign(connection, account_id, campaign_id)
        await connection.execute(FORGET)
        await connection.execute(REMEMBER)
        fresh = {schedules.OF_CAMPAIGN} if campaign_id is None else set()
        try:
            yield lambda new: _check(connection, campaign_id, new, fresh)
        finally:
            if not connection.is_closed():
                await connection.execute(FORGET)


async def _check(
    connection: Connection,
    campaign_id: int | None,
    given: Sequence[NewCall],
    fresh: set[schedules.Key],
) -> AddReport:
    """Say of a batch what would become of it; `fresh` are the schedules that its list brings."""
    keys = [numbers.schedule_of(row) for row in given]
    # Without a campaign there are none.
    there = await schedules.find(connection, campaign_id or 0, keys)
    count = await schedules.count(connection, campaign_id or 0)
    for key in keys:
        if key not in there and count + len(fresh) < schedules.MOST:
            fresh.add(key)
    new, rejected = numbers.fit(given, keys, there.keys() | fresh)
    ranks = await connection.fetchval(
        CHECK,
        campaign_id,
        [call.number for call in new],
        [numbers.payload_json(call.payload) for call in new],
    )
    return numbers.report_of(new, ranks, rejected)
