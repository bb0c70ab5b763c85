"""What the store tells of webhooks: rows as frozen values."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping
    from uuid import UUID

DeliveryStatus = Literal["pending", "delivered", "dead"]


@dataclasses.dataclass(frozen=True, slots=True)
class Endpoint:
    """A receiver of an account's events; without `kinds` it gets all.

    One `of_campaigns` gets those of the campaigns whose webhook_url it is. `failures` are those
    since its last success; until `open_until` it is left alone.
    """

    id: int
    account_id: int
    url: str
    of_campaigns: bool
    description: str
    kinds: tuple[str, ...]
    disabled_at: dt.datetime | None
    disabled_reason: str
    failures: int
    open_until: dt.datetime | None
    created_at: dt.datetime

    @property
    def enabled(self) -> bool:
        """Whether events are sent to it."""
        return self.disabled_at is None

    @property
    def version(self) -> int:
        """A number that tells one state of what a person changes from another."""
        told = json.dumps([self.url, self.kinds, self.description, self.enabled])
        return int.from_bytes(hashlib.sha256(told.encode()).digest()[:6])


@dataclasses.dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one receiver, and what came of it so far.

    `next_at` is when it is tried next, or given to another node where one sends it now; None while
    an earlier event of its call or campaign is pending, and once it is over. `problem` says why
    the last attempt did not count, `answer` how the body began.
    """

    id: int
    endpoint_id: int
    event: tuple[int, int] | None
    campaign_id: int | None
    call_id: int | None
    kind: str
    status: DeliveryStatus
    attempts: int
    next_at: dt.datetime | None
    answer_status: int | None
    answer: str
    problem: str
    created_at: dt.datetime
    last_attempt_at: dt.datetime | None
    ended_at: dt.datetime | None

    @property
    def message_id(self) -> str:
        """The id that each of its messages has."""
        return message_id(self.id, self.event)


@dataclasses.dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """What a node sends, until its claim ends: the event, and what it is about, for JSON.

    `secrets` are as they stand in the table. `probe`: the only one of a receiver that takes
    nothing. `event` is None of a test; `gone` where the event is not kept any more; `url` None
    where the campaign has none any more.
    """

    id: int
    claim: UUID
    account_id: int
    endpoint_id: int
    url: str | None
    of_campaigns: bool
    secrets: tuple[str, ...]
    attempts: int
    expires_at: dt.datetime
    probe: bool
    event: tuple[int, int] | None
    gone: bool
    kind: str
    at: dt.datetime
    data: Mapping[str, Any]
    campaign: dict[str, Any] | None
    call: dict[str, Any] | None
    attempt: dict[str, Any] | None

    @property
    def message_id(self) -> str:
        """The id that each of its messages has."""
        return message_id(self.id, self.event)


@dataclasses.dataclass(frozen=True, slots=True)
class AttemptReport:
    """What came of an attempt, for the table.

    Where it was not delivered it is tried again after `wait` seconds, with None never. `gone`: the
    receiver wants nothing any more.
    """

    id: int
    claim: UUID
    endpoint_id: int
    delivered: bool
    wait: float | None
    gone: bool
    answer_status: int | None
    answer: str
    problem: str


@dataclasses.dataclass(frozen=True, slots=True)
class Backlog:
    """What waits of an instance: deliveries, the oldest's age, receivers left alone.

    `unread_seconds` is the age of the oldest event that was not looked at yet.
    """

    pending: int
    dead: int
    oldest_seconds: float
    circuits_open: int
    unread_seconds: float


def message_id(delivery_id: int, event: tuple[int, int] | None) -> str:
    """Return the id of a message: that of its event, as live events have it, or of a test."""
    return f"test-{delivery_id}" if event is None else f"{event[0]}-{event[1]}"
