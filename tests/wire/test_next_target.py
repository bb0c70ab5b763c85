"""Several targets and a bad network: one call, whatever is lost, late or answered twice."""

from __future__ import annotations

import random

import pytest
from tests.unit.sip.sample_messages import as_request
from tests.wire.link import CALLED, CALLER, Link, Party, all_idle, answering

from dialer.sip.effects import (
    AnswerReceived,
    CallEnded,
    CancelReceived,
    CancelTimedOut,
    FinalReceived,
    InviteReceived,
    InviteResent,
    InviteTimedOut,
    ProvisionalReceived,
    TransportFailed,
)
from dialer.sip.identity import HostPort
from dialer.sip.message import parse

OTHERS = (HostPort("192.0.2.3", 5060), HostPort("192.0.2.4", 5060))
OVER = (AnswerReceived, FinalReceived, InviteTimedOut, CancelTimedOut, TransportFailed)


def carrier(**link_options):
    """Return a link, a caller, and the three servers of one carrier."""
    link = Link(**link_options)
    servers = [Party(link, address, accept_calls=True) for address in (CALLED, *OTHERS)]
    return link, Party(link, CALLER), servers


def test_the_second_server_takes_the_call_of_the_first_that_refuses():
    link, caller, (first, second, third) = carrier()
    answering(first, ring=None, answer=0, code=503)
    answering(second, talk=1)
    call_id = caller.call(alternatives=OTHERS)
    link.run()
    assert [(event.code, event.leg.target_host) for event in caller.told(InviteResent)] == [
        (503, OTHERS[0].host)
    ]
    assert len(caller.told(AnswerReceived)) == len(caller.told(CallEnded)) == 1
    assert not third.told(InviteReceived)
    assert {as_request(sent.data).call_id for sent in link.messages(CALLER, "INVITE")} == {call_id}
    assert all_idle(link)


def test_the_servers_that_are_silent_are_left_one_by_one():
    link, caller, (_, _, third) = carrier()
    link.drop = lambda sent: sent.destination in {CALLED, OTHERS[0]}
    answering(third, talk=1)
    caller.call(alternatives=OTHERS)
    link.run()
    assert caller.told_at(InviteResent) == [5.0, 10.0]
    assert [answer.late for answer in caller.told(AnswerReceived)] == [False]
    first = [sent.at for sent in link.messages(CALLER, "INVITE") if sent.destination == CALLED]
    assert first == [0.0, 0.5, 1.5, 3.5]
    assert all_idle(link)


def test_where_all_are_silent_the_last_one_has_its_full_time():
    link, caller, _ = carrier()
    link.drop = lambda sent: sent.source == CALLER
    call_id = caller.call(alternatives=OTHERS)
    link.run()
    assert caller.told(InviteTimedOut) == [InviteTimedOut(call_id)]
    assert caller.told_at(InviteTimedOut) == [5.0 + 5.0 + 32.0]
    assert all_idle(link)


def test_a_server_that_comes_to_itself_is_cancelled_while_another_rings():
    link, caller, (first, second, _) = carrier()
    link.drop = lambda sent: sent.source == CALLED and link.now < 7
    answering(first, answer=None, ring=8.0)
    answering(second, answer=20.0, talk=1)
    caller.call(alternatives=OTHERS)
    link.run()
    assert len(first.told(CancelReceived)) == 1
    assert [answer.fork for answer in caller.told(AnswerReceived)] == [False]
    assert [p.code for p in caller.told(ProvisionalReceived)] == [100, 180]
    assert len(second.told(CallEnded)) == 1
    assert all_idle(link)


def test_a_person_who_answers_through_the_server_that_was_left_has_the_call():
    link, caller, (first, second, _) = carrier()
    link.drop = lambda sent: sent.source == CALLED and link.now < 6
    answering(first, ring=None, answer=6.0)
    answering(second, answer=None)
    call_id = caller.call(alternatives=OTHERS)
    link.run(until=20)
    assert [(a.fork, a.late) for a in caller.told(AnswerReceived)] == [(False, False)]
    assert len(second.told(CancelReceived)) == 1
    assert second.told(CancelReceived)[0].reasons[0].startswith("SIP;cause=200")
    caller.bye(call_id)
    link.run()
    assert [event.by_peer for event in first.told(CallEnded)] == [True]
    assert all_idle(link)


def chance(party, dice):
    """Let a server behave as it likes, differently with each call; it rings for 60 s at most."""

    def act(event):
        if not isinstance(event, InviteReceived):
            return
        if dice.random() < 0.7:
            party.link.after(dice.uniform(0, 8), lambda: party.respond(event, 180))
        code = dice.choice([200, 200, 200, 486, 503, 503, 480])
        body = {"body": b"answer", "content_type": "application/sdp"} if code == 200 else {}
        when = 60 if code == 480 else dice.uniform(0, 12)
        party.link.after(when, lambda: party.respond(event, code, **body))

    party.on_event = act


@pytest.mark.parametrize("seed", range(16))
def test_of_one_call_one_answer_whatever_happens(seed):
    link, caller, servers = carrier(seed=seed, loss=0.15, repeat=0.1, reorder=0.2)
    dice = random.Random(seed)
    deaf = {CALLED: dice.uniform(0, 12), OTHERS[0]: dice.uniform(0, 12)}
    link.drop = lambda sent: link.now < deaf.get(sent.source, 0)
    for server in servers:
        chance(server, dice)
    calls = []

    def hang_up(event):
        if isinstance(event, AnswerReceived) and not (event.fork or event.late):
            link.after(3.0, lambda: caller.bye(event.call_id))

    caller.on_event = hang_up

    def place():
        call_id = caller.call(alternatives=OTHERS)
        calls.append(call_id)
        if dice.random() < 0.3:
            link.after(dice.uniform(0, 15), lambda: caller.cancel(call_id))

    for number in range(25):
        link.at(number * 0.2, place)
    link.run()
    answers = {
        (sent.source, answer.call_id, answer.to_tag)
        for server in servers
        for sent in link.messages(server.address, "200")
        if (answer := parse(sent.data)).cseq_method == "INVITE"
    }
    acks = {
        (sent.destination, ack.call_id, ack.to_tag)
        for sent in link.messages(CALLER, "ACK")
        if (ack := as_request(sent.data)) is not None
    }
    assert answers <= acks
    assert len(answers) > len(calls) / 4
    for call_id in calls:
        ends = [event for event in caller.told(OVER, call_id) if not getattr(event, "fork", False)]
        assert len(ends) == 1
        kept = [e for e in ends if isinstance(e, AnswerReceived) and not e.late]
        assert len(caller.told(CallEnded, call_id)) == len(kept)
        for server in servers:
            # Each of them rang once at most, and whoever picked up is let go.
            assert len(server.told(InviteReceived, call_id)) <= 1
            picked_up = any(key[:2] == (server.address, call_id) for key in answers)
            assert len(server.told(CallEnded, call_id)) == picked_up
    assert all_idle(link)
