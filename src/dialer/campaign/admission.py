"""Which of the calls in front may be dialled now: the account's limits and care for people."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING

from dialer.campaign.evidence import LocalCause

if TYPE_CHECKING:
    from collections.abc import Iterable

A_MOMENT = dt.timedelta(seconds=5)
"""What a call waits for that an attempt under way stands in the way of."""


@dataclasses.dataclass(frozen=True, slots=True)
class Candidate:
    """A call that is due, and what is known of the number that it would dial.

    `numbers` are all numbers of the person, that one first. `listed` says why one of them may not
    be called, "" where they may. `live`: an attempt to the number is under way. `has_place`: it
    is among the period's unique users already. `today` and `this_week` are the attempts to it,
    over all campaigns of the account, on the day and in the week of its own time zone, which
    begin anew at `next_day` and `next_week`.
    """

    call_id: int
    numbers: tuple[str, ...]
    dialable: bool = True
    listed: str = ""
    live: bool = False
    has_place: bool = False
    today: int = 0
    this_week: int = 0
    next_day: dt.datetime | None = None
    next_week: dt.datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """What an account may do; None is no limit, no prefixes is anywhere.

    `used` and `reserved` are places among the period's unique users.
    """

    allowed_prefixes: tuple[str, ...] = ()
    attempts_per_day: int | None = None
    attempts_per_week: int | None = None
    unique_users: int | None = None
    used: int = 0
    reserved: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Admitted:
    """The call may be dialled; `reserves`: a place among the unique users is kept for it."""

    call_id: int
    reserves: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Refused:
    """The call ends without an INVITE; `detail` is a sentence for a person."""

    call_id: int
    cause: LocalCause
    detail: str


@dataclasses.dataclass(frozen=True, slots=True)
class Postponed:
    """The call waits, and is looked at again at the time given."""

    call_id: int
    until: dt.datetime


Ruling = Admitted | Refused | Postponed


def admit(
    candidates: Iterable[Candidate], limits: Limits, room: int, now: dt.datetime
) -> list[Ruling]:
    """Rule on candidates in their order until `room` of them are admitted or refused."""
    rulings: list[Ruling] = []
    under_way: set[str] = set()
    reserved, taken = limits.reserved, 0
    for candidate in candidates:
        if taken >= room:
            break
        ruling = _rule(candidate, dataclasses.replace(limits, reserved=reserved), under_way, now)
        rulings.append(ruling)
        if isinstance(ruling, Postponed):
            continue
        taken += 1
        under_way.add(candidate.numbers[0])
        if isinstance(ruling, Admitted):
            reserved += ruling.reserves
    return rulings


def _rule(candidate: Candidate, limits: Limits, under_way: set[str], now: dt.datetime) -> Ruling:
    call_id = candidate.call_id
    if candidate.live or candidate.numbers[0] in under_way:
        return Postponed(call_id, now + A_MOMENT)
    if not candidate.dialable:
        return Refused(call_id, LocalCause.INVALID_NUMBER, "")
    why = candidate.listed or _not_allowed(candidate, limits)
    if why:
        return Refused(call_id, LocalCause.SUPPRESSED, why)
    wait = _until_cap_ends(candidate, limits)
    if wait is not None:
        return Postponed(call_id, wait)
    if candidate.has_place:
        return Admitted(call_id, reserves=False)
    if limits.unique_users is None:
        return Admitted(call_id, reserves=True)
    if limits.used >= limits.unique_users:
        return Refused(
            call_id,
            LocalCause.PLAN_LIMIT,
            f"all {limits.unique_users} unique users of the account's plan are used up in this "
            "period",
        )
    if limits.used + limits.reserved >= limits.unique_users:
        return Postponed(call_id, now + A_MOMENT)
    return Admitted(call_id, reserves=True)


def _not_allowed(candidate: Candidate, limits: Limits) -> str:
    if not limits.allowed_prefixes:
        return ""
    for number in candidate.numbers:
        if number.startswith("+") and not number.startswith(limits.allowed_prefixes):
            return f"the account may not call {number}: its plan allows other destinations only"
    return ""


def _until_cap_ends(candidate: Candidate, limits: Limits) -> dt.datetime | None:
    if limits.attempts_per_week is not None and candidate.this_week >= limits.attempts_per_week:
        return candidate.next_week
    if limits.attempts_per_day is not None and candidate.today >= limits.attempts_per_day:
        return candidate.next_day
    return None
