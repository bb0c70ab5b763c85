"""Imports: what became of each list that was added to a campaign, and of every row of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialer.store import rows
from dialer.store.errors import CampaignClosed, NotFound
from dialer.store.pool import session, transaction

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import AsyncGenerator, Sequence

    from dialer.store.pool import Connection, Database
    from dialer.store.records import Import, SkippedRow

PAGE = 1000

# A finish, which locks the row FOR UPDATE, comes before or after.
LOCK_CAMPAIGN = """
SELECT status FROM campaigns
WHERE id = $1 AND account_id = $2 AND deleted_at IS NULL
FOR KEY SHARE
"""
BEGIN = """
INSERT INTO imports (account_id, campaign_id, file_name, created_at)
VALUES ($1, $2, $3, coalesce($4::timestamptz, clock_timestamp()))
RETURNING id
"""
COUNT = """
WITH skipped AS (
    INSERT INTO import_rows (import_id, line, number, reason)
    SELECT $1, s.line, s.number, s.reason
    FROM unnest($6::bigint[], $7::text[], $8::text[]) AS s (line, number, reason)
)
UPDATE imports SET added = added + $2, undialable = undialable + $3,
    duplicates = duplicates + $4, rejected = rejected + $5
WHERE id = $1
"""
END = """
UPDATE imports SET format = $3, problem = $4,
    finished_at = coalesce($5::timestamptz, clock_timestamp())
WHERE id = $1 AND account_id = $2
"""
# No index is needed: it is looked at once an hour or so.
END_ABANDONED = """
UPDATE imports SET finished_at = clock_timestamp(),
    problem = 'it was cut off: the service or the connection ended before the list did'
WHERE finished_at IS NULL
    AND created_at < coalesce($2::timestamptz, clock_timestamp()) - $1::interval
RETURNING id
"""
LIST = """
SELECT * FROM imports
WHERE account_id = $1 AND campaign_id = $2 AND id < coalesce($3, 9223372036854775807)
ORDER BY id DESC
LIMIT $4
"""
GET = "SELECT * FROM imports WHERE id = $1 AND account_id = $2"
OWNED = "SELECT EXISTS (SELECT FROM campaigns WHERE id = $1 AND account_id = $2)"
# A row of a list begins on a line of its own.
SKIPPED = """
SELECT line, number, reason FROM import_rows
WHERE import_id = $1 AND line > $2
ORDER BY line
LIMIT $3
"""


async def lock_campaign(connection: Connection, account_id: int, campaign_id: int) -> str:
    """Keep a campaign from being finished until the transaction ends; return its status.

    Raises `NotFound`.
    """
    status: str | None = await connection.fetchval(LOCK_CAMPAIGN, campaign_id, account_id)
    if status is None:
        raise NotFound(f"there is no campaign {campaign_id}")
    return status


async def lock_open_campaign(connection: Connection, account_id: int, campaign_id: int) -> None:
    """As `lock_campaign`, and raises `CampaignClosed` where it is finished."""
    if await lock_campaign(connection, account_id, campaign_id) == "finished":
        raise CampaignClosed(f"campaign {campaign_id} is finished and takes no more numbers")


async def begin(
    db: Database,
    account_id: int,
    campaign_id: int,
    file_name: str = "",
    now: dt.datetime | None = None,
) -> int:
    """Begin an import and return its id. Raises `NotFound` and `CampaignClosed`."""
    async with transaction(db) as connection:
        await lock_open_campaign(connection, account_id, campaign_id)
        made: int = await connection.fetchval(
            BEGIN, account_id, campaign_id, rows.clean(file_name), now
        )
        return made


async def count(
    connection: Connection,
    import_id: int,
    *,
    added: int,
    undialable: int,
    duplicates: Sequence[SkippedRow],
    rejected: Sequence[SkippedRow],
) -> None:
    """Add a batch to an import's figures, in the transaction that adds its calls."""
    skipped = [*rejected, *duplicates]
    await connection.execute(
        COUNT,
        import_id,
        added,
        undialable,
        len(duplicates),
        len(rejected),
        [row.line for row in skipped],
        [rows.clean(row.number) for row in skipped],
        [rows.clean(row.reason) for row in skipped],
    )


async def end(
    db: Database,
    account_id: int,
    import_id: int,
    *,
    format: str = "",  # noqa: A002 - the column's name
    problem: str = "",
    now: dt.datetime | None = None,
) -> None:
    """End an import: how the list was read, and why it broke off, where it did."""
    async with session(db) as connection:
        await connection.execute(
            END, import_id, account_id, rows.clean(format), rows.clean(problem), now
        )


async def end_abandoned(db: Database, age: dt.timedelta, now: dt.datetime | None = None) -> int:
    """End the imports that are open since longer than `age`; return how many.

    Until then whoever repeats the request with its key goes on where it was cut off.
    """
    async with session(db) as connection:
        return len(await connection.fetch(END_ABANDONED, age, now))


async def list_page(
    db: Database,
    account_id: int,
    campaign_id: int,
    *,
    before: int | None = None,
    limit: int = 50,
) -> list[Import]:
    """List a campaign's imports, newest first, those with an id below `before`.

    Raises `NotFound`.
    """
    async with session(db) as connection:
        if not await connection.fetchval(OWNED, campaign_id, account_id):
            raise NotFound(f"there is no campaign {campaign_id}")
        found = await connection.fetch(LIST, account_id, campaign_id, before, limit)
    return [rows.import_(row) for row in found]


async def get(db: Database, account_id: int, import_id: int) -> Import:
    """Read an import. Raises `NotFound`."""
    async with session(db) as connection:
        row = await connection.fetchrow(GET, import_id, account_id)
    if row is None:
        raise NotFound(f"there is no import {import_id}")
    return rows.import_(row)


async def skipped(db: Database, account_id: int, import_id: int) -> AsyncGenerator[SkippedRow]:
    """Go through the rows of a list that did not go in, by line.

    Raises `NotFound` at the first step. Reads in pages, so that a slow reader holds neither a
    connection nor a snapshot.
    """
    await get(db, account_id, import_id)
    last = 0
    while True:
        async with session(db) as connection:
            page = await connection.fetch(SKIPPED, import_id, last, PAGE)
        for row in page:
            yield rows.skipped_row(row)
        if len(page) < PAGE:
            return
        last = page[-1]["line"]
