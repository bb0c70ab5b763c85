"""Between SIP words and campaign words: the only place that knows both."""

from __future__ import annotations

import dataclasses
import datetime as dt
import random
from typing import TYPE_CHECKING, Any

from dialer.campaign import early_media
from dialer.campaign import evidence as campaign
from dialer.campaign.header_template import filled
from dialer.campaign.number_rewriting import dialled, rewritten
from dialer.campaign.retry import History, RetryPolicy, decide
from dialer.campaign.status import Phase
from dialer.store import attempt_records, records, rows
from dialer.ua import call as sip

if TYPE_CHECKING:
    from uuid import UUID

    from dialer.campaign.outcome import Rule
    from dialer.campaign.outcome_table import OutcomeTable
    from dialer.campaign.retry import Decision
    from dialer.engine.trunk_definition import TrunkDefinition


def call_request(
    claimed: attempt_records.ClaimedCall, definition: TrunkDefinition
) -> sip.CallRequest:
    """Return what the user agent shall do for a claimed call, with numbers as the trunk wants them.

    Raises ValueError where rewriting leaves nothing that may be dialled.
    """
    caller_id = caller_id_for(claimed, definition.caller_id)
    facts = {
        "campaign_id": str(claimed.campaign_id),
        "call_id": str(claimed.id),
        "number": claimed.number,
        "caller_id": caller_id,
    }
    return sip.CallRequest(
        trunk=definition.trunk,
        number=dialled(definition.rewriting, claimed.number, definition.region),
        caller_id=rewritten(definition.caller_id_rewriting, caller_id),
        headers=filled(definition.headers, facts, claimed.payload),
        ring_timeout=min(float(claimed.ring_timeout_seconds), definition.ring_seconds),
        max_talk=float(claimed.max_talk_seconds),
    )


def caller_id_for(claimed: attempt_records.ClaimedCall, default: str) -> str:
    """Choose among the campaign's caller IDs in turn, by the call and how often it was tried."""
    if not claimed.caller_ids:
        return default
    return claimed.caller_ids[(claimed.id + claimed.history.attempts) % len(claimed.caller_ids)]


def new_leg(
    claimed: attempt_records.ClaimedCall,
    attempt_id: UUID,
    request: sip.CallRequest,
    identity: sip.LegIdentity,
) -> attempt_records.NewLeg:
    """Return the row that is committed before the INVITE leaves, its numbers as dialled."""
    return attempt_records.NewLeg(
        call_id=claimed.id,
        attempt_id=attempt_id,
        trunk=request.trunk.name,
        number=request.number,
        caller_id=request.caller_id,
        identity=leg_identity(identity),
    )


def leg_identity(identity: sip.LegIdentity) -> records.LegIdentity:
    """Return the store's form of what a CANCEL needs."""
    return records.LegIdentity(**_fields(identity))


def stored_leg(identity: records.LegIdentity) -> sip.LegIdentity:
    """Return the user agent's form of what a CANCEL needs."""
    return sip.LegIdentity(**_fields(identity))


def stored_dialog(dialog: records.DialogIdentity) -> sip.DialogIdentity:
    """Return the user agent's form of what a BYE needs."""
    return sip.DialogIdentity(**_fields(dialog))


def dialog_to_store(dialog: sip.DialogIdentity) -> records.DialogIdentity:
    """Return the store's form of what a BYE needs."""
    return records.DialogIdentity(**_fields(dialog))


def progress(
    call_id: int, attempt_id: UUID, ordinal: int, event: sip.CallEvent
) -> attempt_records.LegProgress:
    """Return what an event of a leg under way changes in its record."""
    row = attempt_records.LegProgress(call_id=call_id, attempt_id=attempt_id, leg_ordinal=ordinal)
    match event:
        case sip.InviteSent(identity, at):
            return dataclasses.replace(row, identity=leg_identity(identity), sent_at=at)
        case sip.Progress(provisional, rings):
            return dataclasses.replace(
                row,
                phase=Phase.RINGING if rings else None,
                first_provisional_at=provisional.at,
                ringing_at=provisional.at if rings else None,
            )
        case sip.Answered(dialog, at):
            return dataclasses.replace(
                row,
                phase=Phase.TALKING,
                dialog=dialog_to_store(dialog),
                answered_at=at,
            )


def evidence_of(result: sip.CallResult) -> campaign.Evidence:
    """Return the facts on which the outcome table decides."""
    cause = result.local_cause
    return campaign.Evidence(
        local_cause=None if cause is None else campaign.LocalCause(cause.value),
        code=result.code,
        phrase=result.phrase,
        reasons=result.reasons,
        q850=result.q850_cause,
        retry_after=result.retry_after,
        rang=result.rang,
        provisional=bool(result.provisionals),
        progressed=any(provisional.code > 100 for provisional in result.provisionals),
        # a BYE says so too, where the 2xx was lost
        answered=(result.code or 0) // 100 == 2 or result.hung_up_by is not None,
        talking=result.answered,
    )


def leg_evidence(result: sip.CallResult) -> records.LegEvidence:
    """Return the evidence as it is kept."""
    return records.LegEvidence(
        code=result.code,
        phrase=result.phrase,
        reasons=result.reasons,
        q850=result.q850_cause,
        retry_after=result.retry_after,
        local_cause=None if result.local_cause is None else result.local_cause.value,
        rang=result.rang,
        answered=result.answered,
        hung_up_by=None if result.hung_up_by is None else result.hung_up_by.value,
        provisionals=tuple(
            records.Provisional(item.code, item.phrase, item.at) for item in result.provisionals
        ),
        sent_at=result.sent_at,
        first_provisional_at=result.first_provisional_at,
        ringing_at=result.ringing_at,
        answered_at=result.answered_at,
        ended_at=result.ended_at,
        talk_seconds=result.talk_seconds,
        rtp_packets_sent=result.rtp_packets_sent,
        rtp_packets_received=result.rtp_packets_received,
        media=None if result.media is None else dataclasses.asdict(result.media),
        early_media=early_media_of(result),
    )


def early_media_of(result: sip.CallResult) -> dict[str, Any] | None:
    """Return what was heard before the answer as it is kept, None where no packet came."""
    if result.early_media is None:
        return None
    plain: dict[str, Any] = rows.plain(result.early_media)
    return plain


def flags_of(rule: Rule, result: sip.CallResult | None) -> tuple[str, ...]:
    """Return the marks that an attempt's record carries besides its outcome."""
    flags = list(rule.flags)
    if result is not None and result.extra_forks:
        flags.append("extra_forks")
    if result is not None and result.rtp_timeout is not None:
        flags.append("rtp_timeout")
    if result is not None and (heard := early_media_of(result)) is not None:
        flags += early_media.flags(heard)
    return tuple(dict.fromkeys(flags))


def detail_of(result: sip.CallResult) -> str:
    """Return what there is to say of a call besides its outcome, "" for nothing."""
    if result.rtp_timeout is None:
        return ""
    return f"we hung up: no RTP had come from the far end for {result.rtp_timeout:g} s"


def judge(
    table: OutcomeTable,
    evidence: campaign.Evidence,
    history: attempt_records.CallHistory,
    retry: attempt_records.RetrySettings,
    now: dt.datetime,
) -> tuple[Rule, attempt_records.Verdict]:
    """Find the rule that decides, and what it makes of the call."""
    rule = table.rule_for(evidence)
    decision = decide(
        rule,
        evidence,
        History(
            counted=history.counted,
            technical_in_a_row=history.technical_in_a_row,
            declined=history.declined,
            was=history.was,
            alternates=history.alternates,
        ),
        RetryPolicy(
            max_attempts=retry.max_attempts,
            interval=dt.timedelta(seconds=retry.retry_interval_seconds),
            by_outcome={
                outcome: dt.timedelta(seconds=seconds)
                for outcome, seconds in retry.retry_by_outcome.items()
            },
            redial_interrupted=retry.redial_interrupted,
            redial_bot_failure=retry.redial_bot_failure,
            redial_answered_by=retry.redial_answered_by,
            jitter=random.random() * retry.jitter_percent / 100,  # noqa: S311 - it spreads calls
            calendar=retry.calendar,
        ),
        now,
    )
    return rule, _verdict(decision)


def _verdict(decision: Decision) -> attempt_records.Verdict:
    return attempt_records.Verdict(
        outcome=decision.outcome.value,
        rule=decision.rule,
        status=decision.status,
        final_status=decision.final_status,
        counted=decision.counts,
        next_attempt_at=decision.next_attempt_at,
        technical_in_a_row=decision.technical_in_a_row,
        declined=decision.declined,
        then_dials=decision.then_dials,
    )


def _fields(
    value: sip.LegIdentity | sip.DialogIdentity | records.LegIdentity | records.DialogIdentity,
) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
