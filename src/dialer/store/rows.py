"""Between rows and records: what asyncpg gives becomes records, records become JSON parameters."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from dialer.campaign.status import CallStatus, CampaignStatus, PauseReason, Phase
from dialer.store import schedules
from dialer.store.attempt_records import CallHistory, RetrySettings
from dialer.store.records import (
    Attempt,
    Call,
    Campaign,
    CampaignSettings,
    DialogIdentity,
    Import,
    Leg,
    LegEvidence,
    LegIdentity,
    Provisional,
    SkippedRow,
    TransferLeg,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Row = Any
"""asyncpg.Record: columns by name."""

INT4 = 2**31 - 1

# What a record `e` of evidence sets in a row `l` of `legs`.
SET_EVIDENCE = """
    code = e.code, phrase = e.phrase, reasons = e.reasons, q850 = e.q850,
    retry_after = e.retry_after, local_cause = e.local_cause, rang = e.rang,
    answered = e.answered, hung_up_by = e.hung_up_by, provisionals = e.provisionals,
    sent_at = coalesce(e.sent_at, l.sent_at),
    first_provisional_at = coalesce(e.first_provisional_at, l.first_provisional_at),
    ringing_at = coalesce(e.ringing_at, l.ringing_at),
    answered_at = coalesce(e.answered_at, l.answered_at),
    ended_at = coalesce(e.ended_at, clock_timestamp()), talk_seconds = e.talk_seconds,
    rtp_packets_sent = e.rtp_packets_sent, rtp_packets_received = e.rtp_packets_received,
    media = e.media, early_media = e.early_media
"""


def clean(text: str) -> str:
    """Return text that Postgres can hold: without NUL and lone surrogates, whoever sent them."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def plain(value: Any) -> Any:
    """Return a record, or what stands in one, as values of JSON. Integers are cut to int4."""
    match value:
        case enum.Enum():
            return value.value
        case str():
            return clean(value)
        case bool() | float() | None:
            return value
        case int():
            return max(-INT4, min(value, INT4))
        case dt.datetime():
            return value.isoformat()
        case UUID():
            return str(value)
        case tuple() | list():
            return [plain(item) for item in value]
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in _fields(value)}
    return {clean(str(key)): plain(item) for key, item in value.items()}


def json_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return plain values of JSON by name, their texts as Postgres can hold them."""
    return {
        clean(name): clean(value) if isinstance(value, str) else value
        for name, value in values.items()
    }


def parameter(records: Iterable[Any], **more: Any) -> list[dict[str, Any]]:
    """Return records as one JSON array, for `jsonb_to_recordset`."""
    return [plain(record) | more for record in records]


def campaign(row: Row) -> Campaign:
    """Read a row of `campaigns`."""
    return Campaign(
        id=row["id"],
        account_id=row["account_id"],
        settings=CampaignSettings(
            name=row["name"],
            trunks=tuple(row["trunks"]),
            trunk_order=row["trunk_order"],
            calls_per_minute=row["calls_per_minute"],
            retry_jitter_percent=row["retry_jitter_percent"],
            time_zone=row["time_zone"],
            window_zone=row["window_zone"],
            windows=tuple(row["windows"]),
            holidays=tuple(row["holidays"]),
            dates_without_calls=tuple(row["dates_without_calls"]),
            caller_ids=tuple(row["caller_ids"]),
            start_at=row["start_at"],
            max_simultaneous_calls=row["max_simultaneous_calls"],
            calls_per_second=row["calls_per_second"],
            max_attempts=row["max_attempts"],
            retry_interval_seconds=row["retry_interval_seconds"],
            retry_by_outcome=row["retry_by_outcome"],
            ring_timeout_seconds=row["ring_timeout_seconds"],
            max_talk_seconds=row["max_talk_seconds"],
            on_answer=row["on_answer"],
            webhook_url=row["webhook_url"],
            redial_interrupted=row["redial_interrupted"],
        ),
        status=CampaignStatus(row["status"]),
        pause_reason=None if row["pause_reason"] is None else PauseReason(row["pause_reason"]),
        pause_detail=row["pause_detail"],
        paused_from=None if row["paused_from"] is None else CampaignStatus(row["paused_from"]),
        hang_up=row["hang_up"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        deleted_at=row["deleted_at"],
        version=row["version"],
    )


def call(row: Row) -> Call:
    """Read a row of `calls`."""
    return Call(
        id=row["id"],
        account_id=row["account_id"],
        campaign_id=row["campaign_id"],
        position=row["position"],
        number=row["number"],
        alternates=tuple(row["alternates"]),
        import_id=row["import_id"],
        dialable=row["dialable"],
        problem=row["problem"],
        payload=row["payload"],
        priority=row["priority"],
        status=CallStatus(row["status"]),
        phase=None if row["phase"] is None else Phase(row["phase"]),
        trunk=row["trunk"],
        attempt_id=row["attempt_id"],
        due=row["due"],
        not_after=row["not_after"],
        schedule_id=row["schedule_id"],
        attempts=row["attempts"],
        attempts_counted=row["attempts_counted"],
        last_outcome=row["last_outcome"],
        last_rule=row["last_rule"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def attempt(row: Row, legs: Iterable[Leg], transfer_legs: Iterable[TransferLeg] = ()) -> Attempt:
    """Read a row of `attempts`."""
    return Attempt(
        id=row["id"],
        ordinal=row["ordinal"],
        node=row["node"],
        outcome=row["outcome"],
        rule=row["rule"],
        status=None if row["status"] is None else CallStatus(row["status"]),
        counted=row["counted"],
        flags=tuple(row["flags"]),
        created_at=row["created_at"],
        ended_at=row["ended_at"],
        legs=tuple(legs),
        detail=row["detail"],
        conversation=row["conversation"],
        report_data=row["report_data"],
        transfer_legs=tuple(transfer_legs),
    )


def transfer_leg(row: Row) -> TransferLeg:
    """Read a row of `transfer_legs`."""
    given = {"sip_call_id": row["identity"]["call_id"]}
    names = [field.name for field in dataclasses.fields(TransferLeg)]
    return TransferLeg(**{name: given[name] if name in given else row[name] for name in names})


def leg(row: Row) -> Leg:
    """Read a row of `legs`."""
    return Leg(
        ordinal=row["ordinal"],
        trunk=row["trunk"],
        number=row["number"],
        caller_id=row["caller_id"],
        identity=identity(row["identity"]),
        dialog=dialog(row["dialog"]),
        evidence=evidence(row),
        outcome=row["outcome"],
        rule=row["rule"],
        created_at=row["created_at"],
    )


def evidence(row: Row) -> LegEvidence:
    """Read the evidence in a row of `legs`."""
    return LegEvidence(
        code=row["code"],
        phrase=row["phrase"],
        reasons=tuple(row["reasons"]),
        q850=row["q850"],
        retry_after=row["retry_after"],
        local_cause=row["local_cause"],
        rang=row["rang"],
        answered=row["answered"],
        hung_up_by=row["hung_up_by"],
        provisionals=tuple(
            Provisional(seen["code"], seen["phrase"], dt.datetime.fromisoformat(seen["at"]))
            for seen in row["provisionals"]
        ),
        sent_at=row["sent_at"],
        first_provisional_at=row["first_provisional_at"],
        ringing_at=row["ringing_at"],
        answered_at=row["answered_at"],
        ended_at=row["ended_at"],
        talk_seconds=row["talk_seconds"],
        rtp_packets_sent=row["rtp_packets_sent"],
        rtp_packets_received=row["rtp_packets_received"],
        media=row["media"],
        early_media=row["early_media"],
    )


def identity(value: Mapping[str, Any]) -> LegIdentity:
    """Read the identity of a leg from its JSON."""
    return LegIdentity(**{**value, "route": tuple(value["route"])})


def dialog(value: Mapping[str, Any] | None) -> DialogIdentity | None:
    """Read the dialog of a leg from its JSON."""
    return None if value is None else DialogIdentity(**{**value, "route": tuple(value["route"])})


def retry(row: Row) -> RetrySettings:
    """Read a call's retry settings, the campaign's where it has none of its own."""
    return RetrySettings(
        max_attempts=row["max_attempts"],
        retry_interval_seconds=row["retry_interval_seconds"],
        retry_by_outcome=row["retry_by_outcome"],
        redial_interrupted=row["redial_interrupted"],
        jitter_percent=row["retry_jitter_percent"],
        calendar=schedules.calendar(row),
    )


def history(row: Row) -> CallHistory:
    """Read how often a call was tried."""
    return CallHistory(
        attempts=row["attempts"],
        counted=row["attempts_counted"],
        technical_in_a_row=row["technical_in_a_row"],
        declined=row["declined"],
        was=CallStatus(row["was"]),
        alternates=row["alternates"],
    )


def _fields(value: Any) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(value)


def import_(row: Row) -> Import:
    """Read a row of `imports`."""
    return Import(**{field.name: row[field.name] for field in dataclasses.fields(Import)})


def skipped_row(row: Row) -> SkippedRow:
    """Read a row of `import_rows`."""
    return SkippedRow(row["line"], row["number"], row["reason"])
