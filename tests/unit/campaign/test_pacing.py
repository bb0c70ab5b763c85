from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.campaign.pacing import TokenBucket


def test_it_starts_full_and_fills_at_its_rate():
    bucket = TokenBucket(10, 3, 100.0)
    assert bucket.take(5, 100.0) == 3
    assert bucket.take(5, 100.0) == 0
    assert bucket.next_at(100.0) == pytest.approx(100.1)
    assert bucket.take(5, 100.1) == 1
    assert bucket.take(5, 200.0) == 3


def test_unused_tokens_are_given_back_up_to_the_burst():
    bucket = TokenBucket(1, 3, 0.0)
    assert bucket.take(2, 0.0) == 2
    bucket.give_back(1)
    assert bucket.available(0.0) == 2
    bucket.give_back(9)
    assert bucket.available(0.0) == 3


def test_a_new_rate_holds_from_now_on():
    bucket = TokenBucket(1, 5, 0.0)
    bucket.take(5, 0.0)
    bucket.set_rate(100, 10, 2.0)
    assert bucket.available(2.0) == 2
    assert bucket.available(2.05) == 7
    bucket.set_rate(100, 1, 2.05)
    assert bucket.available(2.05) == 1


def test_a_clock_that_goes_back_gives_nothing():
    bucket = TokenBucket(10, 1, 100.0)
    bucket.take(1, 100.0)
    assert bucket.available(50.0) == 0
    assert bucket.available(100.1) == 1


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (1, 0.5), (1, 0)])
def test_a_bucket_that_could_never_grant_is_refused(rate, burst):
    with pytest.raises(ValueError, match="a rate above 0 and a burst of 1 or more"):
        TokenBucket(rate, burst, 0.0)
    with pytest.raises(ValueError, match="a rate above 0 and a burst of 1 or more"):
        TokenBucket(1, 1, 0.0).set_rate(rate, burst, 0.0)


RATES = st.floats(0.01, 1000)
BURSTS = st.floats(1, 100)


@given(RATES, BURSTS, st.lists(st.tuples(st.floats(0, 10), st.integers(0, 200)), max_size=30))
def test_over_any_time_the_rate_is_kept(rate, burst, steps):
    bucket = TokenBucket(rate, burst, 0.0)
    now, grants = 0.0, []
    for wait, wanted in steps:
        now += wait
        grants.append((now, bucket.take(wanted, now)))
    for i, (start, _) in enumerate(grants):
        granted = 0
        for at, number in grants[i:]:
            granted += number
            assert granted <= burst + rate * (at - start) + 1e-3


@given(RATES, BURSTS, st.floats(0, 1e6), st.integers(1, 100))
def test_at_the_time_that_it_names_a_token_is_there(rate, burst, now, taken):
    bucket = TokenBucket(rate, burst, now)
    bucket.take(taken, now)
    assert bucket.take(1, bucket.next_at(now)) == 1
