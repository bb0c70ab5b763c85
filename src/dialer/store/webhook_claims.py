"""What a node takes to send: deliveries that are due, with all that their messages say."""

from __future__ import annotations

import dataclasses
import uuid
from typing import TYPE_CHECKING, Any

from dialer.store.pool import session
from dialer.store.webhook_queue import CLAIM
from dialer.store.webhook_records import ClaimedDelivery

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping
    from uuid import UUID

    from dialer.store.pool import Database
    from dialer.store.rows import Row

# The event's words, and what stands in the tables of the call and of the attempt, which is over:
# so a message is the same whenever it is sent, but for what was erased of a person since. Only the
# next attempt is told as it is now, as long as the call is where the event says.
LOAD = """
SELECT d.*, d.event_xid::text::bigint AS xid, e.of_campaigns, s.secrets,
    CASE WHEN e.of_campaigns THEN c.webhook_url ELSE e.url END AS url,
    ev.at, ev.data, c.name AS campaign_name,
    k.number, k.alternates, k.payload, k.import_id, k.erased_at, CASE
        WHEN k.status = ev.data ->> 'to' AND k.attempt_id IS NOT DISTINCT FROM d.attempt_id
        THEN k.due END AS due,
    a.ordinal, a.outcome, a.rule, a.status AS attempt_status, a.counted, a.flags, a.detail,
    a.conversation, a.report_data,
    a.billed_seconds, a.created_at AS began_at, a.ended_at AS attempt_ended_at,
    l.trunk, l.number AS dialed, l.caller_id, l.sip_call_id, l.code, l.phrase, l.reasons, l.q850,
    l.retry_after, l.local_cause, l.rang, l.answered, l.hung_up_by, l.sent_at,
    l.first_provisional_at, l.ringing_at, l.answered_at, l.ended_at AS leg_ended_at,
    l.talk_seconds, l.early_media, l.ordinal AS leg_ordinal
FROM webhook_deliveries AS d
JOIN webhook_endpoints AS e ON e.id = d.endpoint_id
LEFT JOIN events AS ev ON (ev.xid, ev.id) = (d.event_xid, d.event_id)
LEFT JOIN campaigns AS c ON c.id = d.campaign_id
LEFT JOIN calls AS k ON k.id = d.call_id
LEFT JOIN attempts AS a ON a.id = d.attempt_id
LEFT JOIN LATERAL (
    SELECT * FROM legs WHERE legs.attempt_id = a.id ORDER BY ordinal DESC LIMIT 1
) AS l ON true
LEFT JOIN LATERAL (
    SELECT array_agg(secret ORDER BY id DESC) AS secrets FROM (
        SELECT id, secret FROM webhook_secrets
        WHERE account_id = d.account_id
            AND CASE WHEN e.of_campaigns THEN endpoint_id IS NULL ELSE endpoint_id = e.id END
            AND (ends_at IS NULL OR ends_at > coalesce($3::timestamptz, clock_timestamp()))
        ORDER BY id DESC
        LIMIT 5
    ) AS newest
) AS s ON true
WHERE d.id = ANY($1::bigint[]) AND d.claim = $2
ORDER BY d.id
"""

EVIDENCE = (
    "trunk", "dialed", "caller_id", "sip_call_id", "code", "phrase", "reasons", "q850",
    "retry_after", "local_cause", "rang", "answered", "hung_up_by", "sent_at",
    "first_provisional_at", "ringing_at", "answered_at", "talk_seconds", "early_media",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class Room:
    """How many deliveries may be taken: in all, and of each receiver beside those `in_flight`.

    One that has failed `threshold` times in a row gets one only. `lease` is for how long nobody
    else takes them.
    """

    places: int
    per_receiver: int
    threshold: int
    lease: dt.timedelta
    in_flight: Mapping[int, int]


async def claim(db: Database, room: Room, now: dt.datetime | None = None) -> list[ClaimedDelivery]:
    """Take deliveries that are due."""
    token = uuid.uuid4()
    async with session(db) as connection:
        taken = await connection.fetch(
            CLAIM,
            now,
            token,
            room.lease,
            list(room.in_flight.keys()),
            list(room.in_flight.values()),
            room.per_receiver,
            room.threshold,
            room.places,
        )
        if not taken:
            return []
        probes = {row["id"]: row["probe"] for row in taken}
        found = await connection.fetch(LOAD, list(probes), token, now)
    return [_claimed(row, token, probe=probes[row["id"]]) for row in found]


def _claimed(row: Row, token: UUID, *, probe: bool) -> ClaimedDelivery:
    test = row["event_id"] is None
    return ClaimedDelivery(
        id=row["id"],
        claim=token,
        account_id=row["account_id"],
        endpoint_id=row["endpoint_id"],
        url=row["url"],
        of_campaigns=row["of_campaigns"],
        secrets=tuple(row["secrets"] or ()),
        attempts=row["attempts"],
        expires_at=row["expires_at"],
        probe=probe,
        event=None if test else (row["xid"], row["event_id"]),
        gone=not test and row["at"] is None,
        kind=row["kind"],
        at=row["created_at"] if row["at"] is None else row["at"],
        data=row["data"] or {},
        campaign=None
        if row["campaign_name"] is None
        else {"id": row["campaign_id"], "name": row["campaign_name"]},
        call=None if row["number"] is None else _call(row),
        attempt=None if row["ordinal"] is None else _attempt(row),
    )


def _call(row: Row) -> dict[str, Any]:
    erased = row["erased_at"] is not None
    return {
        "id": row["call_id"],
        "number": None if erased else row["number"],
        "alternates": list(row["alternates"]),
        "payload": row["payload"],
        "import_id": row["import_id"],
        "next_attempt_at": row["due"],
        "erased": erased,
    }


def _attempt(row: Row) -> dict[str, Any]:
    attempt = {"id": str(row["attempt_id"]), "ordinal": row["ordinal"]}
    if row["attempt_ended_at"] is None or row["kind"] == "call.in_progress":
        return attempt
    leg = None
    if row["leg_ordinal"] is not None:
        erased = row["erased_at"] is not None
        leg = {name: row[name] for name in EVIDENCE}
        leg |= {"legs": row["leg_ordinal"] + 1, "ended_at": row["leg_ended_at"]}
        leg |= {"dialed": None} if erased else {}
    return attempt | {
        "outcome": row["outcome"],
        "rule": row["rule"],
        "status": row["attempt_status"],
        "counted": row["counted"],
        "flags": list(row["flags"]),
        "detail": row["detail"],
        "conversation": row["conversation"],
        "report_data": row["report_data"],
        "billed_seconds": row["billed_seconds"],
        "created_at": row["began_at"],
        "ended_at": row["attempt_ended_at"],
        "evidence": leg,
    }
