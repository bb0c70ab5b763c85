"""PRACK: one for each reliable response, in its early dialog (RFC 3262)."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.sip.endpoint_steps import (
    CREDENTIALS,
    STRANGER,
    challenge,
    invite,
    make_endpoint,
    sent,
    told,
)
from tests.unit.sip.sample_messages import PEER, answer_bytes, as_request

from dialer.sip.effects import AnswerReceived, FinalReceived, ProvisionalReceived, SendDatagram
from dialer.sip.identity import HostPort


def reliable(data, number, *, code=183, tag="theirs", **headers):
    fields = {"require": "100rel", "rseq": str(number), **headers}
    return answer_bytes(data, code, "Progress", tag=tag, **fields)


def ringing(endpoint, **options):
    return invite(endpoint, reliable_provisionals=True, **options)


def pracks(effects):
    return [as_request(data) for data in sent(effects) if data.startswith(b"PRACK ")]


def test_a_reliable_response_gets_its_prack(dialer):
    call_id, data = ringing(dialer)
    request = as_request(data)
    assert request.values("supported") == ("100rel",)
    answer = reliable(data, 776655, body=b"answer", content_type="application/sdp")
    effects = dialer.receive(answer, PEER, 0.1)
    [prack] = pracks(effects)
    assert prack.first("rack") == "776655 1 INVITE"
    assert (prack.cseq, prack.cseq_method, prack.call_id) == (2, "PRACK", call_id)
    assert (prack.from_tag, prack.to_tag) == (request.from_tag, "theirs")
    assert prack.uri == "sip:100@192.0.2.9:5070"
    assert prack.via.branch not in {"", request.via.branch}
    assert prack.body == b""
    [progress] = told(effects)
    assert (progress.code, progress.body, progress.reliable) == (183, b"answer", True)


def test_it_follows_the_route_set_of_its_early_dialog(dialer):
    _, data = ringing(dialer)
    record_route = "<sip:192.0.2.7;lr>, <sip:192.0.2.8:5090;lr>"
    effects = dialer.receive(reliable(data, 1, record_route=record_route), PEER, 0.1)
    [destination] = [e.destination for e in effects if isinstance(e, SendDatagram)]
    [prack] = pracks(effects)
    assert destination == HostPort("192.0.2.8", 5090)
    assert prack.values("route") == ("<sip:192.0.2.8:5090;lr>", "<sip:192.0.2.7;lr>")


def test_a_repeated_response_gets_no_second_prack_and_is_not_told(dialer):
    _, data = ringing(dialer)
    dialer.receive(reliable(data, 5), PEER, 0.1)
    assert dialer.receive(reliable(data, 5), PEER, 0.2) == []
    assert dialer.receive(reliable(data, 5, code=180), PEER, 0.3) == []


def test_a_prack_is_repeated_until_it_is_answered(dialer):
    _, data = ringing(dialer)
    [prack] = sent(dialer.receive(reliable(data, 5), PEER, 0.0))
    assert sent(dialer.handle_timer(0.5)) == [prack]
    dialer.receive(answer_bytes(prack, 200, "OK"), PEER, 0.6)
    assert sent(dialer.handle_timer(30.0)) == []


def test_responses_out_of_order_wait_for_their_turn(dialer):
    _, data = ringing(dialer)
    dialer.receive(reliable(data, 5), PEER, 0.1)
    for number in (7, 4, 2**32 - 1):
        assert dialer.receive(reliable(data, number), PEER, 0.2) == []
    [sixth] = pracks(dialer.receive(reliable(data, 6, code=180), PEER, 0.3))
    assert (sixth.first("rack"), sixth.cseq) == ("6 1 INVITE", 3)
    [seventh] = pracks(dialer.receive(reliable(data, 7), PEER, 0.4))
    assert (seventh.first("rack"), seventh.cseq) == ("7 1 INVITE", 4)


def test_each_fork_counts_for_itself(dialer):
    _, data = ringing(dialer)
    found = []
    for tag, number in (("one", 9), ("two", 3), ("two", 4), ("one", 10), ("one", 4), ("two", 4)):
        contact = f"<sip:{tag}@192.0.2.9:5070>"
        effects = dialer.receive(reliable(data, number, tag=tag, contact=contact), PEER, 0.1)
        found += [(p.to_tag, p.uri[4:7], p.first("rack"), p.cseq) for p in pracks(effects)]
    assert found == [
        ("one", "one", "9 1 INVITE", 2),
        ("two", "two", "3 1 INVITE", 2),
        ("two", "two", "4 1 INVITE", 3),
        ("one", "one", "10 1 INVITE", 3),
    ]


def test_far_too_many_forks_and_responses_get_no_prack(dialer):
    _, data = ringing(dialer)
    numbers = itertools.count(1)
    many = [reliable(data, next(numbers)) for _ in range(80)]
    many += [reliable(data, 1, tag=f"t{number}") for number in range(80)]
    effects = [dialer.receive(one, PEER, 0.1) for one in many]
    assert sum(len(pracks(one)) for one in effects) == 50 + 19


@pytest.mark.parametrize(
    "headers",
    [
        {"require": None},
        {"rseq": None},
        {"rseq": "0"},
        {"rseq": "-1"},
        {"rseq": "x"},
        {"rseq": str(2**32)},
        {"rseq": "1" * 5000},
        {"code": 100},
        {"to": "<sip:200@192.0.2.9>"},
    ],
)
def test_what_is_not_reliable_is_told_without_a_prack(dialer, headers):
    _, data = ringing(dialer)
    effects = dialer.receive(reliable(data, 1, **headers), PEER, 0.1)
    assert sent(effects) == []
    [progress] = told(effects)
    assert not progress.reliable


def test_without_the_offer_no_prack_is_sent(dialer):
    _, data = invite(dialer)
    effects = dialer.receive(reliable(data, 1), PEER, 0.1)
    assert sent(effects) == []
    assert [event.reliable for event in told(effects)] == [False]


def test_the_dialog_counts_on_from_its_pracks(dialer):
    call_id, data = ringing(dialer)
    for number in (1, 2, 3):
        dialer.receive(reliable(data, number), PEER, 0.1)
    effects = dialer.receive(answer_bytes(data, 200, "OK"), PEER, 0.2)
    [ack] = [as_request(one) for one in sent(effects)]
    assert (ack.method, ack.cseq) == ("ACK", 1)
    [answer] = told(effects)
    assert answer.dialog.local_cseq == 4
    [bye] = sent(dialer.bye(call_id, 1.0))
    assert as_request(bye).cseq == 5


def test_an_answer_of_another_fork_counts_for_itself(dialer):
    call_id, data = ringing(dialer)
    dialer.receive(reliable(data, 1, tag="one"), PEER, 0.1)
    dialer.receive(answer_bytes(data, 200, "OK", tag="two"), PEER, 0.2)
    [bye] = sent(dialer.bye(call_id, 1.0))
    assert as_request(bye).cseq == 2


def test_an_answer_while_a_prack_is_out(dialer):
    _, data = ringing(dialer)
    [prack] = sent(dialer.receive(reliable(data, 1), PEER, 0.1))
    effects = dialer.receive(answer_bytes(data, 200, "OK"), PEER, 0.2)
    assert [type(event) for event in told(effects)] == [AnswerReceived]
    assert dialer.receive(answer_bytes(prack, 200, "OK"), PEER, 0.3) == []


@pytest.mark.parametrize("code", [200, 405, 481, 500, 603])
def test_whatever_becomes_of_a_prack_the_invite_goes_on(dialer, code):
    _, data = ringing(dialer)
    [prack] = sent(dialer.receive(reliable(data, 1), PEER, 0.1))
    assert dialer.receive(answer_bytes(prack, code), PEER, 0.2) == []
    effects = dialer.receive(answer_bytes(data, 486, "Busy"), PEER, 0.3)
    assert [event.code for event in told(effects)] == [486]


def test_a_challenged_prack_is_sent_again_with_credentials(dialer):
    _, data = ringing(dialer, credentials=CREDENTIALS)
    [prack] = sent(dialer.receive(reliable(data, 1), PEER, 0.1))
    [again] = sent(dialer.receive(challenge(prack, code=407), PEER, 0.2))
    request = as_request(again)
    assert (request.method, request.cseq, request.first("rack")) == ("PRACK", 3, "1 1 INVITE")
    assert 'nonce="n1"' in request.first("proxy-authorization")
    assert sent(dialer.receive(challenge(again, "n2", code=407), PEER, 0.3)) == []


@pytest.mark.parametrize("code", [200, 486])
def test_after_the_final_response_no_prack_is_sent_again(dialer, code):
    _, data = ringing(dialer, credentials=CREDENTIALS)
    [prack] = sent(dialer.receive(reliable(data, 1), PEER, 0.1))
    dialer.receive(answer_bytes(data, code), PEER, 0.2)
    assert dialer.receive(challenge(prack), PEER, 0.3) == []


def test_a_stranger_who_challenges_a_prack_learns_nothing(dialer):
    _, data = ringing(dialer, credentials=CREDENTIALS)
    [prack] = sent(dialer.receive(reliable(data, 1), PEER, 0.1))
    assert dialer.receive(challenge(prack), STRANGER, 0.2) == []


def test_a_callee_elsewhere_sees_no_credentials(dialer):
    _, data = ringing(dialer, credentials=CREDENTIALS)
    data = sent(dialer.receive(challenge(data), PEER, 0.1))[1]
    contact = f"<sip:x@{STRANGER.host}>"
    [prack] = sent(dialer.receive(reliable(data, 1, contact=contact), PEER, 0.2))
    assert "authorization" not in as_request(prack).headers
    for source in (STRANGER, PEER):
        assert dialer.receive(challenge(prack, "n2"), source, 0.3) == []


def test_a_prack_to_the_trunk_carries_the_nonce_of_its_invite(dialer):
    _, data = ringing(dialer, credentials=CREDENTIALS)
    data = sent(dialer.receive(challenge(data), PEER, 0.1))[1]
    [prack] = sent(dialer.receive(reliable(data, 1), PEER, 0.2))
    assert as_request(prack).first("authorization").endswith("nc=00000002")
    assert as_request(prack).first("rack") == "1 2 INVITE"


def test_a_cancel_names_the_invite_and_not_the_prack(dialer):
    call_id, data = ringing(dialer)
    [prack] = sent(dialer.receive(reliable(data, 1), PEER, 0.1))
    [cancel] = sent(dialer.cancel(call_id, 0.2))
    assert as_request(cancel).via.text == as_request(data).via.text
    assert as_request(cancel).cseq == 1
    [second] = sent(dialer.receive(reliable(data, 2), PEER, 0.3))
    assert as_request(second).first("rack") == "2 1 INVITE"
    dialer.receive(answer_bytes(prack, 481), PEER, 0.4)
    dialer.receive(answer_bytes(cancel, 200), PEER, 0.4)
    effects = dialer.receive(answer_bytes(data, 487), PEER, 0.5)
    assert [type(event) for event in told(effects)] == [FinalReceived]


@settings(max_examples=100)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 6)), max_size=30))
def test_in_any_order_the_told_and_the_acknowledged_count_up(responses):
    endpoint = make_endpoint()
    _, data = ringing(endpoint)
    told_of = {"a": [], "b": []}
    for tag, number in responses:
        effects = endpoint.receive(reliable(data, number, tag=tag), PEER, 0.1)
        acknowledged = [int(prack.first("rack").split()[0]) for prack in pracks(effects)]
        assert len(told(effects)) == len(acknowledged)
        assert all(isinstance(event, ProvisionalReceived) for event in told(effects))
        told_of[tag] += acknowledged
    for tag, numbers in told_of.items():
        came = [number for one, number in responses if one == tag]
        assert numbers == list(range(came[0], came[0] + len(numbers))) if came else not numbers
