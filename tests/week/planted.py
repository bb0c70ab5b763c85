"""A small week put straight into the tables, as the dialer would have left it: all is in order.

Tests break one thing in it, and see that the check says so.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid

from tests.week.rules_of_limits import cost, period_of
from tests.week.rules_of_records import BECOMES
from tests.week.story import Told

from dialer.simulator.ledger import CallRecord, Ledger
from dialer.store.records import DEFAULT_ACCOUNT

BEGAN = dt.datetime(2026, 3, 9, tzinfo=dt.UTC)  # a Monday
OFFICE_HOURS = [{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "to": "18:00"}]
BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
ANN, BOB, CAT, DAN, EVE = "+493010001", "+12125550102", "+493010003", "+493010004", "+493010005"
TOLD = Told(BEGAN)
WITHOUT_ANSWER = {"no_answer": 487, "busy": 486, "declined": 603, "unwanted": 607}
SECOND = dt.timedelta(seconds=1)


def at(clock, day=0):
    """A time of the week: `09:00` in UTC, on its first day or a later one."""
    return BEGAN + dt.timedelta(
        days=day, hours=int(clock[:2]), minutes=int(clock[3:5]), seconds=int(clock[6:] or 0)
    )


@dataclasses.dataclass
class Tried:
    """An attempt: when, what came of it, and how long it rang and talked."""

    at: dt.datetime
    outcome: str
    ring: float = 10.0
    talk: float = 0.0
    rang: bool = True
    counted: bool = True
    more: dict = dataclasses.field(default_factory=dict)

    @property
    def answered(self):
        return self.outcome == "answered"

    @property
    def ended(self):
        return self.at + (self.ring + self.talk) * SECOND

    @property
    def code(self):
        return 200 if self.answered else WITHOUT_ANSWER.get(self.outcome, 500)


class Week:
    """The tables and the far end's ledger, filled call by call."""

    def __init__(self, db):
        self.db = db
        self.ledger = Ledger()
        self.campaign_id = None

    async def campaign(self, **settings):
        """A campaign in progress; the calls that follow are its own."""
        settings = {
            "account_id": DEFAULT_ACCOUNT, "name": "Spring", "trunks": ["lab"], "caller_ids": [],
            "max_simultaneous_calls": 2, "max_attempts": 3, "retry_interval_seconds": 3600,
            "retry_by_outcome": {}, "ring_timeout_seconds": 40, "max_talk_seconds": 3600,
            "on_answer": {}, "redial_interrupted": False, "status": "in_progress",
            "windows": OFFICE_HOURS, **settings,
        }  # fmt: skip
        self.campaign_id = await self.insert("campaigns", settings)
        data = {"from": None, "to": settings["status"]}
        await self.event(f"campaign.{settings['status']}", data)
        return self.campaign_id

    async def call(self, number, *tried, status=None, zone=BERLIN, due=None, **columns):
        """A call with its attempts; the last decides its status where none is given."""
        if status is None:
            status = BECOMES[tried[-1].outcome][0] if tried else "planned"
        waits = status in {"planned", "retry_scheduled"}
        call_id = await self.insert(
            "calls",
            {
                "account_id": DEFAULT_ACCOUNT, "campaign_id": self.campaign_id,
                "position": len(await self.db.fetch("SELECT FROM calls")) + 1, "number": number,
                "next_number": number, "dialable": True, "problem": "", "payload": {},
                "priority": 0, "status": status, "schedule_id": await self.schedule(zone),
                "attempts": len(tried), "attempts_counted": sum(one.counted for one in tried),
                "due": due or at("09:00", day=1) if waits else None,
                "last_final_status": BECOMES[tried[-1].outcome][0] if tried else None, **columns,
            },
        )  # fmt: skip
        was = "planned"
        for ordinal, one in enumerate(tried, 1):
            becomes = status if ordinal == len(tried) else "retry_scheduled"
            await self.attempt(call_id, number, ordinal, one, was, becomes)
            was = becomes
        return call_id

    async def schedule(self, zone):
        row = {"campaign_id": self.campaign_id, "time_zone": zone}
        found = await self.db.fetchval(
            "SELECT id FROM schedules WHERE campaign_id = $1 AND time_zone = $2", *row.values()
        )
        return found or await self.insert("schedules", row)

    async def attempt(self, call_id, number, ordinal, one, was, becomes):
        attempt_id, increment = uuid.uuid4(), 30
        billed = cost(one.talk, increment) if one.answered else 0
        await self.insert(
            "attempts",
            {
                "id": attempt_id, "call_id": call_id, "campaign_id": self.campaign_id,
                "ordinal": ordinal, "node": "one", "epoch": 1, "was": was, "outcome": one.outcome,
                "rule": one.outcome, "status": becomes, "counted": one.counted,
                "billed_seconds": billed, "ended_at": one.ended,
            },
        )  # fmt: skip
        sent = one.outcome not in {"suppressed", "plan_limit_exceeded"}
        if sent:
            await self.event("call.in_progress", {"from": was, "to": "in_progress"}, call_id)
            await self.leg(attempt_id, number, one)
        was = "in_progress" if sent else was
        await self.event(f"call.{becomes}", {"from": was, "to": becomes}, call_id)
        if one.answered:
            await self.used(number, one.at, billed)

    async def leg(self, attempt_id, number, one):
        call_id = str(uuid.uuid4())
        answered = one.at + one.ring * SECOND if one.answered else None
        await self.insert(
            "legs",
            {
                "attempt_id": attempt_id, "ordinal": 0, "trunk": "lab", "number": number,
                "caller_id": "", "identity": {"call_id": call_id}, "code": one.code,
                "rang": one.rang, "answered": one.answered, "sent_at": one.at,
                "answered_at": answered, "ended_at": one.ended, "talk_seconds": one.talk,
                "outcome": one.outcome, **one.more,
            },
        )  # fmt: skip
        self.ledger.calls[call_id] = CallRecord(
            call_id,
            number,
            (one.at - BEGAN).total_seconds(),
            invites=1,
            provisionals=[100, 180] if one.rang else [100],
            finals=[one.code],
            acks=1,
            answered_at=None if answered is None else (answered - BEGAN).total_seconds(),
            ended_at=(one.ended - BEGAN).total_seconds(),
        )

    async def used(self, number, moment, billed):
        account = await self.db.fetchrow("SELECT * FROM accounts WHERE id = $1", DEFAULT_ACCOUNT)
        period = period_of(account, moment)
        await self.db.execute(
            """
            WITH place AS (
                INSERT INTO unique_users VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING 1)
            INSERT INTO usage AS u
            SELECT $1, $2, $4, count(*) FROM place
            ON CONFLICT (account_id, period) DO UPDATE
                SET billed_seconds = u.billed_seconds + excluded.billed_seconds,
                    unique_users = u.unique_users + excluded.unique_users
            """,
            DEFAULT_ACCOUNT,
            period,
            number,
            billed,
        )

    async def event(self, kind, data, call_id=None, moment=None):
        await self.db.execute(
            "INSERT INTO events (account_id, campaign_id, call_id, kind, data, at)"
            " VALUES ($1, $2, $3, $4, $5, $6)",
            DEFAULT_ACCOUNT,
            self.campaign_id,
            call_id,
            kind,
            data,
            BEGAN if moment is None else moment,
        )

    async def insert(self, table, row):
        names, places = ", ".join(row), ", ".join(f"${n}" for n in range(1, len(row) + 1))
        return await self.db.fetchval(
            f"INSERT INTO {table} ({names}) VALUES ({places}) RETURNING *", *row.values()
        )

    def seen(self, number, which=0):
        """The far end's record of a call to a number."""
        return self.ledger.of_number(number)[which]


async def sound_week(db):
    """Five people, three called; one waits, and one may not be called."""
    await db.execute(
        "UPDATE accounts SET increment_seconds = 30, minutes = 10, unique_users = 2,"
        " attempts_per_day = 3, attempts_per_week = 3, max_simultaneous_calls = 2,"
        " allowed_prefixes = '{+49,+1}'"
    )
    await db.execute(
        "INSERT INTO do_not_call (pattern, source, created_at) VALUES ($1, 'person', $2)",
        EVE,
        BEGAN,
    )
    week = Week(db)
    await week.campaign()
    await week.call(ANN, Tried(at("09:00"), "answered", talk=61))
    await week.call(
        BOB,
        Tried(at("14:00"), "busy", rang=False),
        Tried(at("14:30"), "answered", talk=20),
        zone=NEW_YORK,
    )
    three = [Tried(at(clock), "no_answer", ring=40) for clock in ("09:00:30", "10:05", "11:10")]
    await week.call(CAT, *three)
    await week.call(DAN)
    await week.call(EVE, Tried(at("09:00"), "suppressed", counted=False))
    return week
