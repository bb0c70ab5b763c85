"""What happened, read from the tables with SQL of its own: nothing of the dialer is asked."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import json
from typing import Any

FAR_AWAY = dt.datetime.max.replace(tzinfo=dt.UTC)

ACCOUNTS = "SELECT * FROM accounts"
CAMPAIGNS = "SELECT * FROM campaigns"
CALLS = """
SELECT k.id, k.account_id, k.campaign_id, k.number, k.alternates, k.status, k.phase, k.due,
    k.attempts_counted, k.max_attempts, k.retry_interval_seconds, k.requeued,
    coalesce(s.time_zone, '') AS time_zone, s.windows
FROM calls AS k LEFT JOIN schedules AS s ON s.id = k.schedule_id
"""
ATTEMPTS = """
SELECT id, call_id, ordinal, outcome, status, counted, flags, billed_seconds, ended_at AS noted_at
FROM attempts ORDER BY call_id, ordinal
"""
LEGS = """
SELECT attempt_id, ordinal, trunk, number, sip_call_id, code, retry_after, local_cause, rang,
    answered, sent_at, answered_at, ended_at, talk_seconds, outcome
FROM legs ORDER BY attempt_id, ordinal
"""
USAGE = "SELECT * FROM usage"
UNIQUE_USERS = "SELECT * FROM unique_users"
EVENTS = """
SELECT campaign_id, kind, data ->> 'action' AS action, data ->> 'to' AS becomes, at
FROM events WHERE kind LIKE 'campaign.%' ORDER BY xid, id
"""
LISTED = "SELECT account_id, pattern, is_prefix, source, created_at FROM do_not_call"

History = list[tuple[dt.datetime, int | None]]


def same(number):
    """A number without what a trunk may write before it: +49 and 0049 are one."""
    return number.lstrip("+0")


@dataclasses.dataclass(slots=True)
class Leg:
    """One INVITE. `sent_at` None: it never left; where somebody watched it leave, when that was.

    `recorded_at` is when it left by the tables.
    """

    attempt: Attempt = dataclasses.field(repr=False)
    ordinal: int
    trunk: str
    number: str
    sip_call_id: str
    code: int | None
    retry_after: int | None
    local_cause: str | None
    rang: bool
    answered: bool
    sent_at: dt.datetime | None
    answered_at: dt.datetime | None
    ended_at: dt.datetime | None
    talk_seconds: float
    outcome: str | None
    recorded_at: dt.datetime | None = None


@dataclasses.dataclass(slots=True)
class Attempt:
    """One attempt; `legs` are those whose INVITE left, in their order.

    `noted_at` is when its end was written, None while it runs.
    """

    call: Call = dataclasses.field(repr=False)
    ordinal: int
    outcome: str | None
    status: str | None
    counted: bool | None
    flags: tuple[str, ...]
    billed_seconds: int
    noted_at: dt.datetime | None
    legs: list[Leg] = dataclasses.field(default_factory=list)

    @property
    def over(self):
        return self.noted_at is not None

    @property
    def began_at(self):
        return self.legs[0].sent_at

    @property
    def ended_at(self):
        """When the last of it ended; far away while it runs."""
        if not self.over:
            return FAR_AWAY
        return max((leg.ended_at or leg.sent_at for leg in self.legs), default=FAR_AWAY)

    @property
    def used_up_a_place(self):
        """By what the network said: a telephone that rang, or that was answered, counts."""
        return bool(self.counted) or any(leg.rang or leg.answered for leg in self.legs)

    def __str__(self):
        return f"{self.call}, attempt {self.ordinal}"


@dataclasses.dataclass(slots=True)
class Call:
    """One person of a campaign's list."""

    id: int
    account_id: int
    campaign: dict[str, Any] = dataclasses.field(repr=False)
    number: str
    alternates: tuple[str, ...]
    status: str
    phase: str | None
    due: dt.datetime | None
    attempts_counted: int
    max_attempts: int
    interval: int
    requeued: int
    time_zone: str
    windows: list[dict[str, Any]] | None
    attempts: list[Attempt] = dataclasses.field(default_factory=list)

    @property
    def dialled(self):
        """The attempts with an INVITE."""
        return [attempt for attempt in self.attempts if attempt.legs]

    def __str__(self):
        return f"campaign {self.campaign['id']}, call {self.id} ({self.number})"


@dataclasses.dataclass(frozen=True, slots=True)
class Listed:
    """Who may not be called, and since when; no account means all."""

    account_id: int | None
    pattern: str
    is_prefix: bool
    since: dt.datetime

    def covers(self, account_id, number):
        if self.account_id not in {None, account_id}:
            return False
        return number.startswith(self.pattern) if self.is_prefix else number == self.pattern


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """What whoever ran the week knows better than the tables: it did it.

    `began`: the wall-clock time at which the ledgers' clock stood at 0. `left`: by Call-ID, when
    an INVITE left us for the first time, on that clock; None where nobody watched. `zones`: the
    time zone that a number was given. `quiet_hours` as `21:00-08:00`, local to the person called.
    `trunk_limits`: simultaneous calls by trunk. `listed`: the do-not-call list with times of the
    week's clock; None takes the table's. `minutes` and `unique_users`: by account, when its limit
    became what, None for no limit. `stops`: from when to when (None: for good) a campaign was not
    in progress, besides what its events say. `shown`: the next attempts that the API told, by
    call. `nodes`: how many shared the calls. `slack`: from a claim to its INVITE, at the most.
    """

    began: dt.datetime
    left: dict[str, float] | None = None
    zones: dict[str, str] = dataclasses.field(default_factory=dict)
    quiet_hours: str = ""
    trunk_limits: dict[str, int] = dataclasses.field(default_factory=dict)
    listed: tuple[Listed, ...] | None = None
    minutes: dict[int, History] = dataclasses.field(default_factory=dict)
    unique_users: dict[int, History] = dataclasses.field(default_factory=dict)
    stops: tuple[tuple[int, dt.datetime, dt.datetime | None], ...] = ()
    shown: dict[int, dt.datetime] = dataclasses.field(default_factory=dict)
    emergency: tuple[str, ...] = ("110", "112", "113", "117", "118", "144", "911", "999")
    nodes: int = 1
    slack: dt.timedelta = dt.timedelta(seconds=5)


@dataclasses.dataclass(slots=True)
class Story:
    """All of it. `far_end` holds the carriers' records by SIP Call-ID."""

    told: Told
    accounts: dict[int, dict[str, Any]]
    campaigns: dict[int, dict[str, Any]]
    calls: dict[int, Call]
    listed: tuple[Listed, ...]
    usage: list[Any]
    unique_users: list[Any]
    campaign_events: list[Any]
    far_end: dict[str, Any]
    legs: list[Leg]

    @property
    def attempts(self):
        """The attempts with an INVITE, call by call."""
        for call in self.calls.values():
            yield from call.dialled

    def at(self, seconds):
        """A time of a ledger on the wall."""
        return self.told.began + dt.timedelta(seconds=seconds)


async def read(db, told, ledgers):
    """Read the story from a database and the carriers' ledgers, after the week."""
    campaigns = {row["id"]: dict(row) for row in await db.fetch(CAMPAIGNS)}
    for campaign in campaigns.values():
        for name in ("windows", "retry_by_outcome"):
            campaign[name] = _plain(campaign[name])
    calls = {row["id"]: _call(row, campaigns) for row in await db.fetch(CALLS)}
    attempts = {}
    for row in await db.fetch(ATTEMPTS):
        attempt = _attempt(row, calls[row["call_id"]])
        attempts[row["id"]] = attempt
        attempt.call.attempts.append(attempt)
    legs = []
    for row in await db.fetch(LEGS):
        leg = Leg(attempts[row["attempt_id"]], *list(row)[1:])
        leg.recorded_at = leg.sent_at
        if told.left is not None and leg.sip_call_id in told.left:
            leg.sent_at = told.began + dt.timedelta(seconds=told.left[leg.sip_call_id])
        legs.append(leg)
        if leg.sent_at is not None:
            leg.attempt.legs.append(leg)
    table = tuple(
        Listed(row["account_id"], row["pattern"], row["is_prefix"], row["created_at"])
        for row in await db.fetch(LISTED)
        if row["source"] != "callee"
    )
    return Story(
        told=told,
        accounts={row["id"]: dict(row) for row in await db.fetch(ACCOUNTS)},
        campaigns=campaigns,
        calls=calls,
        listed=table if told.listed is None else told.listed,
        usage=await db.fetch(USAGE),
        unique_users=await db.fetch(UNIQUE_USERS),
        campaign_events=await db.fetch(EVENTS),
        far_end=dict(collections.ChainMap(*[ledger.calls for ledger in ledgers])),
        legs=legs,
    )


def _call(row, campaigns):
    campaign = campaigns[row["campaign_id"]]
    return Call(
        id=row["id"],
        account_id=row["account_id"],
        campaign=campaign,
        number=row["number"],
        alternates=tuple(row["alternates"]),
        status=row["status"],
        phase=row["phase"],
        due=row["due"],
        attempts_counted=row["attempts_counted"],
        max_attempts=row["max_attempts"] or campaign["max_attempts"],
        interval=row["retry_interval_seconds"]
        if row["retry_interval_seconds"] is not None
        else campaign["retry_interval_seconds"],
        requeued=row["requeued"],
        time_zone=row["time_zone"],
        windows=_plain(row["windows"]),
    )


def _attempt(row, call):
    return Attempt(
        call=call,
        ordinal=row["ordinal"],
        outcome=row["outcome"],
        status=row["status"],
        counted=row["counted"],
        flags=tuple(row["flags"]),
        billed_seconds=row["billed_seconds"],
        noted_at=row["noted_at"],
    )


def _plain(value):
    """JSON as values, whether or not the connection has read it already."""
    return json.loads(value) if isinstance(value, str) else value
