"""Tokens of accounts: made and shown once, kept as a hash, looked up, revoked."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import TYPE_CHECKING

from dialer.campaign.role import Role
from dialer.store import rows
from dialer.store.account_records import Bearer, Token
from dialer.store.errors import NotFound, Refused
from dialer.store.pool import session

if TYPE_CHECKING:
    import datetime as dt

    from dialer.store.pool import Database

PREFIX = "dialer_"  # by which people and scanners of secrets know one when they see it
SECRET_BYTES = 32
_SHAPE = re.compile(PREFIX + r"[A-Za-z0-9_-]{43}")

CREATE = """
INSERT INTO tokens (account_id, name, role, hash, expires_at)
SELECT id, $2, $3, $4, $5 FROM accounts WHERE id = $1 AND closed_at IS NULL
RETURNING *
"""
LIST = "SELECT * FROM tokens WHERE account_id = $1 ORDER BY id"
REVOKE = """
UPDATE tokens SET revoked_at = coalesce(revoked_at, $3::timestamptz, clock_timestamp())
WHERE id = $2 AND account_id = $1
RETURNING *
"""

# The hash is the key of a unique index: who guesses cannot tell from the time taken how near he is,
# since he cannot choose a hash. Use is written once a minute, so that no request waits for others'.
BEARER = """
WITH found AS (
    SELECT t.id, t.account_id, t.role, t.name, t.last_used_at
    FROM tokens AS t JOIN accounts AS a ON a.id = t.account_id
    WHERE t.hash = $1 AND t.revoked_at IS NULL AND a.closed_at IS NULL
        AND (t.expires_at IS NULL OR t.expires_at > coalesce($2::timestamptz, clock_timestamp()))
), used AS (
    UPDATE tokens SET last_used_at = coalesce($2::timestamptz, clock_timestamp())
    FROM found
    WHERE tokens.id = found.id AND (found.last_used_at IS NULL
        OR found.last_used_at
            < coalesce($2::timestamptz, clock_timestamp()) - interval '1 minute')
)
SELECT id, account_id, role, name FROM found
"""


async def create(
    db: Database, account_id: int, name: str, role: Role, expires_at: dt.datetime | None = None
) -> tuple[str, Token]:
    """Make a token; return its secret, which nobody can read again, and what is kept of it.

    Raises `Refused` where the account is closed or not there.
    """
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    async with session(db) as connection:
        row = await connection.fetchrow(
            CREATE, account_id, rows.clean(name), role, _hash(secret), expires_at
        )
    if row is None:
        raise Refused(f"there is no account {account_id}, or it is closed")
    return secret, _token(row)


async def list_all(db: Database, account_id: int) -> list[Token]:
    """List an account's tokens, revoked and expired ones too, oldest first."""
    async with session(db) as connection:
        return [_token(row) for row in await connection.fetch(LIST, account_id)]


async def revoke(
    db: Database, account_id: int, token_id: int, now: dt.datetime | None = None
) -> Token:
    """Let a token work no more; one that is revoked already keeps its time. Raises `NotFound`."""
    async with session(db) as connection:
        row = await connection.fetchrow(REVOKE, account_id, token_id, now)
    if row is None:
        raise NotFound(f"there is no token {token_id}")
    return _token(row)


def well_formed(secret: str) -> bool:
    """Whether a text could be the secret of a token, for which alone the database is asked."""
    return _SHAPE.fullmatch(secret) is not None


async def bearer(db: Database, secret: str, now: dt.datetime | None = None) -> Bearer | None:
    """Return who may show `secret`: None where it is no token, or one that works no more."""
    async with session(db) as connection:
        row = await connection.fetchrow(BEARER, _hash(secret), now)
    if row is None:
        return None
    return Bearer(
        account_id=row["account_id"], role=Role(row["role"]), name=row["name"], token_id=row["id"]
    )


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _token(row: rows.Row) -> Token:
    return Token(
        id=row["id"],
        account_id=row["account_id"],
        name=row["name"],
        role=Role(row["role"]),
        created_at=row["created_at"],
        last_used_at=row["last_used_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
    )
