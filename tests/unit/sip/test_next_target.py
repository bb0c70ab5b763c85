"""From target to target: what an INVITE is on each, and what becomes of those left behind."""

from __future__ import annotations

import pytest
from tests.unit.sip.endpoint_steps import (
    CREDENTIALS,
    challenge,
    draft,
    invite,
    make_endpoint,
    sent,
    told,
)
from tests.unit.sip.sample_messages import PEER, answer_bytes, as_request

from dialer.sip.effects import (
    AnswerReceived,
    CancelTimedOut,
    FinalReceived,
    InviteResent,
    InviteTimedOut,
    SendDatagram,
    TransportFailed,
)
from dialer.sip.identity import HostPort
from dialer.sip.targets import MAX_DATAGRAM, Targets

SECOND = HostPort("192.0.2.10", 5070)
THIRD = HostPort("192.0.2.11", 5071)
LARGE = b"x" * MAX_DATAGRAM


def calling(endpoint, *alternatives, **options):
    return invite(endpoint, alternatives=alternatives, **options)


def sent_to(effects, destination):
    return [
        effect.data
        for effect in effects
        if isinstance(effect, SendDatagram) and effect.destination == destination
    ]


def methods(effects):
    return [as_request(data).method for data in sent(effects)]


def silent(endpoint, data):
    """Let the first target be silent; return the INVITE to the second."""
    [again] = sent_to(endpoint.handle_timer(5.0), SECOND)
    assert as_request(again).via.branch != as_request(data).via.branch
    return again


def test_a_503_moves_the_invite_to_the_next_target(dialer):
    call_id, data = calling(dialer, SECOND, credentials=CREDENTIALS)
    effects = dialer.receive(answer_bytes(data, 503, "Overload"), PEER, 0.1)
    assert [as_request(one).method for one in sent_to(effects, PEER)] == ["ACK"]
    [again] = (as_request(one) for one in sent_to(effects, SECOND))
    first = as_request(data)
    assert (again.uri, again.call_id, again.from_tag, again.cseq, again.body) == (
        first.uri,
        first.call_id,
        first.from_tag,
        first.cseq,
        first.body,
    )
    assert again.via.branch != first.via.branch
    [resent] = told(effects)
    assert isinstance(resent, InviteResent)
    assert (resent.call_id, resent.code, resent.leg.via) == (call_id, 503, again.via.text)
    assert (resent.leg.target_host, resent.leg.target_port) == SECOND[:2]


def test_the_last_503_stands(dialer):
    _, data = calling(dialer, SECOND, THIRD)
    for number, target in enumerate((PEER, SECOND, THIRD)):
        effects = dialer.receive(answer_bytes(data, 503, f"no {number}"), target, 0.1)
        data = sent(effects)[-1]
    assert [(event.code, event.phrase) for event in told(effects)] == [(503, "no 2")]
    assert isinstance(told(effects)[0], FinalReceived)


@pytest.mark.parametrize("code", [302, 404, 480, 486, 500, 504, 603])
def test_any_other_refusal_stands(dialer, code):
    _, data = calling(dialer, SECOND)
    effects = dialer.receive(answer_bytes(data, code), PEER, 0.1)
    assert [event.code for event in told(effects)] == [code]
    assert sent_to(effects, SECOND) == []


@pytest.mark.parametrize("code", [180, 183])
def test_who_has_been_rung_is_not_rung_again(dialer, code):
    _, data = calling(dialer, SECOND)
    dialer.receive(answer_bytes(data, code), PEER, 0.1)
    effects = dialer.receive(answer_bytes(data, 503), PEER, 0.2)
    assert len(sent_to(effects, SECOND)) == (code != 180)
    assert isinstance(told(effects)[0], FinalReceived if code == 180 else InviteResent)


def test_what_cannot_be_delivered_goes_to_the_next_target(dialer):
    call_id, data = calling(dialer, SECOND)
    effects = dialer.transport_failed(PEER, 0.1)
    [again] = sent_to(effects, SECOND)
    assert [event.code for event in told(effects)] == [None]
    assert told(dialer.transport_failed(SECOND, 0.2)) == [TransportFailed(call_id)]
    assert as_request(again).cseq == as_request(data).cseq
    assert dialer.idle


def test_a_silent_target_is_left_after_ten_t1():
    dialer = make_endpoint(t1=0.1)
    _, _ = calling(dialer, SECOND)
    assert sent_to(dialer.handle_timer(0.99), SECOND) == []
    effects = dialer.handle_timer(1.0)
    assert len(sent_to(effects, SECOND)) == 1
    # The first one hears no more of it, and the last one is waited for until Timer B.
    later = dialer.handle_timer(7.3)
    assert sent_to(later, PEER) == []
    assert [type(event) for event in told(later)] == []
    assert [type(event) for event in told(dialer.handle_timer(7.4))] == [InviteTimedOut]
    assert dialer.idle


def test_a_silent_connection_is_left_too(dialer):
    _, _ = calling(dialer, SECOND, target=PEER._replace(transport="tcp"))
    assert [e.destination for e in dialer.handle_timer(5.0) if isinstance(e, SendDatagram)] == [
        SECOND
    ]


def test_a_target_that_says_something_is_not_left(dialer):
    _, data = calling(dialer, SECOND)
    dialer.receive(answer_bytes(data, 100), PEER, 4.9)
    assert dialer.handle_timer(60.0) == []


def test_after_a_stall_no_target_is_tried(dialer):
    call_id, _ = calling(dialer, SECOND)
    assert told(dialer.handle_timer(60.0)) == [InviteTimedOut(call_id)]
    assert dialer.idle


def test_a_late_provisional_is_cancelled_and_not_told(dialer):
    _, data = calling(dialer, SECOND)
    again = silent(dialer, data)
    effects = dialer.receive(answer_bytes(data, 180), PEER, 6.0)
    assert told(effects) == []
    [cancel] = (as_request(one) for one in sent_to(effects, PEER))
    assert (cancel.method, cancel.via.text) == ("CANCEL", as_request(data).via.text)
    effects = dialer.receive(answer_bytes(data, 487), PEER, 6.1)
    assert (told(effects), methods(effects)) == ([], ["ACK"])
    effects = dialer.receive(answer_bytes(again, 486), SECOND, 7.0)
    assert [event.code for event in told(effects)] == [486]


def test_a_late_failure_is_acknowledged_and_not_told(dialer):
    _, data = calling(dialer, SECOND)
    silent(dialer, data)
    for code in (486, 503, 401):
        effects = dialer.receive(answer_bytes(data, code), PEER, 6.0)
        assert (told(effects), methods(effects)) == ([], ["ACK"])


@pytest.mark.parametrize("rings", [True, False])
def test_the_first_answer_wins_though_its_target_was_left(dialer, rings):
    call_id, data = calling(dialer, SECOND)
    again = silent(dialer, data)
    if rings:
        dialer.receive(answer_bytes(again, 180), SECOND, 5.5)
    effects = dialer.receive(answer_bytes(data, 200, "OK"), PEER, 6.0)
    assert [(type(e), e.late, e.fork) for e in told(effects)] == [(AnswerReceived, False, False)]
    assert methods(effects) == (["ACK", "CANCEL"] if rings else ["ACK"])
    if not rings:
        # It is not rung any more; if it rings nevertheless, it is cancelled.
        assert sent_to(dialer.handle_timer(30.0), SECOND) == []
        effects = dialer.receive(answer_bytes(again, 180), SECOND, 30.0)
        assert methods(effects) == ["CANCEL"]
    effects = dialer.receive(answer_bytes(again, 200, "OK", tag="second"), SECOND, 30.1)
    assert [(type(event), event.fork) for event in told(effects)] == [(AnswerReceived, True)]
    assert methods(effects) == ["ACK", "BYE"]
    [bye] = sent(dialer.bye(call_id, 31.0))
    assert as_request(bye).to_tag == "theirs"


def test_long_after_its_answer_the_call_is_known_by_the_target_that_answered(dialer):
    _, data = calling(dialer, SECOND)
    silent(dialer, data)
    dialer.receive(answer_bytes(data, 200, "OK"), PEER, 6.0)
    dialer.handle_timer(100.0)
    fork = answer_bytes(data, 200, "OK", tag="late", contact=None, to="<sip:h>;tag=late")
    ack, bye = dialer.receive(fork, PEER, 100.1)
    assert ack.destination == bye.destination == PEER


def test_an_answer_of_a_target_that_was_left_is_hung_up_once_another_has_answered(dialer):
    _, data = calling(dialer, SECOND)
    again = silent(dialer, data)
    effects = dialer.receive(answer_bytes(again, 200, "OK"), SECOND, 6.0)
    assert [event.fork for event in told(effects)] == [False]
    effects = dialer.receive(answer_bytes(data, 200, "OK", tag="late"), PEER, 6.1)
    assert methods(effects) == ["ACK", "BYE"]
    assert [event.fork for event in told(effects)] == [True]


def test_an_answer_of_a_target_that_was_left_is_hung_up_once_the_call_is_over(dialer):
    _, data = calling(dialer, SECOND)
    again = silent(dialer, data)
    dialer.receive(answer_bytes(again, 486), SECOND, 6.0)
    effects = dialer.receive(answer_bytes(data, 200, "OK", tag="late"), PEER, 6.1)
    assert (told(effects), methods(effects)) == ([], ["ACK", "BYE"])


def test_our_cancel_reaches_every_target_that_rings(dialer):
    call_id, data = calling(dialer, SECOND)
    again = silent(dialer, data)
    dialer.receive(answer_bytes(again, 180), SECOND, 5.5)
    assert methods(dialer.cancel(call_id, 6.0)) == ["CANCEL"]
    [late] = sent_to(dialer.receive(answer_bytes(data, 180), PEER, 6.1), PEER)
    assert as_request(late).via.text == as_request(data).via.text
    effects = dialer.handle_timer(6.0 + 32.0)
    assert [type(event) for event in told(effects)] == [CancelTimedOut]
    effects = dialer.handle_timer(100.0)
    assert told(effects) == []
    assert dialer.idle


@pytest.mark.parametrize("what", ["silence", "503", "transport"])
def test_a_cancelled_call_goes_to_no_other_target(dialer, what):
    call_id, data = calling(dialer, SECOND)
    dialer.cancel(call_id, 0.1)
    if what == "silence":
        effects = dialer.handle_timer(31.9)
    elif what == "503":
        effects = dialer.receive(answer_bytes(data, 503), PEER, 0.2)
    else:
        effects = dialer.transport_failed(PEER, 0.2)
    assert sent_to(effects, SECOND) == []
    assert [type(event) for event in told(effects)] == {
        "silence": [],
        "503": [FinalReceived],
        "transport": [TransportFailed],
    }[what]


def test_one_server_behind_both_targets_rings_once(dialer):
    call_id, data = calling(dialer, SECOND, THIRD)
    again = silent(dialer, data)
    effects = dialer.receive(answer_bytes(again, 482, "Merged"), SECOND, 5.1)
    assert sent_to(effects, PEER) == [data]
    [resent] = told(effects)
    assert (resent.code, resent.leg.via) == (482, as_request(data).via.text)
    effects = dialer.receive(answer_bytes(data, 180), PEER, 5.2)
    assert [event.code for event in told(effects)] == [180]
    [cancel] = sent(dialer.cancel(call_id, 6.0))
    assert as_request(cancel).via.text == as_request(data).via.text


def test_a_482_stands_where_no_other_target_is_at_work(dialer):
    _, data = calling(dialer, SECOND)
    effects = dialer.receive(answer_bytes(data, 482), PEER, 0.1)
    assert [event.code for event in told(effects)] == [482]


def test_a_challenge_is_answered_at_each_target_and_to_the_current_one_only(dialer):
    _, data = calling(dialer, SECOND, credentials=CREDENTIALS)
    data = sent(dialer.receive(challenge(data, "n1"), PEER, 0.1))[1]
    again = sent(dialer.receive(answer_bytes(data, 503), PEER, 0.2))[1]
    assert 'nonce="n1"' in as_request(again).first("authorization")
    assert as_request(again).cseq == 2
    effects = dialer.receive(challenge(again, "n2"), SECOND, 0.3)
    third = as_request(sent(effects)[1])
    assert 'nonce="n2"' in third.first("authorization")
    assert third.cseq == 3
    effects = dialer.receive(challenge(sent(effects)[1], "n3"), SECOND, 0.4)
    assert [event.challenged for event in told(effects)] == [True]


def test_the_target_left_behind_gets_no_credentials(dialer):
    _, data = calling(dialer, SECOND, credentials=CREDENTIALS)
    again = silent(dialer, data)
    effects = dialer.receive(challenge(again), PEER, 6.0)
    assert "authorization" not in b"".join(sent(effects)).decode().lower()
    assert [event.challenged for event in told(effects)] == [True]


def test_via_and_contact_follow_the_transport_of_the_target():
    dialer = make_endpoint(tcp_port=5062, tls_port=5063)
    tcp, tls = SECOND._replace(transport="tcp"), THIRD._replace(transport="tls")
    _, data = calling(dialer, tcp, tls)
    for target, port, source in ((tcp, 5062, PEER), (tls, 5063, tcp)):
        effects = dialer.receive(answer_bytes(data, 503), source, 0.1)
        [data] = sent_to(effects, target)
        request = as_request(data)
        name = target.transport
        assert request.via.text.startswith(f"SIP/2.0/{name.upper()} 192.0.2.1:{port};")
        assert request.contact == f"sip:dialer@192.0.2.1:{port};transport={name}"
        assert told(effects)[0].leg.target_transport == name


# Size (RFC 3261 §18.1.1).


def test_a_large_invite_goes_by_tcp_first(dialer):
    prepared = dialer.prepare_invite(draft(body=LARGE, large_by_tcp=True))
    assert prepared.identity.target_transport == "tcp"
    [effect] = dialer.invite(prepared, 0.0)
    assert effect == SendDatagram(prepared.data, PEER._replace(transport="tcp"))
    request = as_request(prepared.data)
    assert request.via.text == prepared.identity.via
    assert request.via.text.startswith("SIP/2.0/TCP ")
    assert request.contact.endswith(";transport=tcp")


def test_where_tcp_fails_it_goes_by_udp(dialer):
    call_id, data = calling(dialer, SECOND, body=LARGE, large_by_tcp=True)
    effects = dialer.transport_failed(PEER._replace(transport="tcp"), 0.1)
    [again] = sent_to(effects, PEER)
    assert as_request(again).via.text.startswith("SIP/2.0/UDP ")
    assert as_request(again).cseq == as_request(data).cseq
    assert told(effects)[0].leg.target_transport == "udp"
    # The next target has its own turn by TCP.
    effects = dialer.transport_failed(PEER, 0.2)
    assert len(sent_to(effects, SECOND._replace(transport="tcp"))) == 1
    assert len(sent_to(dialer.transport_failed(SECOND._replace(transport="tcp"), 0.3), SECOND)) == 1
    assert told(dialer.transport_failed(SECOND, 0.4)) == [TransportFailed(call_id)]
    assert dialer.idle


def test_a_503_by_tcp_is_not_asked_again_by_udp(dialer):
    _, data = calling(dialer, SECOND, body=LARGE, large_by_tcp=True)
    by_tcp = PEER._replace(transport="tcp")
    effects = dialer.receive(answer_bytes(data, 503), by_tcp, 0.1)
    assert sent_to(effects, PEER) == []
    assert len(sent_to(effects, SECOND._replace(transport="tcp"))) == 1


def test_an_invite_that_grows_by_its_credentials_changes_to_tcp(dialer):
    slim = len(dialer.prepare_invite(draft(large_by_tcp=True)).data)
    body = b"x" * (MAX_DATAGRAM - slim)
    _, data = calling(dialer, body=body, large_by_tcp=True, credentials=CREDENTIALS)
    assert len(data) <= MAX_DATAGRAM
    effects = dialer.receive(challenge(data), PEER, 0.1)
    [again] = sent_to(effects, PEER._replace(transport="tcp"))
    assert len(again) > MAX_DATAGRAM
    effects = dialer.transport_failed(PEER._replace(transport="tcp"), 0.2)
    assert [as_request(one).cseq for one in sent_to(effects, PEER)] == [2]


@pytest.mark.parametrize("options", [{"body": LARGE}, {"large_by_tcp": True}])
def test_others_go_by_udp(dialer, options):
    assert dialer.prepare_invite(draft(**options)).identity.target_transport == "udp"


def test_the_order_of_targets():
    udp, tcp = PEER, PEER._replace(transport="tcp")
    targets = Targets(draft(alternatives=(tcp, SECOND, THIRD)))
    assert targets
    assert targets.advance(refused=True)
    assert targets.current == SECOND
    assert targets.advance(refused=False)
    assert targets.current == THIRD
    assert not targets
    assert not targets.advance(refused=False)
    assert targets.current == THIRD
    same = Targets(draft(target=udp, alternatives=(tcp,)))
    assert not same.advance(refused=True)
