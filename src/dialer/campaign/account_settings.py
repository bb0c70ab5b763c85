"""An account's name and plan as a person gives them, checked."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from dialer.campaign.plan import PeriodKind, zone_of

MOST = 2**31 - 1


def _known(zone: str) -> str:
    zone_of(zone)
    return zone


Limit = Annotated[int, Field(ge=1, le=MOST)]
Prefix = Annotated[str, StringConstraints(pattern=r"^\+?[0-9]{1,15}$")]


class AccountSettings(BaseModel):
    """What an account may use in a period, and whom it may call; null is no limit.

    `increment_seconds`: what talk time is rounded up to. A period begins at midnight of
    `time_zone`: each day, each Monday, or each month on `anchor_day`. `allowed_prefixes`: how the
    numbers begin that may be called, extensions too; none: all. `attempts_per_day` and
    `attempts_per_week` are for one number, over all campaigns.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    # the configuration names accounts beside numbers, so a name is never one
    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
    time_zone: Annotated[str, AfterValidator(_known)] = "UTC"
    minutes: Annotated[int, Field(ge=0, le=MOST)] | None = None
    unique_users: Annotated[int, Field(ge=0, le=MOST)] | None = None
    increment_seconds: Annotated[int, Field(ge=1, le=3600)] = 1
    period: PeriodKind = "month"
    anchor_day: Annotated[int, Field(ge=1, le=31)] = 1
    max_simultaneous_calls: Limit | None = None
    allowed_prefixes: Annotated[list[Prefix], Field(max_length=1000)] = Field(default_factory=list)
    attempts_per_day: Limit | None = None
    attempts_per_week: Limit | None = None
