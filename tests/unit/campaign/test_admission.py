"""Which calls may be dialled: the account's limits and care for people, by inputs and outputs."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import hypothesis
import pytest
from hypothesis import strategies as st

from dialer.campaign.admission import (
    A_MOMENT,
    Admitted,
    Candidate,
    Limits,
    Postponed,
    Refused,
    admit,
)
from dialer.campaign.contact_day import contact_day
from dialer.campaign.evidence import LocalCause

NOW = dt.datetime(2026, 6, 3, 12, tzinfo=dt.UTC)
TOMORROW = dt.datetime(2026, 6, 4, tzinfo=dt.UTC)
MONDAY = dt.datetime(2026, 6, 8, tzinfo=dt.UTC)


def candidate(call_id=1, number="+4930100", *others, **known):
    days = {"next_day": TOMORROW, "next_week": MONDAY}
    return Candidate(call_id, (number, *others), **(days | known))


def ruled(one, limits=None):
    [ruling] = admit([one], limits or Limits(), 1, NOW)
    return ruling


def test_a_call_that_nothing_speaks_against_is_admitted_with_a_place_of_its_own():
    assert ruled(candidate()) == Admitted(1, reserves=True)


def test_a_number_that_cannot_be_dialled_ends_as_invalid():
    assert ruled(candidate(dialable=False)) == Refused(1, LocalCause.INVALID_NUMBER, "")


def test_a_number_on_the_do_not_call_list_is_refused_with_the_reason():
    refused = ruled(candidate(listed="it is on the list"))
    assert refused == Refused(1, LocalCause.SUPPRESSED, "it is on the list")


@pytest.mark.parametrize(
    ("number", "others", "allowed"),
    [
        ("+4930100", (), True),
        ("+441632", (), True),
        ("+88213000", (), False),
        ("+4930100", ("+88213000",), False),
        ("100", (), True),  # an extension of the PBX
    ],
)
def test_a_destination_that_the_plan_does_not_allow_is_refused(number, others, allowed):
    ruling = ruled(candidate(1, number, *others), Limits(allowed_prefixes=("+49", "+44")))
    if allowed:
        assert isinstance(ruling, Admitted)
    else:
        assert ruling.cause is LocalCause.SUPPRESSED
        assert "+88213000" in ruling.detail


def test_nobody_is_rung_twice_at_once():
    assert ruled(candidate(live=True)) == Postponed(1, NOW + A_MOMENT)
    twice = [candidate(1), candidate(2), candidate(3, "+4930101")]
    assert admit(twice, Limits(), 9, NOW) == [
        Admitted(1, reserves=True),
        Postponed(2, NOW + A_MOMENT),
        Admitted(3, reserves=True),
    ]


def test_a_cap_for_the_day_or_the_week_makes_the_next_attempt_move_on():
    limits = Limits(attempts_per_day=2, attempts_per_week=5)
    assert isinstance(ruled(candidate(today=1, this_week=4), limits), Admitted)
    assert ruled(candidate(today=2, this_week=4), limits) == Postponed(1, TOMORROW)
    assert ruled(candidate(today=0, this_week=5), limits) == Postponed(1, MONDAY)
    assert ruled(candidate(today=2, this_week=5), limits) == Postponed(1, MONDAY)


def test_all_places_used_ends_the_call_and_places_merely_reserved_make_it_wait():
    limits = Limits(unique_users=10, used=8, reserved=1)
    assert ruled(candidate(), limits) == Admitted(1, reserves=True)
    assert ruled(candidate(), Limits(unique_users=10, used=8, reserved=2)) == Postponed(
        1, NOW + A_MOMENT
    )
    refused = ruled(candidate(), Limits(unique_users=10, used=10))
    assert refused.cause is LocalCause.PLAN_LIMIT
    assert "10 unique users" in refused.detail


def test_a_number_that_has_its_place_costs_nothing_more():
    assert ruled(candidate(has_place=True), Limits(unique_users=10, used=10)) == Admitted(
        1, reserves=False
    )


def test_places_reserved_in_a_batch_count_for_those_behind():
    limits = Limits(unique_users=2)
    batch = [candidate(n, f"+493010{n}") for n in range(1, 5)]
    kinds = [type(ruling) for ruling in admit(batch, limits, 9, NOW)]
    assert kinds == [Admitted, Admitted, Postponed, Postponed]


@hypothesis.given(
    st.integers(0, 6), st.integers(0, 6), st.integers(0, 6), st.integers(0, 9), st.integers(0, 9)
)
def test_used_and_reserved_never_pass_the_limit(limit, used, reserved, fresh, room):
    used = min(used, limit)
    reserved = min(reserved, limit - used)
    limits = Limits(unique_users=limit, used=used, reserved=reserved)
    batch = [candidate(n, f"+493010{n}") for n in range(fresh)]
    rulings = admit(batch, limits, room, NOW)
    admitted = sum(isinstance(one, Admitted) for one in rulings)
    assert used + reserved + admitted <= limit
    assert sum(not isinstance(one, Postponed) for one in rulings) <= room
    assert [one.call_id for one in rulings] == [one.call_id for one in batch[: len(rulings)]]


@pytest.mark.parametrize(
    ("zone", "day", "monday", "next_day"),
    [
        ("Europe/Berlin", "2026-11-25", "2026-11-23", "2026-11-25T23:00+00:00"),
        ("Pacific/Auckland", "2026-11-26", "2026-11-23", "2026-11-26T11:00+00:00"),
        ("America/Los_Angeles", "2026-11-25", "2026-11-23", "2026-11-26T08:00+00:00"),
    ],
)
def test_the_day_is_that_of_the_person_called(zone, day, monday, next_day):
    now = dt.datetime(2026, 11, 25, 15, tzinfo=dt.UTC)
    found = contact_day(now, zoneinfo.ZoneInfo(zone))
    assert (found.day.isoformat(), found.monday.isoformat()) == (day, monday)
    assert found.next_day == dt.datetime.fromisoformat(next_day)
    assert found.next_week.astimezone(zoneinfo.ZoneInfo(zone)).isoweekday() == 1


def test_attempts_count_in_their_day_and_in_their_week():
    found = contact_day(dt.datetime(2026, 11, 25, 15, tzinfo=dt.UTC), dt.UTC)
    attempts = {dt.date(2026, 11, 22): 4, dt.date(2026, 11, 23): 2, dt.date(2026, 11, 25): 1}
    assert found.count(attempts) == (1, 3)
