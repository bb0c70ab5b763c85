"""What an endpoint answers within a dialog."""

from __future__ import annotations

import pytest
from tests.unit.sip.endpoint_steps import (
    call_up,
    invite,
    only_response,
    sent,
    told,
    within,
)
from tests.unit.sip.sample_messages import (
    PEER,
    answer_bytes,
    as_request,
    as_response,
    request_bytes,
)

from dialer.sip.effects import (
    AckMissing,
    CallEnded,
    ReinviteReceived,
)
from dialer.sip.identity import HostPort


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
    assert (ok.code, ok.body, ok.first("to")) == (200, b"a", headers["to"])
    [bye] = dialer.bye(call_id, 2.0)
    assert bye.destination == HostPort("192.0.2.9", 5071)  # the target was refreshed


def test_an_update_without_a_body_is_answered_whatever_is_under_way(dialer):
    call_id, headers = call_up(dialer, contact_user="us")
    dialer.receive(within("INVITE", headers, 1, body=b"o"), PEER, 1.0)
    moved = {"contact": "<sip:moved@192.0.2.9:5071>"}
    effects = dialer.receive(within("UPDATE", headers, 2, **moved), PEER, 1.1)
    answer = only_response(effects)
    assert (answer.code, answer.body, answer.contact) == (200, b"", "sip:us@192.0.2.1:5060")
    assert told(effects) == []
    [bye] = dialer.bye(call_id, 2.0)
    assert bye.destination == HostPort("192.0.2.9", 5071)


def test_the_answer_to_a_reinvite_keeps_the_contact_of_the_invite(dialer):
    _, headers = call_up(dialer, contact_user="us", contact_address=("203.0.113.7", 40000))
    effects = dialer.receive(within("INVITE", headers, 1, body=b"o"), PEER, 1.0)
    [event] = told(effects)
    answer = only_response(dialer.respond(event.transaction, 200, body=b"a", now=1.1))
    assert answer.contact == "sip:us@203.0.113.7:40000"


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
    assert [
        type(e) for e in told(dialer.receive(within("UPDATE", headers, 2, body=b"o"), PEER, 1.2))
    ] == [ReinviteReceived]


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


def test_an_update_before_the_answer_is_told_the_contact_of_the_invite(dialer):
    _, data = invite(dialer, contact_user="line-7", contact_address=("203.0.113.7", 40000))
    parsed = as_request(data)
    headers = {
        "to": parsed.first("from"),
        "from": f"{parsed.first('to')};tag=theirs",
        "call_id": parsed.call_id,
    }
    answer = only_response(dialer.receive(within("UPDATE", headers, 1), PEER, 0.1))
    assert answer.contact == parsed.contact == "sip:line-7@203.0.113.7:40000"


@pytest.mark.parametrize("code", [200, 403, 408, 481, 500])
def test_any_final_response_to_our_bye_ends_the_call(dialer, code):
    call_id, _ = call_up(dialer)
    [bye] = sent(dialer.bye(call_id, 1.0))
    assert told(dialer.receive(answer_bytes(bye, 100), PEER, 1.1)) == []
    ended = dialer.receive(answer_bytes(bye, code), PEER, 1.2)
    assert told(ended) == [CallEnded(call_id, by_peer=False)]


def test_a_reinvite_whose_ack_never_comes_ends_the_call(dialer):
    call_id, headers = call_up(dialer)
    [asked] = told(dialer.receive(within("INVITE", headers, 1, body=b"o"), PEER, 1.0))
    dialer.respond(asked.transaction, 200, body=b"a", now=1.0)
    effects = dialer.handle_timer(33.5)
    assert told(effects) == [AckMissing(call_id)]
    assert as_request(sent(effects)[-1]).method == "BYE"
