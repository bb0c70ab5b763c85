"""From due calls to ready ones: a bounded set for each campaign, small whatever its list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialer.store import campaigns, deadlines, schedules
from dialer.store.pool import session, transaction

if TYPE_CHECKING:
    import datetime as dt

    from dialer.campaign.windows import Span
    from dialer.store.pool import Database

READY_BOUND = 1000  # calls of a campaign that are ready at a time

START_DUE = """
WITH started AS (
    UPDATE campaigns
    SET status = 'in_progress', version = version + 1,
        started_at = coalesce(started_at, t.now)
    FROM (SELECT coalesce($1::timestamptz, clock_timestamp()) AS now) AS t
    WHERE status = 'planned' AND start_at <= t.now
    RETURNING id, account_id
), told AS (
    INSERT INTO events (account_id, campaign_id, kind, data)
    SELECT account_id, id, 'campaign.in_progress',
        '{"from": "planned", "to": "in_progress", "action": "start_time_came"}'
    FROM started
)
SELECT count(*) FROM started
"""

ONE_PROMOTER = "SELECT pg_try_advisory_xact_lock(1886544755)"

# A window has closed: its calls leave the ready set, and come again when the next one opens.
CLOSE = """
WITH gone AS (
    DELETE FROM ready WHERE window_close <= (SELECT coalesce($1::timestamptz, clock_timestamp()))
    RETURNING call_id
)
DELETE FROM promotion_marks AS m USING gone JOIN calls AS k ON k.id = gone.call_id
WHERE m.schedule_id = k.schedule_id
"""

# For each campaign whose ready set is half empty: on from the marks of its schedules that are open,
# in the order of the index calls_waiting, no more rows than there is room for.
PROMOTE = """
WITH room AS (
    SELECT c.id, $1::bigint - r.ready AS room
    FROM campaigns AS c
    CROSS JOIN LATERAL (SELECT count(*) AS ready FROM ready WHERE campaign_id = c.id) AS r
    WHERE c.status = 'in_progress' AND r.ready <= $1::bigint / 2
), open AS (
    SELECT s.id, s.campaign_id, s.closes_at, room.room, coalesce(m.due, '-infinity') AS due,
        coalesce(m.rank, 0) AS rank, coalesce(m.position, 0) AS position
    FROM room JOIN schedules AS s ON s.campaign_id = room.id
    LEFT JOIN promotion_marks AS m ON m.schedule_id = s.id AND NOT $2
    WHERE s.opens_at <= (SELECT coalesce($3::timestamptz, clock_timestamp()))
        AND s.closes_at > (SELECT coalesce($3::timestamptz, clock_timestamp()))
), found AS MATERIALIZED (
    SELECT open.campaign_id, open.id AS schedule_id, open.closes_at, open.room, w.*,
        row_number() OVER (
            PARTITION BY open.campaign_id
            ORDER BY open.closes_at, w.due, -w.priority, w.position) AS place
    FROM open CROSS JOIN LATERAL (
        SELECT k.id, k.due, k.priority, k.position
        FROM calls AS k
        WHERE k.schedule_id = open.id AND k.node IS NULL
            AND k.due <= (SELECT coalesce($3::timestamptz, now()))
            AND (k.due, -k.priority, k.position) > (open.due, open.rank, open.position)
            AND NOT EXISTS (SELECT FROM ready WHERE ready.call_id = k.id)
        ORDER BY k.due, -k.priority, k.position
        LIMIT open.room
    ) AS w
), picked AS (
    SELECT * FROM found WHERE place <= room
), marked AS (
    INSERT INTO promotion_marks (schedule_id, due, rank, position)
    SELECT DISTINCT ON (schedule_id) schedule_id, due, -priority, position
    FROM picked
    ORDER BY schedule_id, due DESC, -priority DESC, position DESC
    ON CONFLICT (schedule_id) DO UPDATE
        SET due = excluded.due, rank = excluded.rank, position = excluded.position
), added AS (
    INSERT INTO ready (call_id, campaign_id, window_close, priority, position)
    SELECT id, campaign_id, closes_at, priority, position FROM picked
    ON CONFLICT DO NOTHING
    RETURNING call_id
)
SELECT count(*) FROM added
"""

# The heads of the index calls_waiting. Nothing is dialled before its window opens.
NEXT_DUE = """
SELECT min(greatest(first.due, s.opens_at))
FROM campaigns AS c JOIN schedules AS s ON s.campaign_id = c.id CROSS JOIN LATERAL (
    SELECT due FROM calls
    WHERE schedule_id = s.id AND node IS NULL AND due IS NOT NULL
    ORDER BY due, -priority, position
    LIMIT 1
) AS first
WHERE c.status = 'in_progress' AND s.problem = ''
"""


async def start_due_campaigns(db: Database, now: dt.datetime | None = None) -> int:
    """Move planned campaigns whose start time has come to in progress; return how many.

    Also goes on, a batch each, with finished campaigns whose Finish was cut short.
    """
    async with session(db) as connection:
        started = int(await connection.fetchval(START_DUE, now))
        ending = await connection.fetch("SELECT id FROM campaigns WHERE ending")
    for row in ending:
        await campaigns.end_batch(db, row["id"])
    return started


async def promote(
    db: Database,
    *,
    bound: int = READY_BOUND,
    full: bool = False,
    now: dt.datetime | None = None,
    quiet: Span | None = None,
) -> int:
    """Fill the ready set of every campaign in progress up to `bound` calls; return how many came.

    A campaign is filled once its set is half empty, with calls whose window is open: those of the
    window that closes soonest first. `quiet` are the hours in which nobody may be called, local
    to each. Each pass goes on where the last one ended; `full` starts over from the oldest due
    call, and is wanted every minute or so for a call whose transaction committed late. One node
    promotes at a time; the others get 0.
    """
    async with transaction(db) as connection:
        if not await connection.fetchval(ONE_PROMOTER):
            return 0
        while await schedules.refresh(connection, quiet, now) == schedules.BATCH:
            pass
        await connection.execute(CLOSE, now)
        await deadlines.end_overdue(connection, now)
        return int(await connection.fetchval(PROMOTE, bound, full, now))


async def next_due(db: Database) -> dt.datetime | None:
    """When the next waiting call of a campaign in progress comes due, or came; None if none."""
    async with session(db) as connection:
        due: dt.datetime | None = await connection.fetchval(NEXT_DUE)
        return due
