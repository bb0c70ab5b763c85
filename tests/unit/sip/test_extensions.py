"""420, 421 and 422: the INVITE that is sent instead, once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.sip.endpoint_steps import draft, invite, sent, told
from tests.unit.sip.sample_messages import PEER, answer_bytes, as_request, as_response

from dialer.sip.effects import FinalReceived, InviteResent
from dialer.sip.extensions import adjusted, offered


def refusal(code, **headers):
    return as_response(answer_bytes(REQUEST, code, "No", **headers))


REQUEST = b"""\
INVITE sip:200@192.0.2.9 SIP/2.0\r
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKours\r
From: <sip:100@192.0.2.1>;tag=ours\r
To: <sip:200@192.0.2.9>\r
Call-ID: call-1\r
CSeq: 1 INVITE\r
\r
"""


def test_100rel_is_offered_where_the_draft_says_so():
    assert offered(draft()) == ()
    assert offered(draft(reliable_provisionals=True)) == ("100rel",)
    assert offered(draft(reliable_provisionals=True, session_expires=90)) == ("100rel", "timer")


@pytest.mark.parametrize(
    ("interval", "minimum", "expires", "min_se"),
    [
        (0, 90, "", ""),
        (0, 300, "", ""),
        (1800, 90, "1800", ""),
        (1800, 300, "1800", "300"),
        (120, 300, "300", "300"),
    ],
)
def test_the_session_interval_that_an_invite_asks_for(dialer, interval, minimum, expires, min_se):
    _, data = invite(dialer, session_expires=interval, min_session_expires=minimum)
    request = as_request(data)
    assert (request.first("session-expires"), request.first("min-se")) == (expires, min_se)
    assert ("timer" in request.values("supported")) is (interval > 0)


def test_a_422_raises_the_interval_to_what_it_asks_for():
    fresh = adjusted(draft(session_expires=600), refusal(422, min_se="900"))
    assert (fresh.session_expires, fresh.min_session_expires) == (900, 900)


@pytest.mark.parametrize("min_se", [None, "", "nonsense", "600", "90"])
def test_a_422_that_asks_for_nothing_longer_stands(min_se):
    assert adjusted(draft(session_expires=600), refusal(422, min_se=min_se)) is None


def test_a_422_to_an_invite_without_a_timer_stands():
    assert adjusted(draft(), refusal(422, min_se="900")) is None


@pytest.mark.parametrize("unsupported", ["100rel", "100REL, foo", "timer, 100rel"])
def test_a_420_takes_away_what_it_names(unsupported):
    given_draft = draft(reliable_provisionals=True, session_expires=600)
    fresh = adjusted(given_draft, refusal(420, unsupported=unsupported))
    assert not fresh.reliable_provisionals
    assert fresh.session_expires == (0 if "timer" in unsupported else 600)


def test_a_420_takes_a_required_tag_out_of_our_own_headers():
    given_draft = draft(headers=(("Require", "a, b"), ("Proxy-Require", "b"), ("Subject", "b")))
    fresh = adjusted(given_draft, refusal(420, unsupported="b"))
    assert fresh.headers == (("Require", "a"), ("Subject", "b"))


@pytest.mark.parametrize("headers", [{}, {"unsupported": "100rel"}, {"unsupported": "foo, ,"}])
def test_a_420_that_names_nothing_of_ours_stands(headers):
    assert adjusted(draft(), refusal(420, **headers)) is None


def test_a_421_adds_what_we_can_do():
    assert adjusted(draft(), refusal(421, require="100rel")).reliable_provisionals
    both = adjusted(draft(session_expires=600), refusal(421, require="100rel, TIMER"))
    assert (both.reliable_provisionals, both.session_expires) == (True, 600)
    assert adjusted(draft(), refusal(421, require="timer")).session_expires == 1800


@pytest.mark.parametrize("require", [None, "", "foo", "100rel, foo"])
def test_a_421_that_wants_what_we_cannot_do_stands(require):
    assert adjusted(draft(), refusal(421, require=require)) is None


def test_a_421_for_what_was_offered_stands():
    given_draft = draft(reliable_provisionals=True)
    assert adjusted(given_draft, refusal(421, require="100rel")) is None


@given(st.sampled_from([420, 421]), st.text('10relTIMRtfo ,;"<>', max_size=30))
def test_an_adjusted_draft_differs(code, tags):
    given_draft = draft(reliable_provisionals=True, headers=(("Require", "foo"),))
    fresh = adjusted(given_draft, refusal(code, unsupported=tags, require=tags))
    assert fresh != given_draft


@pytest.mark.parametrize(
    ("code", "headers", "before", "after"),
    [
        (420, {"unsupported": "100rel"}, "100rel", ""),
        (421, {"require": "100rel"}, "", "100rel"),
    ],
)
def test_the_invite_is_sent_again_once(dialer, code, headers, before, after):
    call_id, data = invite(dialer, reliable_provisionals=before == "100rel")
    first = as_request(data)
    assert first.first("supported") == before
    effects = dialer.receive(answer_bytes(data, code, "No", **headers), PEER, 0.1)
    ack, again = (as_request(one) for one in sent(effects))
    assert ack.method == "ACK"
    assert (again.call_id, again.from_tag, again.cseq) == (call_id, first.from_tag, 2)
    assert again.via.branch != first.via.branch
    assert again.first("supported") == after
    [resent] = told(effects)
    assert isinstance(resent, InviteResent)
    assert (resent.code, resent.leg.cseq, resent.leg.via) == (code, 2, again.via.text)
    effects = dialer.receive(answer_bytes(sent(effects)[1], code, "No", **headers), PEER, 0.2)
    assert [type(event) for event in told(effects)] == [FinalReceived]
    assert [as_request(one).method for one in sent(effects)] == ["ACK"]


def test_420_and_421_in_turn_end(dialer):
    _, data = invite(dialer, reliable_provisionals=True)
    answers = [(420, {"unsupported": "100rel"}), (421, {"require": "100rel"})]
    codes = []
    for number in range(6):
        code, headers = answers[number % 2]
        effects = dialer.receive(answer_bytes(data, code, "No", **headers), PEER, 0.1)
        data = sent(effects)[-1]
        codes += [event.code for event in told(effects)]
        if isinstance(told(effects)[0], FinalReceived):
            break
    assert codes == [420, 421, 420]


def test_a_cancelled_invite_is_not_adjusted(dialer):
    call_id, data = invite(dialer, reliable_provisionals=True)
    dialer.cancel(call_id, 0.05)
    effects = dialer.receive(answer_bytes(data, 420, "No", unsupported="100rel"), PEER, 0.1)
    assert [type(event) for event in told(effects)] == [FinalReceived]
