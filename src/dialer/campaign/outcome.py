"""The outcome of an attempt, and the one rule of the outcome table that decides it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dialer.campaign.evidence import Evidence
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
    IF_INTERRUPTED_REDIAL = "if redial_interrupted"  # where the campaign says so


class Failover(enum.StrEnum):
    """Whether the next trunk is tried within the same attempt, if nothing rang."""

    NO = "no"
    YES = "yes"
    ONCE = "once"


class TrunkEffect(enum.StrEnum):
    """What an outcome says about the trunk."""

    HEALTHY = "healthy"
    NONE = "none"
    BREAKER = "breaker"
    DOWN = "down"  # after three in a row with no success between
    HOLD_TARGET = "hold_target"  # Retry-After holds the address that sent it
    SLOW_DOWN = "slow_down"  # lower the trunk's rate, climb back slowly


class Alarm(enum.StrEnum):
    """Who should look at it."""

    NONE = "none"
    MEDIA = "media"
    BOT = "bot"
    CALLER_ID = "caller_id"


@dataclasses.dataclass(frozen=True, slots=True)
class Retry:
    """Whether and after how long; `interval` None means the campaign's."""

    kind: RetryKind
    interval: dt.timedelta | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the outcome table: its stable name and its consequences.

    `final` is the call's status when attempts are used up. `flags` go to the attempt's record:
    `answered_late`, `answered` (on an interrupted call), `do_not_call` (the number asked not to
    be called again).
    """

    name: str
    outcome: Outcome
    final: CallStatus
    retry: Retry
    counts: bool
    failover: Failover
    trunk: TrunkEffect
    alarm: Alarm
    flags: tuple[str, ...]


class OutcomeTable:
    """The rules, ready to be asked."""

    @classmethod
    def default(cls) -> OutcomeTable:
        """Return the table that comes with the program."""
        raise NotImplementedError

    @classmethod
    def load(cls, text: str) -> OutcomeTable:
        """Read a table from TOML; raises `OutcomeTableError` with one line: which rule, which key."""
        raise NotImplementedError

    def rule_for(self, evidence: Evidence) -> Rule:
        """Return the one rule that decides; every evidence has one."""
        raise NotImplementedError
