"""Whole calls between two endpoints, with a network that behaves as networks do."""

from __future__ import annotations

import pytest
from tests.unit.sip.sample_messages import request_bytes
from tests.wire.link import CALLED, CALLER, DELAY, Link, Party, all_idle, answering, pair

from dialer.sip.effects import (
    AckMissing,
    AckReceived,
    AnswerReceived,
    CallEnded,
    CancelReceived,
    CancelTimedOut,
    FinalReceived,
    InfoReceived,
    InviteReceived,
    InviteTimedOut,
    OptionsAnswered,
    ProvisionalReceived,
    ReinviteReceived,
    TransportFailed,
)
from dialer.sip.identity import HostPort


def test_a_call_answered_and_ended_by_the_caller():
    link, caller, called = pair()
    answering(called)
    call_id = caller.call()
    link.run(until=5)
    [answer] = caller.told(AnswerReceived)
    assert (answer.body, answer.content_type, answer.late, answer.fork) == (
        b"answer",
        "application/sdp",
        False,
        False,
    )
    assert [p.code for p in caller.told(ProvisionalReceived)] == [100, 180]
    assert len(called.told(AckReceived)) == 1
    caller.bye(call_id, "Q.850;cause=16")
    link.run()
    assert caller.told(CallEnded) == [CallEnded(call_id, by_peer=False)]
    assert called.told(CallEnded) == [CallEnded(call_id, by_peer=True, reasons=("Q.850;cause=16",))]
    assert all_idle(link)
    assert link.now == pytest.approx(5 + 32 + DELAY, abs=0.1)  # timer J of the BYE


def test_a_call_ended_by_the_called():
    link, caller, called = pair()
    answering(called, talk=2)
    caller.call()
    link.run()
    assert [event.by_peer for event in caller.told(CallEnded)] == [True]
    assert [event.by_peer for event in called.told(CallEnded)] == [False]
    assert all_idle(link)


def test_both_hang_up_at_once():
    link, caller, called = pair()
    answering(called)
    call_id = caller.call()
    link.run(until=5)
    caller.bye(call_id)
    called.bye(call_id)
    link.run()
    assert len(caller.told(CallEnded)) == len(called.told(CallEnded)) == 1
    assert all_idle(link)


def test_ipv6_and_several_calls_at_once():
    link = Link()
    left, right = HostPort("2001:db8::1", 5060), HostPort("2001:db8::2", 5070)
    caller, called = Party(link, left), Party(link, right, accept_calls=True)
    answering(called, talk=1)
    for number in ("1", "2", "3"):
        uri = f"sip:{number}@[2001:db8::2]:5070"
        caller.call(target=right, route=(f"<{uri};lr>",))
    link.run()
    assert len(caller.told(AnswerReceived)) == len(called.told(CallEnded)) == 3
    assert b"SIP/2.0/UDP [2001:db8::1]:5060" in link.sent[0].data
    assert all_idle(link)


@pytest.mark.parametrize("seed", range(12))
def test_calls_over_a_bad_network(seed):
    link, caller, called = pair(seed=seed, loss=0.1, repeat=0.1, reorder=0.2)
    answering(called)
    calls = []

    def hang_up(event):
        if isinstance(event, AnswerReceived):
            link.after(2.0, lambda: caller.bye(event.call_id))

    caller.on_event = hang_up
    for number in range(20):
        link.at(number * 0.1, lambda: calls.append(caller.call()))
    link.run(until=120)
    for call_id in calls:
        [answer] = caller.told(AnswerReceived, call_id)
        assert (answer.late, answer.fork) == (False, False)
        assert len(called.told(InviteReceived, call_id)) == 1
        assert len(caller.told(CallEnded, call_id)) == len(called.told(CallEnded, call_id)) == 1
        assert len(called.told(AckReceived, call_id)) <= 1
        assert not caller.told(FinalReceived, call_id)
    assert all_idle(link)


@pytest.mark.parametrize("seed", range(6))
def test_refusals_over_a_bad_network(seed):
    link, caller, called = pair(seed=seed, loss=0.1, repeat=0.1, reorder=0.2)
    answering(called, code=486)
    calls = [caller.call() for _ in range(20)]
    link.run(until=120)
    for call_id in calls:
        [final] = caller.told(FinalReceived, call_id)
        assert (final.code, final.phrase) == (486, "Busy Here")
    assert all_idle(link)


@pytest.mark.parametrize("seed", range(6))
def test_cancelled_calls_over_a_bad_network(seed):
    link, caller, called = pair(seed=seed, loss=0.1, repeat=0.1, reorder=0.2)
    answering(called, answer=None)
    calls = [caller.call() for _ in range(20)]
    link.run(until=10)
    for call_id in calls:
        caller.cancel(call_id)
    link.run(until=150)
    for call_id in calls:
        [final] = caller.told((FinalReceived, CancelTimedOut), call_id)
        assert getattr(final, "code", 487) == 487
        assert len(called.told(CancelReceived, call_id)) == 1
    assert all_idle(link)


def test_no_answer_at_all():
    link, caller, _ = pair()
    link.drop = lambda sent: sent.destination == CALLED
    call_id = caller.call()
    link.run()
    times = [sent.at for sent in link.messages(CALLER, "INVITE")]
    assert times == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert caller.events == [(32.0, InviteTimedOut(call_id))]
    assert all_idle(link)


def test_after_a_stall_longer_than_timer_b_no_invite_leaves():
    link, caller, _ = pair()
    link.drop = lambda sent: sent.destination == CALLED
    call_id = caller.call()
    caller.do(caller.endpoint.handle_timer(60.0))  # a far end that has forgotten it would ring
    assert caller.told(InviteTimedOut) == [InviteTimedOut(call_id)]
    assert len(link.messages(CALLER, "INVITE")) == 1


def test_timer_b_stops_at_the_first_provisional():
    link, caller, called = pair()
    answering(called, answer=None)
    caller.call()
    link.run(until=1000)
    assert not caller.told((InviteTimedOut, FinalReceived))
    assert len(link.messages(CALLER, "INVITE")) == 1


def test_a_refused_datagram():
    link, caller, _ = pair()
    link.drop = lambda _sent: True
    call_id = caller.call()
    caller.do(caller.endpoint.transport_failed(CALLED, 0.0))
    assert caller.events == [(0.0, TransportFailed(call_id))]
    assert caller.endpoint.idle


def test_a_refused_datagram_does_not_end_a_ringing_call():
    link, caller, called = pair()
    answering(called)
    caller.call()
    link.run(until=0.5)
    caller.do(caller.endpoint.transport_failed(CALLED, link.now))
    link.run(until=5)
    assert len(caller.told(AnswerReceived)) == 1


def test_a_lost_ack_of_a_2xx_is_sent_again_without_a_second_answer():
    link, caller, called = pair()
    lost = []

    def drop(sent):
        lost.extend([sent] if sent.method == "ACK" and len(lost) < 3 else [])
        return sent in lost

    link.drop = drop
    answering(called)
    call_id = caller.call()
    link.run(until=20)
    acks = link.messages(CALLER, "ACK")
    assert len(acks) == 4
    assert len({ack.data for ack in acks}) == 1
    assert len(caller.told(AnswerReceived)) == len(called.told(AckReceived)) == 1
    caller.bye(call_id)
    link.run()
    assert all_idle(link)


def test_no_ack_at_all_ends_the_call():
    link, caller, called = pair()
    link.drop = lambda sent: sent.method == "ACK"
    answering(called)
    caller.call()
    link.run()
    assert called.told_at(AckMissing) == [pytest.approx(1 + 32, abs=0.1)]
    assert len(called.told(CallEnded)) == 1
    assert caller.told(CallEnded)[0].reasons == ('SIP;cause=408;text="ACK not received"',)
    assert all_idle(link)


def test_the_200_is_repeated_up_to_every_t2():
    link, caller, called = pair()
    link.drop = lambda sent: sent.method == "ACK"
    answering(called, ring=None, answer=0)
    caller.call()
    link.run()
    times = [round(sent.at - DELAY, 3) for sent in link.messages(CALLED, "200")][:12]
    assert times[:11] == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]


def test_a_lost_bye_is_repeated_until_it_is_given_up():
    link, caller, called = pair()
    answering(called)
    call_id = caller.call()
    link.run(until=5)
    link.drop = lambda sent: sent.method == "BYE"
    caller.bye(call_id)
    caller.bye(call_id)
    link.run(until=100)
    assert caller.told_at(CallEnded) == [5 + 32]
    assert len(link.messages(CALLER, "BYE")) == 11
    assert caller.endpoint.idle


def test_options_answered_and_not():
    link, caller, _ = pair()
    nobody = HostPort("192.0.2.99", 5060)
    for target in (CALLED, nobody):
        caller.do(caller.endpoint.options(target, f"sip:{target.host}", link.now))
    link.run()
    answers = caller.told(OptionsAnswered)
    assert [(answer.target, answer.code, answer.phrase, answer.seen) for answer in answers] == [
        (CALLED, 200, "OK", CALLER),
        (nobody, None, "", None),
    ]
    assert all_idle(link)


def test_a_callback_gets_480_each_time_it_is_repeated():
    link = Link(loss=0.2, seed=3)
    dialer, person = Party(link, CALLED), Party(link, CALLER)
    person.call()
    link.run()
    assert [final.code for final in person.told(FinalReceived)] == [480]
    assert not dialer.events
    assert all_idle(link)


def test_requests_within_a_call():
    link, caller, called = pair()
    answering(called)
    caller.call()
    link.run(until=5)
    [answer] = caller.told(AnswerReceived)
    within = {
        "to": answer.dialog.local,
        "from": answer.dialog.remote,
        "call_id": answer.call_id,
        "via": "SIP/2.0/UDP 192.0.2.2:5060;rport;branch=z9hG4bKa",
    }
    caller.receive(request_bytes("INFO", **within, body=b"Signal=5", cseq="1 INFO"), CALLED)
    assert [event.body for event in caller.told(InfoReceived)] == [b"Signal=5"]
    caller.receive(request_bytes(**within, body=b"hold", cseq="2 INVITE"), CALLED)
    [reinvite] = caller.told(ReinviteReceived)
    assert (reinvite.method, reinvite.body) == ("INVITE", b"hold")
    caller.respond(reinvite, 200, body=b"held", content_type="application/sdp")
    ok = link.messages(CALLER, "200")[-1]
    assert ok.data.endswith(b"\r\n\r\nheld")
    within["via"] = within["via"] + "2"
    caller.receive(request_bytes("ACK", **within, cseq="2 ACK"), CALLED)
    assert len(caller.told(AckReceived)) == 1
