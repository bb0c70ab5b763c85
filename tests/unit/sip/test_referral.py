"""The subscription that a REFER of ours makes: every input in every state, and on the wire."""

from __future__ import annotations

import pytest
from tests.unit.sip.endpoint_steps import (
    CREDENTIALS,
    call_up,
    challenge,
    only_response,
    sent,
    told,
    within,
)
from tests.unit.sip.sample_messages import PEER, answer_bytes, as_request, as_response

from dialer.sip.effects import CallEnded, ReferAnswered, ReferNotified
from dialer.sip.referral import Subscription, SubscriptionState, Told

REFER_TO = "sip:+4930123@pbx.example"
TRYING = b"SIP/2.0 100 Trying\r\n"
OVER = "terminated;reason=noresource"


def notify(headers, number, body=TRYING, **more):
    lines = {
        "event": "refer",
        "subscription_state": "active;expires=60",
        "content_type": "message/sipfrag;version=2.0",
        **more,
    }
    return within("NOTIFY", headers, number, body=body, **lines)


def refer(dialer, call_id, now=1.0, **options):
    [data] = sent(dialer.refer(call_id, REFER_TO, now, **options))
    return data


def referred(dialer, **options):
    """Set up a call and send a REFER that is accepted; return its Call-ID and headers."""
    call_id, headers = call_up(dialer, **options)
    data = refer(dialer, call_id)
    effects = dialer.receive(answer_bytes(data, 202, "Accepted"), PEER, 1.1)
    assert told(effects) == [ReferAnswered(call_id, 202, "Accepted", followed=True)]
    return call_id, headers


def answer(**headers):
    data = answer_bytes(within("REFER", {}, 3), 202, **headers)
    return as_response(data)


def fragment(body=TRYING, **more):
    return as_request(notify({}, 1, body, **more))


REQUESTED, ACCEPTED, ENDED = SubscriptionState
PROGRESS, LAST = fragment(), fragment(b"SIP/2.0 200 OK\r\n", subscription_state=OVER)
INPUTS = {
    "accepted": lambda one: one.answered(202, answer()),
    "accepted without subscription": lambda one: one.answered(202, answer(refer_sub="false")),
    "refused": lambda one: one.answered(603, None),
    "unanswered": lambda one: one.answered(408, None),
    "notified": lambda one: one.is_of(PROGRESS) and one.notified(PROGRESS),
    "notified for the last time": lambda one: one.is_of(LAST) and one.notified(LAST),
    "ended": lambda one: one.end(),
}
PROGRESS_TOLD, LAST_TOLD = (
    Told(100, "Trying", terminated=False, reason=""),
    Told(200, "OK", terminated=True, reason="noresource"),
)
TABLE = [
    (REQUESTED, "accepted", True, ACCEPTED),
    (REQUESTED, "accepted without subscription", False, ENDED),
    (REQUESTED, "refused", False, ENDED),
    (REQUESTED, "unanswered", False, ENDED),
    (REQUESTED, "notified", PROGRESS_TOLD, REQUESTED),
    (REQUESTED, "notified for the last time", LAST_TOLD, ENDED),
    (REQUESTED, "ended", None, ENDED),
    (ACCEPTED, "accepted", True, ACCEPTED),
    (ACCEPTED, "accepted without subscription", False, ENDED),
    (ACCEPTED, "refused", False, ENDED),
    (ACCEPTED, "unanswered", False, ENDED),
    (ACCEPTED, "notified", PROGRESS_TOLD, ACCEPTED),
    (ACCEPTED, "notified for the last time", LAST_TOLD, ENDED),
    (ACCEPTED, "ended", None, ENDED),
    (ENDED, "accepted", True, ENDED),
    (ENDED, "accepted without subscription", False, ENDED),
    (ENDED, "refused", False, ENDED),
    (ENDED, "unanswered", False, ENDED),
    (ENDED, "notified", False, ENDED),
    (ENDED, "notified for the last time", False, ENDED),
    (ENDED, "ended", None, ENDED),
]


@pytest.mark.parametrize(("state", "given", "says", "becomes"), TABLE)
def test_every_input_in_every_state(state, given, says, becomes):
    subscription = Subscription()
    subscription.state = state
    assert INPUTS[given](subscription) == says
    assert subscription.state is becomes


def test_the_table_is_whole():
    assert {(state, given) for state, given, _, _ in TABLE} == {
        (state, given) for state in SubscriptionState for given in INPUTS
    }


@pytest.mark.parametrize(
    ("body", "more", "says"),
    [
        (b"SIP/2.0 180 Ringing", {}, Told(180, "Ringing", terminated=False, reason="")),
        (b"SIP/2.0 200\r\n", {}, Told(200, "", terminated=False, reason="")),
        (
            b"\r\nsip/2.0 486 Busy Here\r\nTo: <x>\r\n",
            {},
            Told(486, "Busy Here", terminated=False, reason=""),
        ),
        (b"SIP/2.0 099 Never", {}, Told(None, "", terminated=False, reason="")),
        (b"nonsense", {}, Told(None, "", terminated=False, reason="")),
        (b"", {}, Told(None, "", terminated=False, reason="")),
        (
            b"SIP/2.0 200 OK",
            {"content_type": "text/plain"},
            Told(None, "", terminated=False, reason=""),
        ),
        (
            b"SIP/2.0 100 T",
            {"subscription_state": None},
            Told(100, "T", terminated=False, reason=""),
        ),
        (
            b"SIP/2.0 503 S",
            {"subscription_state": None},
            Told(503, "S", terminated=True, reason=""),
        ),
        (b"", {"subscription_state": "terminated"}, Told(None, "", terminated=True, reason="")),
        (
            b"",
            {"subscription_state": "Terminated;reason=timeout"},
            Told(None, "", terminated=True, reason="timeout"),
        ),
    ],
)
def test_what_a_notify_says(body, more, says):
    assert Subscription().notified(fragment(body, **more)) == says


@pytest.mark.parametrize(
    ("event", "belongs"),
    [
        ("refer", True),
        ("Refer;id=7", True),
        ("refer;id=8", True),
        ("refer;id=9", False),
        ("refer;id=x", False),
        ("presence", False),
        (None, False),
    ],
)
def test_a_notify_is_known_by_its_event(event, belongs):
    subscription = Subscription()
    subscription.numbers = {7, 8}
    assert subscription.is_of(fragment(event=event)) is belongs


def test_a_refer_names_its_target_and_who_asks(dialer):
    call_id, _ = call_up(dialer)
    request = as_request(refer(dialer, call_id, referred_by="sip:100@192.0.2.1"))
    assert request.method == "REFER"
    assert request.first("refer-to") == f"<{REFER_TO}>"
    assert request.first("referred-by") == "<sip:100@192.0.2.1>"
    assert request.contact
    assert "session-expires" not in request.headers


@pytest.mark.parametrize("uri", ["", "sip:a b@c", "sip:a@b>\r\nX: y"])
def test_a_refer_to_that_is_no_uri_is_refused_before_anything_is_sent(dialer, uri):
    call_id, _ = call_up(dialer)
    with pytest.raises(ValueError, match=r"URI|control"):
        dialer.refer(call_id, uri, 1.0)
    assert sent(dialer.refer(call_id, REFER_TO, 1.0))


def test_a_refer_of_an_unknown_call_does_nothing(dialer):
    assert dialer.refer("nobody", REFER_TO, 1.0) == []


def test_a_refer_followed_to_the_end(dialer):
    call_id, headers = referred(dialer)
    seen = []
    steps = [(TRYING, "active"), (b"SIP/2.0 180 Ringing", "active"), (b"SIP/2.0 200 OK", OVER)]
    for number, (body, state) in enumerate(steps, 1):
        effects = dialer.receive(notify(headers, number, body, subscription_state=state), PEER, 2)
        assert only_response(effects).code == 200
        seen += told(effects)
    assert seen == [
        ReferNotified(call_id, 100, "Trying", terminated=False),
        ReferNotified(call_id, 180, "Ringing", terminated=False),
        ReferNotified(call_id, 200, "OK", terminated=True, reason="noresource"),
    ]
    late = dialer.receive(notify(headers, 4), PEER, 3.0)
    assert only_response(late).code == 481
    assert not told(late)


def test_a_notify_repeated_is_told_once(dialer):
    _, headers = referred(dialer)
    first = dialer.receive(notify(headers, 1), PEER, 2.0)
    again = dialer.receive(notify(headers, 1), PEER, 2.1)
    assert sent(again) == sent(first)
    assert told(first)
    assert not told(again)


def test_a_notify_that_overtakes_the_202(dialer):
    call_id, headers = call_up(dialer)
    data = refer(dialer, call_id)
    early = dialer.receive(notify(headers, 1), PEER, 1.1)
    assert only_response(early).code == 200
    assert told(early) == [ReferNotified(call_id, 100, "Trying", terminated=False)]
    accepted = dialer.receive(answer_bytes(data, 202, "Accepted"), PEER, 1.2)
    assert told(accepted) == [ReferAnswered(call_id, 202, "Accepted", followed=True)]
    assert told(dialer.receive(notify(headers, 2), PEER, 1.3))


@pytest.mark.parametrize("code", [403, 405, 420, 481, 501, 603])
def test_a_refusal_ends_it_and_the_call_goes_on(dialer, code):
    call_id, headers = call_up(dialer)
    data = refer(dialer, call_id)
    effects = dialer.receive(answer_bytes(data, code, "No"), PEER, 1.1)
    assert told(effects) == [ReferAnswered(call_id, code, "No", followed=False)]
    assert only_response(dialer.receive(notify(headers, 1), PEER, 1.2)).code == 481
    assert sent(dialer.bye(call_id, 2.0))


def test_no_answer_to_a_refer_within_64_t1(dialer):
    call_id, _ = call_up(dialer)
    refer(dialer, call_id)
    seen = []
    while (at := dialer.timer_at()) is not None and at <= 40:
        seen += told(dialer.handle_timer(at))
    assert seen == [ReferAnswered(call_id, 408)]


def test_an_accepted_refer_without_subscription(dialer):
    call_id, headers = call_up(dialer)
    data = refer(dialer, call_id)
    effects = dialer.receive(answer_bytes(data, 202, "Accepted", refer_sub="false"), PEER, 1.1)
    assert told(effects) == [ReferAnswered(call_id, 202, "Accepted", followed=False)]
    assert only_response(dialer.receive(notify(headers, 1), PEER, 1.2)).code == 481


@pytest.mark.parametrize("code", [401, 407])
def test_a_challenge_is_answered_and_notifies_name_either_sending(dialer, code):
    call_id, headers = call_up(dialer, credentials=CREDENTIALS)
    data = refer(dialer, call_id)
    first = as_request(data).cseq
    [again] = sent(dialer.receive(challenge(data, code=code), PEER, 1.1))
    request = as_request(again)
    name = "authorization" if code == 401 else "proxy-authorization"
    assert request.method == "REFER"
    assert request.first(name).startswith("Digest")
    assert request.first("refer-to") == f"<{REFER_TO}>"
    assert told(dialer.receive(answer_bytes(again, 202), PEER, 1.2))
    for number, identifier in enumerate((first, request.cseq), 1):
        event = f"refer;id={identifier}"
        assert told(dialer.receive(notify(headers, number, event=event), PEER, 2.0))


def test_a_challenge_without_credentials_is_a_refusal(dialer):
    call_id, _ = call_up(dialer)
    effects = dialer.receive(challenge(refer(dialer, call_id)), PEER, 1.1)
    assert told(effects) == [ReferAnswered(call_id, 401, "Who", followed=False)]


def test_one_refer_at_a_time_and_another_after_it(dialer):
    call_id, headers = call_up(dialer)
    data = refer(dialer, call_id)
    assert told(dialer.refer(call_id, REFER_TO, 1.1)) == [ReferAnswered(call_id, 491)]
    dialer.receive(answer_bytes(data, 202), PEER, 1.2)
    dialer.receive(notify(headers, 1, b"SIP/2.0 486 Busy Here", subscription_state=OVER), PEER, 2)
    again = refer(dialer, call_id, 3.0)
    assert told(dialer.receive(answer_bytes(again, 202), PEER, 3.1))
    earlier = notify(headers, 2, event=f"refer;id={as_request(data).cseq}")
    assert only_response(dialer.receive(earlier, PEER, 3.2)).code == 481
    assert told(dialer.receive(notify(headers, 3), PEER, 3.3))


def test_their_bye_crosses_our_refer(dialer):
    call_id, headers = call_up(dialer)
    data = refer(dialer, call_id)
    effects = dialer.receive(within("BYE", headers, 1), PEER, 1.1)
    assert told(effects) == [CallEnded(call_id, by_peer=True)]
    assert not told(dialer.receive(answer_bytes(data, 481), PEER, 1.2))
    assert not told(dialer.receive(notify(headers, 2), PEER, 1.3))
    _let_time_pass(dialer)
    assert dialer.idle


def test_notifies_after_the_end_of_the_call_are_answered_for_a_while(dialer):
    call_id, headers = referred(dialer)
    ended = dialer.receive(within("BYE", headers, 1), PEER, 2.0)
    assert told(ended) == [CallEnded(call_id, by_peer=True)]
    after = dialer.receive(notify(headers, 2), PEER, 3.0)
    assert only_response(after).code == 200
    assert not told(after)
    for number, method in enumerate(("INFO", "INVITE", "BYE"), 3):
        assert only_response(dialer.receive(within(method, headers, number), PEER, 3.1)).code == 481
    last = notify(headers, 6, b"SIP/2.0 200 OK", subscription_state=OVER)
    assert only_response(dialer.receive(last, PEER, 4.0)).code == 200
    assert only_response(dialer.receive(notify(headers, 7), PEER, 5.0)).code == 481
    _let_time_pass(dialer)
    assert dialer.idle


def test_our_bye_does_not_wait_for_the_end_of_the_subscription(dialer):
    call_id, headers = referred(dialer)
    [data] = sent(dialer.bye(call_id, 2.0))
    assert only_response(dialer.receive(notify(headers, 1), PEER, 2.1)).code == 200
    assert told(dialer.receive(answer_bytes(data, 200), PEER, 2.2)) == [
        CallEnded(call_id, by_peer=False)
    ]
    assert dialer.refer(call_id, REFER_TO, 2.3) == []
    _let_time_pass(dialer)
    assert dialer.idle


def _let_time_pass(dialer):
    while (at := dialer.timer_at()) is not None:
        dialer.handle_timer(at)
