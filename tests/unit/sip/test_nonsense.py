"""Strays, torture and noise: nothing raises, nothing is injected."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.sip.endpoint_steps import (
    CREDENTIALS,
    REALM,
    STRANGER,
    invite,
    make_endpoint,
    sent,
    told,
)
from tests.unit.sip.sample_messages import (
    PEER,
    answer_bytes,
    request_bytes,
    response_bytes,
)

from dialer.sip.effects import (
    AnswerReceived,
    InviteReceived,
)
from dialer.sip.message import parse


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
@given(st.sampled_from([100, 180, 183, 200, 302, 401, 407, 420, 421, 482, 486, 503, 603]), EDITS)
def test_mutated_responses(code, edits):
    endpoint = make_endpoint()
    call_id, invite_data = invite(
        endpoint,
        credentials=CREDENTIALS,
        reliable_provisionals=True,
        alternatives=(PEER._replace(port=5071),),
    )
    extra = {
        "www_authenticate": REALM.format("n"),
        "record_route": "<sip:p;lr>",
        "reason": "Q.850",
        "require": "100rel",
        "rseq": "7",
        "unsupported": "100rel",
    }
    data = edited(answer_bytes(invite_data, code, "Phrase", body=b"v=0", **extra), edits)
    effects = endpoint.receive(data, PEER, 0.1)
    effects += endpoint.receive(data, PEER, 0.2)
    effects += endpoint.cancel(call_id, 0.3)
    if any(isinstance(event, AnswerReceived) for event in told(effects)):
        effects += endpoint.bye(call_id, 0.4)
    effects += endpoint.handle_timer(1000.0)
    check_injection(effects)
