"""Shapes of the Calls API, named as those who come from a voice-bot platform know them."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    RootModel,
    StringConstraints,
    TypeAdapter,
    model_validator,
)

from dialer.api.models import MAX_ID, Answer, Request
from dialer.campaign.own_settings import MOST_ATTEMPTS, OwnSettingError, time_zone
from dialer.campaign.windows import DAYS

MOST_PHONES = 10_000
WEEK_MINUTES = 7 * 24 * 60

_OFFSET = re.compile(r"(?:UTC|GMT|UT)?([+-])([0-9]{1,2})(?::?([0-9]{2})(?::?00)?)?")

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Time = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$")]


def _zone(text: str) -> str:
    """Return a zone as we write it: an IANA name, or an offset such as -05:00."""
    if text.upper() in {"Z", "UTC", "GMT", "UT"}:
        return "UTC"
    if found := _OFFSET.fullmatch(text):
        text = f"{found[1]}{found[2]:0>2}:{found[3] or '00'}"
    try:
        return time_zone(text)
    except OwnSettingError as error:
        raise ValueError(str(error).removeprefix("time_zone: ")) from None


def _digits(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _texts(payload: dict[str, Any]) -> dict[str, str]:
    """Return a payload as texts; what is none is written as JSON."""
    texts = {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in payload.items()
    }
    if sum(len(name) + len(value) for name, value in texts.items()) > 64 * 1024:
        raise ValueError("is larger than 64 KiB")
    return texts


Phone = Annotated[
    str,
    StringConstraints(max_length=200),
    BeforeValidator(_digits, json_schema_input_type=str | int),
]


class AllowedInterval(Request):
    """Hours in which calls are allowed, local to the customer."""

    localTimeFrom: Time  # noqa: N815 - as the API names it, here and below
    localTimeTo: Time  # noqa: N815

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.localTimeFrom == self.localTimeTo:
            raise ValueError("localTimeFrom and localTimeTo are the same, so no time is allowed")
        return self


class AddPhone(Request):
    """A number to call; what is left out is the campaign's."""

    phone: Phone
    payload: Annotated[dict[str, Any], AfterValidator(_texts)] = Field(default_factory=dict)
    startDateTime: AwareDatetime | None = None  # noqa: N815
    finishDateTime: AwareDatetime | None = None  # noqa: N815
    allowedDays: Annotated[list[Day], Field(min_length=1)] | None = None  # noqa: N815
    allowedTime: dict[Day | Literal["default"], list[AllowedInterval]] | None = None  # noqa: N815
    retryIntervalInMinutes: Annotated[int, Field(ge=1, le=WEEK_MINUTES)] | None = None  # noqa: N815
    maxAttempts: Annotated[int, Field(ge=1, le=MOST_ATTEMPTS)] | None = None  # noqa: N815
    gmtZone: Annotated[str, StringConstraints(max_length=64), AfterValidator(_zone)] | None = None  # noqa: N815
    dialerPriority: Annotated[int, Field(ge=-1000, le=1000)] = 0  # noqa: N815

    @model_validator(mode="after")
    def _leaves_time(self) -> Self:
        start, finish = self.startDateTime, self.finishDateTime
        if start is not None and finish is not None and start >= finish:
            raise ValueError("finishDateTime is not after startDateTime, so no time is left")
        if self.windows() == []:
            raise ValueError("allowedDays and allowedTime leave no time in which to call")
        return self

    def windows(self) -> list[dict[str, Any]] | None:
        """Return the allowed times as windows, None where there is no restriction."""
        if self.allowedDays is None and self.allowedTime is None:
            return None
        days: list[Day] = [day for day in DAYS if day in (self.allowedDays or DAYS)]  # type: ignore[misc] # DAYS are Days
        whole = [("00:00", "24:00")]
        found: dict[tuple[str, str], list[str]] = {}
        for day in days:
            for span in whole if self.allowedTime is None else self._spans(day):
                found.setdefault(span, []).append(day)
        return [
            {"days": those, "from": opens, "to": closes} for (opens, closes), those in found.items()
        ]

    def _spans(self, day: Day) -> list[tuple[str, str]]:
        assert self.allowedTime is not None
        given = self.allowedTime.get(day, self.allowedTime.get("default", []))
        return [(one.localTimeFrom, one.localTimeTo) for one in given]


class Jobs(Request):
    """Which call jobs: by their ids, by phone numbers, or both."""

    ids: Annotated[list[Annotated[int, Field(ge=1, le=MAX_ID)]], Field(max_length=MOST_PHONES)] = (
        Field(default_factory=list)
    )
    phones: Annotated[list[Phone], Field(max_length=MOST_PHONES)] = Field(default_factory=list)

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.ids and not self.phones:
            raise ValueError("give ids, phones, or both")
        return self


ADD_PHONES: TypeAdapter[list[AddPhone]] = TypeAdapter(
    Annotated[list[AddPhone], Field(min_length=1, max_length=MOST_PHONES)]
)
JOBS: TypeAdapter[Jobs] = TypeAdapter(Jobs)

CampaignState = Literal["planned", "inProcess", "finished", "paused", "deleted"]
JobState = Literal[
    "planned",
    "inProcess",
    "onRetry",
    "longCallWithResult",
    "longCallWithNoResult",
    "noAnswer",
    "nonexistentNumber",
    "notDone",
    "canceled",
]


class ShortReport(Answer):
    """A campaign in figures."""

    totalNumbers: int  # noqa: N815
    processedNumbers: int = Field(description="whose call is over")  # noqa: N815
    usedTalkingTime: float = Field(description="minutes")  # noqa: N815
    inProcessCalls: int  # noqa: N815
    retryCalls: int = Field(description="tried more than once")  # noqa: N815


class CampaignInformation(Answer):
    """A campaign; times are Unix times in milliseconds."""

    id: int
    name: str
    creationDate: int  # noqa: N815
    status: CampaignState
    startTime: int | None  # noqa: N815
    endTime: int | None  # noqa: N815
    maxSimultaneousCalls: int  # noqa: N815
    shortReport: ShortReport  # noqa: N815


class JobReport(Answer):
    """A call job with an attempt; of one that was never tried, the fields of the attempt are null.

    Times are Unix times in milliseconds, `callDuration` is in seconds. `callResult` is the outcome
    of the attempt.
    """

    id: int
    phone: str
    payload: dict[str, str]
    jobStatus: JobState  # noqa: N815
    attempt: int | None = Field(description="the attempt's number, from 1")
    startedAt: int | None  # noqa: N815
    finishedAt: int | None  # noqa: N815
    callDuration: float | None  # noqa: N815
    callResult: str | None  # noqa: N815
    reportData: dict[str, Any]  # noqa: N815


class JobIds(RootModel[list[int]]):
    """Ids of call jobs."""


class JobReports(RootModel[list[JobReport]]):
    """Call jobs with attempts."""


class Status(RootModel[CampaignState]):
    """A campaign's status alone."""


class MadeCallsToken(Answer):
    """A campaign's token, which can never be read again, and the address that it makes."""

    token: str
    url: str
