"""A day in the life of a small company, for pictures and for looking at every page."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import random

from dialer.campaign.role import Role
from dialer.campaign.status import CallStatus
from dialer.client import Client
from dialer.store import accounts, tokens

NAMES = (
    "Ada",
    "Ben",
    "Clara",
    "Dario",
    "Elif",
    "Finn",
    "Greta",
    "Hana",
    "Ivo",
    "Jana",
    "Karl",
    "Lena",
)
ROOMS = ("Dr. Adler", "Dr. Brandt", "Dr. Costa")
PATIENCE = 60.0  # seconds

# What the simulated carrier does with a number that begins so, and how many of a hundred do.
MIXTURE = (
    ("200{d}{h}", 56),  # rings, answers, hangs up
    ("486", 13),  # busy
    ("480X019", 17),  # rings, nobody answers
    ("603X021", 6),  # declined
    ("480Y020", 4),  # unreachable
    ("404Y001", 3),  # no such number
    ("500Y041", 1),  # a fault of the network
)


@dataclasses.dataclass(frozen=True)
class Scene:
    """What was made: campaigns by their name, and a call that rang and was answered."""

    campaigns: dict
    answered: int


def numbers(count, seed):
    """Return numbers of the mixture, with who they are."""
    chosen = random.Random(seed)
    kinds = [form for form, weight in MIXTURE for _ in range(weight)]
    found = {}
    while len(found) < count:
        number = _number(chosen.choice(kinds), chosen)
        found[number] = {
            "name": chosen.choice(NAMES),
            "appointment": f"{chosen.randint(8, 16)}:{chosen.choice(('00', '15', '30'))}",
            "with": chosen.choice(ROOMS),
        }
    return [{"phone": phone, "payload": payload} for phone, payload in found.items()]


def _number(form, chosen):
    digits = form.replace("{d}", str(chosen.randint(0, 1))).replace(
        "{h}", str(chosen.randint(1, 9))
    )
    digits = digits.replace("X", str(chosen.choice((1, 3, 5, 7, 9))))
    digits = digits.replace("Y", str(chosen.choice((0, 2, 4, 6, 8))))
    return "+1555" + digits + "".join(str(chosen.randint(0, 9)) for _ in range(7 - len(digits)))


async def settled(client, campaign_id):
    """Wait until no call of a campaign is due or under way."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = await client.campaign(campaign_id)
            counts = {one.status: one.calls for one in found.counts}
            if not counts[CallStatus.PLANNED] + counts[CallStatus.IN_PROGRESS]:
                return
            await asyncio.sleep(0.2)


def make(house, calls=150):
    """Let the company work, and return what can be looked at."""
    return house.run(_make(house, calls), 2 * PATIENCE)


async def _make(house, calls):
    await _plan(house.pool)
    async with Client(house.url) as client:
        await _reminders(client, house, calls)
        survey = await _survey(client, calls // 3)
        await _others(client, calls)
        await _lists(client)
        page = await client.campaigns(limit=50)
        found = {one.name: one.id for one in page.items}
        answered = await client.calls(survey, CallStatus.ANSWERED, limit=500)
    await house.pool.execute(CREATED)
    await tokens.create(house.pool, 1, "front desk", Role.OPERATOR)
    await tokens.create(house.pool, 1, "wallboard", Role.VIEWER)
    _, old = await tokens.create(house.pool, 1, "old crm", Role.OPERATOR)
    await tokens.revoke(house.pool, 1, old.id)
    rang = [one.id for one in answered.items if one.number.startswith("+15552001")]
    return Scene(found, rang[0])


async def _plan(pool):
    plan = {
        "name": "riverside-clinic",
        "time_zone": "Europe/Berlin",
        "minutes": 5000,
        "unique_users": 2000,
        "max_simultaneous_calls": 40,
        "increment_seconds": 6,
    }
    await accounts.change(pool, 1, plan)


async def _reminders(client, house, calls):
    """A campaign that has been at it since the morning, with calls that are up."""
    made = await client.create_campaign(
        {
            "name": "Appointment reminders, week 48",
            "trunks": ["berlin-carrier", "clinic-pbx"],
            "caller_ids": ["+15550001000"],
            "max_simultaneous_calls": 30,
            "max_attempts": 3,
            "retry_interval_minutes": 45,
            "retry_by_outcome": {"busy": 20},
            "ring_timeout_seconds": 120,
            "on_answer": {"kind": "hang_up", "after_seconds": 3600},
        }
    )
    await client.add_numbers(made.id, numbers(calls, seed=1))
    await client.start(made.id)
    await settled(client, made.id)
    await house.pool.execute(SPREAD, made.id)
    await house.pool.execute(TALKED, made.id)
    up = [{"phone": f"+15552000{n:03}"} for n in (17, 42, 81)]  # answer and stay
    ringing = [{"phone": f"+1555180{n:04}"} for n in (2210, 4471)]
    await client.change_campaign(made.id, {"max_simultaneous_calls": 5})
    await client.add_numbers(made.id, [*up, *ringing])
    await client.add_numbers(made.id, numbers(calls // 2, seed=2))
    return made.id


async def _survey(client, calls):
    made = await client.create_campaign(
        {
            "name": "Patient survey",
            "trunks": ["clinic-pbx"],
            "max_attempts": 1,
            "max_simultaneous_calls": 20,
            "on_answer": {"kind": "hang_up", "after_seconds": 3600},
        }
    )
    await client.add_numbers(made.id, numbers(calls, seed=3))
    await client.start(made.id)
    await settled(client, made.id)
    await client.add_numbers(made.id, numbers(calls, seed=4))
    await client.pause(made.id)
    return made.id


async def _others(client, calls):
    """One finished, one planned for later, one draft, one that waits for its hours."""
    finished = await client.create_campaign(
        {
            "name": "Vaccination call-back",
            "trunks": ["berlin-carrier"],
            "max_attempts": 1,
            "on_answer": {"kind": "hang_up", "after_seconds": 3600},
        }
    )
    await client.add_numbers(finished.id, numbers(calls // 4, seed=5))
    await client.start(finished.id)
    await settled(client, finished.id)
    await client.finish(finished.id)
    later = (dt.datetime.now(dt.UTC) + dt.timedelta(days=2)).isoformat()
    planned = await client.create_campaign(
        {"name": "Recall of hearing tests", "trunks": ["clinic-pbx"], "start_at": later}
    )
    await client.add_numbers(planned.id, numbers(calls // 3, seed=6))
    await client.start(planned.id)
    await client.create_campaign({"name": "New opening hours", "trunks": ["berlin-carrier"]})


async def _lists(client):
    await client.add_do_not_call(
        [
            {"phone": "+493055512340", "reason": "asked in a letter"},
            {"phone": "+4930555777", "kind": "prefix", "reason": "the hospital's own lines"},
            {"phone": "+4915155501234", "reason": "complaint of 12 November"},
        ]
    )
    await client.hold_trunk(
        "clinic-pbx", "maintenance of the switchboard until 15:00", "front desk"
    )
    await client.release_trunk("clinic-pbx")


# The morning's attempts, hour by hour; the drawing of a day wants one.
SPREAD = """
WITH moved AS (
    UPDATE attempts SET created_at = created_at - back, ended_at = ended_at - back
    FROM (
        SELECT id, make_interval(mins => (40 + 480 * random())::int) AS back
        FROM attempts WHERE campaign_id = $1
    ) AS b
    WHERE attempts.id = b.id
    RETURNING attempts.id, call_id, back
)
UPDATE calls SET updated_at = updated_at - back FROM moved WHERE calls.id = moved.call_id
"""
CREATED = """
UPDATE campaigns SET created_at = created_at - make_interval(hours => 4 * (6 - id)::int),
    started_at = started_at
        - make_interval(hours => CASE id WHEN 1 THEN 9 ELSE 3 * (6 - id)::int END)
"""
TALKED = """
UPDATE legs SET talk_seconds = talk_seconds + 8 + 70 * random()
WHERE answered AND attempt_id IN (SELECT id FROM attempts WHERE campaign_id = $1)
"""
