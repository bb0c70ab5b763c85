"""A call's record in words: what was tried, what the network said, which rule decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialer.progress import clock_time

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from dialer.api import call_models
    from dialer.api.recording_models import Recording


def explain(call: call_models.CallWithAttempts) -> Iterator[str]:
    """Yield the lines that answer why a call's status is what it is, oldest attempt first."""
    yield f"call {call.id} of campaign {call.campaign_id}: {call.number}"
    payload = ", ".join(f"{name} {value}" for name, value in call.payload.items())
    if payload:
        yield f"  {plain(payload)}"
    status = call.status_label
    if call.phase:
        status += f", {call.phase.value}"
    if call.next_attempt_at:
        status += f", due at {clock_time(call.next_attempt_at)}"
    yield f"  {status}"
    if call.problem:
        yield f"  the number cannot be dialled: {call.problem}"
    if not call.attempts:
        yield "  no attempt yet"
    for attempt in call.attempts:
        yield ""
        yield from _attempt(attempt)


def _attempt(attempt: call_models.Attempt) -> Iterator[str]:
    yield f"attempt {attempt.ordinal} at {clock_time(attempt.created_at)} by {attempt.node}"
    if attempt.outcome is None:
        yield "  under way"
    else:
        counted = "uses up an attempt" if attempt.counted else "does not use up an attempt"
        flags = f" ({', '.join(attempt.flags)})" if attempt.flags else ""
        status = attempt.status.label if attempt.status else "no status"
        yield f"  {attempt.outcome.value}{flags}, decided by rule {attempt.rule}"
        yield f"  status then: {status}; {counted}"
    if attempt.detail:
        yield f"  {plain(attempt.detail)}"
    if not attempt.legs:
        yield "  no INVITE was sent"
    for leg in attempt.legs:
        yield from _leg(leg)
        if leg is not attempt.legs[-1] and leg.outcome is not None:
            yield f"    {leg.outcome.value} by rule {leg.rule}: on to the next trunk"
    for one in attempt.recordings:
        yield f"  recording {one.id}: {one.seconds:.0f} s, consent {one.consent}{_gone(one)}"
    for what, found in (("conversation", attempt.conversation), ("result", attempt.report_data)):
        if found:
            yield f"  {what}: {plain(', '.join(f'{key} {value}' for key, value in found.items()))}"


def _gone(recording: Recording) -> str:
    return f", {recording.deleted_because or 'deleted'}" if recording.deleted_at else ""


def _leg(leg: call_models.Leg) -> Iterator[str]:
    found = leg.evidence
    yield f"  INVITE over trunk {leg.trunk} as {leg.caller_id}: {plain(leg.request_uri)}"
    yield f"    Call-ID {plain(leg.sip_call_id)}"
    began = found.sent_at or leg.created_at
    final = None if found.code is None else f"{found.code} {found.phrase}".strip()
    cause = found.local_cause.replace("_", " ") if found.local_cause else ""
    moments = [
        (found.sent_at, "INVITE sent"),
        *((one.at, f"{one.code} {one.phrase}") for one in found.provisionals),
        (found.answered_at, final or "answered"),
    ]
    if found.answered_at is None:
        moments.append((found.ended_at, final or "no final response"))
    else:
        by = {"us": "hung up by us", "them": "hung up by the other side"}
        moments.append((found.ended_at, by.get(found.hung_up_by or "", "ended")))
    for at, what in moments:
        if at is not None:
            yield f"    {_seconds(began, at)}  {plain(what)}"
    if cause:
        yield f"    ended on our side: {cause}"
    for reason in found.reasons:
        yield f"    Reason: {plain(reason)}"
    if found.retry_after is not None:
        yield f"    Retry-After: {found.retry_after} s"
    if found.early_media is not None:
        yield f"    early media: {plain(found.early_media.sentence)}"
    if found.answered:
        yield (
            f"    talked {found.talk_seconds:.1f} s; RTP packets {found.rtp_packets_sent} sent,"
            f" {found.rtp_packets_received} received"
        )
    if found.media is not None:
        yield from _media(found.media)


def _media(found: call_models.MediaFigures) -> Iterator[str]:
    """Yield what we heard, and what the far end says that it heard."""
    if found.received:
        yield (
            f"    heard: {found.lost} lost ({found.loss_percent:g} %), {found.duplicates} twice,"
            f" {found.reordered} late, {found.dropped} dropped; jitter {found.jitter_ms:g} ms,"
            f" longest gap {found.longest_gap_ms} ms; MOS {found.mos}"
        )
    if found.far_end_mos is not None:
        trip = "" if found.round_trip_ms is None else f"; round trip {found.round_trip_ms:g} ms"
        yield (
            f"    the far end heard: {found.far_end_lost} lost ({found.far_end_loss_percent:g} %),"
            f" jitter {found.far_end_jitter_ms:g} ms{trip}; MOS {found.far_end_mos}"
        )


def _seconds(began: dt.datetime, at: dt.datetime) -> str:
    return f"{(at - began).total_seconds():8.3f} s"


def plain(text: str) -> str:
    """Keep a peer's control characters away from the terminal."""
    return "".join(char if char.isprintable() else "�" for char in text)
