"""What an endpoint answers outside a dialog, and to a call that comes in."""

from __future__ import annotations

import pytest
from tests.unit.sip.endpoint_steps import (
    REALM,
    only_response,
    sent,
    told,
)
from tests.unit.sip.sample_messages import (
    PEER,
    as_request,
    as_response,
    request_bytes,
)

from dialer.sip.effects import (
    CancelReceived,
    InviteReceived,
)
from dialer.sip.identity import HostPort
from dialer.sip.transaction_layer import MAX_SERVER_TRANSACTIONS


@pytest.mark.parametrize(
    ("method", "code"),
    [
        ("INVITE", 480),
        ("OPTIONS", 200),
        ("BYE", 481),
        ("CANCEL", 481),
        ("INFO", 481),
        ("UPDATE", 481),
        ("NOTIFY", 481),
        ("MESSAGE", 405),
        ("REFER", 405),
        ("REGISTER", 405),
        ("PRACK", 405),
        ("SUBSCRIBE", 489),
        ("PUBLISH", 489),
        ("NONSENSE", 501),
    ],
)
def test_requests_outside_a_dialog(dialer, method, code):
    effects = dialer.receive(request_bytes(method), PEER, 0.0)
    response = only_response(effects)
    assert response.code == code
    assert response.to_tag
    assert dialer.receive(request_bytes(method), PEER, 0.5) == effects
    assert dialer.idle


@pytest.mark.parametrize("method", ["INVITE", "BYE", "INFO", "OPTIONS", "NOTIFY", "UPDATE"])
def test_an_unknown_dialog(dialer, method):
    data = request_bytes(method, to="<sip:100@192.0.2.1>;tag=unknown")
    assert only_response(dialer.receive(data, PEER, 0.0)).code == 481


def test_an_ack_is_never_answered(dialer):
    for to in ("<sip:100@192.0.2.1>", "<sip:100@192.0.2.1>;tag=x"):
        assert dialer.receive(request_bytes("ACK", to=to), PEER, 0.0) == []
    assert dialer.receive(request_bytes("ACK", cseq="1 BYE"), PEER, 0.0) == []


def test_options_says_what_we_do(dialer):
    response = only_response(dialer.receive(request_bytes("OPTIONS"), PEER, 0.0))
    assert "INVITE" in response.values("allow")
    assert response.first("accept") == "application/sdp"
    assert response.values("supported") == ("timer",)


def test_an_unsupported_extension(phone):
    data = request_bytes(require="100rel, nothing")
    response = only_response(phone.receive(data, PEER, 0.0))
    assert (response.code, response.values("unsupported")) == (420, ("100rel", "nothing"))


def test_session_timers_may_be_required(phone):
    [event] = told(phone.receive(request_bytes(require="Timer"), PEER, 0.0))
    assert isinstance(event, InviteReceived)
    mixed = request_bytes(require="timer, replaces", call_id="call-2", cseq="8 INVITE")
    response = only_response(phone.receive(mixed.replace(b"peer", b"two"), PEER, 0.0))
    assert (response.code, response.values("unsupported")) == (420, ("replaces",))


def test_nobody_takes_a_call_over(dialer, phone):
    data = request_bytes(replaces="call-9;to-tag=a;from-tag=b")
    for endpoint in (dialer, phone):
        assert only_response(endpoint.receive(data, PEER, 0.0)).code == 481


@pytest.mark.parametrize(
    ("supported", "asked", "given", "require"),
    [
        ("timer", "1800", "1800;refresher=uac", "timer"),
        ("timer", "1800;refresher=uas", "1800;refresher=uas", "timer"),
        ("", "1800", "1800;refresher=uas", ""),
        ("timer", None, "", ""),
    ],
)
def test_our_answer_says_who_refreshes(phone, supported, asked, given, require):
    data = request_bytes(supported=supported, session_expires=asked)
    [event] = told(phone.receive(data, PEER, 0.0))
    answer = only_response(phone.respond(event.transaction, 200, body=b"a", now=0.1))
    assert (answer.first("session-expires"), answer.first("require")) == (given, require)
    assert answer.values("supported") == ("timer",)


def test_a_call_with_too_short_an_interval_is_refused(phone):
    data = request_bytes(supported="timer", session_expires="60")
    response = only_response(phone.receive(data, PEER, 0.0))
    assert (response.code, response.first("min-se")) == (422, "90")
    assert phone.idle


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (request_bytes(uri="mailto:a@h"), 416),
        (request_bytes(content_length="10"), 400),
        (request_bytes(cseq="1 BYE"), 400),
        (request_bytes().replace(b" SIP/2.0\r\n", b" SIP/3.0\r\n", 1), 505),
    ],
)
def test_what_is_wrong_with_a_request(phone, data, code):
    assert only_response(phone.receive(data, PEER, 0.0)).code == code
    assert phone.idle


def test_rport_and_received(dialer):
    source = HostPort("198.51.100.7", 40_000)
    [effect] = dialer.receive(request_bytes("OPTIONS"), source, 0.0)
    assert effect.destination == source
    via = as_response(effect.data).via
    assert (via.parameters["received"], via.parameters["rport"]) == ("198.51.100.7", "40000")
    plain = request_bytes("OPTIONS", via="SIP/2.0/UDP h:5080;received=x;branch=z9hG4bKq")
    [effect] = dialer.receive(plain, source, 0.0)
    assert effect.destination == HostPort("198.51.100.7", 5080)
    assert b"received=x" not in effect.data


def test_every_via_is_returned(dialer):
    via = ["SIP/2.0/UDP a;rport;branch=z9hG4bK1, SIP/2.0/TCP b", "SIP/2.0/TLS c;branch=z9hG4bK3"]
    vias = only_response(dialer.receive(request_bytes("OPTIONS", via=via), PEER, 0.0)).values("via")
    assert vias[1:] == ("SIP/2.0/TCP b", "SIP/2.0/TLS c;branch=z9hG4bK3")


def test_a_call_comes_in(phone):
    uri = "sip:%2b49100;x=y@192.0.2.1"
    effects = phone.receive(
        request_bytes(uri=uri, body=b"offer", content_type="application/sdp"), PEER, 0.0
    )
    assert as_response(sent(effects)[0]).code == 100
    [asked] = told(effects)
    assert isinstance(asked, InviteReceived)
    assert (asked.number, asked.caller, asked.body) == ("+49100", "200", b"offer")
    ringing = only_response(phone.respond(asked.transaction, 180, now=0.1))
    assert ringing.to_tag
    assert ringing.contact == "sip:dialer@192.0.2.1:5060"
    again = phone.receive(request_bytes(uri=uri), PEER, 0.2)
    assert only_response(again).code == 180
    ok = only_response(
        phone.respond(
            asked.transaction,
            200,
            body=b"answer",
            content_type="application/sdp",
            headers=[("X-Line", "1")],
            now=0.3,
        )
    )
    assert (ok.to_tag, ok.body, ok.first("x-line")) == (ringing.to_tag, b"answer", "1")
    assert phone.respond(asked.transaction, 486, now=0.4) == []
    assert phone.respond("unknown", 486, now=0.4) == []


def test_a_record_route_is_echoed_where_a_dialog_begins(phone):
    [asked] = told(phone.receive(request_bytes(record_route="<sip:p;lr>, <sip:q;lr>"), PEER, 0.0))
    ok = only_response(phone.respond(asked.transaction, 200, now=0.1))
    assert ok.values("record-route") == ("<sip:p;lr>", "<sip:q;lr>")
    assert phone.bye(asked.call_id, 0.2) == []  # it waits for the ACK of the 200
    ack = request_bytes("ACK", to=ok.first("to"), via="SIP/2.0/UDP h;branch=z9hG4bKack")
    [bye] = sent(phone.receive(ack, PEER, 0.3))
    assert as_request(bye).values("route") == ("<sip:p;lr>", "<sip:q;lr>")


def test_cancel_of_a_call_that_comes_in(phone):
    [asked] = told(phone.receive(request_bytes(), PEER, 0.0))
    effects = phone.receive(request_bytes("CANCEL", reason="SIP;cause=200"), PEER, 0.1)
    codes = [(r.code, r.cseq_method) for r in map(as_response, sent(effects))]
    assert codes == [(200, "CANCEL"), (487, "INVITE")]
    assert told(effects) == [CancelReceived("call-1", ("SIP;cause=200",))]
    assert phone.respond(asked.transaction, 200, now=0.2) == []
    again = phone.receive(request_bytes("CANCEL"), PEER, 0.3)
    assert only_response(again).code == 200


def test_cancel_after_the_answer_changes_nothing(phone):
    [asked] = told(phone.receive(request_bytes(), PEER, 0.0))
    ok = only_response(phone.respond(asked.transaction, 200, now=0.1))
    assert only_response(phone.receive(request_bytes("CANCEL"), PEER, 0.2)).code == 200
    phone.receive(request_bytes("ACK", to=ok.first("to")), PEER, 0.3)
    assert sent(phone.bye("call-1", 0.4))


def test_the_same_request_by_two_ways(phone):
    phone.receive(request_bytes(), PEER, 0.0)
    merged = request_bytes(via="SIP/2.0/UDP 192.0.2.9:5070;rport;branch=z9hG4bKother")
    assert only_response(phone.receive(merged, PEER, 0.1)).code == 482


def test_a_challenged_caller_may_come_again(phone):
    [asked] = told(phone.receive(request_bytes(), PEER, 0.0))
    phone.respond(
        asked.transaction, 401, headers=[("WWW-Authenticate", REALM.format("n"))], now=0.1
    )
    again = request_bytes(cseq="8 INVITE", via="SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bKagain")
    assert [type(event) for event in told(phone.receive(again, PEER, 0.2))] == [InviteReceived]


def test_an_rfc_2543_caller_is_matched_by_the_whole_request(phone):
    old = {"via": "SIP/2.0/UDP 192.0.2.9:5070"}
    [asked] = told(phone.receive(request_bytes(**old), PEER, 0.0))
    assert not told(phone.receive(request_bytes(**old), PEER, 0.1))
    refused = only_response(phone.respond(asked.transaction, 486, now=0.2))
    ack = request_bytes("ACK", to=refused.first("to"), **old)
    assert phone.receive(ack, PEER, 0.3) == []
    assert phone.timer_at() == pytest.approx(0.3 + 5)  # timer I


def test_an_ack_with_the_branch_of_its_invite_counts_too(phone):
    [asked] = told(phone.receive(request_bytes(), PEER, 0.0))
    ok = only_response(phone.respond(asked.transaction, 200, now=0.1))
    ack = request_bytes("ACK", to=ok.first("to"), body=b"answer")
    assert [event.body for event in told(phone.receive(ack, PEER, 0.2))] == [b"answer"]


def test_bye_before_the_answer_ends_a_call_that_comes_in(phone):
    [asked] = told(phone.receive(request_bytes(), PEER, 0.0))
    to = only_response(phone.respond(asked.transaction, 180, now=0.1)).first("to")
    bye = request_bytes("BYE", to=to, via="SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bKbye")
    effects = phone.receive(bye, PEER, 0.2)
    assert [as_response(data).code for data in sent(effects)] == [200, 487]
    assert told(effects) == [CancelReceived("call-1", ())]


def test_server_transactions_are_bounded(phone):
    phone._layer.servers = dict.fromkeys(map(str, range(MAX_SERVER_TRANSACTIONS)))
    response = only_response(phone.receive(request_bytes(), PEER, 0.0))
    assert (response.code, response.first("retry-after")) == (503, "5")
