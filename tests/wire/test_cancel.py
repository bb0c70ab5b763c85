"""CANCEL, and the answers that cross it; calls of a process that died."""

from __future__ import annotations

import pytest
from tests.unit.sip.sample_messages import as_request
from tests.wire.link import CALLED, CALLER, Party, all_idle, answering, pair

from dialer.sip.effects import (
    AnswerReceived,
    CallEnded,
    CancelReceived,
    CancelTimedOut,
    FinalReceived,
    InviteTimedOut,
)
from dialer.sip.identity import HostPort, LegState


def test_cancel_while_ringing():
    link, caller, called = pair()
    answering(called, answer=None)
    call_id = caller.call()
    link.run(until=5)
    caller.do(caller.endpoint.cancel(call_id, link.now, "SIP;cause=408"))
    link.run()
    assert [final.code for final in caller.told(FinalReceived)] == [487]
    assert called.told(CancelReceived) == [CancelReceived(call_id, ("SIP;cause=408",))]
    invite, cancel = (
        as_request(link.messages(CALLER, name)[0].data) for name in ("INVITE", "CANCEL")
    )
    assert cancel.via.text == invite.via.text
    assert (cancel.uri, cancel.cseq, cancel.first("to")) == (invite.uri, 1, invite.first("to"))
    assert all_idle(link)


def test_cancel_waits_for_a_provisional():
    link, caller, called = pair()
    link.drop = lambda sent: sent.source == CALLED and link.now < 3
    answering(called, answer=None)
    call_id = caller.call()
    link.run(until=2)
    caller.cancel(call_id)
    caller.cancel(call_id)
    link.run(until=2.9)
    assert not link.messages(CALLER, "CANCEL")
    link.run()
    assert [final.code for final in caller.told(FinalReceived)] == [487]
    assert len(link.messages(CALLER, "CANCEL")) == 1
    assert all_idle(link)


def test_cancel_without_any_provisional_ends_with_timer_b():
    link, caller, _ = pair()
    link.drop = lambda sent: sent.destination == CALLED
    call_id = caller.call()
    caller.cancel(call_id)
    link.run()
    assert caller.events == [(32.0, InviteTimedOut(call_id))]
    assert not link.messages(CALLER, "CANCEL")


def test_a_200_crosses_our_cancel():
    link, caller, called = pair()
    answering(called, answer=1.0)
    call_id = caller.call()
    link.run(until=1.005)  # the 200 is out, it has not arrived
    caller.cancel(call_id)
    link.run()
    [answer] = caller.told(AnswerReceived)
    assert answer.late
    assert not caller.told((FinalReceived, CallEnded, CancelTimedOut))
    sent = [sent.method for sent in link.sent if sent.source == CALLER]
    assert sent == ["INVITE", "CANCEL", "ACK", "BYE"]
    assert called.told(CallEnded) == [
        CallEnded(call_id, by_peer=True, reasons=('SIP;cause=487;text="Request Terminated"',))
    ]
    assert all_idle(link)


def test_a_200_after_a_cancel_that_waits_for_a_provisional():
    link, caller, called = pair()
    link.drop = lambda sent: sent.method in {"100", "180"}
    answering(called)
    caller.cancel(caller.call())
    link.run()
    [answer] = caller.told(AnswerReceived)
    assert answer.late
    assert len(called.told(CallEnded)) == 1
    assert all_idle(link)


def test_a_cancel_that_gets_its_200_but_the_invite_no_final():
    link, caller, called = pair()
    link.drop = lambda sent: sent.method == "487"
    answering(called, answer=None)
    call_id = caller.call()
    link.run(until=5)
    caller.cancel(call_id)
    link.run()
    [at] = caller.told_at(CancelTimedOut)
    assert at == 5 + 32
    assert all_idle(link)


def test_a_lost_487_comes_again():
    link, caller, called = pair()
    lost = []

    def drop(sent):
        lost.extend([sent] if sent.method == "487" and len(lost) < 2 else [])
        return sent in lost

    link.drop = drop
    answering(called, answer=None)
    call_id = caller.call()
    link.run(until=5)
    caller.cancel(call_id)
    link.run()
    [at] = caller.told_at(FinalReceived)
    assert at == pytest.approx(5 + 1.5, abs=0.1)
    assert all_idle(link)


def test_a_call_of_a_dead_process_is_cancelled():
    link, caller, called = pair()
    answering(called, answer=None)
    uri = "sip:100@192.0.2.2:5060"
    caller.call()
    link.run(until=1)
    prepared = as_request(link.messages(CALLER, "INVITE")[0].data)
    other = Party(link, HostPort("192.0.2.3", 5060))
    leg = LegState(
        prepared.call_id,
        prepared.first("from"),
        prepared.first("to"),
        uri,
        prepared.via.text,
        1,
        (),
        *CALLED,
    )
    del link.parties[CALLER]
    other.do(other.endpoint.cancel_leg(leg, link.now))
    link.run()
    assert len(called.told(CancelReceived)) == 1
    # The 487 goes where the INVITE came from, so that the rest is given up after 64*T1.
    assert len(other.told(CancelTimedOut)) == 1
    assert all_idle(link)


def test_a_restarted_process_hears_the_487_and_acknowledges_it():
    link, caller, called = pair()
    answering(called, answer=None)
    legs = []
    original = caller.endpoint.prepare_invite
    caller.endpoint.prepare_invite = lambda draft: legs.append(original(draft)) or legs[-1]
    caller.call()
    link.run(until=1)
    restarted = Party(link, CALLER)
    restarted.do(restarted.endpoint.cancel_leg(legs[0].identity, link.now))
    link.run()
    assert [final.code for final in restarted.told(FinalReceived)] == [487]
    assert len(link.messages(CALLER, "ACK")) == 1
    assert all_idle(link)


def test_a_restarted_process_ends_an_answered_call():
    link, caller, called = pair()
    answering(called)
    caller.call()
    link.run(until=5)
    [answer] = caller.told(AnswerReceived)
    restarted = Party(link, CALLER)
    restarted.do(restarted.endpoint.bye_dialog(answer.dialog, link.now))
    link.run()
    assert [event.by_peer for event in called.told(CallEnded)] == [True]
    assert [event.by_peer for event in restarted.told(CallEnded)] == [False]
    assert all_idle(link)
