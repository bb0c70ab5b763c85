"""Answers that come twice, late, by several ways, or after their BYE."""

from __future__ import annotations

import pytest
from tests.unit.sip.sample_messages import answer_bytes, as_request, request_bytes
from tests.wire.link import CALLED, CALLER, all_idle, answering, pair

from dialer.sip.effects import (
    AnswerReceived,
    CallEnded,
    CancelReceived,
    CancelTimedOut,
    FinalReceived,
    InviteTimedOut,
    ProvisionalReceived,
)


def test_an_early_bye_of_a_callee_that_never_answers():
    link, caller, called = pair()
    answering(called, answer=None)
    call_id = caller.call()
    link.run(until=1)
    invite = link.messages(CALLER, "INVITE")[0].data
    tag = caller.told(ProvisionalReceived)[-1].to_tag
    caller.receive(bye_of(invite, tag), CALLED)
    link.run()
    assert link.messages(CALLER, "200")[0].at == 1
    assert [final.code for final in caller.told(FinalReceived)] == [487]
    assert not caller.told((AnswerReceived, CallEnded))
    assert called.told(CancelReceived) == [CancelReceived(call_id, ())]
    assert all_idle(link)


def test_a_bye_that_overtakes_its_200():
    link, caller, _ = pair()
    link.drop = lambda sent: sent.destination == CALLED
    call_id = caller.call()
    invite = link.messages(CALLER, "INVITE")[0].data
    caller.receive(answer_bytes(invite, 180, "Ringing"), CALLED)
    caller.receive(bye_of(invite, "theirs", reason="Q.850;cause=16"), CALLED)
    caller.receive(answer_bytes(invite, 200, "OK"), CALLED)
    caller.receive(answer_bytes(invite, 200, "OK"), CALLED)
    [answer] = caller.told(AnswerReceived)
    assert not answer.late
    assert caller.told(CallEnded) == [CallEnded(call_id, by_peer=True, reasons=("Q.850;cause=16",))]
    assert [sent.method for sent in link.sent] == ["INVITE", "200", "CANCEL", "ACK", "ACK"]
    link.run()
    assert caller.endpoint.idle


@pytest.mark.parametrize("rings", [True, False])
@pytest.mark.parametrize("cancelled", [False, True])
def test_a_bye_whose_200_never_comes(rings, cancelled):
    link, caller, _ = pair()
    link.drop = lambda sent: sent.destination == CALLED
    call_id = caller.call()
    invite = link.messages(CALLER, "INVITE")[0].data
    if rings:
        caller.receive(answer_bytes(invite, 180, "Ringing"), CALLED)
    if cancelled:
        caller.cancel(call_id)
    caller.receive(bye_of(invite, "theirs", reason="Q.850;cause=16"), CALLED)
    link.run()
    # RFC 3261 §15: a callee sends no BYE before its answer
    [(at, ended)] = [(at, event) for at, event in caller.events if isinstance(event, CallEnded)]
    assert ended == CallEnded(call_id, by_peer=True, reasons=("Q.850;cause=16",))
    assert at == 32.0
    assert not caller.told((AnswerReceived, FinalReceived, CancelTimedOut, InviteTimedOut))
    assert caller.endpoint.idle


def bye_of(invite, tag, **headers):
    """Return a BYE of the callee for a call of ours."""
    parsed = as_request(invite)
    return request_bytes(
        "BYE",
        uri="sip:dialer@192.0.2.1:5060",
        via="SIP/2.0/UDP 192.0.2.2:5060;rport;branch=z9hG4bKbye",
        to=parsed.first("from"),
        call_id=parsed.call_id,
        **{"from": f"{parsed.first('to')};tag={tag}", **headers},
    )


def test_forked_200s_are_all_acknowledged_and_all_but_the_first_ended():
    link, caller, _ = pair()
    link.drop = lambda sent: sent.destination == CALLED
    call_id = caller.call()
    invite = link.messages(CALLER, "INVITE")[0].data
    for tag in ("one", "two", "one", "three", "two"):
        caller.receive(answer_bytes(invite, 200, "OK", tag=tag), CALLED)
    answers = caller.told(AnswerReceived)
    assert [(answer.late, answer.fork) for answer in answers] == [
        (False, False),
        (False, True),
        (False, True),
    ]
    acked = [as_request(sent.data).to_tag for sent in link.messages(CALLER, "ACK")]
    ended = [as_request(sent.data).to_tag for sent in link.messages(CALLER, "BYE")]
    assert acked == ["one", "two", "one", "three", "two"]
    assert ended == ["two", "three"]
    caller.bye(call_id)
    assert as_request(link.messages(CALLER, "BYE")[-1].data).to_tag == "one"
    link.run()
    assert len(caller.told(CallEnded)) == 1
    assert caller.endpoint.idle


def test_a_200_for_a_call_long_over_is_acknowledged_and_ended():
    link, caller, called = pair()
    answering(called, ring=None, answer=0, code=486)
    caller.call()
    link.run()
    assert all_idle(link)
    invite = link.messages(CALLER, "INVITE")[0].data
    del link.sent[:]
    caller.receive(answer_bytes(invite, 200, "OK"), CALLED)
    caller.receive(answer_bytes(invite, 200, "OK"), CALLED)
    assert [sent.method for sent in link.sent] == ["ACK", "BYE", "ACK"]
    assert not caller.told(AnswerReceived)
    link.run()
    assert caller.endpoint.idle


def test_a_200_after_a_final_refusal_is_acknowledged_and_ended():
    link, caller, _ = pair()
    caller.call()
    invite = link.messages(CALLER, "INVITE")[0].data
    caller.receive(answer_bytes(invite, 486, "Busy Here"), CALLED)
    caller.receive(answer_bytes(invite, 200, "OK", tag="other"), CALLED)
    assert [sent.method for sent in link.sent] == ["INVITE", "ACK", "ACK", "BYE"]
    assert len(caller.told(FinalReceived)) == 1
    assert not caller.told(AnswerReceived)


def test_a_stray_200_of_a_live_call_is_only_acknowledged():
    link, caller, called = pair()
    answering(called)
    call_id = caller.call()
    link.run(until=100)  # timer M is over, the call is not
    ok = next(sent for sent in link.messages(CALLED, "200"))
    del link.sent[:]
    caller.receive(ok.data, CALLED)
    assert [sent.method for sent in link.sent] == ["ACK"]
    caller.bye(call_id)
    link.run()
    assert all_idle(link)
