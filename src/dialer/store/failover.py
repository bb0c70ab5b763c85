"""From a leg that failed to the next one of the same attempt, in one transaction."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from dialer.store import queue, rows
from dialer.store.pool import transaction

if TYPE_CHECKING:
    import datetime as dt

    from dialer.store.attempt_records import FailedLeg, NewLeg
    from dialer.store.pool import Database


class Commit(enum.Enum):
    """What became of a leg that should follow: whether its INVITE may leave."""

    DONE = enum.auto()
    NO_ROOM = enum.auto()  # the trunk is full, or held by a person; another one may do
    REFUSED = enum.auto()  # paused, finished, its window closed, or no longer ours: over


# As for dialing: a pause takes the row FOR UPDATE, and whoever comes second sees the first.
LOCK_CAMPAIGN = """
SELECT c.id FROM campaigns AS c JOIN calls AS k ON k.campaign_id = c.id
JOIN schedules AS s ON s.id = k.schedule_id
WHERE k.id = $3 AND c.status = 'in_progress'
    AND s.opens_at <= (SELECT coalesce($4::timestamptz, clock_timestamp()))
    AND s.closes_at > (SELECT coalesce($4::timestamptz, clock_timestamp()))
    AND EXISTS (
    SELECT FROM nodes
    WHERE name = $1 AND epoch = $2
        AND lease_until > coalesce($4::timestamptz, clock_timestamp()))
FOR KEY SHARE OF c
"""

NEXT_LEG = """
WITH moved AS (
    UPDATE calls AS k
    SET trunk = $5, updated_at = clock_timestamp()
    WHERE k.id = $3 AND k.attempt_id = $4 AND k.node = $1 AND k.epoch = $2 AND k.phase = 'dialing'
    RETURNING k.attempt_id
), failed AS (
    UPDATE legs AS l
    SET outcome = $10, rule = $11, <evidence>
    FROM moved AS m, jsonb_populate_record(NULL::legs, $12) AS e
    WHERE l.attempt_id = m.attempt_id AND l.ordinal = $9
), leg AS (
    INSERT INTO legs (attempt_id, ordinal, trunk, number, caller_id, identity)
    SELECT attempt_id, $9 + 1, $5, $6, $7, $8 FROM moved
)
SELECT count(*) FROM moved
""".replace("<evidence>", rows.SET_EVIDENCE)


async def commit(
    db: Database,
    node: str,
    epoch: int,
    failed: FailedLeg,
    leg: NewLeg,
    max_calls: int,
    now: dt.datetime | None = None,
) -> Commit:
    """Record the end of a leg, and commit the one that follows it before its INVITE leaves.

    `max_calls` are the simultaneous calls of the new leg's trunk over all nodes; the call counts
    there from now on. Nothing is written unless the leg is committed.
    """
    async with transaction(db) as connection:
        if not await connection.fetchval(LOCK_CAMPAIGN, node, epoch, leg.call_id, now):
            return Commit.REFUSED
        # after the campaign, as a claim takes them
        if await queue.lock_trunks(connection, [leg.trunk]):
            return Commit.NO_ROOM
        # a statement of its own: its snapshot is newer than the lock, so no claim is missed
        if await queue.held_of_trunk(connection, leg.trunk) >= max_calls:
            return Commit.NO_ROOM
        moved = await connection.fetchval(
            NEXT_LEG,
            node,
            epoch,
            leg.call_id,
            leg.attempt_id,
            leg.trunk,
            leg.number,
            leg.caller_id,
            rows.plain(leg.identity),
            failed.ordinal,
            failed.outcome,
            failed.rule,
            rows.plain(failed.evidence),
        )
    return Commit.DONE if moved else Commit.REFUSED
