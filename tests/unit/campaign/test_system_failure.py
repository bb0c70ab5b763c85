"""When a campaign pauses by itself because the system has failed for it."""

from __future__ import annotations

import datetime as dt

import pytest

from dialer.campaign.outcome_table import OutcomeTable
from dialer.campaign.system_failure import (
    CampaignFacts,
    Thresholds,
    TrunkCondition,
    technical_outcomes,
    why_pause,
)

NOW = dt.datetime(2026, 6, 3, 12, tzinfo=dt.UTC)
LIMITS = Thresholds()


def ago(minutes):
    return NOW - dt.timedelta(minutes=minutes)


def facts(*trunks, since=60, **more):
    return CampaignFacts(ago(since), trunks, **more)


def down(name, minutes, *, refused=False):
    return TrunkCondition(name, "it is down", ago(minutes), refused=refused)


UP = TrunkCondition("up")


@pytest.mark.parametrize(
    ("trunks", "since", "pauses"),
    [
        ((down("a", 6),), 60, True),
        ((down("a", 4),), 60, False),
        ((down("a", 30), down("b", 4)), 60, False),
        ((down("a", 30), down("b", 6)), 60, True),
        ((down("a", 30), UP), 60, False),
        ((down("a", 30),), 4, False),  # resumed since: the trunk gets its time again
        ((), 60, False),
    ],
)
def test_none_of_its_trunks_usable_for_longer_than_a_set_time(trunks, since, pauses):
    why = why_pause(facts(*trunks, since=since), LIMITS, NOW)
    assert bool(why) is pauses
    if pauses:
        assert "a: it is down" in why
        assert "then resume" in why


@pytest.mark.parametrize(
    ("trunks", "since", "pauses"),
    [
        ((down("a", 0, refused=True),), 60, True),
        ((down("a", 0, refused=True), UP), 60, False),
        ((down("a", 0, refused=True), down("b", 1)), 60, False),
        ((down("a", 10, refused=True),), 3, False),
        ((down("a", 10, refused=True),), 6, True),
    ],
)
def test_a_trunk_that_refuses_credentials_or_funds_pauses_campaigns_without_another(
    trunks, since, pauses
):
    assert bool(why_pause(facts(*trunks, since=since), LIMITS, NOW)) is pauses


@pytest.mark.parametrize(
    ("technical", "attempts", "pauses"),
    [(41, 50, True), (40, 50, False), (49, 49, False), (0, 50, False)],
)
def test_technical_errors_beyond_a_set_share_of_the_last_attempts(technical, attempts, pauses):
    why = why_pause(facts(UP, technical=technical, attempts=attempts), LIMITS, NOW)
    assert bool(why) is pauses
    assert not pauses or "41 of the last 50 attempts" in why


@pytest.mark.parametrize(
    ("invalid", "calls", "pauses"), [(45, 50, True), (44, 50, False), (49, 49, False)]
)
def test_invalid_numbers_beyond_ninety_percent_of_a_trunks_last_fifty(invalid, calls, pauses):
    why = why_pause(facts(UP, invalid_by_trunk=(("up", invalid, calls),)), LIMITS, NOW)
    assert bool(why) is pauses


def test_technical_outcomes_are_the_systems_fault_and_never_an_invalid_number():
    found = technical_outcomes(OutcomeTable.default().rules)
    assert {"trunk_unreachable", "network_failure", "media_failure", "protocol_error"} <= found
    assert not {"invalid_number", "busy", "answered", "no_answer", "suppressed"} & found
