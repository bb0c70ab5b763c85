"""How recordings go: doomed in the database, then deleted in their place, then noted as deleted.

Every step can be done twice, by several nodes too. One that was deleted by a person or by its age
stays as a row that says so; one of an erased or forgotten call leaves nothing.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from dialer.store.pool import session, transaction

if TYPE_CHECKING:
    import datetime as dt
    from uuid import UUID

    from dialer.store.pool import Database

BATCH = 20

# Run by erasure, in its transaction, with the calls locked. The words on consent may name the
# person.
DOOM_ERASED = """
UPDATE recordings SET doomed_at = coalesce(doomed_at, clock_timestamp()), doomed_because = 'erased',
    delete_at = clock_timestamp(), consent_detail = ''
WHERE call_id = ANY($1::bigint[]) AND doomed_because IS DISTINCT FROM 'erased'
"""
DOOM_EXPIRED = """
UPDATE recordings SET doomed_at = $1, doomed_because = 'expired', delete_at = $1
WHERE id IN (
    SELECT id FROM recordings WHERE doomed_at IS NULL AND expires_at <= $1
    ORDER BY expires_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED)
"""
# Whoever takes one has a minute before another node tries it too; after a failure it waits, from a
# minute up to an hour.
TAKE = """
UPDATE recordings SET delete_tries = delete_tries + 1,
    delete_at = $1::timestamptz + least(interval '1 hour',
        interval '1 minute' * 2 ^ least(delete_tries, 6))
WHERE id IN (
    SELECT id FROM recordings WHERE delete_at <= $1
    ORDER BY delete_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED)
RETURNING id, place_key, octets, deleted_at IS NOT NULL AS gone, delete_tries AS tries
"""
# In this order: what an erasure dooms anew in between is found by the second.
KEEP_ROW = """
UPDATE recordings SET deleted_at = coalesce($2, clock_timestamp()), delete_at = NULL
WHERE id = $1 AND doomed_because IN ('expired', 'deleted') AND deleted_at IS NULL
"""
DELETE_ROW = """
DELETE FROM recordings WHERE id = $1 AND doomed_because IN ('erased', 'forgotten')
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Doomed:
    """A recording to be deleted in its place; `gone` where only its row is left.

    `tries` counts this time, too.
    """

    id: UUID
    place_key: str
    octets: int
    gone: bool
    tries: int


async def doom_expired(db: Database, now: dt.datetime | None = None) -> int:
    """Doom some of the recordings whose time is over; return how many."""
    async with transaction(db) as connection:
        now = now or await connection.fetchval("SELECT clock_timestamp()")
        return int((await connection.execute(DOOM_EXPIRED, now, BATCH)).rpartition(" ")[2])


async def take_doomed(db: Database, now: dt.datetime | None = None) -> list[Doomed]:
    """Take some that are to be deleted in their place; what is not noted as deleted comes again."""
    async with transaction(db) as connection:
        now = now or await connection.fetchval("SELECT clock_timestamp()")
        rows = await connection.fetch(TAKE, now, BATCH)
    return [Doomed(**row) for row in rows]


async def note_deleted(db: Database, recording_id: UUID, now: dt.datetime | None = None) -> None:
    """Note that a recording is gone from its place."""
    async with session(db) as connection:
        await connection.execute(KEEP_ROW, recording_id, now)
        await connection.execute(DELETE_ROW, recording_id)
