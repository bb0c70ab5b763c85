"""The second legs of calls that are transferred, fenced by node and epoch as all that is live."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from dialer.store import queue, rows
from dialer.store.pool import session, transaction

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Sequence
    from uuid import UUID

    from dialer.store.attempt_records import NewLeg
    from dialer.store.pool import Database
    from dialer.store.records import DialogIdentity, LegEvidence, LegIdentity

# The call's row is held until the leg is committed: a rescue takes both, or comes before both.
LOCK_CALL = """
SELECT k.id FROM calls AS k
WHERE k.id = $3 AND k.attempt_id = $4 AND k.node = $1 AND k.epoch = $2
    AND k.phase IN ('dialing', 'ringing', 'talking') AND EXISTS (
        SELECT FROM nodes
        WHERE name = $1 AND epoch = $2
            AND lease_until > coalesce($5::timestamptz, clock_timestamp()))
FOR SHARE OF k
"""
# A statement of its own: its snapshot is newer than the trunk's lock, so no claim is missed.
INSERT = """
INSERT INTO transfer_legs (attempt_id, ordinal, trunk, number, caller_id, identity)
SELECT $1, (SELECT count(*) FROM transfer_legs WHERE attempt_id = $1), $2, $3, $4, $5
RETURNING ordinal
"""
# Where an attempt has ended already its legs have too: what comes late adds the evidence only.
RECORD = """
WITH ours AS (
    SELECT id FROM attempts WHERE id = $3 AND node = $1 AND epoch = $2
), leg AS (
    UPDATE transfer_legs AS l
    SET identity = coalesce($5, l.identity), dialog = coalesce($6, l.dialog),
        answered_at = coalesce($7, l.answered_at), evidence = coalesce($8, l.evidence),
        outcome = coalesce($9, l.outcome), rule = coalesce($10, l.rule),
        ended_at = CASE WHEN $8::jsonb IS NULL THEN l.ended_at
            ELSE coalesce(l.ended_at, clock_timestamp()) END
    FROM ours WHERE l.attempt_id = ours.id AND l.ordinal = $4
)
SELECT id FROM ours
"""
# Second legs that nobody has seen the end of: their node died, or their commit was in doubt.
END_ALL = """
UPDATE transfer_legs AS l SET ended_at = clock_timestamp()
FROM attempts AS a
WHERE l.attempt_id = ANY($3::uuid[]) AND l.ended_at IS NULL AND a.id = l.attempt_id
    AND a.node = $1 AND a.epoch = $2 AND a.ended_at IS NOT NULL
"""
OPEN = """
SELECT trunk, identity, dialog FROM transfer_legs
WHERE attempt_id = ANY($1::uuid[]) AND ended_at IS NULL
ORDER BY attempt_id, ordinal
"""


@dataclasses.dataclass(frozen=True, slots=True)
class TransferNews:
    """What is new of a second leg, None where nothing is; with `evidence` it is over."""

    attempt_id: UUID
    ordinal: int
    identity: LegIdentity | None = None
    dialog: DialogIdentity | None = None
    answered_at: dt.datetime | None = None
    evidence: LegEvidence | None = None
    outcome: str | None = None
    rule: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class OpenTransfer:
    """A second leg that may be up, to be hung up: `identity` for a CANCEL, `dialog` for a BYE."""

    trunk: str
    identity: LegIdentity
    dialog: DialogIdentity | None


async def commit(
    db: Database,
    node: str,
    epoch: int,
    leg: NewLeg,
    max_calls: int,
    now: dt.datetime | None = None,
) -> int | str:
    """Commit a second leg before its INVITE leaves; return its ordinal, or why it may not.

    `max_calls` are the simultaneous calls of its trunk over all nodes; it counts there until its
    end.
    """
    async with transaction(db) as connection:
        if await queue.lock_trunks(connection, [leg.trunk]):
            return f"the trunk {leg.trunk} is held"
        call = (leg.call_id, leg.attempt_id)
        if not await connection.fetchval(LOCK_CALL, node, epoch, *call, now):
            return "the call is no longer ours"
        if await queue.held_of_trunk(connection, leg.trunk) >= max_calls:
            return f"the trunk {leg.trunk} has no room: it has its {max_calls} calls"
        number = await connection.fetchval(
            INSERT, leg.attempt_id, leg.trunk, leg.number, leg.caller_id, rows.plain(leg.identity)
        )
    return int(number)


async def record(db: Database, node: str, epoch: int, news: Sequence[TransferNews]) -> set[UUID]:
    """Record news of second legs, in their order; return the attempts that are still ours."""
    ours: set[UUID] = set()
    async with transaction(db) as connection:
        for one in news:
            found = await connection.fetchval(
                RECORD,
                node,
                epoch,
                one.attempt_id,
                one.ordinal,
                None if one.identity is None else rows.plain(one.identity),
                None if one.dialog is None else rows.plain(one.dialog),
                one.answered_at,
                None if one.evidence is None else rows.plain(one.evidence),
                one.outcome,
                one.rule,
            )
            if found is not None:
                ours.add(found)
    return ours


async def end_all(db: Database, node: str, epoch: int, attempt_ids: Collection[UUID]) -> None:
    """End whatever second legs attempts have that are over."""
    async with session(db) as connection:
        await connection.execute(END_ALL, node, epoch, list(attempt_ids))


async def open_of(db: Database, attempt_ids: Collection[UUID]) -> list[OpenTransfer]:
    """List the second legs of attempts that may be up."""
    async with session(db) as connection:
        found = await connection.fetch(OPEN, list(attempt_ids))
    return [
        OpenTransfer(row["trunk"], rows.identity(row["identity"]), rows.dialog(row["dialog"]))
        for row in found
    ]
