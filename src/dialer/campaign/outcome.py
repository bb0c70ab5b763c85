"""How an attempt ended, and a rule of the outcome table: what it asks and what follows from it."""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt
    import re

    from dialer.campaign.evidence import Evidence, LocalCause
    from dialer.campaign.status import CallStatus


class Outcome(enum.StrEnum):
    """How one attempt ended, in the words of the record."""

    ANSWERED = "answered"
    MEDIA_FAILURE = "media_failure"
    MACHINE = "machine"
    FAX = "fax"
    SILENT = "silent"
    BOT_FAILURE = "bot_failure"
    NO_ANSWER = "no_answer"
    UNREACHABLE = "unreachable"
    BUSY = "busy"
    DECLINED = "declined"
    UNWANTED = "unwanted"
    BLOCKED = "blocked"
    INVALID_NUMBER = "invalid_number"
    NO_ROUTE = "no_route"
    NETWORK_FAILURE = "network_failure"
    TRUNK_UNREACHABLE = "trunk_unreachable"
    TRUNK_CONGESTED = "trunk_congested"
    TRUNK_AUTH_FAILED = "trunk_auth_failed"
    TRUNK_NO_FUNDS = "trunk_no_funds"
    FORBIDDEN = "forbidden"
    CALLER_IDENTITY_REJECTED = "caller_identity_rejected"
    MEDIA_REJECTED = "media_rejected"
    RATE_LIMITED = "rate_limited"
    REDIRECTED = "redirected"
    PROTOCOL_ERROR = "protocol_error"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    PLAN_LIMIT_EXCEEDED = "plan_limit_exceeded"
    SUPPRESSED = "suppressed"


class RetryKind(enum.StrEnum):
    """Whether an outcome is tried again while attempts are left."""

    NO = "no"
    YES = "yes"
    ONCE = "once"  # after the first such outcome of a call, not after the second
    SOON = "soon"  # the call goes back to what it was, as if nothing had happened
    IF_REDIAL_INTERRUPTED = "if redial_interrupted"  # where the campaign says so
    IF_FALLBACK_IS_RETRY = "if fallback is retry"  # where on_answer says so of its bot
    IF_DETECTION_IS_RETRY = "if machine_detection is retry"  # where on_answer says so of the result


class Failover(enum.StrEnum):
    """Whether the next trunk is tried within the same attempt, if nothing rang."""

    NO = "no"
    YES = "yes"
    ONCE = "once"
    OTHER_TRUNK_ONLY = "other_trunk_only"


class TrunkEffect(enum.StrEnum):
    """What an outcome says about the trunk."""

    HEALTHY = "healthy"
    NONE = "none"
    BREAKER = "breaker"
    DOWN = "down"  # after three in a row with no success between
    HOLD_TARGET = "hold_target"  # Retry-After holds the address that sent it
    SLOW_DOWN = "slow_down"  # lower the trunk's rate, climb back slowly


class Alarm(enum.StrEnum):
    """What a person should look at."""

    NONE = "none"
    MEDIA = "media"
    BOT = "bot"
    CALLER_ID = "caller_id"
    BUSY_BURST = "busy_burst"  # many at once: the carrier may be throttling


@dataclasses.dataclass(frozen=True, slots=True)
class Retry:
    """Whether and after how long; `interval` None means the campaign's."""

    kind: RetryKind
    interval: dt.timedelta | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Match:
    """What a rule asks of the evidence; an empty set or None asks nothing.

    `codes` holds every code that fits (0: no final response); `by_class` and `implied` tell
    whether they came from a class or from the table's `q850_codes`. Patterns are searched in the
    phrase, in the Reason texts, or in both.
    """

    local: frozenset[LocalCause] = frozenset()
    codes: frozenset[int] = frozenset()
    by_class: bool = False
    implied: bool = False
    phrase: tuple[re.Pattern[str], ...] = ()
    reason_text: tuple[re.Pattern[str], ...] = ()
    q850: frozenset[int] = frozenset()
    rang: bool | None = None
    progressed: bool | None = None
    answered: bool | None = None
    talking: bool | None = None

    @property
    def circumstances(self) -> tuple[bool | None, ...]:
        """What it asks of the call's progress."""
        return (self.rang, self.progressed, self.answered, self.talking)

    @property
    def rank(self) -> tuple[int, bool, int]:
        """Return the place in the order of rules: the lower, the more specific."""
        if self.local:
            step = 0
        elif self.phrase or self.reason_text:
            step = 1
        elif self.q850:
            step = 2
        elif self.by_class:
            step = 5
        else:
            step = 4 if self.rang is None else 3
        named = sum(wanted is not None for wanted in self.circumstances)
        return (step, self.by_class or self.implied, -named)

    def fits(self, evidence: Evidence) -> bool:
        """Whether the evidence has all that is asked."""
        if self.local:
            if evidence.local_cause not in self.local:
                return False
        elif final_code(evidence.code) not in self.codes:
            return False
        if self.q850 and evidence.q850 not in self.q850:
            return False
        seen = (
            evidence.rang,
            evidence.progressed or evidence.rang,
            evidence.answered,
            evidence.talking,
        )
        if any(
            wanted is not None and wanted != fact
            for wanted, fact in zip(self.circumstances, seen, strict=True)
        ):
            return False
        if not self.phrase and not self.reason_text:
            return True
        return found(self.phrase, (evidence.phrase,)) or found(
            self.reason_text, evidence.reason_texts
        )

    def overlaps(self, other: Match) -> bool:
        """Whether some evidence fits both and nothing says which one goes first.

        Texts are left out, since nobody can tell whether two patterns may meet in one phrase.
        """
        return (
            self.rank == other.rank
            and not (self.phrase or self.reason_text)
            and bool(self.local & other.local if self.local else self.codes & other.codes)
            and (not self.q850 or not other.q850 or bool(self.q850 & other.q850))
            and all(
                mine is None or theirs is None or mine == theirs
                for mine, theirs in zip(self.circumstances, other.circumstances, strict=True)
            )
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the outcome table: its stable name and its consequences.

    `final` is the call's status when attempts are used up. `flags` go to the attempt's record:
    `answered_late`, `answered` (on an interrupted call), `do_not_call` (the number asked not to
    be called again).
    """

    name: str
    match: Match
    outcome: Outcome
    final: CallStatus
    retry: Retry
    counts: bool
    failover: Failover
    trunk: TrunkEffect
    alarm: Alarm
    flags: tuple[str, ...]


def final_code(code: int | None) -> int:
    """Return a final response's code, 0 for none and for what is no final response code."""
    return code if code is not None and 200 <= code <= 699 else 0


def found(patterns: tuple[re.Pattern[str], ...], texts: tuple[str, ...]) -> bool:
    """Whether any pattern is found in any text."""
    return any(pattern.search(text) for pattern in patterns for text in texts)
