"""The INVITE that leaves, and what is told of its responses."""

from __future__ import annotations

import pytest
from tests.unit.sip.endpoint_steps import (
    call_up,
    draft,
    invite,
    make_endpoint,
    sent,
    told,
)
from tests.unit.sip.sample_messages import (
    PEER,
    answer_bytes,
    as_request,
    request_bytes,
)

from dialer.sip.effects import (
    FinalReceived,
    ProvisionalReceived,
)
from dialer.sip.endpoint import EndpointSettings
from dialer.sip.identity import HostPort


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
    assert (identity.target_host, identity.target_port, identity.target_transport) == PEER
    assert identity.route == ("<sip:192.0.2.9:5070;lr>",)


@pytest.mark.parametrize(
    ("address", "contact"),
    [
        (("203.0.113.7", 40000), "sip:dialer@203.0.113.7:40000"),
        (("203.0.113.7", None), "sip:dialer@203.0.113.7:5060"),
        (("2001:db8::1", 5070), "sip:dialer@[2001:db8::1]:5070"),
    ],
)
def test_the_contact_names_the_address_at_which_the_peer_sees_us(dialer, address, contact):
    _, data = invite(dialer, contact_address=address)
    assert as_request(data).contact == contact


def test_preparing_keeps_nothing(dialer):
    dialer.prepare_invite(draft())
    assert dialer.idle


@pytest.mark.parametrize("bad", ["a\r\nInjected: 1", "a\nb", "a\rb", "a\x00b"])
@pytest.mark.parametrize(
    "field",
    [
        "request_uri",
        "to",
        "from_",
        "route",
        "headers",
        "content_type",
        "contact_user",
        "contact_address",
    ],
)
def test_a_draft_cannot_inject_a_header(dialer, field, bad):
    values = {"route": (bad,), "headers": (("X", bad),), "contact_address": (bad, None)}
    value = values.get(field, bad)
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
            reliable=False,
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
