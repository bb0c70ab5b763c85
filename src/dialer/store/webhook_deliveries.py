"""Deliveries for a person: listed, sent again, and made for a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from dialer.store import webhook_endpoints
from dialer.store.errors import NotFound, Refused
from dialer.store.idempotency import Progress
from dialer.store.pool import session, transaction
from dialer.store.webhook_records import Delivery, DeliveryStatus

if TYPE_CHECKING:
    import datetime as dt

    from dialer.store import rows
    from dialer.store.pool import Database

TEST_KIND = "webhook.test"
RESEND_BATCH = 5000

LIST = """
SELECT *, event_xid::text::bigint AS xid FROM webhook_deliveries
WHERE endpoint_id = $1 AND id < coalesce($2, 9223372036854775807) <of_status>
ORDER BY id DESC LIMIT $3
"""
# In words and not as a parameter, so that the index of the dead ones serves it.
OF_STATUS = {status: f"AND status = '{status}'" for status in get_args(DeliveryStatus)}
GET = """
SELECT d.*, d.event_xid::text::bigint AS xid FROM webhook_deliveries AS d
WHERE d.id = $2 AND d.account_id = $1 AND EXISTS (
    SELECT FROM webhook_endpoints AS e WHERE e.id = d.endpoint_id AND e.deleted_at IS NULL)
"""
# It leaves without a second try: who tests looks at the first.
TEST = f"""
INSERT INTO webhook_deliveries (account_id, endpoint_id, kind, chain, next_at, expires_at,
    created_at)
SELECT $1, $2, '{TEST_KIND}', 'test:' || gen_random_uuid(), now, now, now
FROM (SELECT coalesce($3::timestamptz, clock_timestamp()) AS now) AS t
RETURNING *, NULL::bigint AS xid
"""  # noqa: S608 - a constant of ours
# What is sent again waits for nothing before it.
RESEND = """
UPDATE webhook_deliveries AS d
SET status = 'pending', ended_at = NULL, claim = NULL, next_at = t.now,
    expires_at = t.now + $3::interval
FROM (SELECT coalesce($2::timestamptz, clock_timestamp()) AS now) AS t
WHERE d.id = $1
RETURNING d.*, d.event_xid::text::bigint AS xid
"""
# In their order again: of a chain that has nothing pending the first is due, the rest behind it.
# What is pending is locked, so that whoever ends it sees these, or has ended it already.
RESEND_ALL = """
WITH t AS (SELECT coalesce($2::timestamptz, clock_timestamp()) AS now),
picked AS MATERIALIZED (
    SELECT id, chain FROM webhook_deliveries
    WHERE endpoint_id = $1 AND status = 'dead' AND id > $4
    ORDER BY id LIMIT $5
    FOR UPDATE
), held AS MATERIALIZED (
    SELECT c.chain FROM (SELECT DISTINCT chain FROM picked ORDER BY 1) AS c CROSS JOIN LATERAL (
        SELECT id FROM webhook_deliveries AS d
        WHERE d.endpoint_id = $1 AND d.chain = c.chain AND d.status = 'pending'
        ORDER BY id DESC
        LIMIT 1
        FOR SHARE
    ) AS last
), placed AS (
    SELECT p.id, h.chain IS NULL
        AND p.id = first_value(p.id) OVER (PARTITION BY p.chain ORDER BY p.id) AS first
    FROM picked AS p LEFT JOIN held AS h USING (chain)
), changed AS (
    UPDATE webhook_deliveries AS d
    SET status = 'pending', ended_at = NULL, claim = NULL,
        next_at = CASE WHEN p.first THEN t.now END,
        expires_at = CASE WHEN p.first THEN t.now + $3::interval END
    FROM t, placed AS p
    WHERE d.id = p.id
)
SELECT count(*) AS count, max(id) AS last FROM picked
"""


async def list_page(
    db: Database,
    account_id: int,
    endpoint_id: int,
    *,
    status: DeliveryStatus | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[Delivery]:
    """List a receiver's deliveries, newest first, with an id below `before`. Raises `NotFound`."""
    async with session(db) as connection:
        await webhook_endpoints.get(connection, account_id, endpoint_id)
        query = LIST.replace("<of_status>", OF_STATUS[status] if status else "")
        found = await connection.fetch(query, endpoint_id, before, limit)
    return [_delivery(row) for row in found]


async def get(db: Database, account_id: int, delivery_id: int) -> Delivery:
    """Read a delivery. Raises `NotFound`."""
    async with session(db) as connection:
        row = await connection.fetchrow(GET, account_id, delivery_id)
    if row is None:
        raise NotFound(f"there is no delivery {delivery_id}")
    return _delivery(row)


async def send_test(
    db: Database, account_id: int, endpoint_id: int, now: dt.datetime | None = None
) -> Delivery:
    """Have a test event sent, once. Raises `NotFound`, and `Refused` for a disabled receiver."""
    async with transaction(db) as connection:
        receiver = await webhook_endpoints.get(connection, account_id, endpoint_id)
        _check_enabled(receiver.id, receiver.disabled_reason)
        return _delivery(await connection.fetchrow(TEST, account_id, endpoint_id, now))


async def resend(
    db: Database,
    account_id: int,
    delivery_id: int,
    window: dt.timedelta,
    now: dt.datetime | None = None,
) -> Delivery:
    """Have a delivery that is over sent again, at once, and tried for `window`.

    Raises `NotFound`, and `Refused` while it is pending or its receiver is disabled.
    """
    async with transaction(db) as connection:
        row = await connection.fetchrow(GET + " FOR UPDATE OF d", account_id, delivery_id)
        if row is None:
            raise NotFound(f"there is no delivery {delivery_id}")
        if row["status"] == "pending":
            raise Refused("the delivery is pending, and will be sent by itself")
        receiver = await webhook_endpoints.get(connection, account_id, row["endpoint_id"])
        _check_enabled(receiver.id, receiver.disabled_reason)
        return _delivery(await connection.fetchrow(RESEND, delivery_id, now, window))


async def resend_dead(
    db: Database,
    account_id: int,
    endpoint_id: int,
    window: dt.timedelta,
    now: dt.datetime | None = None,
    progress: Progress | None = None,
) -> int:
    """Have all dead deliveries of a receiver sent again, in their order; return how many.

    With `progress` it goes on from where an earlier try ended. Raises `NotFound`, and `Refused` for
    a disabled receiver.
    """
    receiver = await webhook_endpoints.get(db, account_id, endpoint_id)
    _check_enabled(receiver.id, receiver.disabled_reason)
    progress = progress or Progress()
    state = progress.state or {"done": 0, "last": 0}
    done, last = int(state["done"]), int(state["last"])
    while True:
        async with transaction(db) as connection:
            row = await connection.fetchrow(
                RESEND_ALL, endpoint_id, now, window, last, RESEND_BATCH
            )
            if not row["count"]:
                return done
            done, last = done + row["count"], row["last"]
            await progress.note(connection, done=done, last=last)


def _check_enabled(endpoint_id: int, disabled_reason: str) -> None:
    if disabled_reason:
        raise Refused(f"webhook {endpoint_id} is disabled ({disabled_reason}); enable it first")


def _delivery(row: rows.Row) -> Delivery:
    return Delivery(
        id=row["id"],
        endpoint_id=row["endpoint_id"],
        event=None if row["event_id"] is None else (row["xid"], row["event_id"]),
        campaign_id=row["campaign_id"],
        call_id=row["call_id"],
        kind=row["kind"],
        status=row["status"],
        attempts=row["attempts"],
        next_at=row["next_at"],
        answer_status=row["answer_status"],
        answer=row["answer"],
        problem=row["problem"],
        created_at=row["created_at"],
        last_attempt_at=row["last_attempt_at"],
        ended_at=row["ended_at"],
    )
