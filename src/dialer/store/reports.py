"""Reading reports: every call or every attempt with its evidence, page by page."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from dialer.store import rows
from dialer.store.errors import NotFound
from dialer.store.pool import session
from dialer.store.records import AttemptRow, ReportRow

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import AsyncIterator

    from dialer.campaign.outcome import Outcome
    from dialer.campaign.status import CallStatus
    from dialer.store.pool import Database

PAGE = 1000  # calls looked at in one statement, whatever few of them a filter leaves


@dataclasses.dataclass(frozen=True, slots=True)
class ReportFilter:
    """What of a report is wanted; empty and None mean all.

    Per call `statuses` and `outcomes` are the call's and its last outcome, and the time is that of
    its last change; per attempt they are the attempt's, and the time is that of its creation.
    `since` is included, `until` is not. `number` is one number exactly, as the calls show it.
    """

    statuses: tuple[CallStatus, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    number: str | None = None


# Deleted ones too: their calls stay readable.
CAMPAIGNS = "SELECT id FROM campaigns WHERE account_id = $1 AND id = coalesce($2, id) ORDER BY id"

# A filter that leaves few of many must not make one statement long: it looks at a page of calls,
# and tells how far it came.
PICK = """
WITH looked_at AS MATERIALIZED (
    SELECT id, status, last_outcome, attempts, created_at, updated_at FROM calls
    WHERE campaign_id = $1 AND id > $2 <number>
    ORDER BY id LIMIT $3
)
SELECT max(id) AS last, count(*) AS looked_at, array_agg(id) FILTER (WHERE <wanted>) AS ids
FROM looked_at
"""
OF_NUMBER = "AND number = $8"  # the unique index of a campaign's numbers serves it
WANTED_CALLS = """
    (cardinality($4::text[]) = 0 OR status = ANY($4))
    AND (cardinality($5::text[]) = 0 OR last_outcome = ANY($5))
    AND updated_at >= coalesce($6::timestamptz, '-infinity')
    AND updated_at < coalesce($7::timestamptz, 'infinity')
"""
# Only what can hold a wanted attempt: no attempt is younger than its call's last change, but for
# the moment between the two writes of one statement.
WITH_ATTEMPTS = """
    attempts > 0 AND $4::text[] IS NOT NULL AND $5::text[] IS NOT NULL
    AND updated_at >= coalesce($6::timestamptz - interval '1 minute', '-infinity')
    AND created_at < coalesce($7::timestamptz, 'infinity')
"""

CALLS = """
SELECT k.*, a.created_at AS attempt_created_at, coalesce(a.flags, '{}') AS flags, a.detail,
    a.billed_seconds, coalesce(a.conversation, '{}') AS conversation,
    coalesce(a.report_data, '{}') AS report_data, l.trunk AS leg_trunk, l.number AS dialed,
    l.caller_id, l.sip_call_id,
    l.code, l.phrase, l.reasons, l.q850, l.retry_after, l.local_cause, l.rang, l.answered,
    l.hung_up_by, l.provisionals, l.sent_at, l.first_provisional_at, l.ringing_at, l.answered_at,
    l.ended_at, l.talk_seconds, l.rtp_packets_sent, l.rtp_packets_received, l.media,
    l.early_media
FROM calls AS k
LEFT JOIN attempts AS a ON a.id = k.attempt_id
LEFT JOIN LATERAL (
    SELECT * FROM legs WHERE legs.attempt_id = k.attempt_id ORDER BY ordinal DESC LIMIT 1
) AS l ON true
WHERE k.id = ANY($1::bigint[])
ORDER BY k.id
"""

ATTEMPTS = """
SELECT k.id AS id_of_call, k.campaign_id, k.number AS number_of_call, k.payload, a.*, a.id AS id,
    a.ended_at AS attempt_ended_at, a.outcome AS attempt_outcome, a.rule AS attempt_rule,
    a.ordinal AS attempt_ordinal, a.created_at AS attempt_created_at, l.legs, l.trunk AS leg_trunk,
    l.number AS dialed, l.caller_id, l.sip_call_id, l.code, l.phrase, l.reasons, l.q850,
    l.retry_after, l.local_cause, l.rang, l.answered, l.hung_up_by, l.provisionals, l.sent_at,
    l.first_provisional_at, l.ringing_at, l.answered_at, l.ended_at, l.talk_seconds,
    l.rtp_packets_sent, l.rtp_packets_received, l.media,
    l.early_media
FROM attempts AS a JOIN calls AS k ON k.id = a.call_id
LEFT JOIN LATERAL (
    SELECT *, ordinal + 1 AS legs FROM legs
    WHERE legs.attempt_id = a.id ORDER BY ordinal DESC LIMIT 1
) AS l ON true
WHERE a.call_id = ANY($1::bigint[])
    AND (cardinality($2::text[]) = 0 OR coalesce(a.status, 'in_progress') = ANY($2))
    AND (cardinality($3::text[]) = 0 OR a.outcome = ANY($3))
    AND a.created_at >= coalesce($4::timestamptz, '-infinity')
    AND a.created_at < coalesce($5::timestamptz, 'infinity')
ORDER BY a.call_id, a.ordinal
"""


async def of_calls(
    db: Database, account_id: int, campaign_id: int | None, wanted: ReportFilter
) -> AsyncIterator[list[ReportRow]]:
    """Go through calls in list order, in pages, each call with the last leg of its latest attempt.

    Without `campaign_id` through all campaigns of the account, oldest first, deleted ones too.
    Raises `NotFound` at the first step. A slow reader holds neither a connection nor a snapshot,
    which would slow the queue.
    """
    async for ids in _picked(db, account_id, campaign_id, wanted, WANTED_CALLS):
        async with session(db) as connection:
            found = await connection.fetch(CALLS, ids)
        yield [_call_row(row) for row in found]


async def of_attempts(
    db: Database, account_id: int, campaign_id: int | None, wanted: ReportFilter
) -> AsyncIterator[list[AttemptRow]]:
    """Go through attempts, those of a call together, each with the leg that decided it.

    The rest is as with `of_calls`.
    """
    which = (list(wanted.statuses), list(wanted.outcomes), wanted.since, wanted.until)
    async for ids in _picked(db, account_id, campaign_id, wanted, WITH_ATTEMPTS):
        async with session(db) as connection:
            found = await connection.fetch(ATTEMPTS, ids, *which)
        yield [_attempt_row(row) for row in found]


async def _picked(
    db: Database, account_id: int, campaign_id: int | None, wanted: ReportFilter, condition: str
) -> AsyncIterator[list[int]]:
    """Yield the ids of the calls to read, campaign by campaign."""
    async with session(db) as connection:
        campaigns = await connection.fetch(CAMPAIGNS, account_id, campaign_id)
    if campaign_id is not None and not campaigns:
        raise NotFound(f"there is no campaign {campaign_id}")
    number = () if wanted.number is None else (rows.clean(wanted.number),)
    pick = PICK.replace("<number>", OF_NUMBER if number else "").replace("<wanted>", condition)
    which = (PAGE, list(wanted.statuses), list(wanted.outcomes), wanted.since, wanted.until)
    for campaign in campaigns:
        last, more = 0, True
        while more:
            async with session(db) as connection:
                found = await connection.fetchrow(pick, campaign["id"], last, *which, *number)
            if found["ids"]:
                yield found["ids"]
            last, more = found["last"], found["looked_at"] == PAGE


def _call_row(row: rows.Row) -> ReportRow:
    dialed = row["sip_call_id"] is not None
    return ReportRow(
        call=rows.call(row),
        trunk=row["leg_trunk"],
        dialed=row["dialed"],
        caller_id=row["caller_id"],
        sip_call_id=row["sip_call_id"],
        evidence=rows.evidence(row) if dialed else None,
        attempt_created_at=row["attempt_created_at"],
        flags=tuple(row["flags"]),
        detail=row["detail"] or "",
        billed_seconds=row["billed_seconds"],
        requeued=row["requeued"],
        erased_at=row["erased_at"],
        conversation=row["conversation"],
        report_data=row["report_data"],
    )


def _attempt_row(row: rows.Row) -> AttemptRow:
    dialed = row["sip_call_id"] is not None
    return AttemptRow(
        call_id=row["id_of_call"],
        campaign_id=row["campaign_id"],
        number=row["number_of_call"],
        payload=row["payload"],
        attempt_id=row["id"],
        ordinal=row["attempt_ordinal"],
        node=row["node"],
        status=row["status"],
        outcome=row["attempt_outcome"],
        rule=row["attempt_rule"],
        counted=row["counted"],
        flags=tuple(row["flags"]),
        detail=row["detail"],
        billed_seconds=row["billed_seconds"],
        created_at=row["attempt_created_at"],
        ended_at=row["attempt_ended_at"],
        legs=row["legs"] or 0,
        trunk=row["leg_trunk"],
        dialed=row["dialed"],
        caller_id=row["caller_id"],
        sip_call_id=row["sip_call_id"],
        evidence=rows.evidence(row) if dialed else None,
        conversation=row["conversation"],
        report_data=row["report_data"],
    )
