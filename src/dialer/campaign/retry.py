"""What becomes of a call after an attempt: its status, and when it is dialled again."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING

from dialer.campaign.status import CallStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dialer.campaign.evidence import Evidence
    from dialer.campaign.outcome import Outcome, Rule


@dataclasses.dataclass(frozen=True, slots=True)
class History:
    """The call's earlier attempts: how many counted, how many technical failures came last in a
    row, how many were declined; `was` is the status that it waited in before this attempt.
    """

    counted: int = 0
    technical_in_a_row: int = 0
    declined: int = 0
    was: CallStatus = CallStatus.PLANNED


@dataclasses.dataclass(frozen=True, slots=True)
class RetryPolicy:
    """What the campaign says of retries; `by_outcome` is keyed by outcome."""

    max_attempts: int
    interval: dt.timedelta
    by_outcome: Mapping[str, dt.timedelta] = dataclasses.field(default_factory=dict)
    redial_interrupted: bool = False
    technical_cap: int = 10


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    """What to record.

    `status` is what the call becomes now, `final_status` what it takes when its campaign is
    finished meanwhile. `next_attempt_at` is set where the call waits, None where it is over.
    `technical_in_a_row` and `declined` are the new values.
    """

    outcome: Outcome
    rule: str
    status: CallStatus
    final_status: CallStatus
    counts: bool
    next_attempt_at: dt.datetime | None
    technical_in_a_row: int
    declined: int


def decide(
    rule: Rule, evidence: Evidence, history: History, policy: RetryPolicy, now: dt.datetime
) -> Decision:
    """Decide what becomes of the call."""
    raise NotImplementedError
