"""Shapes of calls, with their attempts, legs and evidence."""

import datetime as dt
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    AliasChoices,
    AliasPath,
    Field,
    computed_field,
)

from dialer.api.models import Answer, Page, plus
from dialer.api.recording_models import Recording
from dialer.campaign import early_media
from dialer.campaign.outcome import Outcome
from dialer.campaign.status import CallStatus, Phase


class CallQuery(Page):
    """Which calls."""

    status: Annotated[list[CallStatus], Field(description="one or several")] = Field(
        default_factory=list
    )
    number: Annotated[
        str | None,
        Field(min_length=1, max_length=200, description="exactly this one, as the calls show it"),
        AfterValidator(lambda number: number if number is None else plus(number)),
    ] = None


class Call(Answer):
    """A call: one person in one campaign."""

    id: int
    campaign_id: int
    campaign_name: str = ""
    campaign_deleted_at: dt.datetime | None = None
    number: str
    alternates: list[str] = Field(description="further numbers of the same person")
    import_id: int | None = Field(description="the list that brought it")
    problem: str = Field(description="why the number cannot be dialled, or empty")
    payload: dict[str, str]
    priority: int
    status: CallStatus
    phase: Phase | None
    trunk: str | None
    next_attempt_at: dt.datetime | None = Field(
        validation_alias=AliasChoices("next_attempt_at", "due"),
        description="always inside the call's window",
    )
    waits_because: str | None = Field(
        default=None, description="that its window is closed until then, or why none ever opens"
    )
    attempts_made: int = Field(validation_alias=AliasChoices("attempts_made", "attempts"))
    attempts_counted: int
    last_outcome: Outcome | None
    last_rule: str | None
    created_at: dt.datetime
    updated_at: dt.datetime

    @computed_field  # type: ignore[prop-decorator] # pydantic's documented form
    @property
    def status_label(self) -> str:
        """The words that a person reads."""
        return self.status.label


class Provisional(Answer):
    """A 1xx that came."""

    code: int
    phrase: str
    at: dt.datetime


class MediaFigures(Answer):
    """How the media of a leg was, in figures; what begins with `far_end_` the far end reported."""

    codec: str
    secured: bool
    sent: int
    unsent: int = Field(description="refused by our own host")
    received: int = Field(description="from the far end, duplicates included")
    lost: int
    loss_percent: float
    duplicates: int
    reordered: int
    dropped: int = Field(description="no RTP, not from the far end, or not authentic")
    comfort_noise: int = Field(description="packets received that stand for silence")
    streams: int = Field(description="SSRCs received")
    jitter_ms: float = Field(description="the mean of the estimate of RFC 3550")
    jitter_most_ms: float
    longest_gap_ms: int = Field(description="without a packet, hold and announced silence aside")
    mos: float | None = Field(description="estimate of how the far end sounded, 1 to 4.5")
    far_end_lost: int | None = Field(description="of our packets; null without a report")
    far_end_loss_percent: float | None
    far_end_jitter_ms: float | None
    far_end_mos: float | None = Field(description="estimate of how we sounded")
    round_trip_ms: float | None


class Heard(Answer):
    """One thing that was heard before the answer; times are seconds since the INVITE."""

    kind: Literal[
        "ringback",
        "busy",
        "congestion",
        "special_information",
        "speech",
        "music",
        "tone",
        "noise",
        "silence",
    ]
    begin: float
    end: float
    confidence: float = Field(description="0 to 1")
    special_information: str | None = Field(
        default=None,
        description="what such tones say: intercept, vacant_code, reorder, no_circuit,"
        " ineffective_other, unspecified",
    )
    frequencies: list[float] = Field(default_factory=list, description="of its tones, in Hz")


class EarlyMedia(Answer):
    """What came before the answer: evidence, which does not decide the outcome."""

    begin: float = Field(description="seconds from the INVITE to the first packet")
    seconds: float = Field(description="from the first packet to the end of what came")
    streams: int = Field(description="SSRCs that were listened to")
    packets: int = Field(description="that hold sound")
    comfort_noise: int
    others: int = Field(description="packets of another payload type, or more than is looked at")
    heard: list[Heard] = Field(description="in the order of their beginning")

    @computed_field  # type: ignore[prop-decorator] # pydantic's documented form
    @property
    def sentence(self) -> str:
        """What was heard, in words."""
        return early_media.sentence(self.model_dump(include={"heard"}))


class Evidence(Answer):
    """All that the network said to one INVITE."""

    code: int | None
    phrase: str
    reasons: list[str]
    q850: int | None
    retry_after: int | None
    local_cause: str | None
    rang: bool
    answered: bool
    hung_up_by: str | None
    provisionals: list[Provisional]
    sent_at: dt.datetime | None
    first_provisional_at: dt.datetime | None
    ringing_at: dt.datetime | None
    answered_at: dt.datetime | None
    ended_at: dt.datetime | None
    talk_seconds: float
    rtp_packets_sent: int
    rtp_packets_received: int
    media: MediaFigures | None = Field(default=None, description="null where no RTP was agreed")
    early_media: EarlyMedia | None = Field(
        default=None, description="what was heard before the answer; null where no RTP came"
    )


class Leg(Answer):
    """One INVITE of an attempt: where it went, as whom, and what came back."""

    ordinal: int
    trunk: str
    number: str
    caller_id: str
    sip_call_id: str = Field(
        validation_alias=AliasChoices("sip_call_id", AliasPath("identity", "call_id"))
    )
    request_uri: str = Field(
        validation_alias=AliasChoices("request_uri", AliasPath("identity", "request_uri"))
    )
    evidence: Evidence
    outcome: Outcome | None
    rule: str | None
    created_at: dt.datetime


class TransferLeg(Answer):
    """The INVITE of a second call, by which the answered one was to be transferred."""

    ordinal: int
    trunk: str
    number: str
    caller_id: str
    sip_call_id: str
    outcome: Outcome | None
    rule: str | None
    evidence: dict[str, Any] = Field(description="as that of a leg; empty until its end")
    created_at: dt.datetime
    answered_at: dt.datetime | None
    ended_at: dt.datetime | None


class Attempt(Answer):
    """One attempt with its legs; `outcome`, `rule` and `status` are null while it runs."""

    id: UUID
    ordinal: int
    node: str
    outcome: Outcome | None
    rule: str | None
    status: CallStatus | None
    counted: bool | None
    flags: list[str]
    created_at: dt.datetime
    ended_at: dt.datetime | None
    legs: list[Leg]
    detail: str = Field(description="what there is to say besides, in a sentence, or empty")
    conversation: dict[str, Any] = Field(description="what happened after the answer")
    report_data: dict[str, Any] = Field(description="what was found out there, by field")
    transfer_legs: list[TransferLeg] = Field(
        default_factory=list, description="the second calls of its transfers"
    )
    recordings: list[Recording] = Field(
        default_factory=list, description="oldest first, those that were deleted too"
    )


class CallWithAttempts(Call):
    """A call with all its attempts, oldest first."""

    attempts: list[Attempt]


class CallPage(Answer):
    """A page of calls."""

    items: list[Call]
    next_cursor: str | None
