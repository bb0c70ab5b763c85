"""How many calls a trunk lets start: by its pace, its health, and the node's share."""

from __future__ import annotations

import pytest

from dialer.campaign.evidence import Evidence
from dialer.campaign.outcome_table import OutcomeTable
from dialer.campaign.trunk_health import RECOVERY
from dialer.engine.trunk_definition import TrunkDefinition
from dialer.engine.trunk_set import TrunkState
from dialer.ua.call import Trunk

TABLE = OutcomeTable.default()
TOO_FAST = TABLE.rule_for(Evidence(code=503, phrase="CPS limit exceeded"))
CONGESTED = TABLE.rule_for(Evidence(code=503))


def trunk():
    definition = TrunkDefinition(Trunk("carrier", "192.0.2.1"), calls_per_second=20.0)
    return TrunkState.of(definition, 0.0)


def started(state, since, seconds, share=1.0):
    """Start all that may start for some seconds; return how many a second that are."""
    count = 0
    for tick in range(int(seconds * 50)):
        now = since + tick / 50
        calls = state.available(share, now)
        state.started(calls, now)
        count += calls
    return count / seconds


def test_all_of_its_pace_while_it_is_healthy_and_a_share_for_each_node():
    assert started(trunk(), 0.0, 30) == pytest.approx(20, rel=0.05)
    assert started(trunk(), 0.0, 30, share=0.25) == pytest.approx(5, rel=0.05)
    assert started(trunk(), 0.0, 30, share=0.0) == 0


def test_a_trunk_that_says_we_call_too_fast_gets_half_and_more_and_more_again():
    state = trunk()
    state.ended(TOO_FAST, None, 0.0)
    assert started(state, 0.0, 50) == pytest.approx(10, rel=0.05)
    assert started(state, RECOVERY, 50) == pytest.approx(12, rel=0.05)
    assert started(state, 5 * RECOVERY, 50) == pytest.approx(20, rel=0.05)


def test_a_trunk_that_asks_for_a_pause_gets_nothing_until_it_is_over_and_then_half():
    state = trunk()
    state.ended(CONGESTED, 30, 0.0)
    assert started(state, 0.0, 29) == 0
    assert started(state, 30.0, 50) == pytest.approx(10, rel=0.05)
