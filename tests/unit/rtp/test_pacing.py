import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.rtp.pacing import Due, Pacer

INTERVAL = 0.020


def test_the_first_frame_is_due_at_the_start():
    pacer = Pacer(5.0)
    assert pacer.next_at() == 5.0
    assert pacer.take(5.0) == Due(send=1, skip=0)
    assert pacer.next_at() == pytest.approx(5.020)


def test_nothing_is_due_twice():
    pacer = Pacer(0.0)
    assert pacer.take(0.0).send == 1
    assert pacer.take(0.0) == Due(0, 0)
    assert pacer.take(0.017) == Due(0, 0)


def test_a_timer_that_fires_a_little_early_is_not_sent_round_again():
    pacer = Pacer(0.0)
    pacer.take(0.0)
    assert pacer.take(0.0185) == Due(1, 0)
    assert pacer.next_at() == pytest.approx(0.040)


def test_nothing_is_due_before_the_start():
    assert Pacer(10.0).take(9.9) == Due(0, 0)


@pytest.mark.parametrize(
    ("late", "due"),
    [
        (0.000, Due(1, 0)),
        (0.019, Due(2, 0)),
        (0.021, Due(2, 0)),
        (0.061, Due(4, 0)),
        (0.081, Due(5, 0)),
        (0.101, Due(5, 1)),
        (1.001, Due(5, 46)),
        (3600.001, Due(5, 179_996)),
    ],
)
def test_a_stall_is_caught_up_with_a_small_burst_and_the_rest_is_lost_time(late, due):
    pacer = Pacer(0.0)
    assert pacer.take(late) == due
    assert pacer.take(late) == Due(0, 0)
    assert pacer.next_at() > late


@given(st.integers(0, 4_000_000), st.integers(1, 200_000))
def test_waking_exactly_at_each_instant_gives_exactly_one_frame(start, first):
    """Whatever the rounding of start + n * interval, a driver that wakes at next_at() goes on."""
    pacer = Pacer(start / 1000, early=0.0)
    pacer.take(start / 1000 + first * INTERVAL)
    for _ in range(20):
        assert pacer.take(pacer.next_at()) == Due(1, 0)


@given(
    start=st.floats(0, 1e6),
    steps=st.lists(st.floats(0, 0.5), min_size=1, max_size=60),
)
def test_however_late_the_ticks_no_time_is_lost_and_no_burst_is_long(start, steps):
    pacer = Pacer(start)
    dealt_with = 0
    for now in itertools.accumulate(steps, initial=start):
        due = pacer.take(now)
        assert 0 <= due.send <= 5
        assert due.skip == 0 or due.send == 5
        dealt_with += due.send + due.skip
        # the grid itself decides: what is past was dealt with, what is to come was not
        assert start + (dealt_with - 1) * INTERVAL <= now + 0.002
        assert start + dealt_with * INTERVAL > now + 0.002
        assert pacer.next_at() == start + dealt_with * INTERVAL


def test_an_hour_of_ragged_ticks_does_not_drift():
    pacer = Pacer(100.0)
    sent = 0
    now = 100.0
    lateness = itertools.cycle([0.0, 0.0007, 0.011, -0.0015, 0.004])
    while now < 3700.0:
        due = pacer.take(now)
        assert due.skip == 0
        sent += due.send
        now = pacer.next_at() + next(lateness)
    assert sent == pytest.approx(3600 / INTERVAL, abs=1)
