"""Accounts: create, read, list, change and close them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import asyncpg

from dialer.store import rows
from dialer.store.account_records import Account, AccountSettings
from dialer.store.errors import NotFound, Refused
from dialer.store.pool import session, transaction
from dialer.store.records import DEFAULT_ACCOUNT

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from dialer.store.pool import Connection, Database

# The columns that a person sets stand in the order of `AccountSettings`.
CREATE = """
INSERT INTO accounts (name, time_zone, minutes, unique_users, increment_seconds, period,
    anchor_day, max_simultaneous_calls, allowed_prefixes, attempts_per_day, attempts_per_week)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
RETURNING *
"""
CHANGE = """
UPDATE accounts
SET name = $2, time_zone = $3, minutes = $4, unique_users = $5, increment_seconds = $6,
    period = $7, anchor_day = $8, max_simultaneous_calls = $9, allowed_prefixes = $10,
    attempts_per_day = $11, attempts_per_week = $12
WHERE id = $1
RETURNING *
"""

GET = "SELECT * FROM accounts WHERE id = $1"
FIND = "SELECT * FROM accounts WHERE name = $1"
LIST = "SELECT * FROM accounts WHERE closed_at IS NULL OR $1 ORDER BY id"

# Who creates a campaign holds the account FOR KEY SHARE.
LOCK = GET + " FOR UPDATE"
UNFINISHED = """
SELECT id FROM campaigns WHERE account_id = $1 AND status <> 'finished' AND deleted_at IS NULL
ORDER BY id LIMIT 6
"""
CLOSE = """
WITH closed AS (
    UPDATE accounts SET closed_at = coalesce($2::timestamptz, clock_timestamp())
    WHERE id = $1
    RETURNING *
), told AS (
    INSERT INTO events (account_id, kind, data)
    SELECT id, 'account.closed', jsonb_build_object('name', name) FROM closed
)
SELECT * FROM closed
"""


async def create(db: Database, settings: AccountSettings) -> Account:
    """Create an account. Raises `Refused` where the name is taken, by a closed one too."""
    async with session(db) as connection:
        return await _written(connection, settings.name, CREATE, *_columns(settings))


async def get(db: Database, account_id: int) -> Account:
    """Read an account, a closed one too. Raises `NotFound`."""
    async with session(db) as connection:
        return _found(await connection.fetchrow(GET, account_id), account_id)


async def find(db: Database, name: str) -> Account:
    """Read an account by its name, or by its id in digits. Raises `NotFound`."""
    async with session(db) as connection:
        if name.isascii() and name.isdecimal() and len(name) < 19:
            return _found(await connection.fetchrow(GET, int(name)), name)
        return _found(await connection.fetchrow(FIND, rows.clean(name)), name)


async def list_all(db: Database, *, closed: bool = False) -> list[Account]:
    """List accounts in the order of their creation; with `closed`, those too."""
    async with session(db) as connection:
        return [_account(row) for row in await connection.fetch(LIST, closed)]


async def change(db: Database, account_id: int, changes: Mapping[str, Any]) -> Account:
    """Change the settings that `changes` names, by the fields of `AccountSettings`.

    Claims from now on go by them. Raises `NotFound`, and `Refused` where the new name is taken or
    the account is closed.
    """
    async with transaction(db) as connection:
        account = await _open(connection, account_id)
        settings = dataclasses.replace(account.settings, **changes)
        columns = _columns(settings)
        return await _written(connection, settings.name, CHANGE, account_id, *columns)


async def close(db: Database, account_id: int, now: dt.datetime | None = None) -> Account:
    """Close an account: its tokens stop working, what it has stays.

    Raises `NotFound`, and `Refused` for the default account, one that is closed, and one that has
    campaigns that are not finished.
    """
    if account_id == DEFAULT_ACCOUNT:
        raise Refused(f"account {account_id} is the default one and cannot be closed")
    async with transaction(db) as connection:
        account = await _open(connection, account_id)
        if left := [row["id"] for row in await connection.fetch(UNFINISHED, account_id)]:
            some = ", ".join(map(str, left[:5])) + (" and others" if len(left) > 5 else "")
            raise Refused(
                f"account {account.settings.name} has campaigns that are not finished: {some};"
                " finish or delete them first"
            )
        return _account(await connection.fetchrow(CLOSE, account_id, now))


async def _open(connection: Connection, account_id: int) -> Account:
    account = _found(await connection.fetchrow(LOCK, account_id), account_id)
    if account.closed_at is not None:
        raise Refused(f"account {account.settings.name} was closed on {account.closed_at:%Y-%m-%d}")
    return account


async def _written(connection: Connection, name: str, statement: str, *values: object) -> Account:
    try:
        return _account(await connection.fetchrow(statement, *values))
    except asyncpg.UniqueViolationError:
        raise Refused(f"there is an account {name} already, perhaps a closed one") from None


def _found(row: rows.Row | None, which: int | str) -> Account:
    if row is None:
        raise NotFound(f"there is no account {str(which)[:100]}")
    return _account(row)


def _account(row: rows.Row) -> Account:
    settings = {
        field.name: row[field.name]
        for field in dataclasses.fields(AccountSettings)
        if field.name != "allowed_prefixes"
    }
    return Account(
        id=row["id"],
        settings=AccountSettings(**settings, allowed_prefixes=tuple(row["allowed_prefixes"])),
        created_at=row["created_at"],
        closed_at=row["closed_at"],
    )


def _columns(settings: AccountSettings) -> list[Any]:
    """Return the settings in the order in which they stand in the statements."""
    return [
        list(value) if isinstance(value, tuple) else value
        for value in (getattr(settings, field.name) for field in dataclasses.fields(settings))
    ]
