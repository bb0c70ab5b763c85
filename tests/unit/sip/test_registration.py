"""When REGISTER is sent, and when it is not: every state meets every input (RFC 3261 §10.2)."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.sip.effects import RegisterAnswered
from dialer.sip.identity import HostPort
from dialer.sip.registration import (
    BASE,
    LONGEST,
    LONGEST_ASKED,
    LONGEST_EXPIRES,
    MARGIN,
    REFUSED_BASE,
    RENEWAL_PAUSE,
    START_SPREAD,
    Registration,
    RegistrationState,
    back_off,
    refresh_after,
)

WAITING, REGISTERING, REGISTERED, REFRESHING, UNREGISTERING, ENDED = RegistrationState
EXPIRES = 300
OK = RegisterAnswered("reg", 1, HostPort("192.0.2.9", 5060), 200, "OK", EXPIRES)


def refusal(code, phrase="", **more):
    return dataclasses.replace(OK, code=code, phrase=phrase, expires=0, **more)


SILENCE = refusal(None)
TOO_BRIEF = refusal(423, "Interval Too Brief", min_expires=600)

# inputs; each is called with a registration and a time, and returns what that returns
INPUTS = {
    "timer, nothing due": lambda one, now: one.handle_timer(min(now, (one.timer_at() or now) - 1)),
    "timer, due": lambda one, _now: one.handle_timer(one.timer_at() or 1000.0),
    "timer, at the end of the binding": lambda one, now: one.handle_timer(max(now, one.until)),
    "200": lambda one, now: one.answered(OK, now, 0.5),
    "200 for no time": lambda one, now: one.answered(refusal(200), now, 0.5),
    "302": lambda one, now: one.answered(refusal(302), now, 0.5),
    "401": lambda one, now: one.answered(refusal(401, challenged=True), now, 0.5),
    "403": lambda one, now: one.answered(refusal(403), now, 0.5),
    "423": lambda one, now: one.answered(TOO_BRIEF, now, 0.5),
    "423 for no reason": lambda one, now: one.answered(refusal(423), now, 0.5),
    "503": lambda one, now: one.answered(refusal(503), now, 0.5),
    "603": lambda one, now: one.answered(refusal(603), now, 0.5),
    "silence": lambda one, now: one.answered(SILENCE, now, 0.5),
    "no target": lambda one, now: one.failed("the name x has no address", now, 0.5),
    "another address": lambda one, now: one.renew(now),
    "leave": lambda one, now: one.leave(now),
}
FAILURES = ("200 for no time", "302", "401", "403", "423 for no reason", "503", "603")
NOT_AWAITED = dict.fromkeys((*FAILURES, "200", "423", "silence", "no target"), (None, None))
STAYS = {"timer, nothing due": (None, None), "another address": (None, None)}

# (state, input) -> (state after it, None for the same; Expires to send)
AFTER_AN_ANSWER = {
    "200": (REGISTERED, None),
    "423": (None, 600),
    "timer, due": (None, None),
}
TABLE = {
    WAITING: {
        **STAYS,
        **NOT_AWAITED,
        "timer, due": (REGISTERING, EXPIRES),
        "timer, at the end of the binding": (REGISTERING, EXPIRES),
        "leave": (ENDED, None),
    },
    REGISTERING: {
        **STAYS,
        **dict.fromkeys((*FAILURES, "silence", "no target"), (WAITING, None)),
        **AFTER_AN_ANSWER,
        "timer, at the end of the binding": (None, None),
        "leave": (None, None),
    },
    REGISTERED: {
        **STAYS,
        **NOT_AWAITED,
        "timer, due": (REFRESHING, EXPIRES),
        "timer, at the end of the binding": (REGISTERING, EXPIRES),
        "leave": (UNREGISTERING, 0),
    },
    REFRESHING: {
        **STAYS,
        **dict.fromkeys((*FAILURES, "silence", "no target"), (REGISTERED, None)),
        **AFTER_AN_ANSWER,
        "401": (WAITING, None),
        "403": (WAITING, None),
        "timer, due": (REGISTERING, None),  # its time is the end of the binding
        "timer, at the end of the binding": (REGISTERING, None),
        "leave": (None, None),
    },
    UNREGISTERING: {
        **STAYS,
        **dict.fromkeys((*FAILURES, "200", "423", "silence"), (ENDED, None)),
        "no target": (None, None),
        "timer, due": (None, None),
        "timer, at the end of the binding": (None, None),
        "leave": (None, None),
    },
    ENDED: {
        **STAYS,
        **NOT_AWAITED,
        "timer, due": (None, None),
        "timer, at the end of the binding": (None, None),
        "leave": (None, None),
    },
}


def in_state(state):
    """A registration in a state, and a time at which it has just come there."""
    one = Registration(EXPIRES, 0.0, 0.5)
    if state is not WAITING:
        one.handle_timer(10.0)
    if state not in {WAITING, REGISTERING}:
        one.answered(OK, 10.0, 0.5)
    now = 10.0
    if state is REFRESHING:
        now = one.timer_at()
        one.handle_timer(now)
    if state in {UNREGISTERING, ENDED}:
        one.leave(now)
    if state is ENDED:
        one.answered(OK, now, 0.5)
    assert one.state is state
    return one, 1.0 if state is WAITING else now


@pytest.mark.parametrize("given_input", INPUTS)
@pytest.mark.parametrize("state", RegistrationState)
def test_every_state_meets_every_input(state, given_input):
    after, expires = TABLE[state][given_input]
    one, now = in_state(state)
    assert INPUTS[given_input](one, now) == expires
    assert one.state is (after or state)
    assert (one.timer_at() is None) == (one.state in {REGISTERING, UNREGISTERING, ENDED})
    assert one.registered == (one.state in {REGISTERED, REFRESHING})


LEAVING = {
    (REGISTERING, "200"): (UNREGISTERING, 0),
    (REGISTERING, "503"): (ENDED, None),
    (REGISTERING, "423"): (ENDED, None),
    (REGISTERING, "403"): (ENDED, None),
    (REGISTERING, "silence"): (ENDED, None),
    (REFRESHING, "200"): (UNREGISTERING, 0),
    (REFRESHING, "503"): (UNREGISTERING, 0),
    (REFRESHING, "423"): (UNREGISTERING, 0),
    (REFRESHING, "403"): (ENDED, None),
    (REFRESHING, "silence"): (UNREGISTERING, 0),
    (REFRESHING, "no target"): (UNREGISTERING, 0),
}


@pytest.mark.parametrize(("state", "given_input"), LEAVING)
def test_one_that_is_to_leave_does_so_once_its_register_is_answered(state, given_input):
    one, now = in_state(state)
    assert one.leave(now) is None
    after, expires = LEAVING[state, given_input]
    assert INPUTS[given_input](one, now) == expires
    assert one.state is after


def test_the_first_register_waits_for_a_moment_of_its_own():
    assert [Registration(EXPIRES, 100.0, part).timer_at() for part in (0.0, 0.25, 1.0)] == [
        100.0,
        100.0 + START_SPREAD / 4,
        100.0 + START_SPREAD,
    ]


@given(st.integers(1, LONGEST_EXPIRES), st.floats(0, 1))
def test_a_refresh_comes_from_80_to_90_percent_and_before_the_margin(expires, fraction):
    after = refresh_after(expires, fraction)
    assert expires / 2 <= after <= expires * 0.9 + 1e-6
    if expires >= 2 * MARGIN:
        assert after <= expires - MARGIN
    if expires >= MARGIN / 0.1:
        assert after >= 0.8 * expires - 1e-6


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_back_off_doubles_up_to_its_longest_with_half_of_it_left_to_chance(failures, fraction):
    bound = min(LONGEST, BASE * 2.0 ** min(failures, 16))
    assert bound / 2 <= back_off(failures, fraction, BASE, LONGEST) <= bound


def test_failures_in_a_row_are_tried_again_later_and_later_and_a_success_begins_anew():
    one, now = in_state(REGISTERING)
    waits = []
    for _ in range(8):
        one.answered(SILENCE, now, 1.0)
        waits.append(one.timer_at() - now)
        now = one.timer_at()
        assert one.handle_timer(now) == EXPIRES
    assert waits == [10, 20, 40, 80, 160, 300, 300, 300]
    assert one.reason == "no answer to REGISTER"
    one.answered(OK, now, 1.0)
    assert one.reason == ""
    now = one.timer_at()
    one.handle_timer(now)
    one.answered(SILENCE, now, 1.0)
    assert one.timer_at() - now == 10


def test_refused_credentials_are_tried_again_rarely():
    one, now = in_state(REGISTERING)
    one.answered(refusal(403, "Forbidden"), now, 1.0)
    assert one.timer_at() - now == 2 * REFUSED_BASE
    assert one.reason == "credentials refused: REGISTER got 403 Forbidden"
    now = one.timer_at()
    one.handle_timer(now)
    one.answered(refusal(401, "Unauthorized", challenged=True), now, 1.0)
    assert one.timer_at() - now == 4 * REFUSED_BASE
    assert one.reason == "credentials refused: REGISTER got 401 Unauthorized"


@pytest.mark.parametrize(("asked", "waits"), [(120, 120), (1, 10), (10**9, LONGEST_ASKED)])
def test_retry_after_is_respected_within_reason(asked, waits):
    one, now = in_state(REGISTERING)
    one.answered(refusal(503, retry_after=asked), now, 1.0)
    assert one.timer_at() - now == waits


def test_a_refresh_that_fails_leaves_the_binding_until_its_end():
    one, now = in_state(REFRESHING)
    one.answered(refusal(503, "Service Unavailable", retry_after=100), now, 0.5)
    assert one.registered
    assert one.reason == "REGISTER got 503 Service Unavailable"
    end = one.until
    assert one.timer_at() == end
    assert one.handle_timer(end) is None
    assert one.reason == "the registration ran out: REGISTER got 503 Service Unavailable"
    assert one.timer_at() == now + 100
    assert one.handle_timer(now + 100) == EXPIRES


@pytest.mark.parametrize(("granted", "lifetime"), [(60, 60), (300, 300), (10**9, 300)])
def test_a_lifetime_may_be_shorter_than_asked_for_but_not_longer(granted, lifetime):
    one, now = in_state(REGISTERING)
    one.answered(dataclasses.replace(OK, expires=granted), now, 0.5)
    assert one.until - now == lifetime


def test_423_is_followed_a_few_times_and_only_upwards():
    one, now = in_state(REGISTERING)
    for wanted in (600, 700, 800):
        assert one.answered(refusal(423, min_expires=wanted), now, 0.5) == wanted
    assert one.answered(refusal(423, min_expires=900), now, 0.5) is None
    assert one.state is WAITING
    assert one.expires == 800


@pytest.mark.parametrize("wanted", [None, 0, EXPIRES, LONGEST_EXPIRES + 1])
def test_423_that_asks_for_nothing_sensible_is_a_failure(wanted):
    one, now = in_state(REGISTERING)
    assert one.answered(refusal(423, min_expires=wanted), now, 0.5) is None
    assert (one.state, one.expires) == (WAITING, EXPIRES)


def test_a_new_address_is_registered_at_once_but_not_over_and_over():
    one, now = in_state(REGISTERED)
    one.renew(now)
    assert one.handle_timer(now) == EXPIRES
    one.answered(OK, now + 1, 0.5)
    one.renew(now + 1)
    assert one.timer_at() == now + RENEWAL_PAUSE


def test_the_peers_phrase_is_kept_short():
    one, now = in_state(REGISTERING)
    one.answered(refusal(503, "x" * 5000), now, 0.5)
    assert len(one.reason) < 120
