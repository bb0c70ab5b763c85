"""Leases: which engine process is alive, and the epoch that fences its writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialer.store.errors import NodeNameInUse
from dialer.store.pool import session
from dialer.store.records import Lease

if TYPE_CHECKING:
    import datetime as dt

    from dialer.store.pool import Database

# Epochs come from one sequence, so that a name taken twice never has the same epoch again.
JOIN = """
INSERT INTO nodes AS n (name, epoch, lease_until, started_at, last_seen)
SELECT $1, nextval('node_epochs'), t.now + $2::interval, t.now, t.now
FROM (SELECT coalesce($3::timestamptz, clock_timestamp()) AS now) AS t
ON CONFLICT (name) DO UPDATE
    SET epoch = excluded.epoch, lease_until = excluded.lease_until,
        started_at = excluded.started_at, last_seen = excluded.last_seen
    WHERE n.lease_until <= excluded.last_seen
RETURNING n.epoch
"""

RENEW = """
UPDATE nodes
SET lease_until = t.now + $3::interval, last_seen = t.now
FROM (SELECT coalesce($4::timestamptz, clock_timestamp()) AS now) AS t
WHERE name = $1 AND epoch = $2
RETURNING lease_until,
    1 + (SELECT count(*) FROM nodes AS other WHERE other.name <> $1 AND other.lease_until > t.now)
        AS live_nodes
"""


async def join(db: Database, name: str, lease: dt.timedelta, now: dt.datetime | None = None) -> int:
    """Take the node name for `lease` and return its new epoch.

    Raises `NodeNameInUse` while another process's lease of that name runs.
    """
    async with session(db) as connection:
        epoch = await connection.fetchval(JOIN, name, lease, now)
        if epoch is None:
            until = await connection.fetchval("SELECT lease_until FROM nodes WHERE name = $1", name)
            when = f"until {until:%H:%M:%S %Z}" if until else "just now"
            raise NodeNameInUse(
                f"node name {name!r} is in use by another engine {when}: "
                "stop that one, wait, or choose another name"
            )
    return int(epoch)


async def renew(
    db: Database, name: str, epoch: int, lease: dt.timedelta, now: dt.datetime | None = None
) -> Lease | None:
    """Extend the lease from now on; None when the name was taken over under a later epoch.

    A lease that ran out may be renewed as long as nobody else took the name: calls that another
    node rescued meanwhile are gone from this epoch, each by itself.
    """
    async with session(db) as connection:
        row = await connection.fetchrow(RENEW, name, epoch, lease, now)
    return None if row is None else Lease(until=row["lease_until"], live_nodes=row["live_nodes"])


async def leave(db: Database, name: str, epoch: int) -> None:
    """End the lease at once; whatever the node still held is open to rescue."""
    async with session(db) as connection:
        await connection.execute("DELETE FROM nodes WHERE name = $1 AND epoch = $2", name, epoch)
