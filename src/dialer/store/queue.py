"""From ready calls to claimed ones, within every limit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dialer.store import rows
from dialer.store.pool import session, transaction
from dialer.store.records import CampaignToDial, ClaimedCall

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from dialer.store.pool import Connection, Database

DIALABLE = """
SELECT c.id, c.account_id, c.trunks, c.trunk_order, c.calls_per_second, c.max_simultaneous_calls,
    r.ready, ARRAY(
        SELECT name FROM trunks WHERE name = ANY(c.trunks) AND held_at IS NOT NULL) AS held,
    (SELECT count(*) FROM calls AS k WHERE k.node IS NOT NULL AND k.campaign_id = c.id) AS live
FROM campaigns AS c
CROSS JOIN LATERAL (SELECT count(*) AS ready FROM ready WHERE campaign_id = c.id) AS r
WHERE c.status = 'in_progress' AND r.ready > 0
ORDER BY c.id
"""

# The campaign's row serialises its claims over all nodes. Dialing and results take it FOR KEY
# SHARE, which this lock lets pass, and a pause takes it FOR UPDATE, which it does not.
LOCK_CAMPAIGN = """
SELECT max_simultaneous_calls, trunks
FROM campaigns
WHERE id = $1 AND status = 'in_progress' AND EXISTS (
    SELECT FROM nodes
    WHERE name = $2 AND epoch = $3
        AND lease_until > coalesce($4::timestamptz, clock_timestamp()))
FOR NO KEY UPDATE
"""

# Always in the order of names, so that claims of two campaigns cannot wait for each other. A hold
# takes the row too: once it is acknowledged, nothing more is claimed.
LOCK_TRUNKS = """
SELECT name, held_at IS NOT NULL AS held FROM trunks WHERE name = ANY($1)
ORDER BY name FOR NO KEY UPDATE
"""
NAME_TRUNKS = (
    "INSERT INTO trunks (name) SELECT unnest($1::text[]) ORDER BY 1 ON CONFLICT DO NOTHING"
)

# A statement of its own: its snapshot is newer than both locks, so no claim is missed.
COUNT_HELD = """
SELECT trunk, count(*) AS held, count(*) FILTER (WHERE campaign_id = $1) AS of_campaign
FROM calls
WHERE node IS NOT NULL AND (campaign_id = $1 OR trunk = ANY($2))
GROUP BY trunk
"""

# $4 has a trunk for each call to claim. A ready row whose call is no longer waiting just goes.
PICK = """
WITH picked AS (
    SELECT call_id, window_close, priority, position
    FROM ready
    WHERE campaign_id = $1
    ORDER BY window_close, -priority, position
    LIMIT cardinality($4::text[])
    FOR UPDATE SKIP LOCKED
)"""
# The same of numbers by their beginnings, $5: with $6 those that have one of them, else the others.
PICK_BY_NUMBER = """
WITH picked AS (
    SELECT call_id, window_close, priority, position
    FROM ready
    WHERE campaign_id = $1 AND EXISTS (
        SELECT FROM calls
        WHERE calls.id = ready.call_id AND (calls.number LIKE ANY($5::text[])) = $6)
    ORDER BY window_close, -priority, position
    LIMIT cardinality($4::text[])
    FOR UPDATE OF ready SKIP LOCKED
)"""
TAKE = """, gone AS (
    DELETE FROM ready USING picked WHERE ready.call_id = picked.call_id
), ranked AS (
    SELECT call_id, row_number() OVER (ORDER BY window_close, -priority, position) AS rank
    FROM picked
)
UPDATE calls AS k
SET phase = 'claimed', node = $2, epoch = $3, trunk = ($4::text[])[r.rank],
    updated_at = clock_timestamp()
FROM ranked AS r, campaigns AS c
WHERE k.id = r.call_id AND c.id = $1
    AND k.node IS NULL AND k.status IN ('planned', 'retry_scheduled')
RETURNING r.rank, k.id, k.account_id, k.campaign_id, k.number, k.dialable, k.problem, k.payload,
    k.trunk, c.trunks, c.trunk_order, c.caller_ids, c.ring_timeout_seconds, c.max_talk_seconds,
    c.on_answer, coalesce(k.max_attempts, c.max_attempts) AS max_attempts,
    coalesce(k.retry_interval_seconds, c.retry_interval_seconds) AS retry_interval_seconds,
    c.retry_by_outcome, c.redial_interrupted,
    k.attempts, k.attempts_counted, k.technical_in_a_row, k.declined, k.status AS was
"""
CLAIM = PICK + TAKE
CLAIM_BY_NUMBER = PICK_BY_NUMBER + TAKE

SET_ASIDE = """
WITH blocked AS (
    SELECT ready.call_id FROM ready JOIN calls ON calls.id = ready.call_id
    WHERE ready.campaign_id = $1 AND NOT calls.number LIKE ANY($2::text[])
    FOR UPDATE OF ready SKIP LOCKED
), gone AS (
    DELETE FROM ready USING blocked WHERE ready.call_id = blocked.call_id
)
SELECT count(*) FROM blocked
"""

# The campaign's lock keeps a finish out, which takes calls in another order.
GIVE_BACK = """
WITH campaign AS (
    SELECT id FROM campaigns
    WHERE id IN (SELECT campaign_id FROM calls WHERE id = ANY($3::bigint[]))
    ORDER BY id
    FOR KEY SHARE
), freed AS (
    UPDATE calls AS k
    SET phase = NULL, node = NULL, epoch = NULL, trunk = NULL,
        due = coalesce($4::timestamptz, clock_timestamp()), updated_at = clock_timestamp()
    FROM campaign AS c
    WHERE k.id = ANY($3::bigint[]) AND k.campaign_id = c.id
        AND k.node = $1 AND k.epoch = $2 AND k.phase = 'claimed'
    RETURNING k.id, k.campaign_id, k.priority, k.position
), added AS (
    INSERT INTO ready (call_id, campaign_id, priority, position)
    SELECT id, campaign_id, priority, position FROM freed
    ON CONFLICT DO NOTHING
)
SELECT count(*) FROM freed
"""


async def dialable_campaigns(db: Database) -> list[CampaignToDial]:
    """List campaigns in progress that have ready calls, with their limits and occupancy."""
    async with session(db) as connection:
        return [
            CampaignToDial(**{**row, "trunks": tuple(row["trunks"]), "held": tuple(row["held"])})
            for row in await connection.fetch(DIALABLE)
        ]


async def claim(
    db: Database,
    campaign_id: int,
    node: str,
    epoch: int,
    limit: int,
    trunk_limits: Mapping[str, int],
    now: dt.datetime | None = None,
    *,
    prefixes: Collection[str] = (),
) -> list[ClaimedCall]:
    """Claim up to `limit` ready calls of the campaign for a node, each with a trunk.

    `trunk_limits` holds the usable trunks and their maximum simultaneous calls, over all nodes.
    With `prefixes` only numbers are claimed that begin with one of them. Nothing is claimed unless
    the campaign is in progress and the node's lease runs, nor for a trunk that a person holds. The
    campaign's and the trunks' limits hold exactly over all nodes.
    """
    async with transaction(db) as connection:
        campaign = await connection.fetchrow(LOCK_CAMPAIGN, campaign_id, node, epoch, now)
        if campaign is None:
            return []
        known = [name for name in dict.fromkeys(campaign["trunks"]) if name in trunk_limits]
        stopped = await lock_trunks(connection, known)
        usable = [name for name in known if name not in stopped]
        held = await connection.fetch(COUNT_HELD, campaign_id, usable)
        room = campaign["max_simultaneous_calls"] - sum(row["of_campaign"] for row in held)
        taken = {row["trunk"]: row["held"] for row in held}
        places = [name for name in usable for _ in range(trunk_limits[name] - taken.get(name, 0))][
            : max(0, min(limit, room))
        ]
        if not places:
            return []
        which = (campaign_id, node, epoch, places)
        if prefixes:
            begins = True
            return _in_order(
                await connection.fetch(CLAIM_BY_NUMBER, *which, _patterns(prefixes), begins)
            )
        return _in_order(await connection.fetch(CLAIM, *which))


async def claim_unroutable(
    db: Database,
    campaign_id: int,
    node: str,
    epoch: int,
    limit: int,
    prefixes: Collection[str],
    now: dt.datetime | None = None,
) -> list[ClaimedCall]:
    """Claim up to `limit` ready calls whose number begins with none of `prefixes`, to end them.

    They are held under the campaign's first trunk, and count against no limit: nothing is sent.
    """
    async with transaction(db) as connection:
        campaign = await connection.fetchrow(LOCK_CAMPAIGN, campaign_id, node, epoch, now)
        if campaign is None:
            return []
        which = (campaign_id, node, epoch, [campaign["trunks"][0]] * limit)
        begins = False
        return _in_order(
            await connection.fetch(CLAIM_BY_NUMBER, *which, _patterns(prefixes), begins)
        )


async def set_aside(db: Database, campaign_id: int, prefixes: Collection[str]) -> int:
    """Take ready calls whose number begins with none of `prefixes` out of the ready set.

    They wait for the next full promotion, so that those behind them get ready; return how many.
    """
    async with session(db) as connection:
        return int(await connection.fetchval(SET_ASIDE, campaign_id, _patterns(prefixes)))


async def give_back(
    db: Database, node: str, epoch: int, call_ids: Iterable[int], now: dt.datetime | None = None
) -> int:
    """Return claimed, undialled calls to the queue, due now; return how many were ours."""
    async with session(db) as connection:
        return int(await connection.fetchval(GIVE_BACK, node, epoch, list(call_ids), now))


async def lock_trunks(connection: Connection, names: Sequence[str]) -> set[str]:
    """Lock trunks until the transaction ends, so that calls can be counted; return those held."""
    locked = await connection.fetch(LOCK_TRUNKS, names)
    if len(locked) < len(names):
        await connection.execute(NAME_TRUNKS, names)
        locked = await connection.fetch(LOCK_TRUNKS, names)
    return {row["name"] for row in locked if row["held"]}


def _patterns(prefixes: Iterable[str]) -> list[str]:
    """Return prefixes as patterns of LIKE."""
    return [re.sub(r"([\\%_])", r"\\\1", prefix) + "%" for prefix in prefixes]


def _in_order(claimed: Iterable[rows.Row]) -> list[ClaimedCall]:
    return [_claimed(row) for row in sorted(claimed, key=lambda row: row["rank"])]


def _claimed(row: rows.Row) -> ClaimedCall:
    return ClaimedCall(
        id=row["id"],
        account_id=row["account_id"],
        campaign_id=row["campaign_id"],
        number=row["number"],
        dialable=row["dialable"],
        problem=row["problem"],
        payload=row["payload"],
        trunk=row["trunk"],
        trunks=tuple(row["trunks"]),
        trunk_order=row["trunk_order"],
        caller_ids=tuple(row["caller_ids"]),
        ring_timeout_seconds=row["ring_timeout_seconds"],
        max_talk_seconds=row["max_talk_seconds"],
        on_answer=row["on_answer"],
        retry=rows.retry(row),
        history=rows.history(row),
    )
