"""Requests within a dialog that cross each other (RFC 3261 §14, RFC 3311 §5)."""

from __future__ import annotations

import pytest
from tests.unit.sip.sample_messages import as_request
from tests.wire.link import CALLED, CALLER, all_idle, answering, pair

from dialer.sip.effects import (
    AnswerReceived,
    CallEnded,
    RefreshDue,
    ReinviteAnswered,
    ReinviteReceived,
)


def set_up(**options):
    """Return link, caller, called and the Call-ID of a call that is up; both answer offers."""
    link, caller, called = pair(**options)
    answering(called)
    call_id = caller.call()
    link.run(until=10)
    assert caller.told(AnswerReceived)
    for party in (caller, called):
        party.on_event = lambda event, party=party: (
            party.respond(event, 200, body=b"their answer")
            if isinstance(event, ReinviteReceived)
            else None
        )
    return link, caller, called, call_id


def modify(party, method, call_id, body=b"our offer"):
    send = party.endpoint.reinvite if method == "INVITE" else party.endpoint.update
    party.do(send(call_id, body, party.link.now))


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize("theirs", ["INVITE", "UPDATE"])
def test_both_sides_back_off_and_both_come_through(method, theirs):
    link, caller, called, call_id = set_up()
    modify(caller, method, call_id)
    modify(called, theirs, call_id)
    link.run()
    for party in (caller, called):
        [answered] = party.told(ReinviteAnswered)
        assert (answered.code, answered.body) == (200, b"their answer")
        assert len(party.told(ReinviteReceived)) == 1
    assert (len(link.messages(CALLER, "491")), len(link.messages(CALLED, "491"))) == (1, 1)
    # RFC 3261 §14.1: the owner of the Call-ID waits longer
    ours = [sent.at for sent in link.messages(CALLER, method) if sent.at > 9]
    their = [sent.at for sent in link.messages(CALLED, theirs) if sent.at > 9]
    assert 2.1 <= ours[1] - ours[0] <= 4.1
    assert 0 <= their[1] - their[0] <= 2.1
    caller.bye(call_id)
    link.run()
    assert all_idle(link)


@pytest.mark.parametrize("seed", range(10))
def test_crossing_requests_over_a_bad_network(seed):
    link, caller, called, call_id = set_up(seed=seed, loss=0.15, repeat=0.15, reorder=0.2)
    modify(caller, "INVITE", call_id)
    modify(called, "INVITE", call_id)
    link.run()
    for party in (caller, called):
        [answered] = party.told(ReinviteAnswered)
        assert answered.code in {200, 491, 500}
    assert not caller.told(CallEnded)
    caller.bye(call_id)
    link.run()
    assert all_idle(link)


def test_our_bye_crosses_their_reinvite():
    link, caller, called, call_id = set_up()
    modify(called, "INVITE", call_id)
    caller.bye(call_id)
    link.run()
    assert (len(caller.told(CallEnded)), len(called.told(CallEnded))) == (1, 1)
    assert all_idle(link)


def test_our_bye_while_our_reinvite_is_out():
    link, caller, called, call_id = set_up()
    modify(caller, "INVITE", call_id)
    caller.bye(call_id)
    link.run()
    assert not caller.told(ReinviteAnswered)
    assert (len(caller.told(CallEnded)), len(called.told(CallEnded))) == (1, 1)
    assert all_idle(link)


def test_our_bye_while_we_wait_after_a_glare():
    link, caller, called, call_id = set_up()
    modify(caller, "INVITE", call_id)
    modify(called, "INVITE", call_id)
    link.run(until=10.5)
    caller.bye(call_id)
    link.run()
    assert len([sent for sent in link.messages(CALLER, "INVITE") if sent.at > 9]) == 1
    assert all_idle(link)


def test_an_endless_491_ends():
    link, caller, called, call_id = set_up()
    called.on_event = lambda event: (
        called.respond(event, 491) if isinstance(event, ReinviteReceived) else None
    )
    modify(caller, "UPDATE", call_id)
    link.run()
    assert [answered.code for answered in caller.told(ReinviteAnswered)] == [491]
    assert len(link.messages(CALLER, "UPDATE")) == 3
    assert not caller.told(CallEnded)


def test_a_reinvite_of_ours_waits_until_theirs_is_answered():
    link, caller, called, call_id = set_up()
    caller.on_event = lambda _event: None
    modify(called, "INVITE", call_id)
    link.run(until=10.2)
    [theirs] = caller.told(ReinviteReceived)
    modify(caller, "INVITE", call_id)
    assert not [sent for sent in link.messages(CALLER, "INVITE") if sent.at > 9]
    link.after(0.5, lambda: caller.respond(theirs, 200, body=b"answer"))
    link.run()
    assert [answered.code for answered in caller.told(ReinviteAnswered)] == [200]
    caller.bye(call_id)
    link.run()
    assert all_idle(link)


@pytest.mark.parametrize("seed", range(25))
def test_whatever_both_sides_do_at_once_comes_to_an_end(seed):
    link, caller, called = pair(seed=seed, loss=0.15, repeat=0.15, reorder=0.2)
    answering(called)
    calls = [caller.call(session_expires=90) for _ in range(5)]
    link.run(until=40)
    for party in (caller, called):
        party.on_event = lambda event, party=party: answer_any(party, event)
    for call_id in calls:
        for _ in range(link.random.randrange(8)):
            party, at = link.random.choice((caller, called)), 40 + 60 * link.random.random()
            method, body = link.random.choice(("INVITE", "UPDATE")), link.random.choice((b"", b"o"))
            link.at(at, lambda p=party, m=method, c=call_id, b=body: modify(p, m, c, b))
        by = link.random.choice((caller, called))
        link.at(200 * link.random.random() + 40, lambda by=by, call_id=call_id: by.bye(call_id))
    link.run()
    for call_id in calls:
        asked = [len(party.told(ReinviteAnswered, call_id)) for party in (caller, called)]
        assert max(asked) <= 8
        for party in (caller, called):
            assert len(party.told(CallEnded, call_id)) == 1
    assert all_idle(link)


def answer_any(party, event):
    """Answer what wants an answer, in one of several ways, sooner or later."""
    chance = party.link.random
    if isinstance(event, ReinviteReceived):
        code = chance.choice((200, 200, 488, 500, 491))
        body = b"answer" if code == 200 else b""
        party.link.after(
            chance.choice((0, 0.3, 3.0)), lambda: party.respond(event, code, body=body)
        )
    elif isinstance(event, RefreshDue):
        modify(party, "INVITE", event.call_id)


def test_a_lost_ack_of_a_reinvite_is_sent_again():
    link, caller, called, call_id = set_up()
    acks = []

    def lose_first(sent):
        if sent.method == "ACK":
            acks.append(as_request(sent.data))
            return len(acks) == 1
        return False

    link.drop = lose_first
    modify(caller, "INVITE", call_id)
    link.run()
    assert [(ack.cseq, ack.via.branch) for ack in acks] == [(2, acks[0].via.branch)] * 2
    assert len(caller.told(ReinviteAnswered)) == 1
    assert not called.told(CallEnded)
