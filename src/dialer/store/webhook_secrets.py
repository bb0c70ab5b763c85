"""What webhooks are signed with: made here, shown once, replaced with an overlap."""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING

from dialer.store.pool import transaction
from dialer.store.secret_box import SecretSealed

if TYPE_CHECKING:
    import datetime as dt

    from dialer.store.pool import Connection, Database
    from dialer.store.secret_box import SecretBox

SECRET_BYTES = 32

# The lock is that of whoever replaces it too.
LOCK_ACCOUNT = "SELECT FROM accounts WHERE id = $1 FOR NO KEY UPDATE"
PRESENT = """
SELECT secret FROM webhook_secrets
WHERE account_id = $1 AND endpoint_id IS NULL AND ends_at IS NULL
"""
END = """
UPDATE webhook_secrets SET ends_at = coalesce($4::timestamptz, clock_timestamp()) + $3::interval
WHERE account_id = $1 AND endpoint_id IS NOT DISTINCT FROM $2 AND ends_at IS NULL
"""
FORGET = """
DELETE FROM webhook_secrets
WHERE account_id = $1 AND endpoint_id IS NOT DISTINCT FROM $2
    AND ends_at <= coalesce($3::timestamptz, clock_timestamp())
"""
ADD = "INSERT INTO webhook_secrets (account_id, endpoint_id, secret) VALUES ($1, $2, $3)"
ALL = "SELECT id, secret FROM webhook_secrets ORDER BY id FOR NO KEY UPDATE"


def new_secret() -> str:
    """Return a signing secret as Standard Webhooks writes them: 32 random bytes."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


async def add(
    connection: Connection, box: SecretBox, account_id: int, endpoint_id: int | None
) -> str:
    """Make a secret and return it; nobody can read it again."""
    secret = new_secret()
    await connection.execute(ADD, account_id, endpoint_id, box.seal(secret))
    return secret


async def replace(
    db: Database,
    box: SecretBox,
    account_id: int,
    endpoint_id: int | None,
    overlap: dt.timedelta,
    now: dt.datetime | None = None,
) -> str:
    """Make a new secret, of the account where no endpoint is named, and return it.

    The present one signs beside it for `overlap`.
    """
    async with transaction(db) as connection:
        await connection.execute(LOCK_ACCOUNT, account_id)
        await connection.execute(END, account_id, endpoint_id, overlap, now)
        await connection.execute(FORGET, account_id, endpoint_id, now)
        return await add(connection, box, account_id, endpoint_id)


async def ensure(db: Database, box: SecretBox, account_id: int) -> str:
    """Return an account's secret as it is stored, made where there is none.

    A person first sees it when it is replaced.
    """
    async with transaction(db) as connection:
        await connection.execute(LOCK_ACCOUNT, account_id)
        stored = await connection.fetchval(PRESENT, account_id)
        return stored or box.seal(await add(connection, box, account_id, None))


async def seal_all(db: Database, box: SecretBox) -> int:
    """Seal all secrets with the box's first key, and return how many could not be opened."""
    shut = 0
    async with transaction(db) as connection:
        for row in await connection.fetch(ALL):
            try:
                sealed = box.renewed(row["secret"])
            except SecretSealed:
                shut += 1
                continue
            if sealed is not None:
                await connection.execute(
                    "UPDATE webhook_secrets SET secret = $2 WHERE id = $1", row["id"], sealed
                )
    return shut
