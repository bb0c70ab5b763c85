"""A redirection is not followed, and peers of RFC 2543 are understood."""

from __future__ import annotations

import pytest
from tests.unit.sip.sample_messages import answer_bytes, as_request, request_bytes
from tests.wire.link import CALLED, CALLER, Party, all_idle, answering, pair

from dialer.sip.effects import AnswerReceived, CallEnded, FinalReceived, ProvisionalReceived
from dialer.sip.identity import HostPort

ELSEWHERE = HostPort("203.0.113.9", 5060)


@pytest.mark.parametrize("to", [CALLED, ELSEWHERE])
def test_a_redirection_is_told_and_not_followed(to):
    link, caller, called = pair()
    other = Party(link, ELSEWHERE, accept_calls=True)
    answering(called, ring=None, answer=None)
    contact = f"<sip:100@{to.host}:{to.port}>"
    caller.call(alternatives=(ELSEWHERE._replace(host="192.0.2.3"),))
    invite = link.messages(CALLER, "INVITE")[0].data
    caller.receive(answer_bytes(invite, 302, "Moved", contact=contact), CALLED)
    link.run()
    [final] = caller.told(FinalReceived)
    assert (final.code, final.contacts) == (302, (contact[1:-1],))
    assert {sent.destination for sent in link.sent if sent.source == CALLER} == {CALLED}
    assert [sent.method for sent in link.messages(CALLER, "INVITE", "ACK")] == ["INVITE", "ACK"]
    assert other.events == []


def without_tag(invite, code, **headers):
    return answer_bytes(invite, code, to=as_request(invite).first("to"), **headers)


@pytest.mark.parametrize("theirs", [False, True])
def test_an_answer_without_a_to_tag_is_an_answer(theirs):
    link, caller, _ = pair()
    link.drop = lambda sent: sent.destination == CALLED
    call_id = caller.call(reliable_provisionals=True)
    invite = link.messages(CALLER, "INVITE")[0].data
    caller.receive(without_tag(invite, 180), CALLED)
    for _ in range(2):
        caller.receive(without_tag(invite, 200, body=b"answer"), CALLED)
    assert [event.to_tag for event in caller.told(ProvisionalReceived)] == [""]
    [answer] = caller.told(AnswerReceived)
    assert answer.dialog.remote == as_request(invite).first("to")
    first, second = (as_request(sent.data) for sent in link.messages(CALLER, "ACK"))
    assert (first.to_tag, first.cseq, first.via.text) == ("", 1, second.via.text)
    if theirs:
        bye = request_bytes(
            "BYE", to=answer.dialog.local, call_id=call_id, **{"from": answer.dialog.remote}
        )
        caller.receive(bye, CALLED)
    else:
        caller.bye(call_id)
        bye = link.messages(CALLER, "BYE")[0].data
        assert as_request(bye).to_tag == ""
        caller.receive(answer_bytes(bye, 200, to=as_request(bye).first("to")), CALLED)
    assert [event.by_peer for event in caller.told(CallEnded)] == [theirs]
    link.run()
    assert all_idle(link)


def test_other_provisional_codes_are_told_and_change_nothing():
    link, caller, _ = pair()
    link.drop = lambda sent: sent.destination == CALLED
    call_id = caller.call(reliable_provisionals=True)
    invite = link.messages(CALLER, "INVITE")[0].data
    for code in (100, 181, 182, 199, 150):
        caller.receive(answer_bytes(invite, code, tag=f"t{code}"), CALLED)
    assert [event.code for event in caller.told(ProvisionalReceived)] == [100, 181, 182, 199, 150]
    caller.receive(answer_bytes(invite, 200), CALLED)
    assert len(caller.told(AnswerReceived)) == 1
    caller.bye(call_id)
    link.run()
    assert all_idle(link)
