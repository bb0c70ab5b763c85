"""The timer of all calls: each is served every 20 ms, and no two have to wait for each other."""

import pytest
from tests.driven_clock import DrivenClock

from dialer.ua.ticker import PHASES, Ticker


class Stream:
    """Notes when it was served, and how many frames were due; `steps` is shared by all."""

    def __init__(self, clock, steps):
        self._clock = clock
        self._steps = steps
        self.served = []

    def prepare(self, due):
        self.served.append((round(self._clock.monotonic() * 1000), due.send))
        self._steps.append("prepare")

    def send(self):
        self._steps.append("send")

    @property
    def times(self):
        return [at for at, _ in self.served]


@pytest.fixture
def clock():
    return DrivenClock()


@pytest.fixture
def ticker(clock):
    return Ticker(clock)


def served(clock, ticker, count=1, steps=None):
    streams = [Stream(clock, [] if steps is None else steps) for _ in range(count)]
    for stream in streams:
        ticker.serve(stream)
    return streams


def test_a_stream_is_served_every_20_ms_from_now_on(clock, ticker):
    begin = round(clock.monotonic() * 1000)
    [stream] = served(clock, ticker)
    clock.advance(0.099)
    assert stream.served == [(begin + 20 * place, 1) for place in range(5)]


def test_what_leaves_at_one_instant_leaves_in_one_go(clock, ticker):
    steps = []
    served(clock, ticker, 3, steps)
    clock.advance(0.039)
    assert steps == 2 * (3 * ["prepare"] + 3 * ["send"])


def test_streams_that_begin_at_other_times_are_served_at_other_times(clock, ticker):
    streams = []
    for _ in range(2 * PHASES):
        streams += served(clock, ticker)
        clock.advance(0.0041)
    clock.advance(0.1)
    for stream in streams:
        steps = {later - at for at, later in zip(stream.times, stream.times[1:], strict=False)}
        assert steps <= {19, 20, 21}
    # none begins later than the next phase, and all phases are used
    assert len({stream.times[-1] % 20 // 4 for stream in streams}) == PHASES


def test_a_stream_that_is_served_already_stays_where_it_is(clock, ticker):
    [stream] = served(clock, ticker)
    clock.advance(0.009)
    ticker.serve(stream)
    clock.advance(0.05)
    steps = {later - at for at, later in zip(stream.times, stream.times[1:], strict=False)}
    assert steps == {20}


def test_it_rests_once_nobody_is_served_and_begins_anew(clock, ticker):
    first, second = served(clock, ticker, 2)
    clock.advance(0.03)
    ticker.drop(first)
    before = len(first.served)
    clock.advance(0.04)
    assert (len(first.served), len(second.served)) == (before, before + 2)
    ticker.drop(second)
    clock.advance(0.05)
    assert clock.pending == 0
    [third] = served(clock, ticker)
    clock.advance(0.001)
    assert len(third.served) == 1


def test_what_is_due_does_not_wait_for_the_timer(clock, ticker):
    [stream] = served(clock, ticker)
    clock.advance(0.001)
    ticker.keep_pace(clock.monotonic() + 0.010)
    assert len(stream.served) == 1
    clock._elapsed += 0.020  # the loop is busy: the timer is due and has not been called
    ticker.keep_pace(clock.monotonic())
    assert len(stream.served) == 2
    clock.advance(0.0)
    assert len(stream.served) == 2
    clock.advance(0.1)
    assert len(stream.served) == 7
    assert sum(frames for _, frames in stream.served) == 7


def test_a_ticker_that_was_never_wound_up_has_nothing_to_keep_pace_with(clock, ticker):
    ticker.keep_pace(clock.monotonic() + 1)
    assert clock.pending == 0
