"""Shapes of the live events."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - pydantic reads the annotations
from typing import Annotated, Any
from uuid import UUID  # noqa: TC003 - as above

from pydantic import Field

from dialer.api.models import Answer, Request

CURSOR = r"^\d{1,18}-\d{1,18}$"

Kind = Annotated[str, Field(min_length=1, max_length=60)]


class EventQuery(Request):
    """Which events, and after which one."""

    campaign_id: Annotated[
        list[Annotated[int, Field(ge=1, le=2**63 - 1)]],
        Field(max_length=100, description="of these campaigns only; one or several"),
    ] = Field(default_factory=list)
    kind: Annotated[
        list[Kind],
        Field(max_length=50, description="these only; `call.` stands for all that begin so"),
    ] = Field(default_factory=list)
    last_event_id: Annotated[
        str | None,
        Field(
            pattern=CURSOR,
            description="the last event that was seen, as the header Last-Event-ID says it",
        ),
    ] = None


class LiveEvent(Answer):
    """A change of status, as it happened."""

    id: str
    kind: str
    at: dt.datetime
    campaign_id: int | None
    call_id: int | None
    attempt_id: UUID | None
    data: dict[str, Any]
