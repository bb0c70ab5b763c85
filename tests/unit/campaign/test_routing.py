from __future__ import annotations

import collections

from dialer.campaign.routing import TrunkRule, order, takes


def test_a_trunk_takes_what_begins_as_it_says_for_the_accounts_that_it_names():
    anything, some = TrunkRule("a"), TrunkRule("b", match=("+49", "+1555"))
    assert takes(anything, "+33", 1)
    assert takes(some, "+4930", 1)
    assert not takes(some, "+1444", 1)
    theirs = TrunkRule("c", accounts=frozenset({2}))
    assert takes(theirs, "+49", 2)
    assert not takes(theirs, "+49", 1)


def test_weights_are_kept_over_their_sum_and_priority_goes_first():
    rules = [TrunkRule("a", 1, 2), TrunkRule("b", 1, 1), TrunkRule("c", 0, 1, ("+1",))]
    assert [one.name for one in order(rules, "+49", 1, 0)] == ["a", "b"]
    first = collections.Counter(order(rules, "+49", 1, n, weighted=True)[0].name for n in range(9))
    assert first == {"a": 6, "b": 3}
    assert [one.name for one in order(rules, "+1", 1, 5, weighted=True)] == ["c", "b", "a"]
    idle = [TrunkRule("x", weight=0), TrunkRule("y", weight=0)]
    assert [one.name for one in order(idle, "+49", 1, 3, weighted=True)] == ["x", "y"]
