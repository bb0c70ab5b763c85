"""Undoing what a node has committed and not sent: nothing of it has reached the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialer.store.pool import session
from dialer.store.queue import READY_AGAIN

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection
    from uuid import UUID

    from dialer.store.pool import Database

# The attempt goes as if it had never been. In a campaign that was finished meanwhile the call
# ends as Finish would have ended it.
WITHDRAW = """
WITH held AS MATERIALIZED (
    SELECT k.id, k.campaign_id, k.attempt_id AS unsent, a.was
    FROM calls AS k JOIN attempts AS a ON a.id = k.attempt_id
    WHERE k.attempt_id = ANY($3::uuid[]) AND k.node = $1 AND k.epoch = $2 AND k.phase = 'dialing'
), campaign AS (
    SELECT id, status FROM campaigns
    WHERE id IN (SELECT campaign_id FROM held)
    ORDER BY id
    FOR KEY SHARE
), moved AS (
    UPDATE calls AS k
    SET status = CASE
            WHEN c.status <> 'finished' THEN h.was
            WHEN k.attempts = 1 THEN 'not_dialed'
            ELSE k.last_final_status
        END,
        due = CASE
            WHEN c.status <> 'finished' THEN coalesce($4::timestamptz, clock_timestamp())
        END,
        phase = NULL, node = NULL, epoch = NULL, trunk = NULL, attempts = k.attempts - 1,
        attempt_id = (
            SELECT a.id FROM attempts AS a
            WHERE a.call_id = k.id AND a.id <> h.unsent
            ORDER BY a.ordinal DESC LIMIT 1),
        updated_at = clock_timestamp()
    FROM held AS h JOIN campaign AS c ON c.id = h.campaign_id
    WHERE k.id = h.id AND k.attempt_id = h.unsent AND k.node = $1 AND k.epoch = $2
        AND k.phase = 'dialing'
    RETURNING k.id, k.account_id, k.campaign_id, k.status, k.schedule_id, k.priority, k.position,
        k.due, h.unsent, k.next_number, k.contact_day
), untried AS (
    UPDATE contacts AS n SET attempts = n.attempts - 1
    FROM moved AS m
    WHERE n.account_id = m.account_id AND n.number = m.next_number AND n.day = m.contact_day
        AND n.attempts > 0
), leg AS (
    DELETE FROM legs USING moved AS m WHERE legs.attempt_id = m.unsent
), attempt AS (
    DELETE FROM attempts USING moved AS m WHERE attempts.id = m.unsent
), added AS (<ready>), told AS (
    INSERT INTO events (account_id, campaign_id, call_id, kind, data)
    SELECT account_id, campaign_id, id, 'call.' || status,
        jsonb_build_object('from', 'in_progress', 'to', status, 'reason', 'no INVITE was sent')
    FROM moved
)
SELECT count(*) FROM moved
""".replace("<ready>", READY_AGAIN.format(rows="moved"))

CLAIMED = "SELECT id FROM calls WHERE node = $1 AND epoch = $2 AND phase = 'claimed'"

STILL_HELD = """
SELECT k.attempt_id
FROM calls AS k JOIN campaigns AS c ON c.id = k.campaign_id
WHERE k.attempt_id = ANY($3::uuid[]) AND k.node = $1 AND k.epoch = $2 AND k.phase = 'dialing'
    AND c.status = 'in_progress' AND EXISTS (
        SELECT FROM nodes
        WHERE name = $1 AND epoch = $2
            AND lease_until > coalesce($4::timestamptz, clock_timestamp()))
"""


async def withdraw(
    db: Database,
    node: str,
    epoch: int,
    attempt_ids: Collection[UUID],
    now: dt.datetime | None = None,
) -> int:
    """Take back attempts whose INVITE never left, their calls due now; return how many were ours.

    The caller vouches that nothing was sent: its commit was not acknowledged, or came too late.
    """
    async with session(db) as connection:
        return int(await connection.fetchval(WITHDRAW, node, epoch, list(attempt_ids), now))


async def claimed_by(db: Database, node: str, epoch: int) -> list[int]:
    """List the calls that a node holds and has not begun to dial."""
    async with session(db) as connection:
        return [row["id"] for row in await connection.fetch(CLAIMED, node, epoch)]


async def still_held(
    db: Database,
    node: str,
    epoch: int,
    attempt_ids: Collection[UUID],
    now: dt.datetime | None = None,
) -> set[UUID]:
    """Return which of these attempts are still the node's, its lease running, to be dialled now."""
    async with session(db) as connection:
        found = await connection.fetch(STILL_HELD, node, epoch, list(attempt_ids), now)
    return {row["attempt_id"] for row in found}
