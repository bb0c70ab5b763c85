from __future__ import annotations

import collections

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.campaign.routing import TrunkRule, order, takes


@pytest.mark.parametrize(
    ("match", "accounts", "number", "taken"),
    [
        ((), (), "+4930", True),
        (("+49", "+43"), (), "+4930", True),
        (("+49", "+43"), (), "+4130", False),
        (("+49",), (), "4930", False),
        ((), (1, 2), "+4930", True),
        ((), (2,), "+4930", False),
        (("+49",), (2,), "+4930", False),
    ],
)
def test_what_a_trunk_takes(match, accounts, number, taken):
    assert takes(TrunkRule("a", match=match, accounts=frozenset(accounts)), number, 1) is taken


def test_as_listed():
    rules = [TrunkRule("b", priority=5), TrunkRule("a", priority=1)]
    assert order(rules, 3, weighted=False) == ("b", "a")


def test_by_priority_and_weight():
    rules = [
        TrunkRule("backup", priority=9),
        TrunkRule("three", weight=3),
        TrunkRule("one", weight=1),
        TrunkRule("never", weight=0),
    ]
    first = collections.Counter(order(rules, turn, weighted=True)[0] for turn in range(400))
    assert first == {"three": 300, "one": 100}
    assert all(order(rules, turn, weighted=True)[-1] == "backup" for turn in range(4))


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), max_size=8),
    st.integers(0, 10**9),
    st.booleans(),
)
def test_each_trunk_is_tried_once(numbers, turn, weighted):
    rules = [TrunkRule(str(n), priority, weight) for n, (priority, weight) in enumerate(numbers)]
    tried = order(rules, turn, weighted=weighted)
    assert sorted(tried) == sorted(rule.name for rule in rules)
    if weighted:
        priorities = [rules[int(name)].priority for name in tried]
        assert priorities == sorted(priorities)
