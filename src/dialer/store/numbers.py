"""Adding numbers to a campaign."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dialer.campaign.number_zone import zone_of_number
from dialer.store import rows, schedules
from dialer.store.errors import CampaignClosed, NotFound
from dialer.store.pool import transaction
from dialer.store.records import AddReport

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from dialer.store.pool import Database
    from dialer.store.records import NewCall

BATCH = 5000
"""How many rows one call of `add` takes well."""

# A finish, which locks the row FOR UPDATE, comes before or after the whole batch.
LOCK_CAMPAIGN = """
SELECT status FROM campaigns
WHERE id = $1 AND account_id = $2 AND deleted_at IS NULL
FOR KEY SHARE
"""

# One batch of a campaign at a time, so that ids and positions grow together. Not the campaign's
# row: claims need that one.
LOCK_LIST = "SELECT pg_advisory_xact_lock(1852403250, hashint8($1))"

# One `due` for the whole batch: the list order decides among them, by their positions.
ADD = """
WITH last AS (
    SELECT coalesce((
        SELECT position FROM calls WHERE campaign_id = $2 ORDER BY id DESC LIMIT 1), 0) AS position
), added AS (
    INSERT INTO calls (account_id, campaign_id, position, number, dialable, problem, payload,
        priority, max_attempts, retry_interval_seconds, next_number, schedule_id, due)
    SELECT $1, $2, last.position + n.rank, n.number, n.dialable, n.problem, n.payload::jsonb,
        n.priority, n.max_attempts, n.retry_interval_seconds, n.number, n.schedule_id,
        coalesce($3::timestamptz, now())
    FROM last, unnest($4::text[], $5::boolean[], $6::text[], $7::text[], $8::integer[],
            $9::integer[], $10::integer[], $11::bigint[])
        WITH ORDINALITY AS n (number, dialable, problem, payload, priority, max_attempts,
            retry_interval_seconds, schedule_id, rank)
    ORDER BY n.rank
    ON CONFLICT (campaign_id, number, md5(payload::text)) DO NOTHING
    RETURNING position
), told AS (
    INSERT INTO events (account_id, campaign_id, kind, data)
    SELECT $1, $2, 'numbers.added', jsonb_build_object('added', count(*))
    FROM added
    HAVING count(*) > 0
)
SELECT added.position - last.position AS rank FROM added, last
"""


async def add(
    db: Database,
    account_id: int,
    campaign_id: int,
    new: Sequence[NewCall],
    now: dt.datetime | None = None,
) -> AddReport:
    """Add calls in list order, due as soon as their window opens.

    Those that are there already, with the same payload, are skipped. Raises `NotFound`, and
    `CampaignClosed` for a finished campaign.
    """
    async with transaction(db) as connection:
        status = await connection.fetchval(LOCK_CAMPAIGN, campaign_id, account_id)
        if status is None:
            raise NotFound(f"there is no campaign {campaign_id}")
        if status == "finished":
            raise CampaignClosed(f"campaign {campaign_id} is finished and takes no more numbers")
        await connection.execute(LOCK_LIST, campaign_id)
        keys = [
            schedules.key(row.time_zone or zone_of_number(row.number), row.windows) for row in new
        ]
        schedule_ids = await schedules.ensure(connection, campaign_id, keys)
        added = await connection.fetch(
            ADD,
            account_id,
            campaign_id,
            now,
            [row.number for row in new],
            [row.dialable for row in new],
            [rows.clean(row.problem) for row in new],
            [_json(row.payload) for row in new],
            [row.priority for row in new],
            [row.max_attempts for row in new],
            [row.retry_interval_seconds for row in new],
            [schedule_ids[key] for key in keys],
        )
    ranks = {row["rank"] for row in added}
    return AddReport(
        added=len(ranks),
        duplicates=tuple(row for rank, row in enumerate(new, 1) if rank not in ranks),
    )


def _json(payload: Mapping[str, str]) -> str:
    text = json.dumps(payload)
    # Most payloads need no cleaning; only what is escaped may hold what Postgres refuses.
    return json.dumps(rows.plain(payload)) if "\\u" in text else text
