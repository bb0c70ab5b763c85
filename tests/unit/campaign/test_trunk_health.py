import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.campaign import trunk_health
from dialer.campaign.evidence import Evidence
from dialer.campaign.outcome import Alarm, Outcome, TrunkEffect
from dialer.campaign.outcome_table import OutcomeTable
from dialer.campaign.trunk_health import Availability, Trouble, TrunkHealth

ANY_RULE = OutcomeTable.default().rule_for(Evidence(code=486))


def rule(effect):
    return dataclasses.replace(ANY_RULE, trunk=effect)


HEALTHY, NONE, BREAKER, DOWN, HOLD, SLOW = map(
    rule,
    (
        TrunkEffect.HEALTHY,
        TrunkEffect.NONE,
        TrunkEffect.BREAKER,
        TrunkEffect.DOWN,
        TrunkEffect.HOLD_TARGET,
        TrunkEffect.SLOW_DOWN,
    ),
)


def after(*rules, retry_after=None, now=100.0):
    health = TrunkHealth()
    for one in rules:
        health.record(one, retry_after, now)
    return health


def test_a_new_trunk_is_usable_at_its_full_rate():
    health = TrunkHealth()
    assert health.usable(0.0)
    assert not health.probing
    assert health.current_rate(0.0) == 1.0


def test_the_breaker_opens_after_five_calls_in_a_row_that_did_not_reach_the_trunk():
    assert after(*[BREAKER] * 4).usable(100.0)
    health = after(*[BREAKER] * 5)
    assert not health.usable(129.9)
    assert health.usable(130.0)
    assert "5 calls in a row" in health.reason
    assert health.since == 100.0


@pytest.mark.parametrize("between", [HEALTHY, NONE, HOLD, DOWN])
def test_any_answer_between_keeps_the_breaker_closed(between):
    assert after(*[BREAKER] * 4, between, *[BREAKER] * 4).usable(100.0)


def test_an_open_breaker_lets_one_call_through_and_waits_for_it():
    health = after(*[BREAKER] * 5)
    assert health.probing
    health.called(130.0)
    assert not health.usable(130.0)
    health.record(BREAKER, None, 162.0)
    assert not health.usable(162.0 + 59.9), "each failed probe doubles the hold"
    health.called(222.0)
    health.record(HEALTHY, None, 223.0)
    assert health.usable(223.0)
    assert not health.probing


def test_the_hold_is_never_longer_than_five_minutes():
    health = after(*[BREAKER] * 5)
    now = 100.0
    for _ in range(10):
        now = health.held_until
        health.called(now)
        health.record(BREAKER, None, now)
    assert health.held_until - now == trunk_health.LONGEST_HOLD


def test_three_refusals_of_credentials_or_funds_with_no_success_between_take_it_down():
    assert after(DOWN, DOWN).usable(100.0)
    assert after(DOWN, DOWN, HEALTHY, DOWN, DOWN).usable(100.0)
    assert not after(DOWN, DOWN, NONE, DOWN).usable(100.0)
    assert not after(DOWN, DOWN, DOWN).usable(100.0)


def test_retry_after_holds_the_trunk_and_without_one_it_is_not_held():
    assert after(HOLD).usable(100.0), "one unregistered extension must not stop the trunk"
    held = after(HOLD, retry_after=20)
    assert not held.usable(119.9)
    assert held.why_not(119.0) == "it asked for a pause of 1 s more (Retry-After)"
    assert held.usable(120.0)
    assert not held.probing
    assert held.why_not(120.0) == ""
    held.record(HEALTHY, None, 110.0)
    assert not held.usable(119.9), "another call's success does not end what the trunk asked for"
    assert after(HOLD, retry_after=86400).usable(100.0 + trunk_health.LONGEST_HOLD)


def test_a_rate_limit_halves_the_rate_which_climbs_back_slowly():
    health = after(SLOW)
    assert health.usable(100.0)
    assert health.current_rate(100.0) == 0.5
    assert health.current_rate(160.0) == pytest.approx(0.6)
    assert health.current_rate(100.0 + 5 * trunk_health.RECOVERY) == 1.0
    for _ in range(10):
        health.record(SLOW, None, 100.0)
    assert health.current_rate(100.0) == trunk_health.SLOWEST


def test_a_retry_after_lowers_the_rate_once_and_it_climbs_from_its_end():
    held = after(HOLD, HOLD, HOLD, retry_after=60)
    assert held.current_rate(160.0) == 0.5
    assert held.current_rate(219.0) == 0.5
    assert held.current_rate(220.0) == pytest.approx(0.6)
    held.record(HOLD, 60, 230.0)
    assert held.current_rate(290.0) == pytest.approx(0.3), "asked again after it was over"


def congested(good, bad):
    return after(*[HEALTHY] * good, *[HOLD] * bad)


def test_congestion_lowers_the_rate_only_from_a_share_of_the_last_calls_on():
    assert congested(0, 4).current_rate(100.0) == 1.0
    assert congested(0, 5).current_rate(100.0) == 0.5
    assert congested(10, 9).current_rate(100.0) == 1.0
    assert congested(10, 10).current_rate(100.0) == 0.5
    assert congested(1000, 10).current_rate(100.0) == 0.5, "of the last calls, not of all"
    sparse = after(*[HEALTHY, HEALTHY, HOLD] * 30)
    assert sparse.current_rate(100.0) == 1.0
    health = congested(0, 9)
    assert health.current_rate(100.0) == 0.5, "another halving takes another five"
    health.record(HOLD, None, 100.0)
    assert health.current_rate(100.0) == 0.25
    assert health.usable(100.0)
    assert health.current_rate(100.0 + 3 * trunk_health.RECOVERY) == pytest.approx(0.55)


def test_a_burst_of_busy_is_told_once():
    busy, calm = (
        dataclasses.replace(HEALTHY, alarm=alarm) for alarm in (Alarm.BUSY_BURST, Alarm.NONE)
    )
    health = after(*[busy] * 19)
    assert not health.busy_burst(), "a few calls are no burst"
    health.record(busy, None, 100.0)
    assert health.busy_burst()
    health.record(busy, None, 100.0)
    assert not health.busy_burst()
    assert not after(*[calm, busy] * 20).busy_burst()
    assert after(*[busy, busy, busy, calm] * 5).busy_burst()


def shown(health, now):
    found = health.standing(now)
    return (found.availability, found.trouble, found.since, found.until, round(found.rate, 2))


UP, DEGRADED, IS_DOWN = Availability.UP, Availability.DEGRADED, Availability.DOWN


def test_how_a_trunk_stands_is_told_with_reason_and_since_when():
    assert shown(TrunkHealth(), 5.0) == (UP, None, None, None, 1.0)
    broken = after(*[BREAKER] * 5)
    assert shown(broken, 110.0) == (IS_DOWN, Trouble.BREAKER, 100.0, 130.0, 1.0)
    assert "did not reach it" in broken.standing(110.0).reason
    assert shown(broken, 130.0) == (DEGRADED, Trouble.BREAKER, 100.0, None, 1.0)
    assert "the next call proves it" in broken.standing(130.0).reason
    broken.record(HEALTHY, None, 140.0)
    assert shown(broken, 140.0) == (UP, None, 140.0, None, 1.0)
    assert shown(after(*[DOWN] * 3), 101.0)[:2] == (IS_DOWN, Trouble.CREDENTIALS)
    funds = dataclasses.replace(DOWN, outcome=Outcome.TRUNK_NO_FUNDS)
    assert shown(after(*[funds] * 3), 101.0)[:2] == (IS_DOWN, Trouble.FUNDS)
    asked = after(HOLD, retry_after=20)
    assert shown(asked, 110.0) == (IS_DOWN, Trouble.RETRY_AFTER, 100.0, 120.0, 0.5)
    assert "20 s (Retry-After)" in asked.standing(110.0).reason
    assert shown(asked, 120.0) == (DEGRADED, Trouble.RETRY_AFTER, 100.0, None, 0.5)
    assert shown(asked, 420.0) == (UP, None, None, None, 1.0)
    assert shown(after(SLOW), 101.0) == (DEGRADED, Trouble.RATE_LIMIT, 100.0, None, 0.5)
    assert shown(congested(0, 5), 101.0) == (DEGRADED, Trouble.CONGESTION, 100.0, None, 0.5)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([HEALTHY, NONE, BREAKER, DOWN, HOLD, SLOW]),
            st.none() | st.integers(0, 10**6),
            st.floats(0, 1000),
        )
    )
)
def test_whatever_happens_it_is_usable_again_within_five_minutes(steps):
    health, now = TrunkHealth(), 0.0
    for one, retry_after, wait in steps:
        now += wait
        if health.usable(now):
            health.called(now)
        health.record(one, retry_after, now)
        assert bool(health.why_not(now)) != health.usable(now)
        standing = health.standing(now)
        assert (standing.availability is Availability.DOWN) != health.usable(now)
        assert (standing.availability is Availability.UP) == (standing.reason == "")
    assert health.usable(now + trunk_health.LONGEST_HOLD)
    assert trunk_health.SLOWEST <= health.current_rate(now) <= 1.0
