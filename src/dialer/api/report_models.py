"""What goes over the wire of reports, totals, requeue, clone and erasure."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, TypeAdapter

from dialer.api.models import Answer, Campaign, Request, plus
from dialer.campaign.outcome import Outcome
from dialer.campaign.status import CallStatus
from dialer.store.reports import ReportFilter

MAX_CALL_IDS = 10_000  # of one request


def _time(value: object) -> object:
    """Take a blank before an offset for the plus sign that it was before a URL's decoding."""
    if not isinstance(value, str):
        return value
    if "T" not in value.upper():  # pydantic would take a bare number for seconds
        raise ValueError("is no time such as 2026-01-31T10:00:00+01:00")
    return value.replace(" ", "+")


Time = Annotated[AwareDatetime, BeforeValidator(_time)]


class ReportQuery(Request):
    """What of a report is wanted."""

    per: Annotated[
        Literal["call", "attempt"],
        Field(description="a row for each call, with its latest attempt, or for each attempt"),
    ] = "call"
    status: Annotated[
        list[CallStatus], Field(description="one or several; the call's, or the attempt's")
    ] = Field(default_factory=list)
    outcome: Annotated[
        list[Outcome], Field(description="one or several; the call's last one, or the attempt's")
    ] = Field(default_factory=list)
    since: Annotated[
        Time | None,
        Field(
            alias="from",
            description="with offset, included: the call's last change, or the attempt's creation",
        ),
    ] = None
    until: Annotated[
        Time | None, Field(alias="to", description="as `from`, but itself not included")
    ] = None
    number: Annotated[
        str | None,
        Field(min_length=1, max_length=200, description="exactly this one, as the calls show it"),
        AfterValidator(lambda number: number if number is None else plus(number)),
    ] = None

    def chosen(self) -> ReportFilter:
        """Return the same for the store."""
        return ReportFilter(
            statuses=tuple(self.status),
            outcomes=tuple(self.outcome),
            since=self.since,
            until=self.until,
            number=self.number,
        )


class Requeue(Request):
    """Which calls that are over to dial again: by status, and where given by outcome and id."""

    statuses: Annotated[
        list[
            Literal[
                CallStatus.NOT_DIALED,
                CallStatus.TECHNICAL_ERROR,
                CallStatus.PLAN_LIMIT_EXCEEDED,
                CallStatus.COMPLETED_WITHOUT_ANSWER,
            ]
        ],
        Field(min_length=1),
    ]
    outcomes: list[Outcome] = Field(default_factory=list)
    call_ids: (
        Annotated[list[Annotated[int, Field(ge=1, le=2**63 - 1)]], Field(max_length=MAX_CALL_IDS)]
        | None
    ) = None


class Requeued(Answer):
    """How many calls are planned anew."""

    requeued: int


class Clone(Request):
    """A clone's name, and which numbers it gets."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    numbers: Literal["none", "all", "not_answered"] = "none"


class ClonedCampaign(Campaign):
    """The draft, and how many numbers it got."""

    cloned_from: int
    numbers_added: int


class ErasePerson(Request):
    """Whose data is to go: the number that was called, or could have been."""

    number: Annotated[str, Field(min_length=1, max_length=200)]


class ErasedPerson(Answer):
    """What was found of a person and is gone."""

    calls: int
    legs: int
    traces: int
    recordings: int
    events: int
    contacts: int
    unique_users: int
    import_rows: int


class StatusTotal(Answer):
    """Calls with a status."""

    status: CallStatus
    label: str
    calls: int


class OutcomeTotal(Answer):
    """Attempts that ended so, and calls whose last attempt did."""

    outcome: Outcome
    attempts: int
    calls: int


class Figures(Answer):
    """What came of attempts; times in seconds."""

    attempts: int
    answered: int
    abandoned: int
    silent: int
    talk_seconds: float
    billed_seconds: int


class HourTotal(Figures):
    """The attempts that began within an hour."""

    hour: dt.datetime = Field(description="its beginning, in the campaign's time zone")


class TrunkTotal(Answer):
    """The INVITEs over a trunk."""

    trunk: str
    legs: int
    answered: int
    answer_rate: float | None
    talk_seconds: float


class Totals(Figures):
    """A campaign's figures; shares are between 0 and 1, null where there is nothing to divide."""

    campaign_id: int
    time_zone: str
    calls: int
    calls_tried: int = Field(description="those with at least one attempt that is over")
    calls_answered: int
    requeued: int = Field(description="how often calls were requeued")
    statuses: list[StatusTotal]
    outcomes: list[OutcomeTotal]
    answer_rate: float | None = Field(description="answered calls, of those tried")
    attempts_per_answer: float | None
    abandoned_rate: float | None = Field(description="abandoned, of the answered attempts")
    silent_rate: float | None = Field(description="silent, of the answered attempts")
    by_hour: list[HourTotal]
    by_trunk: list[TrunkTotal]


REQUEUE: TypeAdapter[Requeue] = TypeAdapter(Requeue)
CLONE: TypeAdapter[Clone] = TypeAdapter(Clone)
ERASE_PERSON: TypeAdapter[ErasePerson] = TypeAdapter(ErasePerson)
