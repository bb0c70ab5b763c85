"""Session timers (RFC 4028): every state with every input, and the headers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.sip.sample_messages import as_request, as_response, request_bytes, response_bytes

from dialer.sip.session_timer import (
    Action,
    Agreed,
    Outcome,
    SessionTimer,
    Start,
    State,
    Stop,
    Timer,
    TooSmall,
    agreed_by,
    minimum_of,
    terms_of,
)

INTERVAL = 1800
STOPS = [Stop(Timer.REFRESH), Stop(Timer.EXPIRE)]
EXPIRE = Start(Timer.EXPIRE, INTERVAL - 32)
REFRESH = Start(Timer.REFRESH, INTERVAL / 2)
US, THEM = Agreed(INTERVAL, ours=True), Agreed(INTERVAL, ours=False)
RETRY = Start(Timer.REFRESH, (INTERVAL / 2 - 32) / 3)

OFF, WAITING, REFRESHING, WATCHING, ENDED = State

# state before, input, state after, outputs
TABLE = [
    (OFF, US, WAITING, [REFRESH, EXPIRE]),
    (OFF, THEM, WATCHING, [Stop(Timer.REFRESH), EXPIRE]),
    (OFF, Outcome.NOT_AGREED, OFF, []),
    (OFF, Outcome.REFUSED, OFF, []),
    (OFF, Outcome.LOST, ENDED, [*STOPS, Action.END]),
    (OFF, Outcome.OVER, ENDED, STOPS),
    (OFF, TooSmall(3600), OFF, []),
    (OFF, Timer.REFRESH, OFF, []),
    (OFF, Timer.EXPIRE, OFF, []),
    (WAITING, US, WAITING, [REFRESH, EXPIRE]),
    (WAITING, THEM, WATCHING, [Stop(Timer.REFRESH), EXPIRE]),
    (WAITING, Outcome.NOT_AGREED, WAITING, [REFRESH, EXPIRE]),
    (WAITING, Outcome.REFUSED, WAITING, []),
    (WAITING, Outcome.LOST, ENDED, [*STOPS, Action.END]),
    (WAITING, Outcome.OVER, ENDED, STOPS),
    (WAITING, TooSmall(3600), WAITING, []),
    (WAITING, Timer.REFRESH, REFRESHING, [Action.REFRESH]),
    (WAITING, Timer.EXPIRE, ENDED, [*STOPS, Action.END]),
    (REFRESHING, US, WAITING, [REFRESH, EXPIRE]),
    (REFRESHING, THEM, WATCHING, [Stop(Timer.REFRESH), EXPIRE]),
    (REFRESHING, Outcome.NOT_AGREED, WAITING, [REFRESH, EXPIRE]),
    (REFRESHING, Outcome.REFUSED, WAITING, [RETRY]),
    (REFRESHING, Outcome.LOST, ENDED, [*STOPS, Action.END]),
    (REFRESHING, Outcome.OVER, ENDED, STOPS),
    (REFRESHING, TooSmall(3600), REFRESHING, []),
    (REFRESHING, Timer.REFRESH, REFRESHING, []),
    (REFRESHING, Timer.EXPIRE, ENDED, [*STOPS, Action.END]),
    (WATCHING, US, WAITING, [REFRESH, EXPIRE]),
    (WATCHING, THEM, WATCHING, [Stop(Timer.REFRESH), EXPIRE]),
    (WATCHING, Outcome.NOT_AGREED, OFF, STOPS),
    (WATCHING, Outcome.REFUSED, WATCHING, []),
    (WATCHING, Outcome.LOST, ENDED, [*STOPS, Action.END]),
    (WATCHING, Outcome.OVER, ENDED, STOPS),
    (WATCHING, TooSmall(3600), WATCHING, []),
    (WATCHING, Timer.REFRESH, WATCHING, []),
    (WATCHING, Timer.EXPIRE, ENDED, [*STOPS, Action.END]),
    *(
        (ENDED, one, ENDED, [])
        for one in (US, THEM, *Outcome, TooSmall(3600), Timer.REFRESH, Timer.EXPIRE)
    ),
]

WAY = {
    OFF: [],
    WAITING: [US],
    REFRESHING: [US, Timer.REFRESH],
    WATCHING: [THEM],
    ENDED: [Outcome.OVER],
}


def timer_in(state, minimum=90):
    timer = SessionTimer(minimum)
    for step in WAY[state]:
        timer.handle(step)
    assert timer.state is state
    return timer


@pytest.mark.parametrize(("before", "given", "after", "outputs"), TABLE)
def test_each_state_with_each_input(before, given, after, outputs):
    timer = timer_in(before)
    assert (timer.handle(given), timer.state) == (outputs, after)


def test_the_table_is_complete():
    assert len({(before, given) for before, given, _, _ in TABLE}) == 5 * 9 == len(TABLE)


@pytest.mark.parametrize(
    ("interval", "refresh", "expire"),
    [(1, 0.5, 2 / 3), (4, 2, 8 / 3), (90, 45, 60), (96, 48, 64), (10**9, 5 * 10**8, 10**9 - 32)],
)
def test_when_timers_are_due(interval, refresh, expire):
    first, second = SessionTimer().handle(Agreed(interval, ours=True))
    assert (first.timer, first.seconds) == (Timer.REFRESH, refresh)
    assert (second.timer, second.seconds) == (Timer.EXPIRE, pytest.approx(expire))


def test_a_422_raises_what_the_next_refresh_says():
    timer = timer_in(REFRESHING)
    timer.handle(TooSmall(3600))
    assert timer.request_headers() == [
        ("Supported", "timer"),
        ("Session-Expires", "3600;refresher=uac"),
        ("Min-SE", "3600"),
    ]
    timer.handle(TooSmall(100))
    assert timer.minimum == 3600


@pytest.mark.parametrize(
    ("state", "session_expires"),
    [
        (OFF, []),
        (WAITING, [("Session-Expires", "1800;refresher=uac")]),
        (WATCHING, [("Session-Expires", "1800;refresher=uas")]),
    ],
)
def test_what_a_request_of_ours_says(state, session_expires):
    assert timer_in(state).request_headers() == [("Supported", "timer"), *session_expires]


@pytest.mark.parametrize(
    ("value", "agreed"),
    [
        (None, Outcome.NOT_AGREED),
        ("", Outcome.NOT_AGREED),
        ("nonsense", Outcome.NOT_AGREED),
        ("0;refresher=uas", Outcome.NOT_AGREED),
        ("-5", Outcome.NOT_AGREED),
        ("99999999999", Outcome.NOT_AGREED),
        ("600;refresher=uac", Agreed(600, ours=True)),
        ("600 ; Refresher = UAS;x", Agreed(600, ours=False)),
        ("600", Agreed(600, ours=True)),
        ("600;refresher=nobody", Agreed(600, ours=True)),
    ],
)
def test_what_their_2xx_says(value, agreed):
    assert agreed_by(as_response(response_bytes(200, session_expires=value))) == agreed


def test_the_compact_form_is_read():
    assert terms_of(as_response(response_bytes(200, x="600;refresher=uas"))).interval == 600


@pytest.mark.parametrize(("value", "seconds"), [(None, None), ("x", None), ("120;a=b", 120)])
def test_min_se(value, seconds):
    assert minimum_of(as_response(response_bytes(422, min_se=value))) == seconds


@pytest.mark.parametrize(
    ("state", "supported", "value", "given", "headers"),
    [
        # RFC 4028 table 2
        (OFF, "", None, Outcome.NOT_AGREED, []),
        (OFF, "timer", None, Outcome.NOT_AGREED, []),
        (OFF, "", "600", Agreed(600, ours=True), ["600;refresher=uas"]),
        (OFF, "", "600;refresher=uac", Agreed(600, ours=True), ["600;refresher=uas"]),
        (OFF, "timer", "600", Agreed(600, ours=False), ["600;refresher=uac", "timer"]),
        (OFF, "Timer", "600;refresher=uas", Agreed(600, ours=True), ["600;refresher=uas", "timer"]),
        (
            OFF,
            "timer",
            "600;refresher=uac",
            Agreed(600, ours=False),
            ["600;refresher=uac", "timer"],
        ),
        # who refreshed before goes on with it
        (WAITING, "timer", "600", Agreed(600, ours=True), ["600;refresher=uas", "timer"]),
        (WATCHING, "timer", "600", Agreed(600, ours=False), ["600;refresher=uac", "timer"]),
        (WAITING, "timer", None, US, ["1800;refresher=uas", "timer"]),
        (WATCHING, "timer", None, THEM, ["1800;refresher=uac", "timer"]),
        (WATCHING, "", None, Outcome.NOT_AGREED, []),
    ],
)
def test_our_2xx(state, supported, value, given, headers):
    request = as_request(request_bytes(supported=supported, session_expires=value))
    agreed, lines = timer_in(state).answer(request)
    assert agreed == given
    assert lines == list(zip(("Session-Expires", "Require"), headers, strict=False))


@pytest.mark.parametrize(
    ("supported", "value", "too_small"),
    [
        ("timer", "119", True),
        ("timer", "120", False),
        ("timer", None, False),
        ("", "119", False),  # a proxy asks, and would not understand
    ],
)
def test_an_interval_below_the_minimum(supported, value, too_small):
    request = as_request(request_bytes(supported=supported, session_expires=value))
    assert timer_in(OFF, minimum=120).too_small(request) is too_small


inputs = st.one_of(
    st.builds(Agreed, st.integers(1, 2**32), st.booleans()),
    st.builds(TooSmall, st.integers(0, 2**32)),
    st.sampled_from(Outcome),
    st.sampled_from(Timer),
)


@given(st.lists(inputs, max_size=30))
def test_whatever_comes_a_session_with_a_timer_has_its_end_in_sight(sequence):
    timer, running = SessionTimer(), set()
    for one in sequence:
        running.discard(one)
        for output in timer.handle(one):
            if isinstance(output, Start):
                assert output.seconds > 0
                running.add(output.timer)
            elif isinstance(output, Stop):
                running.discard(output.timer)
        assert (Timer.EXPIRE in running) is (timer.state in {WAITING, REFRESHING, WATCHING}) or (
            one is Timer.EXPIRE
        )
        if timer.state in {OFF, ENDED}:
            assert not running
