"""What is done of webhooks now and then, in small batches: giving up, deleting, measuring."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialer.store.pool import session, transaction
from dialer.store.webhook_queue import BATCH, release
from dialer.store.webhook_records import Backlog

if TYPE_CHECKING:
    import datetime as dt

    from dialer.store.pool import Database

# Where a receiver takes nothing, most that waits is never tried; its time passes all the same.
EXPIRE = """
UPDATE webhook_deliveries AS d
SET status = 'dead', next_at = NULL, ended_at = $1, problem = CASE
    WHEN d.problem <> '' THEN d.problem
    ELSE 'the receiver took nothing all the time' END
WHERE d.id IN (
    SELECT p.id FROM webhook_deliveries AS p JOIN webhook_endpoints AS e ON e.id = p.endpoint_id
    WHERE p.status = 'pending' AND p.next_at <= $1 AND p.expires_at <= $1 AND e.failures >= $2
    ORDER BY p.expires_at
    LIMIT $3
    FOR UPDATE OF p SKIP LOCKED)
RETURNING d.id
"""
FORGET = """
DELETE FROM webhook_deliveries WHERE id IN (
    SELECT id FROM webhook_deliveries
    WHERE status <> 'pending'
        AND ended_at < (SELECT coalesce($2::timestamptz, clock_timestamp()) - $1::interval)
    ORDER BY ended_at
    LIMIT $3
    FOR UPDATE SKIP LOCKED)
"""
BACKLOG = """
WITH t AS (SELECT coalesce($1::timestamptz, clock_timestamp()) AS now)
SELECT (SELECT count(*) FROM webhook_deliveries WHERE status = 'pending') AS pending,
    (SELECT count(*) FROM webhook_deliveries WHERE status = 'dead') AS dead,
    coalesce(extract(epoch FROM t.now - (
        SELECT min(created_at) FROM webhook_deliveries WHERE status = 'pending')), 0)::float8
        AS oldest_seconds,
    (SELECT count(*) FROM webhook_endpoints WHERE open_until > t.now) AS circuits_open,
    coalesce(extract(epoch FROM clock_timestamp() - (
        SELECT e.at FROM webhook_position AS p CROSS JOIN LATERAL (
            SELECT at FROM events WHERE (xid, id) > (p.xid, p.id) ORDER BY xid, id LIMIT 1
        ) AS e)), 0)::float8 AS unread_seconds
FROM t
"""
# First of a chain first, so that little is released only to die as well.
CLOSE = """
UPDATE webhook_deliveries AS d
SET status = 'dead', next_at = NULL, ended_at = $1,
    problem = 'the receiver is disabled: ' || p.reason
FROM (
    SELECT p.id, e.disabled_reason AS reason
    FROM webhook_endpoints AS e CROSS JOIN LATERAL (
        SELECT id FROM webhook_deliveries
        WHERE endpoint_id = e.id AND status = 'pending'
        ORDER BY chain, id
        LIMIT $2
        FOR UPDATE SKIP LOCKED
    ) AS p
    WHERE e.disabled_at IS NOT NULL
    LIMIT $2
) AS p
WHERE d.id = p.id
RETURNING d.id
"""
DELETE = """
DELETE FROM webhook_deliveries WHERE id IN (
    SELECT d.id FROM webhook_endpoints AS e CROSS JOIN LATERAL (
        SELECT id FROM webhook_deliveries WHERE endpoint_id = e.id ORDER BY id LIMIT $1
    ) AS d
    WHERE e.deleted_at IS NOT NULL
    LIMIT $1)
"""
DELETE_EMPTY = """
DELETE FROM webhook_endpoints AS e
WHERE deleted_at IS NOT NULL
    AND NOT EXISTS (SELECT FROM webhook_deliveries AS d WHERE d.endpoint_id = e.id)
"""


async def close(db: Database, window: dt.timedelta, now: dt.datetime | None = None) -> int:
    """Give up some of what waits for receivers that are disabled; return how many."""
    async with transaction(db) as connection:
        now = now or await connection.fetchval("SELECT clock_timestamp()")
        found = await connection.fetch(CLOSE, now, BATCH)
        await release(connection, [row["id"] for row in found], window, now)
    return len(found)


async def delete(db: Database) -> int:
    """Delete some deliveries of deleted receivers, and those that have none; return how many."""
    async with session(db) as connection:
        done = await connection.execute(DELETE, BATCH)
        await connection.execute(DELETE_EMPTY)
    return int(done.rpartition(" ")[2])


async def expire(
    db: Database, threshold: int, window: dt.timedelta, now: dt.datetime | None = None
) -> int:
    """Give up what has waited too long for receivers that take nothing; return how many."""
    async with transaction(db) as connection:
        now = now or await connection.fetchval("SELECT clock_timestamp()")
        found = await connection.fetch(EXPIRE, now, threshold, BATCH)
        await release(connection, [row["id"] for row in found], window, now)
    return len(found)


async def forget(db: Database, age: dt.timedelta, now: dt.datetime | None = None) -> int:
    """Delete some deliveries that have been over for longer than `age`; return how many."""
    async with session(db) as connection:
        done = await connection.execute(FORGET, age, now, BATCH)
    return int(done.rpartition(" ")[2])


async def backlog(db: Database, now: dt.datetime | None = None) -> Backlog:
    """Measure what waits."""
    async with session(db) as connection:
        return Backlog(**await connection.fetchrow(BACKLOG, now))
