"""The audit log: who did what over the API, and when."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from dialer.store import rows
from dialer.store.pool import session

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from dialer.store.pool import Database

WRITE = """
INSERT INTO audit_log (account_id, at, token_id, token_name, role, address, request_id, route,
    method, path, campaign_id, object, status, details)
VALUES ($1, coalesce($14::timestamptz, clock_timestamp()), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,
    $12, $13)
"""
LIST = """
SELECT * FROM audit_log
WHERE account_id = $1 AND id < coalesce($2, 9223372036854775807)
    AND ($3::timestamptz IS NULL OR at >= $3) AND ($4::timestamptz IS NULL OR at < $4)
    AND ($5::text IS NULL OR route = $5) AND ($6::bigint IS NULL OR campaign_id = $6)
ORDER BY id DESC
LIMIT $7
"""
FORGET = """
WITH old AS (
    SELECT id FROM audit_log
    WHERE at < coalesce($1::timestamptz, clock_timestamp()) - $2::interval
    ORDER BY at LIMIT $3
), gone AS (
    DELETE FROM audit_log USING old WHERE audit_log.id = old.id
)
SELECT count(*) FROM old
"""
BATCH = 1000


@dataclasses.dataclass(frozen=True, slots=True)
class NewEntry:
    """What somebody did or was refused: who, from where, by which route, with what status.

    `object` is the id or name of what it was about, `details` what the body asked for, without
    secrets and without what is about persons.
    """

    account_id: int
    token_id: int | None
    token_name: str
    role: str
    address: str
    request_id: str
    route: str
    method: str
    path: str
    campaign_id: int | None
    object: str | None
    status: int
    details: Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Entry(NewEntry):
    """An entry as it was written."""

    id: int
    at: dt.datetime


async def write(db: Database, new: NewEntry, now: dt.datetime | None = None) -> None:
    """Write an entry, in the transaction of `db` where it is one."""
    async with session(db) as connection:
        await connection.execute(
            WRITE,
            new.account_id,
            new.token_id,
            rows.clean(new.token_name),
            new.role,
            new.address,
            new.request_id,
            new.route,
            new.method,
            rows.clean(new.path),
            new.campaign_id,
            new.object and rows.clean(new.object),
            new.status,
            rows.plain(new.details),
            now,
        )


async def list_page(
    db: Database,
    account_id: int,
    *,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    route: str | None = None,
    campaign_id: int | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[Entry]:
    """List an account's entries, newest first, those with an id below `before`."""
    async with session(db) as connection:
        found = await connection.fetch(
            LIST, account_id, before, since, until, route, campaign_id, limit
        )
    return [Entry(**row) for row in found]


async def forget(db: Database, age: dt.timedelta, now: dt.datetime | None = None) -> int:
    """Forget some entries that are older than `age`; return how many."""
    async with session(db) as connection:
        return int(await connection.fetchval(FORGET, now, age, BATCH))
