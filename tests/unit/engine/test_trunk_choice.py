from __future__ import annotations

import collections

import pytest
from structlog.testing import capture_logs

from dialer.campaign.pacing import TokenBucket
from dialer.campaign.routing import TrunkRule
from dialer.campaign.status import CallStatus
from dialer.engine.trunk_choice import TrunkChoice
from dialer.engine.trunk_definition import TrunkDefinition
from dialer.engine.trunk_set import TrunkSet, TrunkState
from dialer.store.attempt_records import CallHistory, CampaignToDial, ClaimedCall, RetrySettings
from dialer.ua.call import Trunk
from dialer.ua.trunk_status import Availability, TrunkStatus

NOW = 100.0


def state(name, *, free=1000, **routing):
    definition = TrunkDefinition(
        trunk=Trunk(name, "192.0.2.1"),
        max_calls=100,
        calls_per_second=10.0 * free,
        rule=TrunkRule(name, **routing),
    )
    return TrunkState(definition, TokenBucket(10.0 * free, float(free), NOW))


def choice(*states):
    return TrunkChoice(TrunkSet({one.trunk.name: one for one in states}))


def campaign(*trunks, trunk_order="listed", held=(), account=1):
    return CampaignToDial(
        id=7,
        account_id=account,
        trunks=trunks,
        trunk_order=trunk_order,
        held=held,
        calls_per_second=None,
        max_simultaneous_calls=100,
        ready=100,
        live=0,
    )


def claimed(*trunks, number="+4930", trunk_order="listed"):
    return ClaimedCall(
        id=1,
        account_id=1,
        campaign_id=7,
        number=number,
        dialable=True,
        problem="",
        payload={},
        trunk=trunks[0],
        trunks=trunks,
        trunk_order=trunk_order,
        caller_ids=(),
        ring_timeout_seconds=40,
        max_talk_seconds=60,
        on_answer={},
        retry=RetrySettings(3, 60, {}, redial_interrupted=False),
        history=CallHistory(0, 0, 0, 0, CallStatus.PLANNED),
    )


def places(chosen, wanted, limit=10):
    return [(one.trunk.name, count) for one, count in chosen.places(wanted, limit, 1.0, NOW)]


def test_trunks_are_asked_in_the_campaigns_order_each_for_what_it_has_room_for():
    chosen = choice(state("a"), state("b", free=3), state("c"))
    assert places(chosen, campaign("b", "a", "unknown")) == [("b", 3), ("a", 10)]


def test_a_trunk_that_is_held_down_or_not_for_the_account_is_not_asked():
    down = state("down")
    down.status = lambda: TrunkStatus(Availability.DOWN, "not registered")
    waits = state("waits")
    waits.health.asked_to_wait(30, NOW)
    chosen = choice(
        state("held"), down, waits, state("theirs", accounts=frozenset({2})), state("a")
    )
    every = ("held", "down", "waits", "theirs", "a")
    assert places(chosen, campaign(*every, held=("held",))) == [("a", 10)]
    assert places(chosen, campaign("theirs", account=2)) == [("theirs", 10)]


def test_by_weight_each_gets_its_share_and_what_one_leaves_goes_to_the_others():
    chosen = choice(state("a", weight=3), state("b", weight=1))
    wanted = campaign("a", "b", trunk_order="weighted")
    shares = collections.Counter()
    for _ in range(40):
        found = places(chosen, wanted, 3)
        weighted = found[: -len(wanted.trunks)]
        assert sum(count for _, count in weighted) == 3
        assert found[-2:] == [("a", 3), ("b", 3)]
        for name, count in weighted:
            shares[name] += count
    assert shares == {"a": 90, "b": 30}


def test_by_weight_a_trunk_without_room_leaves_its_places_to_its_equals():
    chosen = choice(state("a", weight=9, free=2), state("b", weight=1))
    found = dict(places(chosen, campaign("a", "b", trunk_order="weighted"), 10)[:-2])
    assert found == {"a": 2, "b": 8}


def test_by_weight_another_priority_is_asked_only_for_what_the_first_has_no_room_for():
    chosen = choice(state("backup", priority=2), state("main", priority=1, free=4))
    found = dict(places(chosen, campaign("backup", "main", trunk_order="weighted"), 6)[:-2])
    assert found == {"main": 4, "backup": 2}


@pytest.mark.parametrize(
    ("matches", "expected"),
    [
        ([(), ("+49",)], None),
        ([("+49", "+43"), ("+1",)], {"+49", "+43", "+1"}),
    ],
)
def test_the_beginnings_of_numbers_are_those_of_all_its_trunks(matches, expected):
    states = [state(name, match=match) for name, match in zip("ab", matches, strict=True)]
    states[0].health.asked_to_wait(30, NOW)
    found = choice(*states).beginnings(campaign("a", "b", "unknown"))
    assert found == (None if expected is None else frozenset(expected))


def test_the_usable_beginnings_are_those_of_trunks_that_are_neither_down_nor_held():
    states = [state(name, match=(f"+{place}",)) for place, name in enumerate("abc")]
    states[0].health.asked_to_wait(30, NOW)
    found = choice(*states).usable_beginnings(campaign("a", "b", "c", held=("b",)), NOW)
    assert found == {"+2"}


def test_without_a_trunk_of_its_own_nothing_is_known_of_a_campaigns_numbers():
    chosen = choice(state("a"))
    with capture_logs() as logged:
        assert not chosen.beginnings(campaign("unknown"))
        assert not chosen.places(campaign("unknown"), 10, 1.0, NOW)
        assert len(logged) == 1
        chosen.forget_others(set())
        assert not chosen.known(campaign("unknown"))
    assert len(logged) == 2


def test_a_call_goes_on_over_a_trunk_that_takes_its_number_and_was_not_tried():
    down = state("down")
    down.health.asked_to_wait(30, NOW)
    chosen = choice(state("a"), state("b", match=("+1",)), state("c"), down, state("d"))
    found = chosen.next_for(claimed("a", "b", "down", "c", "d"), ("a",), 1.0, NOW)
    assert [one.trunk.name for one in found] == ["c", "d"]
    assert not chosen.next_for(claimed("a", "c"), ("a", "c"), 1.0, NOW)
    assert not chosen.next_for(claimed("a", "c"), ("a",), 0.0, NOW), "no share of the rates"


def test_by_weight_a_call_goes_on_by_priority():
    chosen = choice(state("a"), state("late", priority=9), state("soon", priority=1))
    wanted = claimed("a", "late", "soon", trunk_order="weighted")
    assert [one.trunk.name for one in chosen.next_for(wanted, ("a",), 1.0, NOW)] == ["soon", "late"]


def test_calls_that_start_at_once_beyond_the_pace_are_made_up_for():
    one = state("a", free=1)  # 10 calls per second
    for _ in range(3):  # each of them has seen that there was room
        one.started(1, NOW)
    assert not places(choice(one), campaign("a"), 10)
    assert choice(one).next_for(claimed("a"), (), 1.0, NOW + 0.25) == []
    assert choice(one).next_for(claimed("a"), (), 1.0, NOW + 0.3) == [one]
