"""What the records say: each status follows from its attempts, each attempt from the far end."""

from __future__ import annotations

import collections
import datetime as dt
import itertools

from tests.week.rules_of_limits import TECHNICAL_CAP

CLOSE = dt.timedelta(seconds=2)  # a challenge is answered, and the record has the second INVITE
WITHOUT_ANSWER = ("no_answer", "unreachable", "busy", "declined", "unwanted")
TECHNICAL = (
    "media_failure", "bot_failure", "blocked", "invalid_number", "no_route", "network_failure",
    "trunk_unreachable", "trunk_congested", "trunk_auth_failed", "trunk_no_funds", "forbidden",
    "caller_identity_rejected", "media_rejected", "rate_limited", "redirected", "protocol_error",
)  # fmt: skip
BY_A_MACHINE = ("machine", "fax", "silent")

# What a call may have become by the outcome of its last attempt.
BECOMES = {
    "answered": ("answered",),
    **dict.fromkeys(BY_A_MACHINE, ("answered", "completed_without_answer")),
    **dict.fromkeys(WITHOUT_ANSWER, ("completed_without_answer",)),
    **dict.fromkeys(TECHNICAL, ("technical_error",)),
    "cancelled": ("answered", "completed_without_answer", "not_dialed"),
    "interrupted": ("technical_error", "answered"),
    "plan_limit_exceeded": ("plan_limit_exceeded",),
    "suppressed": ("not_dialed",),
}
# After these nobody is tried again.
LAST_WORDS = frozenset({
    "answered", *BY_A_MACHINE, "bot_failure", "unwanted", "blocked", "caller_identity_rejected",
    "redirected", "cancelled", "plan_limit_exceeded", "suppressed",
})  # fmt: skip
# What an answered call can have come to: where we ended it, the leg does not say why.
AFTER_AN_ANSWER = frozenset({"answered", *BY_A_MACHINE, "bot_failure", "cancelled", "interrupted"})
WAITS = frozenset({"planned", "retry_scheduled"})
# No answer of the far end decided, so it need not have seen the INVITE, nor we its answer.
OURS = frozenset({"timer_b", "transport", "dns", "node_lost", "ring_timeout", "cancelled"})


def statuses_that_nothing_explains(story):
    for call in story.calls.values():
        why = _unexplained(call)
        if why:
            yield f"{call} is {call.status}: {why}"


def _unexplained(call):
    attempts = call.attempts
    finished = call.campaign["status"] == "finished"
    if any(not attempt.over for attempt in attempts[:-1]):
        return "an attempt before the last is still open"
    if call.status == "in_progress":
        return "no attempt is open" if not attempts or attempts[-1].over else ""
    if attempts and not attempts[-1].over:
        return "its last attempt is still open"
    if call.status in WAITS:
        return _unexplained_wait(call, finished=finished)
    if not attempts:
        return "" if call.status == "not_dialed" and finished else "it was never tried"
    last = attempts[-1]
    if call.status not in BECOMES.get(last.outcome, ()):
        return f"its last attempt was {last.outcome}"
    if call.status == "answered" and last.outcome == "interrupted" and not _was_answered(last):
        return "nobody has answered"
    if not finished and not _is_last_word(call):
        return f"attempts are left after {last.outcome}"
    return ""


def _unexplained_wait(call, *, finished):
    if finished and not call.campaign["ending"]:
        return "its campaign is finished"
    if call.due is None:
        return "it waits for nothing"
    if call.requeued:
        return ""
    tried = any(attempt.used_up_a_place for attempt in call.attempts)
    if call.status == "planned" and tried:
        return "it was tried already"
    if call.status == "retry_scheduled" and not call.attempts:
        return "it was never tried"
    if call.attempts and _is_last_word(call) and call.attempts[-1].outcome != "invalid_number":
        return f"no attempt is left after {call.attempts[-1].outcome}"
    return ""


def _is_last_word(call):
    last = call.attempts[-1]
    outcomes = collections.Counter(attempt.outcome for attempt in call.attempts)
    used = sum(attempt.used_up_a_place for attempt in call.attempts)
    in_a_row = 0
    for attempt in call.attempts:
        in_a_row = 0 if attempt.used_up_a_place else in_a_row + 1
    return (
        last.outcome in LAST_WORDS
        or last.outcome == "invalid_number"
        or used >= call.max_attempts
        or outcomes["declined"] > 1
        or in_a_row >= TECHNICAL_CAP
        or (last.outcome == "interrupted" and _stays_interrupted(call, last))
    )


def _stays_interrupted(call, attempt):
    return not call.campaign["redial_interrupted"] or _was_answered(attempt)


def _was_answered(attempt):
    return "answered" in attempt.flags or any(
        leg.answered or leg.answered_at is not None for leg in attempt.legs
    )


def tried_after_the_last_word(story):
    for call in story.calls.values():
        if call.requeued:
            continue  # a person wanted it
        declined = 0
        for before, after in itertools.pairwise(call.attempts):
            declined += before.outcome == "declined"
            interrupted = before.outcome == "interrupted" and _stays_interrupted(call, before)
            if before.outcome in LAST_WORDS or interrupted or declined > 1:
                yield f"{after}: the one before was {before.outcome}"


def attempts_that_no_leg_explains(story):
    for call in story.calls.values():
        for attempt in call.attempts:
            why = _unexplained_attempt(attempt)
            if why:
                yield f"{attempt} is {attempt.outcome}: {why}"


def _unexplained_attempt(attempt):
    if not attempt.over:
        return ""
    if attempt.status in WAITS and attempt.outcome in LAST_WORDS:
        return "it is tried again"
    if not attempt.legs:
        return ""
    last = attempt.legs[-1]
    if last.outcome != attempt.outcome:
        return f"its last leg is {last.outcome}"
    spoke = last.answered and last.local_cause is None
    if spoke and attempt.outcome not in AFTER_AN_ANSWER:
        return "somebody has answered"
    if attempt.outcome == "answered" and last.answered_at is None:
        return "nobody has answered"
    if last.code in {486, 600} and last.local_cause is None and attempt.outcome != "busy":
        return f"the far end said {last.code}"
    if any(leg.rang for leg in attempt.legs[:-1]):
        return "it went on over another trunk although a telephone rang"
    if attempt.counted is False and any(leg.rang or leg.answered for leg in attempt.legs):
        return "it rang and does not count"
    return ""


def what_the_far_end_saw_otherwise(story):
    """Each leg against the carriers' ledgers, both ways."""
    legs = {leg.sip_call_id: leg for leg in story.legs}
    for call_id, seen in story.far_end.items():
        leg = legs.get(call_id)
        if leg is None or leg.sent_at is None:
            yield f"the far end got {call_id} to {seen.number}, which no record has"
        elif why := _differs(leg, seen):
            yield f"{leg.attempt}, {leg.sip_call_id}: {why}"
    for call_id in (story.told.left or {}).keys() - legs.keys():
        yield f"{call_id} left, and no record has it"
    for leg in story.legs:
        if leg.recorded_at and leg.sent_at and abs(leg.recorded_at - leg.sent_at) > CLOSE:
            yield f"{leg.attempt}: left at {leg.sent_at}, recorded as {leg.recorded_at}"
    for leg in story.legs if story.far_end else ():
        unseen = leg.sent_at is not None and leg.sip_call_id not in story.far_end
        if unseen and leg.local_cause not in OURS and leg.attempt.over:
            yield f"{leg.attempt}: the far end knows nothing of {leg.sip_call_id}"


def _differs(leg, seen):
    if leg.code is not None and leg.code not in seen.finals:
        return f"recorded {leg.code}, the far end said {seen.finals}"
    if leg.rang and 180 not in seen.provisionals:
        return "recorded as ringing, it did not ring"
    if leg.answered_at is not None and seen.answered_at is None:
        return "recorded as answered, nobody has answered"
    over = leg.attempt.over
    if over and seen.answered_at is not None and seen.acks and not _tells_of_an_answer(leg):
        return "answered, and not recorded so"
    if over and seen.live and leg.local_cause != "node_lost":
        return "recorded as over, the far end is still in the call"
    return ""


def _tells_of_an_answer(leg):
    return leg.answered or leg.answered_at is not None or leg.local_cause is not None


def campaigns_stopped_without_a_reason(story):
    for campaign in story.campaigns.values():
        said = campaign["pause_detail"] or campaign["pause_reason"] == "manual"
        if campaign["status"] == "paused" and not said:
            yield f"campaign {campaign['id']} is paused by the system and nobody says why"
    for event in story.campaign_events:
        wanted = event["action"] in {"finish", "delete"}
        if event["kind"] == "campaign.finished" and not wanted:
            yield f"campaign {event['campaign_id']} is finished, and nobody asked for it"
