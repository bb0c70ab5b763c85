"""What the database knows of the calls in front, for `campaign.admission` to rule on."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
from typing import TYPE_CHECKING

from dialer.campaign.admission import Admitted, Candidate, Postponed, Refused, admit
from dialer.campaign.contact_day import ContactDay, contact_day
from dialer.campaign.plan import zone_of
from dialer.store import do_not_call
from dialer.store.attempt_records import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dialer.campaign.admission import Limits, Ruling
    from dialer.store import rows
    from dialer.store.account_records import Listing
    from dialer.store.plan_limits import AccountState
    from dialer.store.pool import Connection

CONTACTS = """
SELECT number, day, attempts FROM contacts
WHERE account_id = $1 AND number = ANY($2) AND day >= $3
"""
PLACED = """
SELECT number FROM unique_users WHERE account_id = $1 AND period = $2 AND number = ANY($3)
"""
ZONES = "SELECT id, time_zone FROM schedules WHERE id = ANY($1)"
A_WEEK = dt.timedelta(days=8)  # and a day, for the zones


@dataclasses.dataclass(frozen=True, slots=True)
class Taken:
    """A call to claim: to be dialled, or refused and to be ended."""

    call_id: int
    day: dt.date
    reserves: bool
    refused: Refusal | None


@dataclasses.dataclass(frozen=True, slots=True)
class Rulings:
    """What was ruled on the calls in front, and the day that each falls on."""

    rulings: Sequence[Ruling]
    days: Mapping[int, ContactDay]

    def taken(self) -> list[Taken]:
        """Return the calls to claim, in their order."""
        return [
            Taken(
                call_id=one.call_id,
                day=self.days[one.call_id].day,
                reserves=isinstance(one, Admitted) and one.reserves,
                refused=Refusal(one.cause, one.detail) if isinstance(one, Refused) else None,
            )
            for one in self.rulings
            if not isinstance(one, Postponed)
        ]

    def postponed(self) -> tuple[list[int], list[dt.datetime]]:
        """Return the calls that wait, and until when."""
        waiting = [one for one in self.rulings if isinstance(one, Postponed)]
        return [one.call_id for one in waiting], [one.until for one in waiting]


async def rule(
    connection: Connection,
    campaign: rows.Row,
    account: AccountState,
    limits: Limits,
    picked: Iterable[rows.Row],
) -> Rulings:
    """Rule on the ready calls that were picked, in their order."""
    waiting = [row for row in picked if row["waits"]]
    numbers = {row["next_number"] for row in waiting}
    days = await _days(connection, campaign["time_zone"], account.now, waiting)
    attempts = await _attempts(connection, account, limits, numbers)
    placed = await _placed(connection, account, limits, numbers)
    alternates = {number for row in waiting for number in row["alternates"]}
    listed = await do_not_call.matches(
        connection, campaign["account_id"], sorted(numbers | alternates)
    )
    candidates = []
    for row in waiting:
        call_id, number = row["call_id"], row["next_number"]
        day = days[call_id]
        today, this_week = day.count(attempts[number])
        all_numbers = (number, *row["alternates"])
        candidates.append(
            Candidate(
                call_id=call_id,
                numbers=all_numbers,
                dialable=row["dialable"],
                listed=_why_listed(all_numbers, listed),
                live=row["live"],
                has_place=number in placed,
                today=today,
                this_week=this_week,
                next_day=day.next_day,
                next_week=day.next_week,
            )
        )
    return Rulings(admit(candidates, limits, len(candidates), account.now), days)


async def _days(
    connection: Connection, default: str, now: dt.datetime, waiting: Sequence[rows.Row]
) -> dict[int, ContactDay]:
    """Return the day of each call, in the time zone of its schedule."""
    schedules = {row["schedule_id"] for row in waiting} - {None}
    zones = {row["id"]: row["time_zone"] for row in await connection.fetch(ZONES, schedules)}
    by_zone = {
        zone: contact_day(now, zone_of(zone.partition(",")[0] or default))
        for zone in {"", *zones.values()}
    }
    return {row["call_id"]: by_zone[zones.get(row["schedule_id"], "")] for row in waiting}


async def _attempts(
    connection: Connection, account: AccountState, limits: Limits, numbers: Iterable[str]
) -> Mapping[str, Mapping[dt.date, int]]:
    """Return the attempts to each number by day, where the account has a cap on them."""
    found: dict[str, dict[dt.date, int]] = collections.defaultdict(dict)
    if limits.attempts_per_day is not None or limits.attempts_per_week is not None:
        since = (account.now - A_WEEK).date()
        for row in await connection.fetch(CONTACTS, account.account_id, list(numbers), since):
            found[row["number"]][row["day"]] = row["attempts"]
    return found


async def _placed(
    connection: Connection, account: AccountState, limits: Limits, numbers: Iterable[str]
) -> set[str]:
    """Return the numbers that have their place, where the account's places are limited."""
    if limits.unique_users is None:
        return set()
    found = await connection.fetch(PLACED, account.account_id, account.period.start, list(numbers))
    return {row["number"] for row in found}


def _why_listed(numbers: Sequence[str], listed: Mapping[str, Listing]) -> str:
    """Say why a person may not be called, whose numbers these are; "" where none is listed."""
    for number in numbers:
        if number in listed:
            told = listed[number].told()
            return told if number == numbers[0] else f"{number}, a number of the person: {told}"
    return ""
