"""What goes over the wire about webhooks: receivers, their secrets, deliveries."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, TypeAdapter

from dialer.api.models import Answer, Page, Request
from dialer.campaign.event_kinds import check_kind
from dialer.campaign.setting_types import Printable

Status = Literal["pending", "delivered", "dead"]
Url = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2048)]
Kinds = Annotated[
    list[Annotated[str, AfterValidator(check_kind)]],
    Field(max_length=50, description="such as call.answered or call.*; none: all"),
]
Description = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200), Printable]

# Requests.


class NewWebhook(Request):
    """A receiver to make."""

    url: Url
    kinds: Kinds = Field(default_factory=list)
    description: Description = ""
    enabled: bool = True


class WebhookChanges(Request):
    """What to change of a receiver; what is not named stays."""

    url: Url = Field(default="")
    kinds: Kinds = Field(default_factory=list)
    description: Description = ""
    enabled: bool = True


class NewSecret(Request):
    """For how long the present secret signs beside the new one."""

    overlap_hours: Annotated[float, Field(ge=0, le=720)] = 24


class DeliveryQuery(Page):
    """Which deliveries."""

    status: Status | None = None


NEW_WEBHOOK: TypeAdapter[NewWebhook] = TypeAdapter(NewWebhook)
WEBHOOK_CHANGES: TypeAdapter[WebhookChanges] = TypeAdapter(WebhookChanges)
NEW_SECRET: TypeAdapter[NewSecret] = TypeAdapter(NewSecret)

# Answers.


class Webhook(Answer):
    """A receiver, without its secret.

    One `of_campaigns` is there for the campaigns that have its address as webhook_url, and gets
    their events alone, signed with the account's secret.
    """

    id: int
    url: str
    kinds: list[str]
    description: str
    of_campaigns: bool
    enabled: bool
    disabled_at: dt.datetime | None
    disabled_reason: str = Field(description="why it is disabled, or empty")
    failures: int = Field(description="since the last delivery that it took")
    open_until: dt.datetime | None = Field(
        description="until when it is left alone, since it takes nothing or asked for it"
    )
    created_at: dt.datetime


class MadeWebhook(Webhook):
    """A receiver with its signing secret, which is shown this once."""

    secret: str


class WebhookPage(Answer):
    """A page of receivers, newest first."""

    items: list[Webhook]
    next_cursor: str | None


class MadeSecret(Answer):
    """A new signing secret, which is shown this once."""

    secret: str
    former_signs_until: dt.datetime = Field(
        description="until when the secret before it signs too, where there was one"
    )


class Delivery(Answer):
    """One event for one receiver, and what came of it."""

    id: int
    webhook_id: int
    message_id: str = Field(description="the webhook-id header of each attempt")
    kind: str
    campaign_id: int | None
    call_id: int | None
    status: Status
    attempts: int
    next_attempt_at: dt.datetime | None = Field(
        description="null while an earlier event of its call or campaign is pending, or it is over"
    )
    answer_status: int | None
    answer: str = Field(description="how the body of the last answer began")
    problem: str = Field(description="why the last attempt does not count, or empty")
    created_at: dt.datetime
    last_attempt_at: dt.datetime | None
    ended_at: dt.datetime | None


class DeliveryPage(Answer):
    """A page of deliveries, newest first."""

    items: list[Delivery]
    next_cursor: str | None


class Resent(Answer):
    """How many deliveries are sent again."""

    resent: int
