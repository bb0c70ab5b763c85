"""What the engine takes from the store to place calls, and writes back: rows as frozen values.

Times are aware and in UTC; durations that a person sets are whole seconds.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping
    from uuid import UUID

    from dialer.campaign.calendar import Calendar
    from dialer.campaign.evidence import LocalCause
    from dialer.campaign.status import CallStatus, Phase
    from dialer.store.records import DialogIdentity, LegEvidence, LegIdentity


@dataclasses.dataclass(frozen=True, slots=True)
class CampaignToDial:
    """A campaign in progress: its limits, and how many of its calls are ready and under way.

    `held` are those of its trunks that a person holds.
    """

    id: int
    account_id: int
    trunks: tuple[str, ...]
    trunk_order: Literal["listed", "weighted"]
    held: tuple[str, ...]
    calls_per_second: float | None
    max_simultaneous_calls: int
    ready: int
    live: int
    calls_per_minute: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class RetrySettings:
    """What decides whether and when a call is tried again, the number's own settings applied.

    `redial_answered_by` are the outcomes of machine detection that are tried again.
    Waits are lengthened by up to `jitter_percent`. Without a calendar any time will do.
    """

    max_attempts: int
    retry_interval_seconds: int
    retry_by_outcome: Mapping[str, int]  # seconds
    redial_interrupted: bool
    jitter_percent: int = 0
    calendar: Calendar | None = None
    redial_bot_failure: bool = False
    redial_answered_by: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True, slots=True)
class CallHistory:
    """How often a call was tried: all attempts, those that count, and the runs of two kinds.

    `was` is the status that it waited in before the attempt under way; `alternates` is how many
    other numbers of the person are left to try.
    """

    attempts: int
    counted: int
    technical_in_a_row: int
    declined: int
    was: CallStatus
    alternates: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call may not be dialled; `detail` is a sentence for a person, or empty."""

    cause: LocalCause
    detail: str


@dataclasses.dataclass(frozen=True, slots=True)
class ClaimedCall:
    """A call that a node holds and may dial over `trunk`; nothing was sent yet.

    `number` is the one to dial now. `trunks` and `trunk_order` are its campaign's. A call that is
    `refused` must be ended, and not dialled.
    """

    id: int
    account_id: int
    campaign_id: int
    number: str
    dialable: bool
    problem: str
    payload: Mapping[str, str]
    trunk: str
    trunks: tuple[str, ...]
    trunk_order: Literal["listed", "weighted"]
    caller_ids: tuple[str, ...]
    ring_timeout_seconds: int
    max_talk_seconds: int
    on_answer: Mapping[str, Any]
    retry: RetrySettings
    history: CallHistory
    refused: Refusal | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class OrphanedCall:
    """A call of a dead node whose INVITE may have left; it is the caller's now.

    `identity` serves a CANCEL, `dialog` a BYE; `answered` says that an answer is on record.
    `finished` says that its campaign is finished.
    """

    id: int
    account_id: int
    campaign_id: int
    attempt_id: UUID
    leg_ordinal: int
    number: str
    trunk: str
    phase: Phase
    identity: LegIdentity
    dialog: DialogIdentity | None
    answered: bool
    evidence: LegEvidence
    finished: bool
    retry: RetrySettings
    history: CallHistory


@dataclasses.dataclass(frozen=True, slots=True)
class NewLeg:
    """A leg of an attempt, to be committed before its INVITE leaves.

    `attempt_id` is made by the caller, and names the attempt through every later write.
    """

    call_id: int
    attempt_id: UUID
    trunk: str
    number: str
    caller_id: str
    identity: LegIdentity


@dataclasses.dataclass(frozen=True, slots=True)
class LegProgress:
    """News of a leg under way; None means nothing new.

    `identity` is that of an INVITE sent again after a challenge; `dialog` comes with the answer.
    """

    call_id: int
    attempt_id: UUID
    leg_ordinal: int = 0
    phase: Phase | None = None
    identity: LegIdentity | None = None
    dialog: DialogIdentity | None = None
    sent_at: dt.datetime | None = None
    first_provisional_at: dt.datetime | None = None
    ringing_at: dt.datetime | None = None
    answered_at: dt.datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """What an ended attempt means for its call.

    `final_status` is taken in place of `retry_scheduled` where the campaign is finished, now or
    later. `technical_in_a_row` and `declined` are the call's new values. The next attempt
    dials the same number, or the next one of the person, or only the others.
    """

    outcome: str
    rule: str
    status: CallStatus
    final_status: CallStatus
    counted: bool
    next_attempt_at: dt.datetime | None
    technical_in_a_row: int
    declined: int
    then_dials: Literal["same", "next", "others"] = "same"


@dataclasses.dataclass(frozen=True, slots=True)
class AttemptResult:
    """An attempt that is over: its verdict, and the evidence of the leg that decided it.

    `detail` is a sentence for a person, or empty; `conversation` what happened after the answer,
    `report_data` what was found out there, both in plain values of JSON. The number of one who
    `opted_out` goes on the account's do-not-call list.
    """

    call_id: int
    attempt_id: UUID
    verdict: Verdict
    evidence: LegEvidence
    leg_ordinal: int = 0
    flags: tuple[str, ...] = ()
    detail: str = ""
    conversation: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    report_data: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    opted_out: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class FailedLeg:
    """A leg that is over while its attempt may go on over another trunk."""

    ordinal: int
    outcome: str
    rule: str
    evidence: LegEvidence


@dataclasses.dataclass(frozen=True, slots=True)
class UndialedResult:
    """A claimed call that ends without an INVITE, such as a number that nobody could dial."""

    call_id: int
    attempt_id: UUID
    verdict: Verdict
    flags: tuple[str, ...] = ()
    detail: str = ""
