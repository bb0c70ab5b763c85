"""What the store tells of accounts: rows as frozen values."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import datetime as dt

    from dialer.campaign.plan import PeriodKind
    from dialer.campaign.role import Role


@dataclasses.dataclass(frozen=True, slots=True)
class AccountSettings:
    """An account's name and plan; the fields of `campaign.account_settings`, None is no limit."""

    name: str
    time_zone: str = "UTC"
    minutes: int | None = None
    unique_users: int | None = None
    increment_seconds: int = 1
    period: PeriodKind = "month"
    anchor_day: int = 1
    max_simultaneous_calls: int | None = None
    allowed_prefixes: tuple[str, ...] = ()
    attempts_per_day: int | None = None
    attempts_per_week: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Account:
    """An account as it stands; nobody uses a closed one any more."""

    id: int
    settings: AccountSettings
    created_at: dt.datetime
    closed_at: dt.datetime | None


@dataclasses.dataclass(frozen=True, slots=True)
class Token:
    """A token without its secret, of which only a hash is kept."""

    id: int
    account_id: int
    name: str
    role: Role
    created_at: dt.datetime
    last_used_at: dt.datetime | None
    expires_at: dt.datetime | None
    revoked_at: dt.datetime | None


@dataclasses.dataclass(frozen=True, slots=True)
class Bearer:
    """Who shows a token that may be used.

    `token_id` where it is one of an account's, `campaign_id` where it is of one campaign alone.
    """

    account_id: int
    role: Role
    name: str
    token_id: int | None = None
    campaign_id: int | None = None


ListingSource = Literal["person", "import", "api", "callee"]


@dataclasses.dataclass(frozen=True, slots=True)
class NewListing:
    """What goes on a do-not-call list: a whole number as it is stored, or how numbers begin."""

    pattern: str
    is_prefix: bool = False
    reason: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Listing:
    """An entry of a do-not-call list; without `account_id` it holds for all accounts.

    `source`: a person on the machine, an imported list, the API, or the callee, who said so.
    """

    id: int
    account_id: int | None
    pattern: str
    is_prefix: bool
    reason: str
    source: ListingSource
    created_at: dt.datetime

    def told(self) -> str:
        """Return in a sentence why a number that it fits is not called."""
        whose = "for all accounts" if self.account_id is None else "of the account"
        what = f"numbers that begin with {self.pattern}" if self.is_prefix else "it"
        said = f" ({self.reason})" if self.reason else ""
        return (
            f"the do-not-call list {whose} has {what} since {self.created_at:%Y-%m-%d},"
            f" entry {self.id}{said}"
        )
