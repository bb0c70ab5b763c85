"""Taking numbers out of a campaign that were never called."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, TypeVar

from dialer.campaign.status import CallStatus
from dialer.store import imports
from dialer.store.errors import NotFound
from dialer.store.idempotency import Progress
from dialer.store.pool import transaction
from dialer.store.records import KeptCall, RemoveReport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from dialer.store.pool import Database
    from dialer.store.rows import Row

T = TypeVar("T")

BATCH = 1000
MOST_TOLD = 100

COLUMNS = "SELECT id, number, status, attempts, node FROM calls WHERE campaign_id = $1"
BY_NUMBER = f"{COLUMNS} AND number = ANY($2::text[]) ORDER BY id"
BY_ID = f"{COLUMNS} AND id = ANY($2::bigint[]) ORDER BY id"
BY_IMPORT = f"{COLUMNS} AND import_id = $2 AND id > $3 ORDER BY id LIMIT $4"

# What another transaction has locked is being claimed: it is left to it, so that neither waits for
# the other. The ready rows of those claims go with them.
REMOVE = """
WITH picked AS (
    SELECT id FROM calls
    WHERE id = ANY($3::bigint[]) AND campaign_id = $2 AND account_id = $1
        AND status = 'planned' AND attempts = 0 AND node IS NULL
    ORDER BY id
    FOR UPDATE SKIP LOCKED
), removed AS (
    DELETE FROM calls USING picked WHERE calls.id = picked.id RETURNING calls.id, calls.number
), waiting AS (
    SELECT call_id FROM ready WHERE call_id IN (SELECT id FROM picked) FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM ready USING waiting WHERE ready.call_id = waiting.call_id
), told AS (
    INSERT INTO events (account_id, campaign_id, kind, data)
    SELECT $1, $2, 'numbers.removed', jsonb_build_object('removed', count(*),
        'call_ids', jsonb_agg(id ORDER BY id))
    FROM removed
    HAVING count(*) > 0
)
SELECT id FROM removed
"""


ABSENT = "is not in this campaign"


async def of_numbers(
    db: Database,
    account_id: int,
    campaign_id: int,
    numbers: Sequence[str],
    *,
    progress: Progress | None = None,
) -> RemoveReport:
    """Remove the calls to these numbers that were never attempted.

    The rows are deleted, and an event names them. What the campaign does not have is told as kept.
    With `progress` it goes on from where an earlier try ended.
    Raises `NotFound`.
    """
    removal = _Removal(db, account_id, campaign_id, progress)
    for some in removal.left(_batches(numbers)):
        await removal.remove(BY_NUMBER, some, absent=lambda number: (number, None))
    return removal.report()


async def of_calls(
    db: Database,
    account_id: int,
    campaign_id: int,
    call_ids: Sequence[int],
    *,
    progress: Progress | None = None,
) -> RemoveReport:
    """Remove those of these calls that were never attempted; as `of_numbers`."""
    removal = _Removal(db, account_id, campaign_id, progress)
    for some in removal.left(_batches(call_ids)):
        await removal.remove(BY_ID, some, absent=lambda call_id: ("", call_id))
    return removal.report()


async def of_import(
    db: Database,
    account_id: int,
    campaign_id: int,
    import_id: int,
    *,
    progress: Progress | None = None,
) -> RemoveReport:
    """Remove the calls that a list brought and that were never attempted; as `of_numbers`."""
    made = await imports.get(db, account_id, import_id)
    if made.campaign_id != campaign_id:
        raise NotFound(f"campaign {campaign_id} has no import {import_id}")
    removal = _Removal(db, account_id, campaign_id, progress)
    while await removal.remove(BY_IMPORT, import_id, removal.last, BATCH):
        pass
    return removal.report()


def _batches(wanted: Sequence[T]) -> Iterator[list[T]]:
    distinct = list(dict.fromkeys(wanted))
    for first in range(0, len(distinct), BATCH) or (0,):  # even of nothing, to look whose it is
        yield distinct[first : first + BATCH]


class _Removal:
    """Removes calls of a campaign in batches, and keeps count."""

    def __init__(
        self, db: Database, account_id: int, campaign_id: int, progress: Progress | None
    ) -> None:
        self._db = db
        self._scope = (account_id, campaign_id)
        self._progress = progress or Progress()
        done = self._progress.state or {}
        self._batches: int = done.get("batches", 0)
        self._removed: int = done.get("removed", 0)
        self._kept: int = done.get("kept", 0)
        self._first_kept = [KeptCall(*one) for one in done.get("first_kept", ())]
        self.last: int = done.get("last", 0)

    def left(self, batches: Iterable[T]) -> Iterator[T]:
        """Return the batches that no earlier try has done."""
        return itertools.islice(batches, self._batches, None)

    async def remove(
        self,
        find: str,
        wanted: Any,
        *which: object,
        absent: Callable[[Any], tuple[str, int | None]] | None = None,
    ) -> bool:
        """Remove what a statement finds and was never attempted; return whether it found any.

        With `absent` what was wanted and is not there is told as kept, named as that says.
        """
        async with transaction(self._db) as connection:
            await imports.lock_campaign(connection, *self._scope)
            found: Sequence[Row] = await connection.fetch(find, self._scope[1], wanted, *which)
            ids = [row["id"] for row in found]
            removed = {row["id"] for row in await connection.fetch(REMOVE, *self._scope, ids)}
            self._removed += len(removed)
            self.keep(
                KeptCall(row["number"], row["id"], _reason(row))
                for row in found
                if row["id"] not in removed
            )
            if absent is not None:
                there = {*ids, *(row["number"] for row in found)}
                self.keep(KeptCall(*absent(one), ABSENT) for one in wanted if one not in there)
            self._batches += 1
            self.last = ids[-1] if ids else self.last
            await self._progress.note(
                connection,
                batches=self._batches,
                removed=self._removed,
                kept=self._kept,
                first_kept=[[one.number, one.call_id, one.reason] for one in self._first_kept],
                last=self.last,
            )
        return bool(found)

    def keep(self, kept: Iterable[KeptCall]) -> None:
        """Count what was not removed."""
        for one in kept:
            self._kept += 1
            if len(self._first_kept) < MOST_TOLD:
                self._first_kept.append(one)

    def report(self) -> RemoveReport:
        """Return the figures."""
        return RemoveReport(self._removed, self._kept, tuple(self._first_kept))


def _reason(row: Row) -> str:
    """Say why a call stays."""
    status = CallStatus(row["status"])
    if status.final:
        return f"its call is over: {status.label}"
    if status is CallStatus.RETRY_SCHEDULED or (row["attempts"] and not row["node"]):
        return "was called already, and waits for another attempt"
    return "is being called now"
