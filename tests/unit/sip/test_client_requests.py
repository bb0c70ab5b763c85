"""Our own requests within a dialog: their headers, digest, and what their answers lead to."""

from __future__ import annotations

import pytest
from tests.unit.sip.endpoint_steps import (
    CREDENTIALS,
    REALM,
    STRANGER,
    call_up,
    challenge,
    invite,
    sent,
    told,
    within,
)
from tests.unit.sip.sample_messages import PEER, answer_bytes, as_request, as_response

from dialer.sip.effects import CallEnded, RefreshDue, ReinviteAnswered
from dialer.sip.identity import HostPort

METHODS = ["INVITE", "UPDATE"]


def modify(dialer, method, call_id, now=1.0, body=b"offer"):
    send = dialer.reinvite if method == "INVITE" else dialer.update
    return send(call_id, body, now)


@pytest.mark.parametrize("method", METHODS)
def test_what_a_request_says(dialer, method):
    call_id, headers = call_up(dialer, contact_user="us", contact_address=("203.0.113.7", 4000))
    [data] = sent(modify(dialer, method, call_id))
    request = as_request(data)
    assert (request.method, request.uri, request.cseq) == (method, "sip:100@192.0.2.9:5070", 2)
    assert (request.first("from"), request.first("to")) == (headers["to"], headers["from"])
    assert request.contact == "sip:us@203.0.113.7:4000"
    assert (request.body, request.content_type) == (b"offer", "application/sdp")
    assert "UPDATE" in request.values("allow")
    assert request.values("supported") == ("timer",)


@pytest.mark.parametrize("method", METHODS)
def test_a_2xx_refreshes_the_target_and_is_told(dialer, method):
    call_id, _ = call_up(dialer)
    [data] = sent(modify(dialer, method, call_id))
    moved = {"contact": "<sip:new@192.0.2.8:5090>", "content_type": "application/sdp"}
    answer = answer_bytes(data, 200, "OK", body=b"answer", **moved)
    effects = dialer.receive(answer, PEER, 1.1)
    assert told(effects) == [ReinviteAnswered(call_id, 200, b"answer", "application/sdp")]
    if method == "INVITE":
        [ack] = [as_request(data) for data in sent(effects)]
        assert (ack.method, ack.cseq, ack.uri) == ("ACK", 2, "sip:new@192.0.2.8:5090")
        again = dialer.receive(answer, PEER, 1.2)
        assert (sent(again), told(again)) == (sent(effects), [])
    else:
        assert sent(effects) == []
    [bye] = dialer.bye(call_id, 2.0)
    assert bye.destination == HostPort("192.0.2.8", 5090)
    assert as_request(bye.data).cseq == 3


def test_late_repetitions_of_each_2xx_get_the_ack_of_their_own(dialer):
    _, data = invite(dialer)
    first = answer_bytes(data, 200, "OK")
    [ack, _] = dialer.receive(first, PEER, 0.1)
    call_id = as_request(data).call_id
    [reinvite] = sent(modify(dialer, "INVITE", call_id))
    second = answer_bytes(reinvite, 200, "OK")
    [ack_2] = sent(dialer.receive(second, PEER, 1.1))
    dialer.handle_timer(40.0)  # no transaction is left
    assert sent(dialer.receive(first, PEER, 41.0)) == [ack.data]
    assert sent(dialer.receive(second, PEER, 41.0)) == [ack_2]


def test_a_refusal_is_acknowledged_within_its_transaction(dialer):
    call_id, headers = call_up(dialer)
    [data] = sent(modify(dialer, "INVITE", call_id))
    effects = dialer.receive(answer_bytes(data, 488), PEER, 1.1)
    assert told(effects) == [ReinviteAnswered(call_id, 488)]
    ack, request = as_request(sent(effects)[0]), as_request(data)
    assert (ack.method, ack.cseq, ack.via.branch) == ("ACK", 2, request.via.branch)
    assert (ack.first("to"), ack.uri) == (headers["from"], request.uri)
    [bye] = sent(dialer.bye(call_id, 2.0))  # the call is still up
    assert as_request(bye).cseq == 3


@pytest.mark.parametrize("method", [*METHODS, "BYE"])
@pytest.mark.parametrize("code", [401, 407])
def test_a_challenge_of_the_trunk_is_answered_once(dialer, method, code):
    call_id, _ = call_up(dialer, credentials=CREDENTIALS)
    effects = dialer.bye(call_id, 1.0) if method == "BYE" else modify(dialer, method, call_id)
    [first] = sent(effects)
    effects = dialer.receive(challenge(first, code=code), PEER, 1.1)
    requests = [as_request(data) for data in sent(effects)]
    second = next(request for request in requests if request.method == method)
    assert told(effects) == []
    name = "authorization" if code == 401 else "proxy-authorization"
    assert f'uri="{second.uri}"' in second.first(name)
    assert (second.cseq, second.body) == (3, as_request(first).body)
    [data] = [data for data in sent(effects) if data.startswith(method.encode())]
    refused = told(dialer.receive(challenge(data, "n2", code), PEER, 1.2))
    ended = CallEnded(call_id, by_peer=False)
    assert refused == [ended if method == "BYE" else ReinviteAnswered(call_id, code)]


@pytest.mark.parametrize("method", METHODS)
def test_the_ack_of_a_challenged_reinvite_has_its_credentials(dialer, method):
    call_id, _ = call_up(dialer, credentials=CREDENTIALS)
    [first] = sent(modify(dialer, method, call_id))
    effects = sent(dialer.receive(challenge(first), PEER, 1.1))
    second = effects[-1]
    acks = sent(dialer.receive(answer_bytes(second, 200), PEER, 1.2))
    expected = [as_request(second).first("authorization")] if method == "INVITE" else []
    assert [as_request(ack).first("authorization") for ack in acks] == expected


@pytest.mark.parametrize("method", [*METHODS, "BYE"])
def test_only_the_trunk_sees_credentials(dialer, method):
    _, data = invite(dialer, credentials=CREDENTIALS)
    elsewhere = f"<sip:x@{STRANGER.host}>"
    call_id = as_request(data).call_id
    dialer.receive(answer_bytes(data, 200, "OK", contact=elsewhere), PEER, 0.1)
    effects = dialer.bye(call_id, 1.0) if method == "BYE" else modify(dialer, method, call_id)
    [request] = effects
    assert request.destination.host == STRANGER.host
    effects = dialer.receive(challenge(request.data), STRANGER, 1.1)
    assert all(b"Authorization" not in data for data in sent(effects))
    assert len(told(effects)) == 1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("code", [408, 481])
def test_a_peer_that_knows_no_such_dialog_gets_bye(dialer, method, code):
    call_id, _ = call_up(dialer)
    [data] = sent(modify(dialer, method, call_id))
    effects = dialer.receive(answer_bytes(data, code), PEER, 1.1)
    assert told(effects) == [ReinviteAnswered(call_id, code)]
    bye = as_request(sent(effects)[-1])
    assert (bye.method, bye.cseq) == ("BYE", 3)


@pytest.mark.parametrize("method", METHODS)
def test_what_could_not_be_delivered_leaves_the_call_up(dialer, method):
    call_id, _ = call_up(dialer)
    modify(dialer, method, call_id)
    effects = dialer.transport_failed(PEER, 1.0)
    assert told(effects) == [ReinviteAnswered(call_id, 503)]
    assert len(sent(dialer.bye(call_id, 2.0))) == 1


def test_one_at_a_time(dialer):
    call_id, _ = call_up(dialer)
    modify(dialer, "INVITE", call_id)
    assert modify(dialer, "UPDATE", call_id) == [ReinviteAnswered(call_id, 491)]


@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_sent_for_a_call_that_is_over(dialer, method):
    call_id, headers = call_up(dialer)
    dialer.receive(within("BYE", headers, 1), PEER, 0.5)
    assert modify(dialer, method, call_id) == []


def test_a_content_type_with_a_control_character_is_refused(dialer):
    call_id, _ = call_up(dialer)
    with pytest.raises(ValueError, match="control character"):
        dialer.reinvite(call_id, b"offer", 1.0, "a\r\nb")


@pytest.mark.parametrize(
    ("method", "body", "code"),
    [("INVITE", b"o", 491), ("INVITE", b"", 491), ("UPDATE", b"o", 491), ("UPDATE", b"", 200)],
)
def test_their_request_while_our_reinvite_is_out(dialer, method, body, code):
    call_id, headers = call_up(dialer)
    modify(dialer, "INVITE", call_id)
    effects = dialer.receive(within(method, headers, 1, body=body), PEER, 1.1)
    assert [as_response(data).code for data in sent(effects)] == [code]


@pytest.mark.parametrize(
    ("where", "kinds"),
    [("answer", []), ("ringing", []), ("request", []), ("nowhere", [RefreshDue])],
)
def test_update_refreshes_where_the_peer_has_said_that_it_takes_it(dialer, where, kinds):
    _, data = invite(dialer, session_expires=1800)
    allow = {"allow": "INVITE, ACK, UPDATE"}
    ringing = answer_bytes(data, 180, **(allow if where == "ringing" else {}))
    dialer.receive(ringing, PEER, 0.0)
    timer = {"session_expires": "1800;refresher=uac"}
    answer = answer_bytes(data, 200, **timer, **(allow if where == "answer" else {}))
    dialer.receive(answer, PEER, 0.0)
    if where == "request":
        parsed = as_request(data)
        headers = {
            "to": parsed.first("from"),
            "from": f"{parsed.first('to')};tag=theirs",
            "call_id": parsed.call_id,
        }
        dialer.receive(within("INFO", headers, 1, **allow), PEER, 1.0)
    effects = dialer.handle_timer(900.0)
    assert [type(event) for event in told(effects)] == kinds
    assert [data[:6] for data in sent(effects)] == ([] if kinds else [b"UPDATE"])


def test_a_challenge_without_credentials_stands(dialer):
    call_id, _ = call_up(dialer)
    [data] = sent(modify(dialer, "UPDATE", call_id))
    answer = answer_bytes(data, 401, www_authenticate=REALM.format("n"))
    assert told(dialer.receive(answer, PEER, 1.1)) == [ReinviteAnswered(call_id, 401)]


@pytest.mark.parametrize("method", [*METHODS, "BYE"])
@pytest.mark.parametrize("code", [200, 401, 408, 422, 481, 488, 491, 500, 603])
def test_nothing_is_left_whatever_our_requests_get(dialer, method, code):
    call_id, _ = call_up(dialer, credentials=CREDENTIALS, session_expires=1800)
    open_requests = sent(
        dialer.bye(call_id, 1.0) if method == "BYE" else modify(dialer, method, call_id)
    )
    asks = {"min_se": "3600", "www_authenticate": REALM.format("n")}
    now, answered, told_of = 1.0, 0, []
    while open_requests or (not dialer.idle and now < 500):
        data = open_requests.pop() if open_requests else b"ACK"
        if data.startswith(b"ACK"):
            now += 50
            effects = dialer.handle_timer(now)
        else:
            answered += 1
            effects = dialer.receive(answer_bytes(data, code, **asks), PEER, now)
        open_requests += sent(effects)
        told_of += told(effects)
    assert answered <= 4
    if not any(isinstance(event, CallEnded) for event in told_of):
        [bye] = sent(dialer.bye(call_id, now))
        dialer.receive(answer_bytes(bye, 200), PEER, now)
        dialer.handle_timer(now + 100)
    assert dialer.idle
