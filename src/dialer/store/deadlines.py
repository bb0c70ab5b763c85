"""Calls that are not to be made any more: their last time has passed, or they were cancelled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialer.store.pool import session

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from dialer.store.pool import Database

BATCH = 1000

# As at Finish: one that was never attempted is not dialed, another has the last word of its last
# attempt. What another transaction has locked is being claimed or ended.
END_OVERDUE = """
WITH overdue AS (
    SELECT id, status AS was FROM calls
    WHERE not_after <= (SELECT coalesce($1::timestamptz, clock_timestamp()))
        AND due IS NOT NULL AND node IS NULL
    ORDER BY not_after
    LIMIT $2
    FOR NO KEY UPDATE SKIP LOCKED
), ended AS (
    UPDATE calls AS k
    SET status = CASE WHEN k.attempts = 0 THEN 'not_dialed' ELSE k.last_final_status END,
        due = NULL, updated_at = clock_timestamp()
    FROM overdue AS o
    WHERE k.id = o.id
    RETURNING k.id, k.account_id, k.campaign_id, k.attempt_id, o.was, k.status, k.last_outcome,
        k.last_rule, k.cancelled_at IS NOT NULL AS cancelled
), gone AS (
    DELETE FROM ready USING ended WHERE ready.call_id = ended.id
), told AS (
    INSERT INTO events (account_id, campaign_id, call_id, attempt_id, kind, data)
    SELECT account_id, campaign_id, id, attempt_id, 'call.' || status,
        jsonb_strip_nulls(jsonb_build_object('from', was, 'to', status, 'outcome', last_outcome,
            'rule', last_rule, 'action', CASE WHEN cancelled THEN 'cancel' ELSE 'too_late' END))
    FROM ended
)
SELECT count(*) FROM ended
"""

# One that is up runs to its end, and gets no further attempt.
CANCEL = """
UPDATE calls
SET not_after = coalesce($5::timestamptz, clock_timestamp()),
    cancelled_at = coalesce($5::timestamptz, clock_timestamp()), updated_at = clock_timestamp()
WHERE account_id = $1 AND campaign_id = $2 AND (id = ANY($3::bigint[]) OR number = ANY($4::text[]))
    AND cancelled_at IS NULL AND (due IS NOT NULL OR node IS NOT NULL)
RETURNING id
"""


async def end_overdue(db: Database, now: dt.datetime | None = None) -> int:
    """End a batch of waiting calls whose last time has passed; return how many."""
    async with session(db) as connection:
        return int(await connection.fetchval(END_OVERDUE, now, BATCH))


async def cancel(
    db: Database,
    account_id: int,
    campaign_id: int,
    call_ids: Sequence[int],
    numbers: Sequence[str],
    now: dt.datetime | None = None,
) -> list[int]:
    """Let no further attempt of these calls begin; return those that were not over, by id."""
    async with session(db) as connection:
        found = await connection.fetch(
            CANCEL, account_id, campaign_id, list(call_ids), list(numbers), now
        )
        await connection.fetchval(END_OVERDUE, now, BATCH)
    return sorted(row["id"] for row in found)
