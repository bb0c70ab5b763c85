"""Requeue: a person wants calls dialled again that are over, the only way out of a final status."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialer.campaign.moves import CALL_MOVES, CallAction
from dialer.store import imports, numbers
from dialer.store.errors import CampaignClosed, NotFound
from dialer.store.idempotency import Progress
from dialer.store.pool import transaction

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection

    from dialer.campaign.outcome import Outcome
    from dialer.campaign.status import CallStatus
    from dialer.store.pool import Database

STATUSES = frozenset(status for status, action in CALL_MOVES if action is CallAction.REQUEUE)
"""The final statuses that a person may undo."""

BATCH = 5000  # calls of one transaction

# Two ways to find the next batch in the order of ids, each with the plan that its index serves.
OF_STATUS = """
    SELECT id, status FROM calls
    WHERE campaign_id = $1 AND status = $2 AND id > $3
        AND ($4::text[] IS NULL OR last_outcome = ANY($4)) AND erased_at IS NULL
    ORDER BY id
    LIMIT $5
"""
OF_IDS = """
    SELECT id, status FROM calls
    WHERE campaign_id = $1 AND status = $2 AND id > $3
        AND ($4::text[] IS NULL OR last_outcome = ANY($4)) AND erased_at IS NULL
        AND id = ANY($7::bigint[])
    ORDER BY id
    LIMIT $5
"""
# The attempts stay on record; what is counted against the settings starts over, and so do the
# numbers of the person. One `due` for the batch: the list order decides in it.
REQUEUE = """
WITH picked AS MATERIALIZED (<picked>), moment AS (
    SELECT coalesce($6::timestamptz, clock_timestamp()) AS now
), moved AS (
    UPDATE calls AS k
    SET status = 'planned', due = m.now, attempts_counted = 0, technical_in_a_row = 0,
        declined = 0, not_after = NULL, cancelled_at = NULL, next_number = k.number,
        requeued = k.requeued + 1, updated_at = clock_timestamp()
    FROM picked AS p, moment AS m
    WHERE k.id = p.id AND k.status = p.status
    RETURNING k.id, k.account_id, k.campaign_id, k.attempt_id, p.status AS was
), told AS (
    INSERT INTO events (account_id, campaign_id, call_id, attempt_id, kind, data)
    SELECT account_id, campaign_id, id, attempt_id, 'call.planned',
        jsonb_build_object('from', was, 'to', 'planned', 'action', 'requeue')
    FROM moved
)
SELECT (SELECT count(*) FROM moved) AS moved, max(id) AS last FROM picked
"""
REQUEUE_OF_STATUS = REQUEUE.replace("<picked>", OF_STATUS)
REQUEUE_OF_IDS = REQUEUE.replace("<picked>", OF_IDS)


async def requeue(
    db: Database,
    account_id: int,
    campaign_id: int,
    statuses: Collection[CallStatus],
    *,
    outcomes: Collection[Outcome] = (),
    call_ids: Collection[int] | None = None,
    now: dt.datetime | None = None,
    progress: Progress | None = None,
) -> int:
    """Plan calls with these final statuses anew, due now; return how many.

    Only those whose last outcome is one of `outcomes`, where some are given, and only `call_ids`,
    where they are given. Goes in batches, so that a long list holds up nothing; where the campaign
    is finished meanwhile, it ends there. With `progress` it goes on from where an earlier try
    ended, and takes no call again that it had planned. Raises `NotFound`, and `CampaignClosed` for
    a finished campaign; a status that is not one of `STATUSES` is the caller's fault.
    """
    if not STATUSES.issuperset(statuses):
        raise ValueError(f"cannot be requeued: {sorted(set(statuses) - STATUSES)}")
    progress = progress or Progress()
    done = progress.state or {"place": 0, "last": 0, "total": 0}
    total: int = done["total"]
    for place, status in enumerate(sorted(set(statuses))):
        if place < done["place"]:
            continue
        last: int | None = done["last"] if place == done["place"] else 0
        while last is not None:
            which = (campaign_id, status, last, list(outcomes) or None, BATCH, now)
            async with transaction(db) as connection:
                found = await connection.fetchval(imports.LOCK_CAMPAIGN, campaign_id, account_id)
                if found is None:
                    raise NotFound(f"there is no campaign {campaign_id}")
                if found == "finished":
                    if place or last or progress.state is not None:
                        return total
                    raise CampaignClosed(
                        f"campaign {campaign_id} is finished: none of its calls can be requeued;"
                        " clone it to call its numbers again"
                    )
                # not beside another requeue, which would take the same calls in another order
                await connection.execute(numbers.LOCK_LIST, campaign_id)
                if call_ids is None:
                    row = await connection.fetchrow(REQUEUE_OF_STATUS, *which)
                else:
                    row = await connection.fetchrow(REQUEUE_OF_IDS, *which, list(call_ids))
                total, last = total + row["moved"], row["last"]
                await progress.note(connection, place=place, last=last, total=total)
    return total
