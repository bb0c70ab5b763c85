"""Reading calls: pages, and one with all its evidence."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING

from dialer.store import rows
from dialer.store.errors import NotFound
from dialer.store.pool import session
from dialer.store.records import CallDetails

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from dialer.campaign.status import CallStatus
    from dialer.store.pool import Database
    from dialer.store.records import Call, Leg, TransferLeg

# Two statements, so that each has the plan that its index serves: the newest of each campaign, or
# of each status of each, deleted ones too, and of these the newest. However many calls others have,
# and however rare a status is, no more is read.
LIST = """
WITH page AS (
    SELECT k.id FROM campaigns AS c CROSS JOIN LATERAL (
        SELECT id FROM calls
        WHERE campaign_id = c.id AND id < coalesce($2, 9223372036854775807)
        ORDER BY id DESC LIMIT $3
    ) AS k
    WHERE c.account_id = $1 AND c.id = coalesce($4, c.id)
    ORDER BY k.id DESC
    LIMIT $3
)
SELECT calls.* FROM page JOIN calls ON calls.id = page.id ORDER BY calls.id DESC
"""
LIST_BY_STATUS = """
WITH page AS (
    SELECT k.id
    FROM campaigns AS c CROSS JOIN unnest($5::text[]) AS s (status) CROSS JOIN LATERAL (
        SELECT id FROM calls
        WHERE campaign_id = c.id AND status = s.status AND id < coalesce($2, 9223372036854775807)
        ORDER BY id DESC LIMIT $3
    ) AS k
    WHERE c.account_id = $1 AND c.id = coalesce($4, c.id)
    ORDER BY k.id DESC
    LIMIT $3
)
SELECT calls.* FROM page JOIN calls ON calls.id = page.id ORDER BY calls.id DESC
"""
# The unique index of a campaign's numbers serves these, campaign by campaign, deleted ones too.
LIST_OF_NUMBER = """
SELECT k.* FROM campaigns AS c CROSS JOIN LATERAL (
    SELECT * FROM calls
    WHERE campaign_id = c.id AND number = $6 AND id < coalesce($2, 9223372036854775807)
        AND (cardinality($5::text[]) = 0 OR status = ANY($5))
) AS k
WHERE c.account_id = $1 AND c.id = coalesce($4, c.id)
ORDER BY k.id DESC
LIMIT $3
"""

GET = "SELECT * FROM calls WHERE id = $1 AND account_id = $2"
ATTEMPTS = "SELECT * FROM attempts WHERE call_id = $1 ORDER BY ordinal"
LEGS = """
SELECT l.* FROM legs AS l JOIN attempts AS a ON a.id = l.attempt_id
WHERE a.call_id = $1
ORDER BY a.ordinal, l.ordinal
"""


TRANSFERS = """
SELECT l.* FROM transfer_legs AS l JOIN attempts AS a ON a.id = l.attempt_id
WHERE a.call_id = $1
ORDER BY a.ordinal, l.ordinal
"""


async def list_page(
    db: Database,
    account_id: int,
    *,
    campaign_id: int | None = None,
    statuses: Collection[CallStatus] = (),
    number: str | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[Call]:
    """List calls, newest first, those with an id below `before`; no statuses means all.

    `number` is one number exactly. Without `campaign_id`, over all campaigns of the account,
    deleted ones included (dialogs).
    """
    which = (account_id, before, limit, campaign_id)
    wanted = sorted(set(statuses))
    async with session(db) as connection:
        if number is not None:
            found = await connection.fetch(LIST_OF_NUMBER, *which, wanted, rows.clean(number))
        elif wanted:
            found = await connection.fetch(LIST_BY_STATUS, *which, wanted)
        else:
            found = await connection.fetch(LIST, *which)
    return [rows.call(row) for row in found]


async def get(db: Database, account_id: int, call_id: int) -> CallDetails:
    """Read a call with its attempts and legs. Raises `NotFound`."""
    async with session(db) as connection:
        call = await connection.fetchrow(GET, call_id, account_id)
        if call is None:
            raise NotFound(f"there is no call {call_id}")
        attempts = await connection.fetch(ATTEMPTS, call_id)
        legs: dict[UUID, list[Leg]] = collections.defaultdict(list)
        for row in await connection.fetch(LEGS, call_id):
            legs[row["attempt_id"]].append(rows.leg(row))
        seconds: dict[UUID, list[TransferLeg]] = collections.defaultdict(list)
        for row in await connection.fetch(TRANSFERS, call_id):
            seconds[row["attempt_id"]].append(rows.transfer_leg(row))
    return CallDetails(
        rows.call(call),
        tuple(
            rows.attempt(row, legs.get(row["id"], ()), seconds.get(row["id"], ()))
            for row in attempts
        ),
    )
