"""Retention: what is kept of calls for so long and not longer, forgotten in small batches."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from dialer.store.pool import session, transaction

if TYPE_CHECKING:
    from dialer.store.pool import Database

BATCH = 500  # calls of one transaction
KEEP_KEYS = dt.timedelta(hours=24)  # idempotency keys
CONTACT_DAYS = 14  # the caps on attempts look back a week

ONE_NODE = "SELECT pg_try_advisory_xact_lock(1919251566)"

# Final ones, of campaigns that are finished: nothing changes any more. The index of a campaign's
# calls serves it; they are nearly all as old as the first. The row of a recording goes when its
# sound is gone (`recording_deletion`).
FORGET_CALLS = """
WITH old AS MATERIALIZED (
    SELECT k.id
    FROM campaigns AS c CROSS JOIN LATERAL (
        SELECT id FROM calls
        WHERE campaign_id = c.id AND due IS NULL AND node IS NULL AND updated_at < $1
        ORDER BY id LIMIT $2
    ) AS k
    WHERE c.status = 'finished' AND NOT c.ending AND c.finished_at < $1
    LIMIT $2
), attempt AS MATERIALIZED (
    SELECT a.id FROM attempts AS a JOIN old ON old.id = a.call_id
), leg AS (
    DELETE FROM legs USING attempt WHERE legs.attempt_id = attempt.id
), trace AS (
    DELETE FROM traces USING old WHERE traces.call_id = old.id
), event AS (
    DELETE FROM events USING old WHERE events.call_id = old.id
), delivery AS (
    DELETE FROM webhook_deliveries AS d USING old WHERE d.call_id = old.id
), recording AS (
    UPDATE recordings SET doomed_at = coalesce(doomed_at, clock_timestamp()),
        doomed_because = 'forgotten', delete_at = clock_timestamp()
    FROM old WHERE recordings.call_id = old.id
), gone AS (
    DELETE FROM attempts USING attempt WHERE attempts.id = attempt.id
), call AS (
    DELETE FROM calls USING old WHERE calls.id = old.id
)
SELECT count(*) FROM old
"""

FORGET_IMPORTS = """
WITH old AS (
    SELECT i.id FROM imports AS i JOIN campaigns AS c ON c.id = i.campaign_id
    WHERE c.status = 'finished' AND c.finished_at < $1 AND i.created_at < $1
    ORDER BY i.id LIMIT $2
), row_gone AS (
    DELETE FROM import_rows USING old WHERE import_rows.import_id = old.id
), gone AS (
    DELETE FROM imports USING old WHERE imports.id = old.id
)
SELECT count(*) FROM old
"""

# Of a deleted campaign nothing is left to see once its calls are gone.
FORGET_CAMPAIGNS = """
WITH old AS MATERIALIZED (
    SELECT c.id FROM campaigns AS c
    WHERE c.deleted_at < $1 AND NOT c.ending
        AND NOT EXISTS (SELECT FROM calls WHERE campaign_id = c.id)
        AND NOT EXISTS (SELECT FROM imports WHERE campaign_id = c.id)
    ORDER BY c.id LIMIT $2
    FOR UPDATE
), schedule AS (
    DELETE FROM schedules USING old WHERE schedules.campaign_id = old.id
    RETURNING schedules.id
), mark AS (
    DELETE FROM promotion_marks USING schedule WHERE promotion_marks.schedule_id = schedule.id
), event AS (
    DELETE FROM events USING old WHERE events.campaign_id = old.id AND events.call_id IS NULL
), delivery AS (
    DELETE FROM webhook_deliveries AS d USING old
    WHERE d.campaign_id = old.id AND d.call_id IS NULL
), gone AS (
    DELETE FROM campaigns USING old WHERE campaigns.id = old.id
)
SELECT count(*) FROM old
"""

FORGET_CONTACTS = """
WITH old AS (
    SELECT account_id, number, day FROM contacts
    WHERE day < (SELECT
        (coalesce($1::timestamptz, clock_timestamp()) AT TIME ZONE 'UTC')::date - $3::integer)
    ORDER BY day LIMIT $2
), gone AS (
    DELETE FROM contacts AS c USING old
    WHERE c.account_id = old.account_id AND c.number = old.number AND c.day = old.day
)
SELECT count(*) FROM old
"""


async def forget_calls(db: Database, age: dt.timedelta, now: dt.datetime | None = None) -> int:
    """Delete some of what is older than `age` of finished campaigns; return how many rows.

    Calls with all their evidence whose last change is so long ago, imports, and deleted campaigns
    of which nothing else is left. Again until it is 0, which is also the answer while another node
    does it. Never touches a campaign that is not finished.
    """
    async with transaction(db) as connection:
        if not await connection.fetchval(ONE_NODE):
            return 0
        now = now or await connection.fetchval("SELECT clock_timestamp()")
        done = 0
        for statement in (FORGET_CALLS, FORGET_IMPORTS, FORGET_CAMPAIGNS):
            done += await connection.fetchval(statement, now - age, BATCH)
        return done


async def forget_contacts(db: Database, now: dt.datetime | None = None) -> int:
    """Delete some counts of attempts per number that no cap looks at any more; return how many."""
    async with session(db) as connection:
        return int(await connection.fetchval(FORGET_CONTACTS, now, BATCH, CONTACT_DAYS))
