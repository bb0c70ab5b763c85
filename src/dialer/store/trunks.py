"""Trunks as a person sees and steers them: what the nodes publish, holds, and what they carried."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialer.store import rows
from dialer.store.pool import session
from dialer.store.trunk_records import NodeTrunk, RecentLeg, Trunk, TrunkHold, TrunkTraffic

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Mapping
    from typing import Any

    from dialer.store.pool import Database

PUBLISH = "UPDATE nodes SET trunks = $3 WHERE name = $1 AND epoch = $2"

# It waits for the claims that have locked the trunk; those that come later see it held. A trunk
# held already keeps its time, and takes the new reason.
HOLD = """
INSERT INTO trunks AS t (name, held_at, held_reason, held_by)
VALUES ($1, coalesce($4::timestamptz, clock_timestamp()), $2, $3)
ON CONFLICT (name) DO UPDATE
    SET held_at = coalesce(t.held_at, excluded.held_at), held_reason = excluded.held_reason,
        held_by = excluded.held_by
"""
RELEASE = """
UPDATE trunks SET held_at = NULL, held_reason = '', held_by = '' WHERE name = $1
"""

HOLDS = "SELECT * FROM trunks WHERE held_at IS NOT NULL"
PUBLISHED = """
SELECT name, trunks FROM nodes
WHERE lease_until > coalesce($1::timestamptz, clock_timestamp())
ORDER BY name
"""
CALLS_UP = """
SELECT trunk, node, count(*) AS calls FROM calls
WHERE node IS NOT NULL AND phase <> 'claimed' AND ($1::bigint IS NULL OR account_id = $1)
GROUP BY trunk, node
"""
TRAFFIC = """
SELECT trunk, count(*) AS calls, count(*) FILTER (WHERE ended_at IS NOT NULL) AS ended,
    count(*) FILTER (WHERE answered AND ended_at IS NOT NULL) AS answered
FROM legs
WHERE trunk = ANY($1)
    AND created_at > (SELECT coalesce($2::timestamptz, clock_timestamp())) - $3::interval
GROUP BY trunk
"""
TRAFFIC_OF_ACCOUNT = """
SELECT l.trunk, count(*) AS calls, count(*) FILTER (WHERE l.ended_at IS NOT NULL) AS ended,
    count(*) FILTER (WHERE l.answered AND l.ended_at IS NOT NULL) AS answered
FROM legs AS l JOIN attempts AS a ON a.id = l.attempt_id JOIN calls AS k ON k.id = a.call_id
WHERE l.trunk = ANY($1)
    AND l.created_at > (SELECT coalesce($2::timestamptz, clock_timestamp())) - $3::interval
    AND k.account_id = $4
GROUP BY l.trunk
"""
# Among its newest legs only, so that a trunk without failures is not read from end to end.
FAILURES = """
SELECT l.*, a.call_id FROM (
    SELECT * FROM legs WHERE trunk = $1 ORDER BY created_at DESC LIMIT $4
) AS l JOIN attempts AS a ON a.id = l.attempt_id JOIN calls AS k ON k.id = a.call_id
WHERE l.outcome = ANY($2) AND ($5::bigint IS NULL OR k.account_id = $5)
ORDER BY l.created_at DESC
LIMIT $3
"""
LOOKED_THROUGH = 2000  # legs


async def publish(db: Database, node: str, epoch: int, trunks: Mapping[str, Any]) -> None:
    """Replace what a node tells of its trunks, each a JSON object by the trunk's name."""
    async with session(db) as connection:
        await connection.execute(PUBLISH, node, epoch, rows.plain(trunks))


async def hold(
    db: Database, name: str, reason: str, by: str, now: dt.datetime | None = None
) -> None:
    """Let no node give calls to a trunk; once this has returned, none is claimed for it."""
    async with session(db) as connection:
        await connection.execute(HOLD, name, rows.clean(reason), rows.clean(by), now)


async def release(db: Database, name: str) -> None:
    """Let the nodes give calls to a trunk again."""
    async with session(db) as connection:
        await connection.execute(RELEASE, name)


async def list_all(
    db: Database,
    configured: Collection[str],
    window: dt.timedelta,
    now: dt.datetime | None = None,
    *,
    account_id: int | None = None,
) -> list[Trunk]:
    """List, by name, the trunks that live nodes publish, that are `configured`, or are held.

    `window` is how far back their traffic is counted; with `account_id` its calls only.
    """
    async with session(db) as connection:
        holds = {row["name"]: _hold(row) for row in await connection.fetch(HOLDS)}
        published = {row["name"]: row["trunks"] for row in await connection.fetch(PUBLISHED, now)}
        up = {
            (row["trunk"], row["node"]): row["calls"]
            for row in await connection.fetch(CALLS_UP, account_id)
        }
        names = {name for trunks in published.values() for name in trunks}
        names |= {*holds, *configured}
        which = (list(names), now, window)
        traffic = (
            await connection.fetch(TRAFFIC, *which)
            if account_id is None
            else await connection.fetch(TRAFFIC_OF_ACCOUNT, *which, account_id)
        )
        carried = {
            row["trunk"]: TrunkTraffic(row["calls"], row["ended"], row["answered"])
            for row in traffic
        }
    return [
        Trunk(
            name=name,
            hold=holds.get(name),
            nodes=tuple(
                NodeTrunk(node, up.get((name, node), 0), trunks[name])
                for node, trunks in published.items()
                if name in trunks
            ),
            calls_up=sum(calls for (trunk, _), calls in up.items() if trunk == name),
            traffic=carried.get(name, TrunkTraffic(0, 0, 0)),
        )
        for name in sorted(names)
    ]


async def failures(
    db: Database,
    name: str,
    outcomes: Collection[str],
    limit: int = 10,
    *,
    account_id: int | None = None,
) -> list[RecentLeg]:
    """List the last legs of a trunk that ended in one of `outcomes`, newest first.

    They are looked for among its last few thousand legs; with `account_id` of its calls only.
    """
    which = (name, list(outcomes), limit, LOOKED_THROUGH, account_id)
    async with session(db) as connection:
        found = await connection.fetch(FAILURES, *which)
    return [RecentLeg(row["call_id"], rows.leg(row)) for row in found]


def _hold(row: rows.Row) -> TrunkHold:
    return TrunkHold(at=row["held_at"], reason=row["held_reason"], by=row["held_by"])
