"""Clone: a new draft with the settings of a campaign, and its numbers where they are wanted.

The columns are asked of the database: whatever is a setting is copied, also one that is added
later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dialer.store import campaigns, imports, numbers, rows
from dialer.store.errors import NotFound
from dialer.store.idempotency import Progress
from dialer.store.pool import session, transaction

if TYPE_CHECKING:
    import datetime as dt

    from dialer.store.pool import Connection, Database
    from dialer.store.records import Campaign

Numbers = Literal["none", "all", "not_answered"]

BATCH = 5000  # calls looked at in one transaction

# What of a campaign is not a setting, and what of a call is not the list's; all else is copied.
CAMPAIGN_STATE = frozenset({
    "id", "name", "status", "pause_reason", "pause_detail", "paused_from", "hang_up", "ending",
    "created_at", "started_at", "finished_at", "deleted_at", "resumed_at", "version",
    "cloned_from", "calls_token_hash",
})  # fmt: skip
CALL_STATE = frozenset({
    "id", "campaign_id", "position", "status", "phase", "node", "epoch", "trunk", "attempt_id",
    "due", "attempts", "attempts_counted", "technical_in_a_row", "declined", "last_outcome",
    "last_rule", "last_final_status", "created_at", "updated_at", "schedule_id", "import_id",
    "next_number", "period", "reserves", "requeued", "erased_at",
    "cancelled_at", "not_after",
})  # fmt: skip

COLUMNS = """
SELECT attname FROM pg_attribute
WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
ORDER BY attnum
"""

CLONE = """
WITH created AS (
    INSERT INTO campaigns (name, cloned_from, <columns>)
    SELECT $3, id, <columns> FROM campaigns
    WHERE id = $1 AND account_id = $2 AND deleted_at IS NULL
    RETURNING *
), told AS (
    INSERT INTO events (account_id, campaign_id, kind, data)
    SELECT account_id, id, 'campaign.draft',
        jsonb_build_object('from', NULL, 'to', 'draft', 'cloned_from', cloned_from)
    FROM created
)
SELECT * FROM created
"""

# Where and when its calls wait; the open times are found anew.
SCHEDULES = """
INSERT INTO schedules (campaign_id, time_zone, windows)
SELECT $2, time_zone, windows FROM schedules WHERE campaign_id = $1 ORDER BY id
ON CONFLICT DO NOTHING
"""

NUMBERS = """
WITH looked_at AS MATERIALIZED (
    SELECT * FROM calls WHERE campaign_id = $1 AND id > $3 ORDER BY id LIMIT $4
), last AS (
    SELECT coalesce((
        SELECT position FROM calls WHERE campaign_id = $2 ORDER BY id DESC LIMIT 1), 0) AS position
), wanted AS (
    SELECT c.*, row_number() OVER (ORDER BY c.id) AS rank, s.id AS own_schedule
    FROM looked_at AS c
    LEFT JOIN schedules AS theirs ON theirs.id = c.schedule_id
    LEFT JOIN schedules AS s ON s.campaign_id = $2 AND s.time_zone = theirs.time_zone
        AND s.windows IS NOT DISTINCT FROM theirs.windows
    WHERE c.erased_at IS NULL AND ($5 = 'all' OR c.status <> 'answered')
), added AS (
    INSERT INTO calls
        (campaign_id, position, schedule_id, next_number, due, not_after, <columns>)
    SELECT $2, last.position + rank, own_schedule, number, moment.now,
        CASE WHEN not_after > moment.now THEN not_after END, <columns>
    FROM last, wanted, (SELECT coalesce($6::timestamptz, now()) AS now) AS moment
    ORDER BY rank
    ON CONFLICT (campaign_id, number, md5(payload::text)) DO NOTHING
    RETURNING id
), told AS (
    INSERT INTO events (account_id, campaign_id, kind, data)
    SELECT c.account_id, c.id, 'numbers.added',
        jsonb_build_object('added', a.count, 'cloned_from', $1::bigint)
    FROM campaigns AS c, (SELECT count(*) FROM added) AS a
    WHERE c.id = $2 AND a.count > 0
)
SELECT (SELECT max(id) FROM looked_at) AS last, (SELECT count(*) FROM added) AS added
"""


async def clone(
    db: Database,
    account_id: int,
    campaign_id: int,
    name: str,
    which: Numbers = "none",
    now: dt.datetime | None = None,
    *,
    progress: Progress | None = None,
) -> tuple[Campaign, int]:
    """Make a draft with the same settings; return it, and how many numbers it got.

    The numbers come as planned and never tried, in list order, in batches, without last times that
    have passed; those whose person was erased do not come. With `progress` it goes on from where an
    earlier try ended. Raises `NotFound`, also for a deleted campaign; a finished one can be cloned.
    """
    progress = progress or Progress()
    if progress.state is None:
        made = await _draft(db, account_id, campaign_id, name, progress)
        last, added = 0, 0
    else:
        made = await campaigns.get(db, account_id, progress.state["made"])
        last, added = progress.state["last"], progress.state["added"]
    if which != "none":
        async with session(db) as connection:
            columns = await _copied(connection, "calls", CALL_STATE)
        copy = NUMBERS.replace("<columns>", columns)
        while last is not None:
            async with transaction(db) as connection:
                status = await connection.fetchval(imports.LOCK_CAMPAIGN, made.id, account_id)
                if status in {None, "finished"}:
                    break  # somebody has ended it already
                await connection.execute(numbers.LOCK_LIST, made.id)
                found = await connection.fetchrow(
                    copy, campaign_id, made.id, last, BATCH, which, now
                )
                last, added = found["last"], added + found["added"]
                await progress.note(connection, made=made.id, last=last, added=added)
    return made, added


async def _draft(
    db: Database, account_id: int, campaign_id: int, name: str, progress: Progress
) -> Campaign:
    """Make the draft, still without numbers."""
    async with transaction(db) as connection:
        columns = await _copied(connection, "campaigns", CAMPAIGN_STATE)
        row = await connection.fetchrow(
            CLONE.replace("<columns>", columns), campaign_id, account_id, rows.clean(name)
        )
        if row is None:
            raise NotFound(f"there is no campaign {campaign_id}")
        await connection.execute(SCHEDULES, campaign_id, row["id"])
        await progress.note(connection, made=row["id"], last=0, added=0)
    return rows.campaign(row)


async def _copied(connection: Connection, table: str, state: frozenset[str]) -> str:
    """Return the columns of a table that are copied, as they stand in a statement."""
    found = [row["attname"] for row in await connection.fetch(COLUMNS, table)]
    return ", ".join(f'"{name}"' for name in found if name not in state)
