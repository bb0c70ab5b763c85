"""The columns of the reports, and the values of a row in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialer.campaign import early_media
from dialer.campaign.status import CallStatus
from dialer.store.records import LegEvidence

if TYPE_CHECKING:
    from dialer.campaign.report import Value
    from dialer.store.records import AttemptRow, ReportRow

# New columns go to the end: people's programs read these by their place.
CALL_COLUMNS = (
    "call_id", "number", "status", "status_label", "problem", "attempts", "attempts_counted",
    "last_outcome", "last_rule", "next_attempt_at", "trunk", "caller_id", "sip_call_id",
    "sip_code", "sip_phrase", "reasons", "q850", "local_cause", "rang", "answered", "hung_up_by",
    "sent_at", "ringing_at", "answered_at", "ended_at", "talk_seconds", "payload",
    "campaign_id", "number_dialed", "retry_after", "flags", "detail", "attempt_created_at",
    "first_provisional_at", "billed_seconds", "rtp_packets_sent", "rtp_packets_received",
    "requeued", "created_at", "updated_at", "erased_at", "conversation", "report_data",
    "early_media",
)  # fmt: skip
ATTEMPT_COLUMNS = (
    "call_id", "campaign_id", "number", "attempt", "attempt_id", "status", "status_label",
    "outcome", "rule", "counted", "flags", "detail", "node", "created_at", "ended_at", "legs",
    "number_dialed", "trunk", "caller_id", "sip_call_id", "sip_code", "sip_phrase", "reasons",
    "q850", "retry_after", "local_cause", "rang", "answered", "hung_up_by", "sent_at",
    "first_provisional_at", "ringing_at", "answered_at", "hung_up_at", "talk_seconds",
    "billed_seconds", "rtp_packets_sent", "rtp_packets_received", "payload",
    "conversation", "report_data", "early_media",
)  # fmt: skip


def of_call(row: ReportRow) -> tuple[Value, ...]:
    """Return a call's values, in the order of CALL_COLUMNS."""
    call = row.call
    seen = row.evidence or LegEvidence()
    known = row.evidence is not None
    return (
        call.id,
        call.number,
        call.status.value,
        call.status.label,
        call.problem,
        call.attempts,
        call.attempts_counted,
        call.last_outcome,
        call.last_rule,
        call.due,
        row.trunk,
        row.caller_id,
        row.sip_call_id,
        seen.code,
        seen.phrase,
        list(seen.reasons),
        seen.q850,
        seen.local_cause,
        seen.rang if known else None,
        seen.answered if known else None,
        seen.hung_up_by,
        seen.sent_at,
        seen.ringing_at,
        seen.answered_at,
        seen.ended_at,
        seen.talk_seconds if seen.answered else None,
        dict(call.payload),
        call.campaign_id,
        row.dialed,
        seen.retry_after,
        list(row.flags),
        row.detail,
        row.attempt_created_at,
        seen.first_provisional_at,
        row.billed_seconds,
        seen.rtp_packets_sent if known else None,
        seen.rtp_packets_received if known else None,
        row.requeued,
        call.created_at,
        call.updated_at,
        row.erased_at,
        dict(row.conversation),
        dict(row.report_data),
        _early_media(seen),
    )


def of_attempt(row: AttemptRow) -> tuple[Value, ...]:
    """Return an attempt's values, in the order of ATTEMPT_COLUMNS."""
    seen = row.evidence or LegEvidence()
    known = row.evidence is not None
    status = CallStatus.IN_PROGRESS if row.status is None else CallStatus(row.status)
    return (
        row.call_id,
        row.campaign_id,
        row.number,
        row.ordinal,
        str(row.attempt_id),
        status.value,
        status.label,
        row.outcome,
        row.rule,
        row.counted,
        list(row.flags),
        row.detail,
        row.node,
        row.created_at,
        row.ended_at,
        row.legs,
        row.dialed,
        row.trunk,
        row.caller_id,
        row.sip_call_id,
        seen.code,
        seen.phrase,
        list(seen.reasons),
        seen.q850,
        seen.retry_after,
        seen.local_cause,
        seen.rang if known else None,
        seen.answered if known else None,
        seen.hung_up_by,
        seen.sent_at,
        seen.first_provisional_at,
        seen.ringing_at,
        seen.answered_at,
        seen.ended_at,
        seen.talk_seconds if seen.answered else None,
        row.billed_seconds,
        seen.rtp_packets_sent if known else None,
        seen.rtp_packets_received if known else None,
        dict(row.payload),
        dict(row.conversation),
        dict(row.report_data),
        _early_media(seen),
    )


def _early_media(seen: LegEvidence) -> str | None:
    """Return in words what was heard before the answer."""
    return None if seen.early_media is None else early_media.sentence(seen.early_media)
