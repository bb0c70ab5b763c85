"""What goes over the wire of the audit log."""

import datetime as dt
from typing import Annotated, Any

from pydantic import Field

from dialer.api.models import MAX_ID, Answer, Page
from dialer.api.report_models import Time
from dialer.campaign.role import Role


class AuditQuery(Page):
    """Which entries."""

    since: Annotated[
        Time | None, Field(alias="from", description="from this moment on, with its zone")
    ] = None
    until: Annotated[Time | None, Field(alias="to", description="before this moment")] = None
    route: Annotated[
        str | None, Field(max_length=100, description="an operationId, such as pauseCampaign")
    ] = None
    campaign_id: Annotated[
        int | None, Field(ge=1, le=MAX_ID, description="what was done with this campaign")
    ] = None


class AuditEntry(Answer):
    """What somebody did, or was refused."""

    id: int
    at: dt.datetime
    token_id: int | None = Field(description="null for the token of the configuration, or none")
    token_name: str
    role: Role
    address: str
    request_id: str = Field(description="X-Request-Id of the answer; the log has it too")
    route: str = Field(description="operationId")
    method: str
    path: str
    campaign_id: int | None
    object: str | None = Field(description="id or name of what it was about, or of what was made")
    status: int
    details: dict[str, Any] = Field(
        description="the fields of the body, without what may be a secret or is about persons"
    )


class AuditPage(Answer):
    """A page of the audit log, newest first."""

    items: list[AuditEntry]
    next_cursor: str | None
