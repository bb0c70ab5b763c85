"""What tells that campaigns should pause by themselves."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from dialer.store import plan_limits
from dialer.store.pool import session

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Mapping
    from uuid import UUID

    from dialer.store import rows
    from dialer.store.plan_limits import AccountState
    from dialer.store.pool import Database

WITH_MINUTES = """
SELECT a.id FROM accounts AS a
WHERE a.minutes IS NOT NULL AND EXISTS (
    SELECT FROM campaigns AS c WHERE c.account_id = a.id AND c.status = 'in_progress')
ORDER BY a.id
"""
IN_PROGRESS = (
    "SELECT id FROM campaigns WHERE account_id = $1 AND status = 'in_progress' ORDER BY id"
)

# The indexes attempts_of_campaign and legs_of_trunk, from their ends: a few rows each.
FACTS = """
SELECT c.id, c.account_id, c.trunks, s.since, a.attempts, a.technical,
    coalesce(t.invalid, '[]') AS invalid
FROM campaigns AS c
CROSS JOIN LATERAL (SELECT coalesce(c.resumed_at, c.started_at, c.created_at) AS since) AS s
CROSS JOIN LATERAL (
    SELECT count(*) AS attempts, count(*) FILTER (WHERE outcome = ANY($1::text[])) AS technical
    FROM (
        SELECT outcome FROM attempts
        WHERE campaign_id = c.id AND created_at > s.since AND ended_at IS NOT NULL
        ORDER BY created_at DESC LIMIT $2
    ) AS last
) AS a
CROSS JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_array(name, invalid, calls)) AS invalid
    FROM unnest(c.trunks) AS name CROSS JOIN LATERAL (
        SELECT count(*) AS calls, count(*) FILTER (WHERE outcome = 'invalid_number') AS invalid
        FROM (
            SELECT outcome FROM legs
            WHERE trunk = name AND created_at > s.since AND outcome IS NOT NULL
            ORDER BY created_at DESC LIMIT $3
        ) AS last
    ) AS l
) AS t
WHERE c.status = 'in_progress'
ORDER BY c.id
"""
RECORDING = """
SELECT account_id, id FROM campaigns
WHERE status = 'in_progress' AND on_answer ->> 'recording' IS NOT NULL
ORDER BY id
"""
PUBLISHED = """
SELECT trunks FROM nodes WHERE lease_until > coalesce($1::timestamptz, clock_timestamp())
"""
HELD = "SELECT name, held_at, held_reason FROM trunks WHERE held_at IS NOT NULL"
# An attempt is deleted only with its call, or where its INVITE never left.
FORGOTTEN = """
SELECT DISTINCT k.account_id, k.campaign_id
FROM unnest($1::bigint[], $2::uuid[]) AS n (call_id, attempt_id)
JOIN calls AS k ON k.id = n.call_id
WHERE NOT EXISTS (SELECT FROM attempts AS a WHERE a.id = n.attempt_id)
ORDER BY 1, 2
"""


@dataclasses.dataclass(frozen=True, slots=True)
class OutOfMinutes:
    """An account whose minutes are used up, and its campaigns in progress."""

    account: AccountState
    campaign_ids: tuple[int, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a campaign in progress since it was started or resumed.

    `invalid` has for each trunk its name, invalid numbers among its last calls, and these calls.
    """

    campaign_id: int
    account_id: int
    trunks: tuple[str, ...]
    since: dt.datetime
    attempts: int
    technical: int
    invalid: tuple[tuple[str, int, int], ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Conditions:
    """The trunks as each live node publishes them, and since when and why a person holds some."""

    nodes: tuple[Mapping[str, Any], ...]
    held: Mapping[str, tuple[dt.datetime, str]]


async def out_of_minutes(db: Database, now: dt.datetime | None = None) -> list[OutOfMinutes]:
    """List the accounts whose minutes are used up while they have campaigns in progress."""
    found = []
    async with session(db) as connection:
        for row in await connection.fetch(WITH_MINUTES):
            account = await plan_limits.read(connection, row["id"], now)
            if account.out_of_minutes:
                running = await connection.fetch(IN_PROGRESS, row["id"])
                found.append(OutOfMinutes(account, tuple(one["id"] for one in running)))
    return found


async def facts(
    db: Database, technical: Collection[str], last_attempts: int, last_calls: int
) -> list[Facts]:
    """Tell of every campaign in progress how its last attempts, and its trunks' last calls, ended.

    `technical` are the outcomes that are the system's fault.
    """
    async with session(db) as connection:
        found = await connection.fetch(FACTS, list(technical), last_attempts, last_calls)
    return [_facts(row) for row in found]


async def conditions(db: Database, now: dt.datetime | None = None) -> Conditions:
    """Tell how the trunks stand on all live nodes."""
    async with session(db) as connection:
        nodes = await connection.fetch(PUBLISHED, now)
        held = await connection.fetch(HELD)
    return Conditions(
        tuple(row["trunks"] for row in nodes),
        {row["name"]: (row["held_at"], row["held_reason"]) for row in held},
    )


async def forgotten(db: Database, attempts: Mapping[UUID, int | None]) -> list[tuple[int, int]]:
    """Return the campaigns, each with its account before it, of calls without their attempt.

    `attempts` were committed, with their calls' ids: a database without them has lost a commit.
    """
    async with session(db) as connection:
        found = await connection.fetch(FORGOTTEN, list(attempts.values()), list(attempts))
    return [(row["account_id"], row["campaign_id"]) for row in found]


def _facts(row: rows.Row) -> Facts:
    return Facts(
        campaign_id=row["id"],
        account_id=row["account_id"],
        trunks=tuple(row["trunks"]),
        since=row["since"],
        attempts=row["attempts"],
        technical=row["technical"],
        invalid=tuple((name, invalid, calls) for name, invalid, calls in row["invalid"]),
    )


async def recording(db: Database) -> list[tuple[int, int]]:
    """List the campaigns in progress whose calls are recorded: account, campaign."""
    async with session(db) as connection:
        return [(row["account_id"], row["id"]) for row in await connection.fetch(RECORDING)]
