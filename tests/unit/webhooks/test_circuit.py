from __future__ import annotations

import datetime as dt

from dialer.webhooks.attempt import Attempt
from dialer.webhooks.circuit import Circuit, State

NOW = dt.datetime(2026, 11, 28, 12, tzinfo=dt.UTC)
CIRCUIT = Circuit(threshold=3, first=10, longest=60, retry_after=100)
FAILED, TAKEN = Attempt(500, "it answered 500"), Attempt(200)


def after(state, *attempts, probe=False, now=NOW):
    for attempt in attempts:
        state = CIRCUIT.after(state, attempt, now, probe=probe)
    return state


def seconds(state):
    return None if state.open_until is None else (state.open_until - NOW).total_seconds()


def test_it_opens_after_so_many_failures_in_a_row():
    assert after(State(), FAILED, FAILED) == State(2)
    assert seconds(after(State(), FAILED, FAILED, FAILED)) == 10
    assert after(State(), FAILED, FAILED, TAKEN, FAILED, FAILED) == State(2)


def test_what_had_left_before_it_opened_does_not_lengthen_it():
    state = after(State(), *[FAILED] * 20)
    assert (state.failures, seconds(state)) == (3, 10)


def test_each_failed_probe_doubles_the_wait_up_to_the_longest():
    state, waits = after(State(), *[FAILED] * 3), []
    for _ in range(4):
        # while a probe is under way its lease keeps others away, which ends with it
        held = State(state.failures, NOW + dt.timedelta(seconds=1000))
        state = after(held, FAILED, probe=True)
        waits.append(seconds(state))
    assert waits == [20, 40, 60, 60]
    assert after(state, TAKEN, probe=True) == State()


def test_a_receiver_that_asks_for_time_gets_it_within_a_bound():
    assert seconds(after(State(), Attempt(429, "it answered 429", retry_after=30))) == 30
    assert seconds(after(State(), Attempt(503, "it answered 503", retry_after=1e6))) == 100
    state = after(State(2), Attempt(503, "it answered 503", retry_after=30))
    assert (state.failures, seconds(state)) == (3, 30)
    # one that failed beside it does not take it away
    assert seconds(after(state, FAILED)) == 30
