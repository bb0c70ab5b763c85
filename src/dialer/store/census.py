"""The figures by which one sees from outside whether dialling goes on."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from dialer.store.pool import session

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from dialer.store.pool import Database

CAMPAIGNS = """
SELECT status, coalesce(pause_reason, '') AS pause_reason, count(*) AS campaigns
FROM campaigns WHERE deleted_at IS NULL AND status <> 'finished'
GROUP BY 1, 2
"""
# The ready set and the held calls are few, whatever the size of the lists.
CALLS = """
SELECT (SELECT count(*) FROM ready) AS ready,
    coalesce(extract(epoch FROM (SELECT coalesce($1::timestamptz, clock_timestamp())) - (
        SELECT min(a.created_at) FROM calls AS k JOIN attempts AS a ON a.id = k.attempt_id
        WHERE k.node IS NOT NULL AND k.phase <> 'claimed')), 0)::float8 AS oldest_call_seconds
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Census:
    """What stands in the database, for all nodes.

    `campaigns` are counted by status and pause reason, without finished ones. `ready` calls could
    be dialled now, were there room for them.
    """

    campaigns: Mapping[tuple[str, str], int]
    ready: int
    oldest_call_seconds: float


async def take(db: Database, now: dt.datetime | None = None) -> Census:
    """Count campaigns and calls. Raises `Unavailable`."""
    async with session(db) as connection:
        campaigns = await connection.fetch(CAMPAIGNS)
        calls = await connection.fetchrow(CALLS, now)
    return Census(
        campaigns={(row["status"], row["pause_reason"]): row["campaigns"] for row in campaigns},
        ready=calls["ready"],
        oldest_call_seconds=max(0.0, calls["oldest_call_seconds"]),
    )
