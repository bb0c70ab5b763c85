"""What an endpoint answers to each kind of request and response, and to nonsense."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.sip.sample_messages import (
    OURS,
    PEER,
    answer_bytes,
    as_request,
    as_response,
    request_bytes,
    response_bytes,
)

from dialer.sip.effects import (
    AnswerReceived,
    CallEnded,
    CancelReceived,
    FinalReceived,
    InviteReceived,
    InviteResent,
    ProvisionalReceived,
    ReinviteReceived,
    SendDatagram,
)
from dialer.sip.endpoint import Endpoint, EndpointSettings, InviteDraft
from dialer.sip.identity import Credentials, HostPort
from dialer.sip.message import parse
from dialer.sip.transaction_layer import MAX_SERVER_TRANSACTIONS

STRANGER = HostPort("203.0.113.66", 5060)


def make_endpoint(**options):
    counter = itertools.count(1)
    return Endpoint(EndpointSettings(*OURS, **options), lambda: f"token{next(counter)}")


@pytest.fixture
def dialer():
    return make_endpoint()


@pytest.fixture
def phone():
    return make_endpoint(accept_calls=True)


def sent(effects):
    return [effect.data for effect in effects if isinstance(effect, SendDatagram)]


def told(effects):
    return [effect for effect in effects if not isinstance(effect, SendDatagram)]


def only_response(effects):
    [data] = sent(effects)
    return as_response(data)


def draft(**options):
    fields = {
        "request_uri": "sip:200@192.0.2.9:5070",
        "to": "<sip:200@192.0.2.9>",
        "from_": '"Ann" <sip:100@192.0.2.1>',
        "target": PEER,
        "body": b"offer",
        **options,
    }
    return InviteDraft(**fields)


def invite(endpoint, **options):
    """Send an INVITE; return its Call-ID and bytes."""
    prepared = endpoint.prepare_invite(draft(**options))
    [data] = sent(endpoint.invite(prepared, 0.0))
    return prepared.call_id, data


def call_up(endpoint, **options):
    """Set up a call; return its Call-ID and the headers of the callee's requests within it."""
    call_id, data = invite(endpoint, **options)
    [answer] = told(endpoint.receive(answer_bytes(data, 200, "OK"), PEER, 0.1))
    within = {"to": answer.dialog.local, "from": answer.dialog.remote, "call_id": call_id}
    return call_id, within


# The INVITE.


def test_the_invite():
    endpoint = make_endpoint(user_agent="dialer/1", contact_user="campaign")
    prepared = endpoint.prepare_invite(
        draft(route=("<sip:192.0.2.9:5070;lr>",), headers=(("Subject", "x"),), contact_user="99")
    )
    [effect] = endpoint.invite(prepared, 0.0)
    assert effect.destination == PEER
    request = as_request(effect.data)
    assert request.uri == "sip:200@192.0.2.9:5070"
    assert request.via.text == f"SIP/2.0/UDP 192.0.2.1:5060;rport;branch={request.via.branch}"
    assert request.via.branch.startswith("z9hG4bK")
    assert request.first("max-forwards") == "70"
    assert request.first("from") == f'"Ann" <sip:100@192.0.2.1>;tag={request.from_tag}'
    assert request.to_tag == ""
    assert request.contact == "sip:99@192.0.2.1:5060"
    assert request.first("user-agent") == "dialer/1"
    assert "BYE" in request.values("allow")
    assert "supported" in request.headers
    assert (request.body, request.content_type) == (b"offer", "application/sdp")
    assert request.first("subject") == "x"
    identity = prepared.identity
    assert (identity.call_id, identity.via, identity.cseq) == (request.call_id, request.via.text, 1)
    assert (identity.target_host, identity.target_port) == PEER
    assert identity.route == ("<sip:192.0.2.9:5070;lr>",)


def test_preparing_keeps_nothing(dialer):
    dialer.prepare_invite(draft())
    assert dialer.idle


@pytest.mark.parametrize("bad", ["a\r\nInjected: 1", "a\nb", "a\rb", "a\x00b"])
@pytest.mark.parametrize(
    "field", ["request_uri", "to", "from_", "route", "headers", "content_type"]
)
def test_a_draft_cannot_inject_a_header(dialer, field, bad):
    value = {"route": (bad,), "headers": (("X", bad),)}.get(field, bad)
    with pytest.raises(ValueError, match="control character"):
        dialer.prepare_invite(draft(**{field: value}))
    assert dialer.idle


def test_our_other_texts_cannot_inject_a_header(dialer, phone):
    call_id, _ = call_up(dialer)
    with pytest.raises(ValueError, match="control"):
        dialer.bye(call_id, 1.0, "x\r\nInjected: 1")
    with pytest.raises(ValueError, match="control"):
        dialer.options(PEER, "sip:a\r\nInjected: 1", 1.0)
    with pytest.raises(ValueError, match="control"):
        EndpointSettings("h", 1, user_agent="x\r\n")
    [asked] = told(phone.receive(request_bytes(), PEER, 0.0))
    for answer in ({"phrase": "x\r\ny"}, {"headers": [("X", "a\r\nb")]}):
        with pytest.raises(ValueError, match="CR, LF"):
            phone.respond(asked.transaction, 486, now=0.1, **answer)
    assert sent(phone.respond(asked.transaction, 486, now=0.2))


def test_facts_of_responses_are_told(dialer):
    call_id, data = invite(dialer)
    reason = 'SIP;cause=200;text="a, b", Q.850;cause=26'
    events = told(
        dialer.receive(
            answer_bytes(
                data,
                183,
                "Progress",
                body=b"sdp",
                reason=reason,
                content_type="application/sdp",
                rseq="1",
            ),
            PEER,
            0.1,
        )
    )
    assert events == [
        ProvisionalReceived(
            call_id,
            183,
            "Progress",
            ('SIP;cause=200;text="a, b"', "Q.850;cause=26"),
            b"sdp",
            "application/sdp",
            "theirs",
            reliable=True,
        )
    ]
    final = answer_bytes(data, 503, "CPS limit", reason=reason, retry_after="120 (busy);duration=9")
    assert told(dialer.receive(final, PEER, 0.2)) == [
        FinalReceived(
            call_id, 503, "CPS limit", ('SIP;cause=200;text="a, b"', "Q.850;cause=26"), 120
        )
    ]


def test_a_redirection_names_its_contacts(dialer):
    _, data = invite(dialer)
    moved = answer_bytes(data, 302, "Moved", contact='"A, B" <sip:a@h>, sip:b@h;q=0.5')
    [final] = told(dialer.receive(moved, PEER, 0.1))
    assert final.contacts == ("sip:a@h", "sip:b@h")


def test_the_ack_of_a_refusal_is_in_the_transaction(dialer):
    _, data = invite(dialer, route=("<sip:192.0.2.9:5070;lr>",))
    effects = dialer.receive(answer_bytes(data, 486, "Busy"), PEER, 0.1)
    ack, request = as_request(sent(effects)[0]), as_request(data)
    assert ack.via.text == request.via.text
    assert (ack.cseq, ack.cseq_method, ack.uri) == (1, "ACK", request.uri)
    assert ack.first("route") == request.first("route")
    assert (ack.first("from"), ack.to_tag) == (request.first("from"), "theirs")
    again = dialer.receive(answer_bytes(data, 486, "Busy"), PEER, 0.2)
    assert again == effects[:1]


def test_the_ack_of_an_answer_follows_the_route_set(dialer):
    _, data = invite(dialer)
    ok = answer_bytes(data, 200, "OK", record_route="<sip:192.0.2.7;lr>, <sip:192.0.2.8:5090;lr>")
    ack, answer = dialer.receive(ok, PEER, 0.1)
    assert ack.destination == HostPort("192.0.2.8", 5090)
    request = as_request(ack.data)
    assert request.uri == "sip:100@192.0.2.9:5070"
    assert request.values("route") == ("<sip:192.0.2.8:5090;lr>", "<sip:192.0.2.7;lr>")
    assert request.via.branch != as_request(data).via.branch
    assert answer.dialog.route == request.values("route")


# Authentication.

REALM = 'Digest realm="r", nonce="{}", qop="auth"'
CREDENTIALS = Credentials("user", "secret")


def challenge(data, nonce="n1", code=401, extra=""):
    name = "www_authenticate" if code == 401 else "proxy_authenticate"
    return answer_bytes(data, code, "Who", **{name: REALM.format(nonce) + extra})


@pytest.mark.parametrize(("code", "header"), [(401, "authorization"), (407, "proxy-authorization")])
def test_a_challenge_is_answered(dialer, code, header):
    call_id, data = invite(dialer, credentials=CREDENTIALS)
    effects = dialer.receive(challenge(data, code=code), PEER, 0.1)
    ack, again = (as_request(one) for one in sent(effects))
    first = as_request(data)
    assert ack.method == "ACK"
    assert (again.call_id, again.from_tag, again.cseq) == (call_id, first.from_tag, 2)
    assert again.via.branch != first.via.branch
    assert again.body == b"offer"
    assert f'username="user", realm="r", nonce="n1", uri="{again.uri}"' in again.first(header)
    [resent] = told(effects)
    assert isinstance(resent, InviteResent)
    assert (resent.code, resent.leg.cseq, resent.leg.via) == (code, 2, again.via.text)
    ok = dialer.receive(answer_bytes(sent(effects)[1], 200, "OK"), PEER, 0.2)
    assert as_request(sent(ok)[0]).first(header) == again.first(header)


def test_an_endless_401_ends(dialer):
    _, data = invite(dialer, credentials=CREDENTIALS)
    for number in range(2):
        effects = dialer.receive(challenge(data, f"n{number}"), PEER, 0.1)
        data = sent(effects)[-1]
    [final] = told(effects)
    assert (final.code, final.challenged) == (401, True)
    assert as_request(data).method == "ACK"


def test_a_stale_nonce_is_replaced(dialer):
    _, data = invite(dialer, credentials=CREDENTIALS)
    data = sent(dialer.receive(challenge(data, "n1"), PEER, 0.1))[1]
    data = sent(dialer.receive(challenge(data, "n2", extra=", stale=true"), PEER, 0.2))[1]
    assert 'nonce="n2"' in as_request(data).first("authorization")
    assert as_request(data).cseq == 3


def test_without_credentials_a_challenge_is_final(dialer):
    _, data = invite(dialer)
    [final] = told(dialer.receive(challenge(data), PEER, 0.1))
    assert final.challenged


def test_a_challenge_of_a_stranger_is_not_answered(dialer):
    _, data = invite(dialer, credentials=CREDENTIALS)
    effects = dialer.receive(challenge(data), STRANGER, 0.1)
    assert "authorization" not in b"".join(sent(effects)).decode().lower()
    assert [final.challenged for final in told(effects)] == [True]


def test_a_cancelled_invite_is_not_sent_again(dialer):
    call_id, data = invite(dialer, credentials=CREDENTIALS)
    dialer.cancel(call_id, 0.05)
    effects = dialer.receive(challenge(data), PEER, 0.1)
    assert [final.code for final in told(effects)] == [401]
    assert len(sent(effects)) == 1


def test_cancel_after_a_challenge_names_the_invite_in_force(dialer):
    call_id, data = invite(dialer, credentials=CREDENTIALS)
    data = sent(dialer.receive(challenge(data), PEER, 0.1))[1]
    dialer.receive(answer_bytes(data, 180), PEER, 0.2)
    [cancel] = sent(dialer.cancel(call_id, 0.3))
    assert as_request(cancel).via.text == as_request(data).via.text
    assert as_request(cancel).cseq == 2


def test_bye_is_challenged(dialer):
    call_id, _ = call_up(dialer, credentials=CREDENTIALS)
    [bye] = sent(dialer.bye(call_id, 1.0, "Q.850;cause=16"))
    [again] = sent(dialer.receive(challenge(bye), PEER, 1.1))
    request = as_request(again)
    assert (request.cseq, request.first("reason")) == (3, "Q.850;cause=16")
    assert "authorization" in request.headers
    effects = dialer.receive(challenge(again), PEER, 1.2)
    assert effects == [CallEnded(call_id, by_peer=False)]


def test_bye_reuses_the_nonce_of_the_invite(dialer):
    call_id, data = invite(dialer, credentials=CREDENTIALS)
    data = sent(dialer.receive(challenge(data), PEER, 0.1))[1]
    dialer.receive(answer_bytes(data, 200), PEER, 0.2)
    [bye] = sent(dialer.bye(call_id, 1.0))
    authorization = as_request(bye).first("authorization")
    assert 'nonce="n1"' in authorization
    assert authorization.endswith("nc=00000002")


# Requests outside a dialog.


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
    assert "supported" in response.headers


def test_an_unsupported_extension(phone):
    data = request_bytes(require="100rel, nothing")
    response = only_response(phone.receive(data, PEER, 0.0))
    assert (response.code, response.values("unsupported")) == (420, ("100rel", "nothing"))


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


# A call that comes in.


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
    [bye] = sent(phone.bye(asked.call_id, 1.0))
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
    phone.respond(asked.transaction, 200, now=0.1)
    assert only_response(phone.receive(request_bytes("CANCEL"), PEER, 0.2)).code == 200
    assert sent(phone.bye("call-1", 0.3))


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


# Requests within a call.


def within(method, headers, number, **more):
    via = f"SIP/2.0/UDP 192.0.2.9:5070;rport;branch=z9hG4bKin{method}{number}"
    return request_bytes(method, via=via, cseq=f"{number} {method}", **headers, **more)


@pytest.mark.parametrize(
    ("method", "code"),
    [
        ("OPTIONS", 200),
        ("INFO", 200),
        ("NOTIFY", 481),
        ("MESSAGE", 405),
        ("REFER", 405),
        ("SUBSCRIBE", 489),
        ("NONSENSE", 501),
    ],
)
def test_requests_within_a_call(dialer, method, code):
    _, headers = call_up(dialer)
    effects = dialer.receive(within(method, headers, 1), PEER, 1.0)
    assert only_response(effects).code == code
    repeated = dialer.receive(within(method, headers, 1), PEER, 1.1)
    assert sent(repeated) == sent(effects)
    assert not told(repeated)


def test_their_bye(dialer):
    call_id, headers = call_up(dialer)
    effects = dialer.receive(within("BYE", headers, 1, reason="Q.850;cause=16"), PEER, 1.0)
    assert only_response(effects).code == 200
    assert told(effects) == [CallEnded(call_id, by_peer=True, reasons=("Q.850;cause=16",))]
    assert dialer.bye(call_id, 1.1) == []
    assert only_response(dialer.receive(within("BYE", headers, 2), PEER, 1.2)).code == 481


def test_a_cseq_out_of_order(dialer):
    _, headers = call_up(dialer)
    dialer.receive(within("INFO", headers, 5), PEER, 1.0)
    assert only_response(dialer.receive(within("INFO", headers, 4), PEER, 1.1)).code == 500


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_a_reinvite_is_the_user_agents_to_answer(dialer, method):
    call_id, headers = call_up(dialer)
    contact = "<sip:moved@192.0.2.9:5071>"
    effects = dialer.receive(within(method, headers, 1, body=b"o", contact=contact), PEER, 1.0)
    [asked] = told(effects)
    assert isinstance(asked, ReinviteReceived)
    assert (asked.call_id, asked.method, asked.body) == (call_id, method, b"o")
    second = only_response(dialer.receive(within(method, headers, 2, body=b"o"), PEER, 1.1))
    assert second.code == 500
    assert 0 <= int(second.first("retry-after")) <= 10
    ok = only_response(dialer.respond(asked.transaction, 200, body=b"a", now=1.2))
    assert (ok.code, ok.body, ok.to_tag) == (
        200,
        b"a",
        as_response(sent(effects)[0]).to_tag if sent(effects) else ok.to_tag,
    )
    [bye] = dialer.bye(call_id, 2.0)
    assert bye.destination == HostPort("192.0.2.9", 5071)  # the target was refreshed


def test_a_refused_reinvite_leaves_the_call_as_it_was(dialer):
    call_id, headers = call_up(dialer)
    asks = within("INVITE", headers, 1, body=b"o", contact="<sip:moved@192.0.2.9:5071>")
    [asked] = told(dialer.receive(asks, PEER, 1.0))
    assert only_response(dialer.respond(asked.transaction, 488, now=1.1)).code == 488
    [bye] = dialer.bye(call_id, 2.0)
    assert bye.destination == PEER


def test_cancel_of_a_reinvite(dialer):
    _, headers = call_up(dialer)
    [asked] = told(dialer.receive(within("INVITE", headers, 1, body=b"o"), PEER, 1.0))
    via = f"SIP/2.0/UDP 192.0.2.9:5070;rport;branch={asked.transaction.split()[0]}"
    cancel = request_bytes("CANCEL", via=via, cseq="1 CANCEL", **headers)
    codes = [as_response(data).code for data in sent(dialer.receive(cancel, PEER, 1.1))]
    assert codes == [200, 487]
    assert [type(e) for e in told(dialer.receive(within("UPDATE", headers, 2), PEER, 1.2))] == [
        ReinviteReceived
    ]


def test_bye_answers_a_pending_reinvite_with_487(dialer):
    _, headers = call_up(dialer)
    dialer.receive(within("INVITE", headers, 1, body=b"o"), PEER, 1.0)
    effects = dialer.receive(within("BYE", headers, 2), PEER, 1.1)
    assert [as_response(data).code for data in sent(effects)] == [200, 487]


def test_requests_before_the_answer(dialer):
    _, data = invite(dialer)
    parsed = as_request(data)
    headers = {
        "to": parsed.first("from"),
        "from": f"{parsed.first('to')};tag=theirs",
        "call_id": parsed.call_id,
    }
    expected = {
        "UPDATE": 200,
        "OPTIONS": 200,
        "INFO": 200,
        "NOTIFY": 481,
        "INVITE": 491,
        "REFER": 405,
    }
    for number, (method, code) in enumerate(expected.items(), 1):
        effects = dialer.receive(within(method, headers, number), PEER, 0.1)
        assert only_response(effects).code == code
    glare = dialer.receive(within("UPDATE", headers, 9, body=b"o"), PEER, 0.2)
    assert only_response(glare).code == 491


@pytest.mark.parametrize("code", [200, 403, 408, 481, 500])
def test_any_final_response_to_our_bye_ends_the_call(dialer, code):
    call_id, _ = call_up(dialer)
    [bye] = sent(dialer.bye(call_id, 1.0))
    assert told(dialer.receive(answer_bytes(bye, 100), PEER, 1.1)) == []
    ended = dialer.receive(answer_bytes(bye, code), PEER, 1.2)
    assert told(ended) == [CallEnded(call_id, by_peer=False)]


# Nonsense.


def test_stray_responses_are_dropped(dialer):
    for data in (
        response_bytes(100),
        response_bytes(200),
        response_bytes(486),
        response_bytes(200, method="BYE"),
    ):
        assert dialer.receive(data, STRANGER, 0.0) == []
    assert dialer.idle


def test_a_2xx_of_another_tag_is_dropped(dialer):
    _, data = invite(dialer)
    dialer.receive(answer_bytes(data, 486), PEER, 0.1)
    dialer.handle_timer(100.0)
    forged = answer_bytes(data, 200, **{"from": "<sip:100@192.0.2.1>;tag=guess"})
    assert dialer.receive(forged, STRANGER, 101.0) == []


def test_far_too_many_forks_are_not_kept(dialer):
    _, data = invite(dialer)
    for number in range(50):
        dialer.receive(answer_bytes(data, 200, tag=f"t{number}"), PEER, 0.1)
    assert len(dialer._sessions.by_key) == 20


@pytest.mark.parametrize(
    "data",
    [
        # The shapes of RFC 4475, in our own messages.
        request_bytes(
            via="SIP  / 2.0\r\n /UDP\r\n    192.0.2.9:5070;branch=z9hG4bKx;rport",
            subject="",
            to='"J \\"\\\\ R" <sip:100@192.0.2.1>  ;  x = y',
            **{"from": '"J" <sip:200@192.0.2.9>\r\n  ;\r\n  tag = 98asjd8'},
            unknown="\r\n  folded\r\n  twice",
        ),
        request_bytes(uri="sip:sip%3Auser%40example.com@192.0.2.1;other-param=sum%6Dit"),
        request_bytes(to='"%Z%45" <sip:resource@192.0.2.1>', contact="<sip:%75@h>;%6C%72;q=0.1"),
        request_bytes("RE%47IST%45R!.*+`'~", uri="sip:100@192.0.2.1"),
        request_bytes(expires="0 0l@sah", warning='1812 a "b', max_forwards="300"),
        request_bytes(**{"from": "sip:200@192.0.2.9?Route=%3Csip:x%3E;tag=1"}),
        request_bytes(contact='"" <> ;,,;,,', accept="a/b;;;,,,"),
        request_bytes(content_type="multipart/mixed;boundary=x", body=b"--x\r\n\x00\xff\r\n--x--"),
    ],
)
def test_torture(phone, data):
    effects = phone.receive(data, PEER, 0.0)
    assert effects
    assert all(parse(one) for one in sent(effects))


FRAGMENT = st.one_of(
    st.binary(max_size=12),
    st.sampled_from(
        [
            b"\r\nInjected: 1",
            b"%0d%0aInjected: 1",
            b"\nInjected: 1",
            b"\rInjected: 1",
            b"\x00",
            b'"',
            b"<",
            b">",
            b";tag=x",
            b",",
            b"\\",
            b"\xc2\x85Injected: 1",
            b"\xe2\x80\xa8Injected: 1",
        ]
    ),
)
EDITS = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 10), FRAGMENT), max_size=4)


def edited(data, edits):
    for position, length, insert in edits:
        data = data[:position] + insert + data[position + length :]
    return data


def check_injection(effects):
    """No line that we send begins with the bait, and all that we send can be parsed."""
    for data in sent(effects):
        head = data.split(b"\r\n\r\n", 1)[0]
        assert not re.search(rb"(?:^|[\r\n])Injected:", head)
        assert not re.search(rb"\r(?!\n)|(?<!\r)\n|\x00", head)
        parse(data)


@settings(max_examples=300)
@given(st.binary(max_size=300))
def test_random_datagrams(data):
    endpoint = make_endpoint(accept_calls=True)
    check_injection(endpoint.receive(data, STRANGER, 0.0))


@settings(max_examples=400)
@given(
    st.sampled_from(["INVITE", "BYE", "OPTIONS", "CANCEL", "ACK", "INFO", "UPDATE", "REFER"]),
    EDITS,
    st.booleans(),
)
def test_mutated_requests(method, edits, accept_calls):
    endpoint = make_endpoint(accept_calls=accept_calls)
    data = edited(request_bytes(method, body=b"v=0", record_route="<sip:p;lr>"), edits)
    effects = endpoint.receive(data, PEER, 0.0)
    check_injection(effects)
    for event in told(effects):
        if isinstance(event, InviteReceived):
            check_injection(endpoint.respond(event.transaction, 200, now=0.1))
            check_injection(endpoint.bye(event.call_id, 0.2))
    check_injection(endpoint.handle_timer(1000.0))


@settings(max_examples=400)
@given(st.sampled_from([100, 180, 183, 200, 302, 401, 407, 486, 503, 603]), EDITS)
def test_mutated_responses(code, edits):
    endpoint = make_endpoint()
    call_id, invite_data = invite(endpoint, credentials=CREDENTIALS)
    extra = {"www_authenticate": REALM.format("n"), "record_route": "<sip:p;lr>", "reason": "Q.850"}
    data = edited(answer_bytes(invite_data, code, "Phrase", body=b"v=0", **extra), edits)
    effects = endpoint.receive(data, PEER, 0.1)
    effects += endpoint.receive(data, PEER, 0.2)
    effects += endpoint.cancel(call_id, 0.3)
    if any(isinstance(event, AnswerReceived) for event in told(effects)):
        effects += endpoint.bye(call_id, 0.4)
    effects += endpoint.handle_timer(1000.0)
    check_injection(effects)
