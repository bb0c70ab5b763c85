"""Idempotency keys: a request that is repeated with its key is done once.

Who works on a request holds an advisory lock of its key on the connection that also writes what
the request does, so that it is never done by two at a time, and a worker that died holds nothing.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from dialer.store.pool import session

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from dialer.store.pool import Connection, Database

LOCK = "SELECT pg_try_advisory_xact_lock($1)"
LOCK_FOR_STEPS = "SELECT pg_try_advisory_lock($1)"
UNLOCK = "SELECT pg_advisory_unlock($1)"
READ = """
SELECT fingerprint, progress, status, answer FROM idempotency_keys
WHERE account_id = $1 AND key_hash = $2
"""
CLAIM = """
INSERT INTO idempotency_keys (account_id, key_hash, fingerprint, created_at)
VALUES ($1, $2, $3, clock_timestamp())
"""
NOTE = "UPDATE idempotency_keys SET progress = $3 WHERE account_id = $1 AND key_hash = $2"
KEEP = """
INSERT INTO idempotency_keys (account_id, key_hash, fingerprint, status, answer, created_at)
VALUES ($1, $2, $3, $4, $5, clock_timestamp())
ON CONFLICT (account_id, key_hash) DO UPDATE
SET status = excluded.status, answer = excluded.answer, progress = NULL
"""
FORGET = """
WITH old AS (
    SELECT account_id, key_hash FROM idempotency_keys
    WHERE created_at < coalesce($1::timestamptz, clock_timestamp()) - $2::interval
    ORDER BY created_at LIMIT $3
    FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM idempotency_keys AS k USING old
    WHERE k.account_id = old.account_id AND k.key_hash = old.key_hash
)
SELECT count(*) FROM old
"""
BATCH = 1000


@dataclasses.dataclass(frozen=True, slots=True)
class Key:
    """A key of an account, as its SHA-256."""

    account_id: int
    hash: bytes

    @property
    def lock(self) -> int:
        """The number of its advisory lock."""
        return int.from_bytes(self.hash[:8], signed=True) ^ self.account_id


@dataclasses.dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A request that was sent with a key before; without `status` it is not done yet.

    `fingerprint` tells it from others, `answer` is sealed, `progress` how far its steps have come.
    """

    fingerprint: bytes
    progress: Mapping[str, Any] | None
    status: int | None
    answer: bytes | None


class Progress:
    """How far the work of a request in steps has come; `state` is what an earlier try noted.

    Each step notes what comes after it in its own transaction: who goes on after a crash neither
    repeats a step nor leaves one out. Without a key nothing is noted, since nobody goes on.
    """

    def __init__(self, key: Key | None = None, state: Mapping[str, Any] | None = None) -> None:
        self._key = key
        self.state = state

    async def note(self, connection: Connection, **state: Any) -> None:
        """Keep the state, in the transaction of `connection`."""
        if self._key is not None:
            await connection.execute(NOTE, self._key.account_id, self._key.hash, state)


async def lock(connection: Connection, key: Key) -> bool:
    """Take the key until the transaction ends; return whether nobody else has it."""
    return bool(await connection.fetchval(LOCK, key.lock))


async def lock_for_steps(connection: Connection, key: Key) -> bool:
    """Take the key until `unlock` or the end of the connection; return whether nobody has it."""
    return bool(await connection.fetchval(LOCK_FOR_STEPS, key.lock))


async def unlock(connection: Connection, key: Key) -> None:
    """Let others take the key."""
    await connection.execute(UNLOCK, key.lock)


async def read(connection: Connection, key: Key) -> KeyedRequest | None:
    """Return the request that was sent with the key before, by whoever holds its lock."""
    row = await connection.fetchrow(READ, key.account_id, key.hash)
    return None if row is None else KeyedRequest(**row)


async def claim(connection: Connection, key: Key, fingerprint: bytes) -> None:
    """Write that a request with the key, which is new, is under way."""
    await connection.execute(CLAIM, key.account_id, key.hash, fingerprint)


async def keep(
    connection: Connection, key: Key, fingerprint: bytes, status: int, answer: bytes
) -> None:
    """Keep the sealed answer to the request with the key."""
    await connection.execute(KEEP, key.account_id, key.hash, fingerprint, status, answer)


async def forget(db: Database, age: dt.timedelta, now: dt.datetime | None = None) -> int:
    """Forget some keys that are older than `age`; return how many."""
    async with session(db) as connection:
        return int(await connection.fetchval(FORGET, now, age, BATCH))
