"""Reliable provisional responses over a network that loses, repeats and reorders."""

from __future__ import annotations

import pytest
from tests.unit.sip.sample_messages import as_request
from tests.wire.link import CALLED, CALLER, all_idle, pair

from dialer.sip.effects import (
    AnswerReceived,
    CallEnded,
    CancelTimedOut,
    FinalReceived,
    InviteReceived,
    ProvisionalReceived,
)


class Insistent:
    """A called party that repeats each reliable 18x until its PRACK comes (RFC 3262 §3)."""

    def __init__(self, party, *, answers=True):
        self.party = party
        self.answers = answers
        self.acknowledged = {}  # RAck values by Call-ID
        party.on_event = self.act
        inner = party.receive

        def receive(data, source):
            if data.startswith(b"PRACK "):
                prack = as_request(data)
                self.acknowledged.setdefault(prack.call_id, []).append(prack.first("rack"))
            inner(data, source)

        party.receive = receive

    def act(self, event):
        if isinstance(event, InviteReceived):
            self.ring(event, 7, 0.5)

    def ring(self, event, number, interval):
        """Send 183 with RSeq 7, then 180 with RSeq 8, then the answer."""
        link = self.party.link
        if f"{number} 1 INVITE" in self.acknowledged.get(event.call_id, ()):
            number, interval = number + 1, 0.5
        if number == 9:
            if self.answers:
                self.party.respond(event, 200)
            return
        if interval <= 32:
            code = 183 if number == 7 else 180
            headers = (("Require", "100rel"), ("RSeq", str(number)))
            body = b"answer" if number == 7 else b""
            self.party.respond(
                event, code, headers=headers, body=body, content_type="application/sdp"
            )
            link.after(interval, lambda: self.ring(event, number, 2 * interval))


@pytest.mark.parametrize("seed", range(10))
def test_each_is_told_once_and_acknowledged(seed):
    link, caller, called = pair(seed=seed, loss=0.15, repeat=0.15, reorder=0.2)
    far = Insistent(called)
    caller.on_event = lambda event: (
        link.after(2.0, lambda: caller.bye(event.call_id))
        if isinstance(event, AnswerReceived)
        else None
    )
    calls = [caller.call(reliable_provisionals=True) for _ in range(15)]
    link.run()
    for call_id in calls:
        reliable = [p for p in caller.told(ProvisionalReceived, call_id) if p.reliable]
        assert [(p.code, p.body) for p in reliable] == [(183, b"answer"), (180, b"")]
        assert set(far.acknowledged[call_id]) == {"7 1 INVITE", "8 1 INVITE"}
        [answer] = caller.told(AnswerReceived, call_id)
        assert answer.dialog.local_cseq == 3
        assert len(caller.told(CallEnded, call_id)) == 1
        assert len(called.told(CallEnded, call_id)) == 1
        numbers = {
            (request.cseq_method, request.cseq)
            for sent in link.messages(CALLER, "PRACK", "ACK", "BYE")
            if (request := as_request(sent.data)).call_id == call_id
        }
        assert numbers == {("PRACK", 2), ("PRACK", 3), ("ACK", 1), ("BYE", 4)}
    assert all_idle(link)


@pytest.mark.parametrize("seed", range(4))
def test_calls_are_cancelled_whatever_their_pracks_do(seed):
    link, caller, called = pair(seed=seed, loss=0.15, repeat=0.15, reorder=0.2)
    Insistent(called, answers=False)
    calls = [caller.call(reliable_provisionals=True) for _ in range(15)]
    for number, call_id in enumerate(calls):
        link.at(0.05 * number, lambda call_id=call_id: caller.cancel(call_id))
    link.run()
    for call_id in calls:
        [final] = caller.told((FinalReceived, CancelTimedOut), call_id)
        assert getattr(final, "code", 487) == 487
    assert all_idle(link)


def test_no_prack_arrives():
    link, caller, called = pair()
    link.drop = lambda sent: sent.method == "PRACK"
    Insistent(called)
    call_id = caller.call(reliable_provisionals=True)
    link.run(until=100)
    assert [p.code for p in caller.told(ProvisionalReceived)] == [100, 183]
    assert len({sent.data for sent in link.messages(CALLER, "PRACK")}) == 1
    assert len(link.messages(CALLED, "183")) == 7
    caller.cancel(call_id)
    link.run()
    assert [final.code for final in caller.told(FinalReceived)] == [487]
    assert all_idle(link)
