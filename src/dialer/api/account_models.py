"""What goes over the wire about accounts: plan and usage, tokens, and the do-not-call list."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AliasChoices,
    AwareDatetime,
    BeforeValidator,
    Field,
    StringConstraints,
    TypeAdapter,
)

from dialer.api.models import MAX_NUMBERS, Answer, Page, RejectedRow, Request, plus
from dialer.campaign.account_settings import AccountSettings
from dialer.campaign.role import Role
from dialer.campaign.setting_types import Printable

Kind = Literal["number", "prefix"]
Scope = Literal["account", "all"]
Phone = Annotated[str, StringConstraints(max_length=200)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500), Printable]

SCOPE = "the account's own list, or that for all accounts, which only the default account keeps"

# Requests.


class NewToken(Request):
    """A token to make: whose it is, what it may do, and until when (with UTC offset)."""

    name: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), Printable
    ]
    role: Role
    expires_at: AwareDatetime | None = None


class NewListing(Request):
    """Whom not to call: a number, or with `kind` prefix all that begin so, which has its +."""

    phone: Phone
    kind: Kind = "number"
    reason: Reason = ""


def _bare(value: object) -> object:
    return {"phone": value} if isinstance(value, str) else value


NewListings = Annotated[
    list[Annotated[NewListing, BeforeValidator(_bare, json_schema_input_type=NewListing | str)]],
    Field(min_length=1, max_length=MAX_NUMBERS),
]

NEW_TOKEN: TypeAdapter[NewToken] = TypeAdapter(NewToken)
NEW_LISTINGS: TypeAdapter[list[NewListing]] = TypeAdapter(NewListings)


class ScopeQuery(Request):
    """Which list."""

    scope: Annotated[Scope, Field(description=SCOPE)] = "account"


class ListingQuery(Page):
    """Which entries: a page of one list, or all that list a number."""

    scope: Annotated[Scope, Field(description=SCOPE)] = "account"
    number: Annotated[
        Phone | None,
        Field(description="what lists this number, on the account's list and that for all"),
        AfterValidator(lambda number: number if number is None else plus(number)),
    ] = None


class GoneListing(Request):
    """Which entry to take off a list."""

    phone: Annotated[Phone, AfterValidator(plus)]
    kind: Kind = "number"
    scope: Annotated[Scope, Field(description=SCOPE)] = "account"


# Answers.


class PlanPeriod(Answer):
    """The period in which we are: its first day in the account's zone, and when it begins, ends."""

    start: dt.date
    begins_at: dt.datetime
    ends_at: dt.datetime


class PlanUsage(Answer):
    """What is used of the period, `talking` in it by calls that are up; what is left, null: all.

    Minutes are billed by the plan's increment. Places among the unique users are `reserved` by
    attempts under way.
    """

    billed_minutes: float
    talking_minutes: float
    minutes_left: float | None
    unique_users: int
    unique_users_reserved: int
    unique_users_left: int | None
    live_calls: int


class OwnToken(Answer):
    """The token that the request was sent with."""

    name: str
    role: Role


class OwnAccount(Answer):
    """The account of the token: its plan, and what is used of it."""

    id: int
    settings: AccountSettings
    created_at: dt.datetime
    period: PlanPeriod
    usage: PlanUsage
    token: OwnToken


class Token(Answer):
    """A token, without its secret."""

    id: int
    name: str
    role: Role
    created_at: dt.datetime
    last_used_at: dt.datetime | None = Field(description="to the minute")
    expires_at: dt.datetime | None
    revoked_at: dt.datetime | None


class MadeToken(Token):
    """A token with its secret, which is shown this once."""

    secret: str


class TokenList(Answer):
    """An account's tokens, oldest first."""

    items: list[Token]


class Listing(Answer):
    """An entry of a do-not-call list."""

    id: int
    scope: Scope
    phone: str = Field(validation_alias=AliasChoices("phone", "pattern"))
    kind: Kind
    reason: str
    source: Literal["person", "import", "api", "callee"]
    created_at: dt.datetime


class ListingPage(Answer):
    """A page of entries, newest first."""

    items: list[Listing]
    next_cursor: str | None


class AddedListings(Answer):
    """What became of the entries; the list of rejected ones is bounded, the counts are not."""

    added: int
    already_listed: int
    rejected: int
    rejected_rows: list[RejectedRow]
    rejected_rows_truncated: bool
