"""The receivers of an account's events: made, listed, changed, deleted."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from dialer.store import rows, webhook_queue, webhook_secrets
from dialer.store.errors import NotFound, Refused, VersionConflict
from dialer.store.pool import session, transaction
from dialer.store.webhook_records import Endpoint

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Mapping

    from dialer.store.pool import Connection, Database
    from dialer.store.secret_box import SecretBox

MOST = 50  # of an account, besides those of campaigns
BY_A_PERSON = "by a person"

OPEN_ACCOUNT = "SELECT FROM accounts WHERE id = $1 AND closed_at IS NULL FOR NO KEY UPDATE"
COUNT = """
SELECT count(*) FROM webhook_endpoints
WHERE account_id = $1 AND NOT of_campaigns AND deleted_at IS NULL
"""
CREATE = """
INSERT INTO webhook_endpoints (account_id, url, description, kinds, disabled_at, disabled_reason)
VALUES ($1, $2, $3, $4, CASE WHEN $5 THEN NULL ELSE clock_timestamp() END,
    CASE WHEN $5 THEN '' ELSE $6 END)
RETURNING *
"""
LIST = """
SELECT * FROM webhook_endpoints
WHERE account_id = $1 AND id < coalesce($2, 9223372036854775807) AND deleted_at IS NULL
ORDER BY id DESC LIMIT $3
"""
GET = "SELECT * FROM webhook_endpoints WHERE id = $2 AND account_id = $1 AND deleted_at IS NULL"
# Another address is another receiver: what was learnt of the old one does not hold for it.
CHANGE = """
UPDATE webhook_endpoints
SET url = $2, description = $3, kinds = $4,
    failures = CASE WHEN url = $2 THEN failures ELSE 0 END,
    open_until = CASE WHEN url = $2 THEN open_until END
WHERE id = $1
RETURNING *
"""
ENABLE = """
UPDATE webhook_endpoints
SET disabled_at = NULL, disabled_reason = '', failures = 0, open_until = NULL
WHERE id = $1 AND disabled_at IS NOT NULL
"""
# What it was sent is deleted in batches, by and by.
DELETE = """
UPDATE webhook_endpoints
SET deleted_at = clock_timestamp(), disabled_at = coalesce(disabled_at, clock_timestamp()),
    disabled_reason = 'deleted'
WHERE id = $1
"""
USED = """
SELECT id FROM campaigns
WHERE account_id = $1 AND webhook_url = $2 AND deleted_at IS NULL ORDER BY id LIMIT 1
"""


async def create(
    db: Database,
    box: SecretBox,
    account_id: int,
    url: str,
    *,
    description: str = "",
    kinds: tuple[str, ...] = (),
    enabled: bool = True,
) -> tuple[str, Endpoint]:
    """Make a receiver; return its secret, which nobody can read again, and the receiver.

    Raises `Refused` past the most that an account may have, and where it is closed.
    """
    async with transaction(db) as connection:
        if await connection.fetchrow(OPEN_ACCOUNT, account_id) is None:
            raise Refused(f"there is no account {account_id}, or it is closed")
        if await connection.fetchval(COUNT, account_id) >= MOST:
            raise Refused(f"an account has {MOST} webhooks at the most; delete one first")
        row = await connection.fetchrow(
            CREATE, account_id, url, rows.clean(description), list(kinds), enabled, BY_A_PERSON
        )
        secret = await webhook_secrets.add(connection, box, account_id, row["id"])
    return secret, endpoint(row)


async def list_page(
    db: Database, account_id: int, *, before: int | None = None, limit: int = 50
) -> list[Endpoint]:
    """List receivers, those of campaigns too, newest first, with an id below `before`."""
    async with session(db) as connection:
        return [endpoint(row) for row in await connection.fetch(LIST, account_id, before, limit)]


async def get(db: Database, account_id: int, endpoint_id: int) -> Endpoint:
    """Read a receiver. Raises `NotFound`."""
    async with session(db) as connection:
        return await _found(connection, account_id, endpoint_id)


async def change(
    db: Database,
    account_id: int,
    endpoint_id: int,
    changes: Mapping[str, Any],
    now: dt.datetime | None = None,
    *,
    versions: Collection[int] | None = None,
) -> Endpoint:
    """Change `url`, `description`, `kinds` or `enabled`, those that are named.

    Raises `NotFound`, `VersionConflict` where it has none of the `versions`, and `Refused` for the
    address of one that is there for campaigns.
    """
    async with transaction(db) as connection:
        old = await _locked(connection, account_id, endpoint_id, versions)
        if old.of_campaigns and changes.get("url", old.url) != old.url:
            raise Refused("this webhook is there for the webhook_url of campaigns; change it there")
        now = now or await connection.fetchval("SELECT clock_timestamp()")
        await connection.execute(
            CHANGE,
            endpoint_id,
            changes.get("url", old.url),
            rows.clean(changes.get("description", old.description)),
            list(changes.get("kinds", old.kinds)),
        )
        if changes.get("enabled") is True:
            await connection.execute(ENABLE, endpoint_id)
        elif changes.get("enabled") is False:
            await webhook_queue.disable(connection, endpoint_id, BY_A_PERSON, now)
        return await _found(connection, account_id, endpoint_id)


async def delete(
    db: Database, account_id: int, endpoint_id: int, *, versions: Collection[int] | None = None
) -> None:
    """Delete a receiver with all its deliveries.

    Raises `NotFound`, `VersionConflict` where it has none of the `versions`, and `Refused` while a
    campaign names its address.
    """
    async with transaction(db) as connection:
        old = await _locked(connection, account_id, endpoint_id, versions)
        if old.of_campaigns and (used := await connection.fetchval(USED, account_id, old.url)):
            raise Refused(f"campaign {used} has its address as webhook_url; set that to null first")
        await connection.execute("DELETE FROM webhook_secrets WHERE endpoint_id = $1", endpoint_id)
        await connection.execute(DELETE, endpoint_id)


async def _locked(
    connection: Connection, account_id: int, endpoint_id: int, versions: Collection[int] | None
) -> Endpoint:
    found = await _found(connection, account_id, endpoint_id, lock=True)
    if versions is not None and found.version not in versions:
        raise VersionConflict(
            f"webhook {endpoint_id} has changed since it was read; read it again, and decide anew"
        )
    return found


async def _found(
    connection: Connection, account_id: int, endpoint_id: int, *, lock: bool = False
) -> Endpoint:
    row = await connection.fetchrow(GET + " FOR NO KEY UPDATE" * lock, account_id, endpoint_id)
    if row is None:
        raise NotFound(f"there is no webhook {endpoint_id}")
    return endpoint(row)


def endpoint(row: rows.Row) -> Endpoint:
    """Read a row of `webhook_endpoints`."""
    shown = {field.name: row[field.name] for field in dataclasses.fields(Endpoint)}
    return Endpoint(**shown | {"kinds": tuple(row["kinds"])})
