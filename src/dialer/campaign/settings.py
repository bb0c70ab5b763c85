"""A campaign's settings as a person gives them, checked."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - pydantic needs it at run time
import json
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field, StringConstraints

from dialer.campaign.calendar import check_country
from dialer.campaign.machine_detection import (
    MachineDetection,  # noqa: TC001 - pydantic needs it at run time
)
from dialer.campaign.menu import Gather
from dialer.campaign.outcome import Outcome  # noqa: TC001 - pydantic needs it at run time
from dialer.campaign.plan import zone_of
from dialer.campaign.recording import Recording  # noqa: TC001 - pydantic needs it at run time
from dialer.campaign.setting_types import Printable, Settings
from dialer.campaign.spoken_prompt import Prompt
from dialer.campaign.transfer import (  # noqa: TC001 - pydantic needs it at run time
    Transfers,
    TransferTarget,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

RING_TIMEOUT_RANGE = (15, 120)  # seconds; for people, since a shorter ring helps nobody
ONE_WEEK_MINUTES = 7 * 24 * 60


T = TypeVar("T")


def _distinct(values: list[T]) -> list[T]:
    if len(set(values)) < len(values):
        raise ValueError("names the same value twice")
    return values


# What may stand as the user part of a SIP address without escaping, and is a number.
CallerId = Annotated[str, StringConstraints(pattern=r"^\+?[0-9]{1,20}$")]
TrunkName = Annotated[str, StringConstraints(min_length=1, max_length=100), Printable]
Minutes = Annotated[int, Field(ge=1, le=ONE_WEEK_MINUTES)]


class PlayPrompt(Prompt):
    """On answer: play an audio file or say a text, then hang up."""

    kind: Literal["prompt"] = "prompt"


class PlayPromptOnAnswer(PlayPrompt):
    """On answer: play an audio file to whoever answered, then hang up."""

    machine_detection: MachineDetection | None = None
    recording: Recording | None = None


class HangUp(Settings):
    """Hang up after some seconds of silence."""

    kind: Literal["hang_up"] = "hang_up"
    after_seconds: Annotated[float, Field(ge=0, le=3600)] = 0


class HangUpOnAnswer(HangUp):
    """On answer: hang up after some seconds of silence."""

    recording: Recording | None = None


class TryAgainLater(Settings):
    """Where a bot fails: hang up, and call again as after an outcome that is retried."""

    kind: Literal["retry"] = "retry"


Fallback = Annotated[PlayPrompt | HangUp | TryAgainLater, Field(discriminator="kind")]
MOST_PARAMETER_BYTES = 8 * 1024


def _websocket_url(url: str) -> str:
    parts = urlsplit(url)
    if not parts.hostname or parts.username is not None or parts.fragment:
        raise ValueError("must name a host, without user and fragment")
    if parts.port == 0:
        raise ValueError("must not have port 0")
    return url


def _few(parameters: dict[str, str]) -> dict[str, str]:
    if len(json.dumps(parameters, ensure_ascii=False).encode()) > MOST_PARAMETER_BYTES:
        raise ValueError(f"is larger than {MOST_PARAMETER_BYTES} bytes")
    return parameters


class LetBotSpeak(Settings):
    """On answer: a bot at a WebSocket leads the call (docs/bots.md).

    `secret` names a header of the configuration that goes with the handshake. `fallback` is done
    where the bot is away or fails.
    """

    kind: Literal["bot"] = "bot"
    url: Annotated[
        str,
        StringConstraints(pattern=r"^wss?://[^\s]+$", max_length=2048),
        Printable,
        AfterValidator(_websocket_url),
    ]
    parameters: Annotated[
        dict[
            Annotated[str, StringConstraints(min_length=1, max_length=100), Printable],
            Annotated[str, Printable],
        ],
        AfterValidator(_few),
    ] = Field(default_factory=dict)
    secret: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None
    connect_timeout_seconds: Annotated[float, Field(ge=0.1, le=30)] = 5
    fallback: Fallback = HangUp()
    transfers: Transfers = Field(default_factory=dict)
    machine_detection: MachineDetection | None = None
    recording: Recording | None = None


class TransferOnAnswer(Settings):
    """On answer: transfer the call, after a prompt if there is one (docs/transfers.md).

    Where that fails, the call is hung up.
    """

    kind: Literal["transfer"] = "transfer"
    prompt: Prompt | None = None
    target: TransferTarget
    machine_detection: MachineDetection | None = None
    recording: Recording | None = None


OnAnswer = Annotated[
    PlayPromptOnAnswer | HangUpOnAnswer | LetBotSpeak | Gather | TransferOnAnswer,
    Field(discriminator="kind"),
]


def _zone(name: str) -> str:
    zone_of(name)
    return name


def _country(code: str) -> str:
    check_country(code)
    return code


TimeZone = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_zone)]
Country = Annotated[str, StringConstraints(max_length=10), AfterValidator(_country)]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
TimeOfDay = Annotated[str, StringConstraints(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")]


class CallingWindow(Settings):
    """Hours of some weekdays; with `to` at or before `from` they end on the next day."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    days: Annotated[list[Weekday], Field(min_length=1, max_length=7), AfterValidator(_distinct)]
    from_: Annotated[TimeOfDay, Field(alias="from")]
    to: TimeOfDay


Windows = Annotated[list[CallingWindow], Field(max_length=100)]


class CampaignSettings(Settings):
    """What a campaign does; unknown keys are refused, so that a typo is seen.

    Caller IDs are digits with an optional leading +, used in turn; none means the trunk's own.
    Trunks are tried in the order given, or `weighted`: by the configuration's priorities and
    weights.
    `calls_per_second` and `calls_per_minute` null mean no limit of the campaign's own; the lower
    one holds. `start_at` has a UTC offset.
    Calls are made in `windows` alone, none means at any time: in local times of the person called
    (given, or told by the number, or else the campaign's `time_zone`), or with `window_zone`
    campaign in the campaign's. No calls on public holidays of the countries in `holidays` (DE, or
    a part: DE-BY), nor on `dates_without_calls`. `retry_jitter_percent` lengthens each wait by up
    to so much.
    """

    name: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), Printable
    ]
    caller_ids: Annotated[list[CallerId], Field(max_length=1000), AfterValidator(_distinct)] = (
        Field(default_factory=list)
    )
    trunks: Annotated[
        list[TrunkName], Field(min_length=1, max_length=100), AfterValidator(_distinct)
    ]
    trunk_order: Literal["listed", "weighted"] = "listed"
    max_simultaneous_calls: Annotated[int, Field(ge=1, le=10_000)] = 10
    calls_per_second: Annotated[float, Field(gt=0, le=1000)] | None = None
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 3
    retry_interval_minutes: Minutes = 60
    retry_by_outcome: dict[Outcome, Minutes] = Field(default_factory=dict)
    ring_timeout_seconds: Annotated[
        int, Field(ge=RING_TIMEOUT_RANGE[0], le=RING_TIMEOUT_RANGE[1])
    ] = 40
    max_talk_seconds: Annotated[int, Field(ge=1, le=24 * 3600)] = 3600
    on_answer: OnAnswer = HangUpOnAnswer()
    start_at: AwareDatetime | None = None
    webhook_url: (
        Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$", max_length=2048), Printable]
        | None
    ) = None
    redial_interrupted: bool = False
    calls_per_minute: Annotated[float, Field(gt=0, le=60_000)] | None = None
    retry_jitter_percent: Annotated[int, Field(ge=0, le=50)] = 10
    time_zone: TimeZone = "UTC"
    window_zone: Literal["customer", "campaign"] = "customer"
    windows: Windows = Field(default_factory=list)
    holidays: Annotated[list[Country], Field(max_length=20), AfterValidator(_distinct)] = Field(
        default_factory=list
    )
    dates_without_calls: Annotated[
        list[dt.date], Field(max_length=1000), AfterValidator(_distinct)
    ] = Field(default_factory=list)

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """Return these settings with some keys replaced; raises pydantic's ValidationError."""
        return type(self).model_validate({**self.model_dump(), **changes})
