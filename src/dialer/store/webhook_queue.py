"""From events to deliveries, and from deliveries to what came of them; several nodes at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dialer.store import rows
from dialer.store.pool import transaction

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Sequence

    from dialer.store.pool import Connection, Database
    from dialer.store.webhook_records import AttemptReport

    CircuitMove = Callable[
        [int, int, dt.datetime | None, dt.datetime], tuple[int, dt.datetime | None]
    ]

BATCH = 500

POSITION = "SELECT xid::text::bigint AS xid, id FROM webhook_position FOR UPDATE SKIP LOCKED"

# An event goes to those that were there before it. Who comes behind another one of his chain waits
# for it: that one is locked, so that whoever ends it sees this one, or has ended it already.
FAN_OUT = """
WITH t AS (SELECT coalesce($4::timestamptz, clock_timestamp()) AS now),
news AS MATERIALIZED (
    SELECT xid, id, account_id, campaign_id, call_id, attempt_id, kind, at FROM events
    WHERE (xid, id) > ($1::bigint::text::xid8, $2)
        AND xid < pg_snapshot_xmin(pg_current_snapshot())
    ORDER BY xid, id
    LIMIT $3
), wanted AS MATERIALIZED (
    SELECT n.*, e.id AS endpoint_id, CASE
            WHEN n.call_id IS NOT NULL THEN 'call:' || n.call_id
            WHEN n.campaign_id IS NOT NULL THEN 'campaign:' || n.campaign_id
            ELSE 'account'
        END AS chain
    FROM news AS n
    JOIN webhook_endpoints AS e ON e.account_id = n.account_id
    LEFT JOIN campaigns AS c ON c.id = n.campaign_id
    WHERE e.disabled_at IS NULL
        AND CASE WHEN e.of_campaigns THEN c.webhook_url = e.url ELSE e.created_at <= n.at END
        AND (e.kinds = '{}' OR n.kind = ANY(e.kinds)
            OR split_part(n.kind, '.', 1) || '.*' = ANY(e.kinds))
), held AS MATERIALIZED (
    SELECT w.endpoint_id, w.chain
    FROM (SELECT DISTINCT endpoint_id, chain FROM wanted ORDER BY 1, 2) AS w CROSS JOIN LATERAL (
        SELECT id FROM webhook_deliveries AS d
        WHERE d.endpoint_id = w.endpoint_id AND d.chain = w.chain AND d.status = 'pending'
        ORDER BY id DESC
        LIMIT 1
        FOR SHARE
    ) AS last
), added AS (
    INSERT INTO webhook_deliveries (account_id, endpoint_id, event_xid, event_id, campaign_id,
        call_id, attempt_id, kind, chain, next_at, expires_at, created_at)
    SELECT account_id, endpoint_id, xid, id, campaign_id, call_id, attempt_id, kind, chain,
        CASE WHEN first THEN now END, CASE WHEN first THEN now + $5::interval END, now
    FROM t CROSS JOIN (
        SELECT w.*, h.chain IS NULL AND w.id = first_value(w.id)
            OVER (PARTITION BY w.endpoint_id, w.chain ORDER BY w.xid, w.id) AS first
        FROM wanted AS w LEFT JOIN held AS h USING (endpoint_id, chain)
    ) AS w
    ORDER BY xid, id, endpoint_id
), moved AS (
    UPDATE webhook_position AS p SET xid = n.xid, id = n.id
    FROM (SELECT xid, id FROM news ORDER BY xid DESC, id DESC LIMIT 1) AS n
)
SELECT count(*) FROM news
"""

# The receivers that have anything due are found by leaps through the index, however much of it is
# one's. One that takes nothing gets a single delivery, and no other until that one is over.
CLAIM = """
WITH RECURSIVE t AS (SELECT coalesce($1::timestamptz, clock_timestamp()) AS now),
receiver AS (
    (SELECT endpoint_id AS id FROM webhook_deliveries
        WHERE status = 'pending' AND next_at IS NOT NULL ORDER BY endpoint_id LIMIT 1)
    UNION ALL
    SELECT (
        SELECT d.endpoint_id FROM webhook_deliveries AS d
        WHERE d.status = 'pending' AND d.next_at IS NOT NULL AND d.endpoint_id > r.id
        ORDER BY d.endpoint_id LIMIT 1)
    FROM receiver AS r WHERE r.id IS NOT NULL
), open AS MATERIALIZED (
    SELECT e.id, e.failures >= $7 AS probe, t.now, greatest(0, CASE
            WHEN e.failures >= $7 THEN 1 ELSE $6 - coalesce(f.count, 0) END) AS places
    FROM t CROSS JOIN receiver AS r JOIN webhook_endpoints AS e ON e.id = r.id
    LEFT JOIN unnest($4::bigint[], $5::integer[]) AS f (id, count) ON f.id = e.id
    WHERE e.disabled_at IS NULL AND (e.open_until IS NULL OR e.open_until <= t.now)
    ORDER BY random()
), picked AS MATERIALIZED (
    SELECT d.id, o.id AS endpoint_id, o.probe FROM open AS o CROSS JOIN LATERAL (
        SELECT id FROM webhook_deliveries
        WHERE endpoint_id = o.id AND status = 'pending' AND next_at <= o.now
        ORDER BY next_at, id
        LIMIT o.places
        FOR UPDATE SKIP LOCKED
    ) AS d
    LIMIT $8
), probing AS (
    UPDATE webhook_endpoints AS e SET open_until = t.now + $3::interval FROM t
    WHERE e.id IN (SELECT endpoint_id FROM picked WHERE probe)
)
UPDATE webhook_deliveries AS d
SET claim = $2, next_at = t.now + $3::interval, last_attempt_at = t.now
FROM t, picked AS p
WHERE d.id = p.id
RETURNING d.id, p.probe
"""

LOCK = """
SELECT d.id FROM webhook_deliveries AS d
JOIN unnest($1::bigint[], $2::uuid[]) AS r (id, claim) ON r.id = d.id AND r.claim = d.claim
ORDER BY d.endpoint_id, d.chain, d.id
FOR UPDATE OF d
"""
# What died meanwhile, because nobody wants it any more, is delivered where it was, else stays dead.
RECORD = """
WITH r AS (
    SELECT * FROM jsonb_to_recordset($1) AS r (id bigint, delivered boolean, wait double precision,
        answer_status integer, answer text, problem text)
)
UPDATE webhook_deliveries AS d
SET claim = NULL, attempts = d.attempts + 1,
    answer_status = r.answer_status, problem = r.problem,
    answer = CASE WHEN EXISTS (
            SELECT FROM calls AS k WHERE k.id = d.call_id AND k.erased_at IS NOT NULL)
        THEN '' ELSE r.answer END,
    status = CASE
        WHEN r.delivered THEN 'delivered'
        WHEN d.status = 'dead' OR r.wait IS NULL THEN 'dead'
        ELSE 'pending' END,
    next_at = CASE WHEN NOT r.delivered AND d.status <> 'dead'
        THEN $2::timestamptz + make_interval(secs => r.wait) END,
    ended_at = CASE WHEN r.delivered OR d.status = 'dead' OR r.wait IS NULL THEN $2 END
FROM r
WHERE d.id = r.id
RETURNING d.id, d.status
"""
# In a statement of its own, which sees what came behind them until they were locked.
RELEASE = """
UPDATE webhook_deliveries AS d
SET next_at = $2::timestamptz, expires_at = $2::timestamptz + $3::interval
FROM (
    SELECT DISTINCT endpoint_id, chain FROM webhook_deliveries WHERE id = ANY($1::bigint[])
) AS ended
CROSS JOIN LATERAL (
    SELECT id FROM webhook_deliveries AS p
    WHERE p.endpoint_id = ended.endpoint_id AND p.chain = ended.chain AND p.status = 'pending'
    ORDER BY id
    LIMIT 1
) AS first
WHERE d.id = first.id AND d.next_at IS NULL
"""
CIRCUITS = """
SELECT id, failures, open_until FROM webhook_endpoints WHERE id = ANY($1::bigint[])
ORDER BY id FOR NO KEY UPDATE
"""
SET_CIRCUIT = "UPDATE webhook_endpoints SET failures = $2, open_until = $3 WHERE id = $1"
DISABLE = """
UPDATE webhook_endpoints SET disabled_at = $2, disabled_reason = $3
WHERE id = $1 AND disabled_at IS NULL
"""


async def fan_out(db: Database, window: dt.timedelta, now: dt.datetime | None = None) -> int:
    """Make deliveries of the next events, and return how many events were read.

    One node at a time; 0 also while another one does it. `window` is how long they are tried.
    """
    async with transaction(db) as connection:
        position = await connection.fetchrow(POSITION)
        if position is None:
            return 0
        return int(await connection.fetchval(FAN_OUT, *position, BATCH, now, window))


async def record(
    db: Database,
    reports: Sequence[AttemptReport],
    window: dt.timedelta,
    move: CircuitMove,
    now: dt.datetime | None = None,
) -> None:
    """Write what came of attempts; those whose claim is another's by now are passed over.

    What waited behind those that are over comes next. `move` takes a receiver's id, failures,
    `open_until` and the time, and returns what the two become.
    """
    async with transaction(db) as connection:
        now = now or await connection.fetchval("SELECT clock_timestamp()")
        found = await connection.fetch(
            LOCK, [one.id for one in reports], [one.claim for one in reports]
        )
        ours = {row["id"] for row in found}
        written = await connection.fetch(
            RECORD, [_written(one) for one in reports if one.id in ours], now
        )
        ended = [row["id"] for row in written if row["status"] != "pending"]
        await release(connection, ended, window, now)
        for row in await connection.fetch(CIRCUITS, sorted({one.endpoint_id for one in reports})):
            after = move(row["id"], row["failures"], row["open_until"], now)
            if after != (row["failures"], row["open_until"]):
                await connection.execute(SET_CIRCUIT, row["id"], *after)
        for endpoint_id in sorted({one.endpoint_id for one in reports if one.gone}):
            await disable(connection, endpoint_id, "it answered 410, Gone", now)


def _written(report: AttemptReport) -> dict[str, Any]:
    return {
        "id": report.id,
        "delivered": report.delivered,
        "wait": report.wait,
        "answer_status": report.answer_status,
        "answer": rows.clean(report.answer),
        "problem": rows.clean(report.problem),
    }


async def release(
    connection: Connection, ended: Sequence[int], window: dt.timedelta, now: dt.datetime
) -> None:
    """Let what waited behind deliveries that are over come next, to be tried for `window`."""
    await connection.execute(RELEASE, ended, now, window)


async def disable(connection: Connection, endpoint_id: int, reason: str, now: dt.datetime) -> None:
    """Send a receiver nothing more; what waits for it dies with the next upkeep."""
    await connection.execute(DISABLE, endpoint_id, now, reason)
