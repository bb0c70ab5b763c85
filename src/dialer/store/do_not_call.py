"""Who may not be called: whole numbers and beginnings of numbers, per account and for all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialer.store import rows
from dialer.store.account_records import Listing, NewListing
from dialer.store.pool import session

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Mapping, Sequence

    from dialer.store.account_records import ListingSource
    from dialer.store.pool import Database

OPTED_OUT = "the callee opted out in a call"
BATCH = 5000
"""How many entries one call of `add` and `remove` takes well."""

# What lists the number {number} for the account $1: itself, or a beginning of it. Each beginning is
# looked up in the unique index do_not_call_once, whatever the length of the list; entries for all
# accounts come first, and a whole number before a beginning.
LISTING = """
    SELECT * FROM do_not_call
    WHERE pattern = ANY(ARRAY(
            SELECT left({number}, length) FROM generate_series(1, length({number})) AS length))
        AND (is_prefix OR pattern = {number})
        AND coalesce(account_id, 0) = ANY(ARRAY[0, $1::bigint])
    ORDER BY coalesce(account_id, 0), is_prefix, id
"""
OF_NUMBER = LISTING.format(number="$2::text")
MATCHES = f"""
SELECT w.number AS matched, d.*
FROM unnest($2::text[]) AS w(number)
CROSS JOIN LATERAL ({LISTING.format(number="w.number")} LIMIT 1) AS d
"""  # noqa: S608 - no value of anybody's stands in it

# A later entry for the same pattern changes nothing: why and since when it is there stays.
ADD = """
INSERT INTO do_not_call (account_id, pattern, is_prefix, reason, source, created_at)
SELECT $1, n.pattern, n.is_prefix, n.reason, $2, coalesce($3::timestamptz, clock_timestamp())
FROM unnest($4::text[], $5::boolean[], $6::text[]) AS n (pattern, is_prefix, reason)
ORDER BY n.pattern, n.is_prefix
ON CONFLICT DO NOTHING
RETURNING id
"""

REMOVE = """
WITH gone AS (
    DELETE FROM do_not_call AS d
    USING unnest($2::text[], $3::boolean[]) AS n (pattern, is_prefix)
    WHERE d.pattern = n.pattern AND d.is_prefix = n.is_prefix
        AND coalesce(d.account_id, 0) = coalesce($1::bigint, 0)
    RETURNING d.id
)
SELECT count(*) FROM gone
"""

LIST = """
SELECT * FROM do_not_call
WHERE account_id IS NOT DISTINCT FROM $1 AND id < coalesce($2, 9223372036854775807)
ORDER BY id DESC
LIMIT $3
"""


async def matches(
    connection: Database, account_id: int, numbers: Collection[str]
) -> Mapping[str, Listing]:
    """Return those of `numbers` that an account may not call, each with one entry that says why."""
    if not numbers:
        return {}
    async with session(connection) as held:
        found = await held.fetch(MATCHES, account_id, list(numbers))
    return {row["matched"]: _listing(row) for row in found}


async def listing(db: Database, account_id: int, number: str) -> list[Listing]:
    """Return every entry because of which an account may not call a number."""
    async with session(db) as connection:
        found = await connection.fetch(OF_NUMBER, account_id, rows.clean(number))
    return [_listing(row) for row in found]


async def add(
    db: Database,
    account_id: int | None,
    new: Sequence[NewListing],
    source: ListingSource,
    now: dt.datetime | None = None,
) -> int:
    """List numbers, for all accounts where `account_id` is None; return how many were new.

    Numbers have the form that calls have; what is listed already stays as it is.
    """
    async with session(db) as connection:
        added = await connection.fetch(
            ADD,
            account_id,
            source,
            now,
            [one.pattern for one in new],
            [one.is_prefix for one in new],
            [rows.clean(one.reason) for one in new],
        )
    return len(added)


async def remove(db: Database, account_id: int | None, gone: Sequence[NewListing]) -> int:
    """Take entries off the list, by pattern and kind; return how many were there."""
    async with session(db) as connection:
        return int(
            await connection.fetchval(
                REMOVE,
                account_id,
                [one.pattern for one in gone],
                [one.is_prefix for one in gone],
            )
        )


async def list_page(
    db: Database, account_id: int | None, *, before: int | None = None, limit: int = 50
) -> list[Listing]:
    """List an account's own entries, or those for all, newest first; ids below `before`."""
    async with session(db) as connection:
        return [_listing(row) for row in await connection.fetch(LIST, account_id, before, limit)]


def _listing(row: rows.Row) -> Listing:
    return Listing(
        id=row["id"],
        account_id=row["account_id"],
        pattern=row["pattern"],
        is_prefix=row["is_prefix"],
        reason=row["reason"],
        source=row["source"],
        created_at=row["created_at"],
    )
