"""What goes over the wire: the JSON of requests and answers, for the handlers and the client.

Requests refuse unknown keys. Answers may gain keys; a client ignores those that it does not know.
"""

import datetime as dt
import json
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AliasChoices,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    computed_field,
    create_model,
    model_validator,
)

from dialer.campaign.outcome import Outcome
from dialer.campaign.settings import CampaignSettings, Minutes, TimeZone, Windows
from dialer.campaign.status import CallStatus, CampaignStatus, PauseReason

MAX_PAGE = 500
MAX_ID = 2**63 - 1
MAX_NUMBERS = 20_000  # of one JSON body
MAX_PAYLOAD_BYTES = 16 * 1024

# Requests.


class Request(BaseModel):
    """A body or query whose every key is known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


if TYPE_CHECKING:
    CampaignChanges = CampaignSettings
else:
    CampaignChanges = create_model(
        "CampaignChanges",
        __base__=Request,
        __doc__="The settings to change, by the same rules; those not named stay.",
        **{
            name: (
                Annotated[field.annotation, *field.metadata]
                if field.metadata
                else field.annotation,
                Field(default_factory=lambda: None, discriminator=field.discriminator),
            )
            for name, field in CampaignSettings.model_fields.items()
        },
    )


class Nothing(Request):
    """A body that may be left out."""


class Finish(Request):
    """How to finish: with `hang_up`, calls that are up are ended too."""

    hang_up: bool = False


def _small(payload: dict[str, str]) -> dict[str, str]:
    if len(json.dumps(payload, ensure_ascii=False).encode()) > MAX_PAYLOAD_BYTES:
        raise ValueError(f"is larger than {MAX_PAYLOAD_BYTES} bytes")
    return payload


class NewNumber(Request):
    """A number to call; None means the campaign's setting."""

    phone: Annotated[str, StringConstraints(max_length=200)]
    payload: Annotated[dict[str, str], AfterValidator(_small)] = Field(default_factory=dict)
    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0
    max_attempts: Annotated[int, Field(ge=1, le=100)] | None = None
    retry_interval_minutes: Minutes | None = None
    time_zone: TimeZone | None = None
    windows: Windows | None = None
    alternates: Annotated[
        list[Annotated[str, StringConstraints(max_length=64)]],
        Field(max_length=8, description="further numbers of the same person, tried in order"),
    ] = Field(default_factory=list)
    not_before: Annotated[AwareDatetime | None, Field(description="no attempt begins earlier")] = (
        None
    )
    not_after: Annotated[
        AwareDatetime | None, Field(description="no attempt begins from then on")
    ] = None


def _bare(value: object) -> object:
    return {"phone": value} if isinstance(value, str) else value


NewNumbers = Annotated[
    list[Annotated[NewNumber, BeforeValidator(_bare, json_schema_input_type=NewNumber | str)]],
    Field(min_length=1, max_length=MAX_NUMBERS),
]


class RemoveNumbers(Request):
    """Which calls to remove, those that were never attempted: one of the three."""

    numbers: (
        Annotated[
            list[Annotated[str, StringConstraints(max_length=200)]],
            Field(min_length=1, max_length=MAX_NUMBERS),
        ]
        | None
    ) = None
    call_ids: (
        Annotated[
            list[Annotated[int, Field(ge=1, le=MAX_ID)]],
            Field(min_length=1, max_length=MAX_NUMBERS),
        ]
        | None
    ) = None
    import_id: Annotated[int, Field(ge=1, le=MAX_ID)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.numbers, self.call_ids, self.import_id).count(None) != 2:
            raise ValueError("give one of numbers, call_ids and import_id")
        return self


CAMPAIGN_SETTINGS: TypeAdapter[CampaignSettings] = TypeAdapter(CampaignSettings)
CAMPAIGN_CHANGES: TypeAdapter[CampaignChanges] = TypeAdapter(CampaignChanges)
NOTHING: TypeAdapter[Nothing] = TypeAdapter(Nothing)
FINISH: TypeAdapter[Finish] = TypeAdapter(Finish)
NEW_NUMBERS: TypeAdapter[list[NewNumber]] = TypeAdapter(NewNumbers)
REMOVE_NUMBERS: TypeAdapter[RemoveNumbers] = TypeAdapter(RemoveNumbers)


class Page(Request):
    """Which page of a list."""

    limit: Annotated[int, Field(ge=1, le=MAX_PAGE, description="items of a page")] = 50
    cursor: Annotated[
        str | None,
        Field(max_length=200, description="next_cursor of the page before; opaque"),
    ] = None


class ListReading(Request):
    """How to read a list."""

    sheet: Annotated[
        str | None, Field(max_length=100, description="of a workbook; default: the first")
    ] = None
    encoding: Annotated[
        str | None, Field(max_length=40, description="of a CSV list; default: found out")
    ] = None
    file_name: Annotated[
        str | None,
        Field(max_length=200, description="default: the upload's, as shown of the import"),
    ] = None


class ListQuery(ListReading):
    """How to read a list, and whether to add it."""

    dry_run: Annotated[
        bool, Field(description="write nothing, and say what adding the list would do")
    ] = False


class CampaignQuery(Page):
    """Which campaigns."""

    status: Annotated[list[CampaignStatus], Field(description="one or several")] = Field(
        default_factory=list
    )
    counts: Annotated[bool, Field(description="count the calls of each by status, too")] = False


def plus(number: str) -> str:
    """Take a leading blank for the plus sign that it was before a URL's decoding."""
    return "+" + number[1:] if number.startswith(" ") else number


# Answers.


class Answer(BaseModel):
    """An answer, made from JSON or from a record of the store."""

    model_config = ConfigDict(extra="ignore", frozen=True, from_attributes=True)


class StatusCount(Answer):
    """How many calls of a campaign have a status."""

    status: CallStatus
    label: str
    calls: int


class Campaign(Answer):
    """A campaign: its settings and where it stands."""

    id: int
    version: int = Field(description="grows with every change; If-Match goes by it")
    status: CampaignStatus
    pause_reason: PauseReason | None
    pause_detail: str
    name: str
    caller_ids: list[str]
    trunks: list[str]
    trunk_order: Literal["listed", "weighted"]
    max_simultaneous_calls: int
    calls_per_second: float | None
    max_attempts: int
    retry_interval_minutes: int | float
    retry_by_outcome: dict[Outcome, int | float]
    ring_timeout_seconds: int
    max_talk_seconds: int
    on_answer: dict[str, Any]
    start_at: dt.datetime | None
    webhook_url: str | None
    redial_interrupted: bool
    calls_per_minute: float | None
    retry_jitter_percent: int
    time_zone: str
    window_zone: Literal["customer", "campaign"]
    windows: list[dict[str, Any]]
    holidays: list[str]
    dates_without_calls: list[dt.date]
    created_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None

    @computed_field  # type: ignore[prop-decorator] # pydantic's documented form
    @property
    def status_label(self) -> str:
        """The words that a person reads."""
        return self.status.label


class CampaignWithCounts(Campaign):
    """A campaign with its calls counted by status."""

    counts: list[StatusCount]
    next_attempt_at: dt.datetime | None = Field(
        description="when the first of the calls that wait may be made; always inside its window"
    )
    waits_because: str | None = Field(
        description="what it waits for then, or why there is no next attempt"
    )


class ListedCampaign(Campaign):
    """A campaign of a list, with its calls counted by status where that was asked for."""

    counts: list[StatusCount] | None = None


class CampaignPage(Answer):
    """A page of campaigns, newest first."""

    items: list[ListedCampaign]
    next_cursor: str | None


class RejectedRow(Answer):
    """A row that cannot be used: its line (its place in a JSON list), and why."""

    line: int
    phone: str = Field(validation_alias=AliasChoices("phone", "number"))
    reason: str


class DuplicateRow(Answer):
    """A row whose number and payload are in the campaign already."""

    line: int
    phone: str = Field(validation_alias=AliasChoices("phone", "number"))


class RowCounts(Answer):
    """What became of the rows of a list."""

    added: int
    duplicates: int
    rejected: int
    undialable: int = Field(
        description="of those added: numbers that cannot exist; they end as invalid_number"
    )


class AddedNumbers(RowCounts):
    """What became of a list; the two lists of rows are bounded, the counts are not.

    In a dry run, what would have become of it, and there is no import.
    """

    import_id: int | None
    dry_run: bool
    format: str = Field(description="how the list was read")
    duplicate_rows: list[DuplicateRow]
    duplicate_rows_truncated: bool
    rejected_rows: list[RejectedRow]
    rejected_rows_truncated: bool


class Import(RowCounts):
    """A list that was added to a campaign, and what became of its rows."""

    id: int
    campaign_id: int
    file_name: str
    format: str = Field(description="how the list was read")
    problem: str = Field(description="why it broke off, or empty")
    created_at: dt.datetime
    finished_at: dt.datetime | None = Field(
        description="null while it is read, or where the process ended before"
    )


class ImportPage(Answer):
    """A page of imports, newest first."""

    items: list[Import]
    next_cursor: str | None


class KeptCall(Answer):
    """A call that was to be removed and was not, and why."""

    phone: str = Field(validation_alias=AliasChoices("phone", "number"))
    call_id: int | None
    reason: str


class RemovedNumbers(Answer):
    """How many calls were removed and kept; the list of those kept is bounded."""

    removed: int
    kept: int
    kept_calls: list[KeptCall]
    kept_calls_truncated: bool


class Health(Answer):
    """The process lives."""

    status: Literal["ok"] = "ok"


class ProblemError(Answer):
    """One thing that is wrong with the input."""

    pointer: str
    detail: str


class ProblemDetails(Answer):
    """Why a request was refused (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[ProblemError] = []
    current_status: str | None = None
    allowed: list[str] | None = None
    error_id: str | None = None
