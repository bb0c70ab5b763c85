"""Shapes of recordings."""

import datetime as dt
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, computed_field

from dialer.api.models import MAX_ID, Answer, Page
from dialer.api.report_models import Time


class RecordingQuery(Page):
    """Which recordings."""

    campaign_id: Annotated[int | None, Field(ge=1, le=MAX_ID)] = None
    call_id: Annotated[int | None, Field(ge=1, le=MAX_ID)] = None
    since: Annotated[
        Time | None, Field(alias="from", description="begun from this moment on, with its zone")
    ] = None


class Recording(Answer):
    """A recording of a call; its sound is at `/v1/recordings/{id}/audio` until it is deleted."""

    id: UUID
    campaign_id: int
    call_id: int
    attempt_id: UUID
    started_at: dt.datetime
    seconds: float
    format: Literal["wav", "opus"]
    octets: int = Field(description="bytes of the sound, whatever it takes where it is kept")
    sha256: str = Field(description="of the sound, hexadecimal")
    whole: bool = Field(description="false where pieces of it were lost")
    sealed: bool = Field(description="whether it is kept encrypted")
    consent: Literal["given", "announced", "key", "column"]
    consent_detail: str
    expires_at: dt.datetime | None = Field(
        description="when it is deleted; null: as soon as its call is"
    )
    deleted_at: dt.datetime | None = Field(
        description="since when nobody can listen to it any more",
    )
    deleted_because: Literal["expired", "deleted"] | None = Field(
        description="its time was over, or somebody deleted it",
    )
    gone_at: dt.datetime | None = Field(
        description="when its sound was gone from where it was kept; until then that is tried",
    )

    @computed_field  # type: ignore[prop-decorator] # pydantic's documented form
    @property
    def file_name(self) -> str:
        """What a file with its sound is called."""
        began = self.started_at.astimezone(dt.UTC)
        return f"call-{self.call_id}-{began:%Y%m%dT%H%M%SZ}.{self.format}"


SAME = tuple(Recording.model_fields.keys() - {"deleted_at", "deleted_because", "gone_at"})
"""The fields that are those of the store."""


class RecordingPage(Answer):
    """A page of recordings, the last added first."""

    items: list[Recording]
    next_cursor: str | None
