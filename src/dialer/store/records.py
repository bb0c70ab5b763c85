"""What goes into the store and comes out of it: rows as frozen values.

Times are aware and in UTC. Durations that a person sets are whole seconds, as the API and the
tables have them.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping
    from uuid import UUID

    from dialer.campaign.status import CallStatus, CampaignStatus, PauseReason, Phase

DEFAULT_ACCOUNT = 1


@dataclasses.dataclass(frozen=True, slots=True)
class CampaignSettings:
    """What a person sets of a campaign.

    `trunks` are names; `trunk_order` says whether they are asked in that order, or by the
    priorities and weights of the configuration. `retry_by_outcome` maps an outcome to seconds and
    goes before `retry_interval_seconds`. `calls_per_second` and `calls_per_minute` None mean no
    limit of its own. `windows` are as `campaign.windows` reads them, none is any time; they are
    local times of the customer, or of the campaign's `time_zone`.
    """

    name: str
    trunks: tuple[str, ...]
    trunk_order: Literal["listed", "weighted"] = "listed"
    caller_ids: tuple[str, ...] = ()
    start_at: dt.datetime | None = None
    max_simultaneous_calls: int = 10
    calls_per_second: float | None = None
    max_attempts: int = 3
    retry_interval_seconds: int = 3600
    retry_by_outcome: Mapping[str, int] = dataclasses.field(default_factory=dict)
    ring_timeout_seconds: int = 40
    max_talk_seconds: int = 3600
    on_answer: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    webhook_url: str | None = None
    redial_interrupted: bool = False
    calls_per_minute: float | None = None
    retry_jitter_percent: int = 10
    time_zone: str = "UTC"
    window_zone: Literal["customer", "campaign"] = "customer"
    windows: tuple[Mapping[str, Any], ...] = ()
    holidays: tuple[str, ...] = ()
    dates_without_calls: tuple[dt.date, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign as it stands. `version` grows with every change of settings or status."""

    id: int
    account_id: int
    settings: CampaignSettings
    status: CampaignStatus
    pause_reason: PauseReason | None
    pause_detail: str
    paused_from: CampaignStatus | None
    hang_up: bool
    created_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    deleted_at: dt.datetime | None
    version: int


@dataclasses.dataclass(frozen=True, slots=True)
class PauseNote:
    """Who pauses a campaign, and in one sentence what happened and what to do."""

    reason: PauseReason
    detail: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class NewCall:
    """A number to add to a campaign.

    `number` is normalised text; `problem` says why it is not dialable. `line` is where it stood
    in the list, 0 where there was none. An empty time zone is told by the number; None in what
    follows means the campaign's. `windows` are objects of `days`, `from` and `to`. `alternates`
    are further numbers of the same person, in the order in which they are tried. No attempt begins
    before `not_before`, nor from `not_after` on.
    """

    number: str
    dialable: bool = True
    problem: str = ""
    payload: Mapping[str, str] = dataclasses.field(default_factory=dict)
    line: int = 0
    priority: int = 0
    max_attempts: int | None = None
    retry_interval_seconds: int | None = None
    time_zone: str = ""
    windows: tuple[Mapping[str, Any], ...] | None = None
    alternates: tuple[str, ...] = ()
    not_before: dt.datetime | None = None
    not_after: dt.datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class SkippedRow:
    """A row of a list that did not go in: its line, what stood for the number, and why."""

    line: int
    number: str
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class AddReport:
    """How many calls were added, and which rows were already there (same number and payload).

    `rejected` are those for whose schedule the campaign has no room. `undialable` counts some of
    those `added`.
    """

    added: int
    duplicates: tuple[NewCall, ...]
    rejected: tuple[SkippedRow, ...] = ()
    undialable: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Import:
    """What became of a list. `undialable` counts some of those `added`.

    `finished_at` is None while it is read. `problem` says why it broke off, where it did.
    """

    id: int
    campaign_id: int
    file_name: str
    format: str
    problem: str
    created_at: dt.datetime
    finished_at: dt.datetime | None
    added: int
    undialable: int
    duplicates: int
    rejected: int


@dataclasses.dataclass(frozen=True, slots=True)
class KeptCall:
    """A call that was to be removed and was not, and why; `call_id` is None where there is none."""

    number: str
    call_id: int | None
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class RemoveReport:
    """How many calls were removed, how many were kept, and the first of those."""

    removed: int
    kept: int
    first_kept: tuple[KeptCall, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """One call to one person, without its attempts.

    `due` is when the next attempt may start; None once the call runs or is final. `attempt_id`
    is the latest attempt, under way or over.
    """

    id: int
    account_id: int
    campaign_id: int
    position: int
    number: str
    alternates: tuple[str, ...]
    import_id: int | None
    dialable: bool
    problem: str
    payload: Mapping[str, str]
    priority: int
    status: CallStatus
    phase: Phase | None
    trunk: str | None
    attempt_id: UUID | None
    due: dt.datetime | None
    not_after: dt.datetime | None
    schedule_id: int | None
    attempts: int
    attempts_counted: int
    last_outcome: str | None
    last_rule: str | None
    created_at: dt.datetime
    updated_at: dt.datetime


@dataclasses.dataclass(frozen=True, slots=True)
class LegIdentity:
    """What a CANCEL of an INVITE needs; the fields of `ua.call.LegIdentity`."""

    call_id: str
    from_header: str
    to_header: str
    request_uri: str
    via: str
    cseq: int
    route: tuple[str, ...]
    target_host: str
    target_port: int
    target_transport: Literal["udp", "tcp", "tls"] = "udp"


@dataclasses.dataclass(frozen=True, slots=True)
class DialogIdentity:
    """What a BYE of an answered call needs; the fields of `ua.call.DialogIdentity`."""

    call_id: str
    local: str
    remote: str
    local_cseq: int
    remote_target: str
    route: tuple[str, ...]
    target_host: str
    target_port: int
    target_transport: Literal["udp", "tcp", "tls"] = "udp"


@dataclasses.dataclass(frozen=True, slots=True)
class Provisional:
    """A 1xx that came; the fields of `ua.call.Provisional`."""

    code: int
    phrase: str
    at: dt.datetime


@dataclasses.dataclass(frozen=True, slots=True)
class LegEvidence:
    """All that the network said to one INVITE; the words of `ua.call.CallResult`."""

    code: int | None = None
    phrase: str = ""
    reasons: tuple[str, ...] = ()
    q850: int | None = None
    retry_after: int | None = None  # seconds
    local_cause: str | None = None
    rang: bool = False
    answered: bool = False
    hung_up_by: str | None = None
    provisionals: tuple[Provisional, ...] = ()
    sent_at: dt.datetime | None = None
    first_provisional_at: dt.datetime | None = None
    ringing_at: dt.datetime | None = None
    answered_at: dt.datetime | None = None
    ended_at: dt.datetime | None = None
    talk_seconds: float = 0.0
    rtp_packets_sent: int = 0
    rtp_packets_received: int = 0
    media: Mapping[str, Any] | None = None  # the figures of `ua.media_figures.MediaFigures`
    early_media: Mapping[str, Any] | None = None  # the fields of `rtp.early_media.EarlyMedia`


@dataclasses.dataclass(frozen=True, slots=True)
class Leg:
    """One INVITE of an attempt: where it went, as whom, what came back, and what that means.

    `outcome` and `rule` are None while it runs.
    """

    ordinal: int
    trunk: str
    number: str
    caller_id: str
    identity: LegIdentity
    dialog: DialogIdentity | None
    evidence: LegEvidence
    outcome: str | None
    rule: str | None
    created_at: dt.datetime


@dataclasses.dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a call with its legs; `outcome`, `rule`, `status` are None while it runs.

    `detail`, `conversation` and `report_data` are those of `AttemptResult`.
    """

    id: UUID
    ordinal: int
    node: str
    outcome: str | None
    rule: str | None
    status: CallStatus | None
    counted: bool | None
    flags: tuple[str, ...]
    created_at: dt.datetime
    ended_at: dt.datetime | None
    legs: tuple[Leg, ...]
    detail: str = ""
    conversation: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    report_data: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    transfer_legs: tuple[TransferLeg, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class TransferLeg:
    """The INVITE of a second call, by which an answered one was to be transferred.

    `evidence` has the fields of `LegEvidence` once it is over.
    """

    ordinal: int
    trunk: str
    number: str
    caller_id: str
    sip_call_id: str
    outcome: str | None
    rule: str | None
    evidence: Mapping[str, Any]
    created_at: dt.datetime
    answered_at: dt.datetime | None
    ended_at: dt.datetime | None


@dataclasses.dataclass(frozen=True, slots=True)
class CallDetails:
    """A call with all its attempts, oldest first."""

    call: Call
    attempts: tuple[Attempt, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class ReportRow:
    """A call and what came of its latest attempt (its last leg), one row of a report.

    `dialed` is the number that the leg went to.
    """

    call: Call
    trunk: str | None
    dialed: str | None
    caller_id: str | None
    sip_call_id: str | None
    evidence: LegEvidence | None
    attempt_created_at: dt.datetime | None
    flags: tuple[str, ...]
    detail: str
    billed_seconds: int | None
    requeued: int
    erased_at: dt.datetime | None
    conversation: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    report_data: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class AttemptRow:
    """An attempt with the leg that decided it, one row of a report; None while it runs.

    `number` is the call's, `dialed` the one that the leg went to; `legs` counts the INVITEs.
    """

    call_id: int
    campaign_id: int
    number: str
    payload: Mapping[str, str]
    attempt_id: UUID
    ordinal: int
    node: str
    status: str | None
    outcome: str | None
    rule: str | None
    counted: bool | None
    flags: tuple[str, ...]
    detail: str
    billed_seconds: int
    created_at: dt.datetime
    ended_at: dt.datetime | None
    legs: int
    trunk: str | None
    dialed: str | None
    caller_id: str | None
    sip_call_id: str | None
    evidence: LegEvidence | None
    conversation: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    report_data: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Lease:
    """A node's lease, renewed: its end by the database's clock, and how many nodes live."""

    until: dt.datetime
    live_nodes: int


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """A status change, as the outbox tells it. `cursor` goes into the next read."""

    cursor: tuple[int, int]
    account_id: int
    campaign_id: int | None
    call_id: int | None
    attempt_id: UUID | None
    kind: str
    at: dt.datetime
    data: Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Passage:
    """A SIP message or an RTP packet that passed between our address and a peer's."""

    at: dt.datetime
    sent: bool
    transport: Literal["udp", "tcp", "tls"]
    local_host: str
    local_port: int
    peer_host: str
    peer_port: int
    data: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class LegTrace:
    """What was kept of one leg: its SIP messages, and the first of its RTP."""

    call_id: int
    attempt_id: UUID
    leg_ordinal: int
    messages: tuple[Passage, ...]
    packets: tuple[Passage, ...] = ()
