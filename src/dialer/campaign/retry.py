"""What becomes of a call after an attempt: its status, and when it is dialled again."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING, Literal

from dialer.campaign.outcome import Outcome, RetryKind
from dialer.campaign.status import CallStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dialer.campaign.calendar import Calendar
    from dialer.campaign.evidence import Evidence
    from dialer.campaign.outcome import Rule

# With these codes Retry-After speaks of the person called (RFC 3261 §20.33).
RETRY_AFTER_CODES = frozenset({404, 480, 486, 600, 603})
LONGEST_RETRY_AFTER = dt.timedelta(days=30)  # whatever a peer writes, the call stays in reach

SHORTEST_WAIT = dt.timedelta(seconds=1)

ThenDials = Literal["same", "next", "others"]


@dataclasses.dataclass(frozen=True, slots=True)
class History:
    """The call before this attempt.

    `counted` attempts have used up a place, the last `technical_in_a_row` were the trunk's
    fault, `declined` had an outcome that is retried once only. `was` is the status that the call
    waited in: planned or retry_scheduled. `alternates` other numbers of the person are left.
    """

    counted: int = 0
    technical_in_a_row: int = 0
    declined: int = 0
    was: CallStatus = CallStatus.PLANNED
    alternates: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class RetryPolicy:
    """What the campaign says of retries; `by_outcome` is keyed by outcome.

    `technical_cap` is how many attempts in a row may fail by the trunk's fault. `jitter` is the
    share by which waits are lengthened now, so that calls that failed together come apart.
    `redial_answered_by` are the outcomes of machine detection that are tried again.
    `calendar` says when calls may be made; without one at any time.
    """

    max_attempts: int
    interval: dt.timedelta
    by_outcome: Mapping[str, dt.timedelta] = dataclasses.field(default_factory=dict)
    redial_interrupted: bool = False
    redial_bot_failure: bool = False
    redial_answered_by: frozenset[str] = frozenset()
    technical_cap: int = 10
    jitter: float = 0.0
    calendar: Calendar | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    """What to record.

    `status` is what the call becomes now; `final_status` what it takes instead of waiting, where
    its campaign is finished meanwhile or later. `next_attempt_at` is later than now where the
    call waits, and None where it is over. `technical_in_a_row` and `declined` are the new values.
    `then_dials` says which number of the person the next attempt is for.
    """

    outcome: Outcome
    rule: str
    status: CallStatus
    final_status: CallStatus
    counts: bool
    next_attempt_at: dt.datetime | None
    technical_in_a_row: int
    declined: int
    then_dials: ThenDials


def decide(
    rule: Rule, evidence: Evidence, history: History, policy: RetryPolicy, now: dt.datetime
) -> Decision:
    """Decide what becomes of the call; `now` is aware.

    An attempt that rang or was answered counts, whatever its rule says. The wait is the
    campaign's interval for this outcome, failing that the rule's own, failing that the
    campaign's general one: what a person set for an outcome goes before what the table knows of
    it, and the table before what the person set for all. Of several numbers of a person each
    attempt that counts is followed by one to the next; a number that does not exist is left out,
    and the next one dialled without a wait. The next attempt lies inside an open window, where
    there is one.
    """
    counts = rule.counts or evidence.rang or evidence.answered
    counted = history.counted + counts
    technical_in_a_row = 0 if counts else history.technical_in_a_row + 1
    declined = history.declined + (rule.retry.kind is RetryKind.ONCE)
    left_out = rule.outcome is Outcome.INVALID_NUMBER and history.alternates > 0
    again = (
        counted < policy.max_attempts
        and technical_in_a_row < policy.technical_cap
        and (left_out or _wanted(rule, declined, policy))
    )
    wait = SHORTEST_WAIT if left_out else _wait(rule, evidence, policy)
    at = now + wait
    if policy.calendar is not None:
        at = policy.calendar.first_open(at) or at
    untouched = rule.retry.kind is RetryKind.SOON and not counts
    waiting = history.was if untouched else CallStatus.RETRY_SCHEDULED
    return Decision(
        outcome=rule.outcome,
        rule=rule.name,
        status=waiting if again else rule.final,
        final_status=rule.final,
        counts=counts,
        next_attempt_at=at if again else None,
        technical_in_a_row=technical_in_a_row,
        declined=declined,
        then_dials=_then_dials(history, again=again, counts=counts, left_out=left_out),
    )


def _then_dials(history: History, *, again: bool, counts: bool, left_out: bool) -> ThenDials:
    if not again or not history.alternates:
        return "same"
    if left_out:
        return "others"
    return "next" if counts else "same"


def _wanted(rule: Rule, declined: int, policy: RetryPolicy) -> bool:
    match rule.retry.kind:
        case RetryKind.NO:
            return False
        case RetryKind.YES | RetryKind.SOON:
            return True
        case RetryKind.ONCE:
            return declined == 1
        case RetryKind.IF_REDIAL_INTERRUPTED:
            return policy.redial_interrupted
        case RetryKind.IF_FALLBACK_IS_RETRY:
            return policy.redial_bot_failure
        case RetryKind.IF_DETECTION_IS_RETRY:
            return rule.outcome in policy.redial_answered_by


def _wait(rule: Rule, evidence: Evidence, policy: RetryPolicy) -> dt.timedelta:
    wait = policy.by_outcome.get(rule.outcome) or rule.retry.interval or policy.interval
    if evidence.retry_after is not None and evidence.code in RETRY_AFTER_CODES:
        # capped as a number: a peer may write more seconds than a timedelta holds
        asked = min(evidence.retry_after, int(LONGEST_RETRY_AFTER.total_seconds()))
        wait = max(wait, dt.timedelta(seconds=asked))
    return max(wait, SHORTEST_WAIT) * (1 + policy.jitter)
