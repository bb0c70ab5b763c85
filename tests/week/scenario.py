"""What the week is made of: accounts, campaigns, lists, faults, and what people do, from a seed."""

from __future__ import annotations

import dataclasses
import datetime as dt
import random
import zoneinfo

from tests.week.far_end import FAULTS, Fault

from dialer.store.account_records import AccountSettings
from dialer.store.records import NewCall

# Clocks go back in Europe on its first Sunday, in America on its last; New Zealand (26 October),
# Austria (26 October) and Czechia (28 October) have holidays in it.
BEGAN = dt.datetime(2026, 10, 24, 21, tzinfo=dt.UTC)
ENDS = dt.datetime(2026, 11, 1, 12, tzinfo=dt.UTC)
LAST_NIGHT = dt.datetime(2026, 10, 31, 12, tzinfo=dt.UTC)  # the eve of America's
SECONDS = (ENDS - BEGAN).total_seconds()

ZONES = {
    "Europe/London": "+4420",
    "Europe/Berlin": "+4930",
    "Europe/Prague": "+4202",
    "Europe/Moscow": "+7495",
    "America/New_York": "+1212",
    "America/Chicago": "+1312",
    "America/Los_Angeles": "+1213",
    "America/Sao_Paulo": "+5511",
    "Asia/Kolkata": "+9111",
    "Asia/Tokyo": "+8133",
    "Australia/Adelaide": "+6188",
    "Pacific/Auckland": "+6496",
}
TRUNKS = ("north", "south", "west", "east")
MAX_CALLS = 150  # at a time on a trunk
QUIET = "03:00-07:00"  # in the midst of the hour that comes twice in Europe

MORNING = {"days": ["mon", "tue", "wed", "thu", "fri"], "from": "10:00", "to": "11:30"}
EVENING = {"days": ["mon", "tue", "wed", "thu", "fri"], "from": "17:00", "to": "18:00"}
SATURDAY = {"days": ["sat"], "from": "11:00", "to": "12:00"}
NIGHT = {"days": ["sat", "sun"], "from": "00:30", "to": "03:30"}  # over the changes of the clocks
LATE = {"days": ["tue", "thu"], "from": "23:00", "to": "00:30"}
WINDOWS = ([MORNING, EVENING], [MORNING, SATURDAY], [EVENING, SATURDAY], [NIGHT, EVENING], [LATE])


@dataclasses.dataclass(frozen=True, slots=True)
class PlannedCampaign:
    """A campaign to make: what the store is given, and its list in portions by time."""

    account: int  # which of the accounts, from 0
    settings: dict
    portions: tuple[tuple[float, tuple[NewCall, ...]], ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Deed:
    """What a person does at a time of the week's clock, to a campaign or an account."""

    at: float
    what: str  # pause, resume, finish, finish_and_hang_up, list, raise_minutes, raise_unique_users
    which: int  # campaign or account, from 0
    value: object = None


@dataclasses.dataclass(frozen=True, slots=True)
class Scenario:
    """A whole week, to be played."""

    seed: int
    accounts: tuple[AccountSettings, ...]
    campaigns: tuple[PlannedCampaign, ...]
    deeds: tuple[Deed, ...]
    faults: tuple[tuple[Fault, ...], ...]  # of each trunk's carrier
    zones: dict[str, str]  # of each number


def scenario(seed, calls, campaigns=20):
    """Make the week of a seed with so many numbers."""
    chance = random.Random(seed)
    people = _people(chance, calls)
    accounts = _accounts(calls)
    planned = tuple(
        _campaign(chance, index, len(accounts), people[index::campaigns])
        for index in range(campaigns)
    )
    return Scenario(
        seed=seed,
        accounts=accounts,
        campaigns=planned,
        deeds=tuple(sorted(_deeds(chance, planned, people, calls), key=lambda deed: deed.at)),
        faults=tuple(_faults(chance) for _ in TRUNKS),
        zones=dict(people),
    )


def opening(chance):
    """A time in somebody's morning or evening hours, in seconds."""
    zone = zoneinfo.ZoneInfo(chance.choice(list(ZONES)))
    day = BEGAN.date() + dt.timedelta(days=chance.randint(1, 7))
    hour = chance.choice((10, 17))
    local = dt.datetime.combine(day, dt.time(hour), zone)
    return max(60.0, (local - BEGAN).total_seconds() + chance.uniform(0, 3000))


def _people(chance, calls):
    """Numbers and their zones; one in twenty is on a second list as well."""
    zones = list(ZONES.items())
    unique = calls * 20 // 21
    found = []
    for index in range(unique):
        zone, prefix = zones[index % len(zones)]
        found.append((f"{prefix}{index // len(zones) + 1_000_000:07}", zone))
    found += chance.sample(found, calls - unique)
    chance.shuffle(found)
    return found


def _accounts(calls):
    """Three plans, each too small for the week in its own way."""
    return (
        AccountSettings(
            "first",
            time_zone="America/New_York",
            minutes=calls // 24,
            increment_seconds=6,
            period="week",
            max_simultaneous_calls=200,
            attempts_per_day=2,
            attempts_per_week=5,
        ),
        AccountSettings(
            "second",
            time_zone="Asia/Tokyo",
            unique_users=calls // 16,
            period="month",
            anchor_day=28,
            max_simultaneous_calls=120,
            attempts_per_day=1,
        ),
        AccountSettings(
            "third",
            time_zone="Europe/Berlin",
            minutes=calls // 20,
            increment_seconds=60,
            period="day",
            max_simultaneous_calls=300,
            # not Tokyo
            allowed_prefixes=("+44", "+49", "+42", "+7", "+1", "+55", "+9", "+6"),
        ),
    )


def _campaign(chance, index, accounts, people):
    windows = WINDOWS[index % len(WINDOWS)]
    settings = {
        "name": f"campaign {index}",
        "trunks": tuple(chance.sample(TRUNKS, chance.randint(1, 3))),
        "trunk_order": chance.choice(("listed", "weighted")),
        "max_simultaneous_calls": chance.choice((40, 60, 100)),
        "calls_per_second": chance.choice((None, None, None, 20.0)),
        "max_attempts": chance.randint(1, 4),
        "retry_interval_seconds": chance.choice((1800, 3600, 7200)),
        "retry_by_outcome": {"busy": 900} if chance.random() < 0.5 else {},
        "ring_timeout_seconds": chance.choice((20, 30, 40)),
        "max_talk_seconds": chance.choice((60, 120)),
        "on_answer": {"kind": "hang_up", "after_seconds": chance.choice((30, 60))},
        "redial_interrupted": chance.random() < 0.5,
        "time_zone": chance.choice(list(ZONES)),
        "window_zone": "campaign" if index % 7 == 3 else "customer",
        "windows": tuple(windows),
        "holidays": ("NZ", "AT", "CZ") if index % 3 == 0 else (),
        "dates_without_calls": (dt.date(2026, 10, 29),) if index % 4 == 1 else (),
        "retry_jitter_percent": chance.choice((0, 10, 20)),
    }
    if index % 6 == 5:
        settings["start_at"] = BEGAN + dt.timedelta(hours=chance.randint(20, 60))
    new = [_call(chance, number, zone) for number, zone in people]
    begun = len(new) if chance.random() < 0.5 else int(len(new) * 0.7)
    later = opening(chance)
    if NIGHT in windows:  # somebody must be left for America's change of the clocks
        begun, later = len(new) // 2, (LAST_NIGHT - BEGAN).total_seconds()
    portions = [(0.0, tuple(new[:begun]))]
    if begun < len(new):
        portions.append((later, tuple(new[begun:])))
    return PlannedCampaign(index % accounts, settings, tuple(portions))


def _call(chance, number, zone):
    return NewCall(
        number,
        priority=chance.choice((0, 0, 0, 5)),
        max_attempts=chance.choice((None, None, None, 1, 5)),
        retry_interval_seconds=chance.choice((None, None, None, 2400)),
        time_zone=zone,
        windows=(EVENING,) if chance.random() < 0.05 else None,
    )


def _deeds(chance, planned, people, calls):
    for index in range(len(planned)):
        for _ in range(chance.randint(0, 3)):
            at = opening(chance)
            yield Deed(at, "pause", index)
            yield Deed(at + chance.uniform(5, 4 * 3600), "resume", index)
    for index in chance.sample(range(len(planned)), 4):
        finish = chance.choice(("finish", "finish_and_hang_up"))
        yield Deed(chance.uniform(0.6, 0.95) * SECONDS, finish, index)
    for _ in range(20):
        listed = tuple(number for number, _ in chance.sample(people, max(1, calls // 1000)))
        yield Deed(opening(chance), "list", chance.randint(-1, 2), listed)
    for day in range(1, 8):  # somebody looks after what has paused by itself
        for hour in (0, 6, 12, 18):
            yield Deed((day * 24 + hour) * 3600.0 - 1800, "resume_all", -1)
    yield Deed(0.5 * SECONDS, "raise_minutes", 0, calls // 12)
    yield Deed(0.4 * SECONDS, "raise_unique_users", 1, calls // 10)


def _faults(chance):
    kinds = [*FAULTS, "loss"]
    found = []
    for kind in kinds * 2:
        begin = opening(chance)
        found.append(Fault(kind, begin, begin + chance.uniform(60, 900)))
    return tuple(found)
