"""What passed of each call: written when a leg is over, read by a person, deleted by age."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import zlib
from typing import TYPE_CHECKING

from dialer.store.errors import NotFound
from dialer.store.pool import session
from dialer.store.records import LegTrace, Passage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from dialer.store.pool import Database

# They come a moment after the call's end, when its person's data may have been erased already.
KEEP = """
INSERT INTO traces (attempt_id, leg_ordinal, call_id, messages, packets)
SELECT t.* FROM unnest($1::uuid[], $2::integer[], $3::bigint[], $4::bytea[], $5::bytea[])
    AS t (attempt_id, leg_ordinal, call_id, messages, packets)
WHERE EXISTS (SELECT FROM calls AS k WHERE k.id = t.call_id AND k.erased_at IS NULL)
ON CONFLICT DO NOTHING
"""

READ = """
SELECT k.id, t.* FROM calls AS k
LEFT JOIN (traces AS t JOIN attempts AS a ON a.id = t.attempt_id) ON t.call_id = k.id
WHERE k.id = $1 AND k.account_id = $2
ORDER BY a.ordinal, t.leg_ordinal
"""

FORGET = """
DELETE FROM traces WHERE (attempt_id, leg_ordinal) IN (
    SELECT attempt_id, leg_ordinal FROM traces
    WHERE kept_at < (SELECT coalesce($3::timestamptz, clock_timestamp())) - $1::interval
    ORDER BY kept_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED)
"""


async def keep(db: Database, traces: Sequence[LegTrace]) -> None:
    """Write the traces of legs that are over; one that is there already stays."""
    # In a thread: a batch of calls with their RTP takes half a second, and the others' RTP is due.
    columns = await asyncio.to_thread(_columns, traces)
    async with session(db) as connection:
        await connection.execute(KEEP, *columns)


async def of_call(db: Database, account_id: int, call_id: int) -> list[LegTrace]:
    """Read what is kept of a call, oldest leg first; raises NotFound where there is no call."""
    async with session(db) as connection:
        found = await connection.fetch(READ, call_id, account_id)
    if not found:
        raise NotFound(f"there is no call {call_id}")
    return [
        LegTrace(
            call_id=call_id,
            attempt_id=row["attempt_id"],
            leg_ordinal=row["leg_ordinal"],
            messages=_unpacked(row["messages"]),
            packets=_unpacked(row["packets"]),
        )
        for row in found
        if row["attempt_id"] is not None
    ]


async def forget(
    db: Database, age: dt.timedelta, limit: int = 1000, now: dt.datetime | None = None
) -> int:
    """Delete up to `limit` traces that are older than `age`, and return how many."""
    async with session(db) as connection:
        done = await connection.execute(FORGET, age, limit, now)
    return int(done.rpartition(" ")[2])


def _columns(traces: Sequence[LegTrace]) -> tuple[list[Any], ...]:
    return (
        [one.attempt_id for one in traces],
        [one.leg_ordinal for one in traces],
        [one.call_id for one in traces],
        [_packed(one.messages) for one in traces],
        [_packed(one.packets) for one in traces],
    )


def _packed(passages: Iterable[Passage]) -> bytes:
    rows = [
        [
            one.at.timestamp(),
            one.sent,
            one.transport,
            one.local_host,
            one.local_port,
            one.peer_host,
            one.peer_port,
            one.data.decode("latin-1"),
        ]
        for one in passages
    ]
    return zlib.compress(json.dumps(rows, separators=(",", ":")).encode(), 3)


def _unpacked(data: bytes) -> tuple[Passage, ...]:
    return tuple(
        Passage(
            at=dt.datetime.fromtimestamp(at, dt.UTC),
            sent=sent,
            transport=transport,
            local_host=local_host,
            local_port=local_port,
            peer_host=peer_host,
            peer_port=peer_port,
            data=text.encode("latin-1"),
        )
        for at, sent, transport, local_host, local_port, peer_host, peer_port, text in json.loads(
            zlib.decompress(data)
        )
    )
