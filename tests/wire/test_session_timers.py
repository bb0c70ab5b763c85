"""Session timers between two endpoints: refresher, refreshed, and what a dead peer leads to."""

from __future__ import annotations

import pytest
from tests.unit.sip.sample_messages import as_request, as_response
from tests.wire.link import CALLED, CALLER, all_idle, answering, pair

from dialer.sip.effects import (
    AnswerReceived,
    CallEnded,
    InviteResent,
    RefreshDue,
    ReinviteAnswered,
    ReinviteReceived,
)

INTERVAL = 600


def changing(party, *changes):
    """Let what arrives at `party` be changed on the way, as by a proxy."""
    inner = party.receive

    def receive(data, source):
        for old, new in changes:
            data = data.replace(old, new)
        inner(data, source)

    party.receive = receive


def refreshing(*parties):
    """Let the parties do what a user agent does for a refresh."""
    for party in parties:
        inner = party.on_event

        def act(event, party=party, inner=inner):
            if isinstance(event, RefreshDue):
                party.do(party.endpoint.reinvite(event.call_id, b"offer", party.link.now))
            elif isinstance(event, ReinviteReceived):
                party.respond(event, 200, body=b"answer" if event.body else b"")
            inner(event)

        party.on_event = act


def set_up(refresher="uac", method="UPDATE", **options):
    link, caller, called = pair(**options)
    answering(called)
    refreshing(caller, called)
    changing(
        called,
        (
            b"Expires: %d\r\n" % INTERVAL,
            b"Expires: %d;refresher=%s\r\n" % (INTERVAL, refresher.encode()),
        ),
    )
    if method == "INVITE":
        for party in (caller, called):
            changing(party, (b"UPDATE, ", b""))
    return link, caller, called


@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
@pytest.mark.parametrize("refresher", ["uac", "uas"])
def test_a_session_is_refreshed_by_whom_the_answer_names(refresher, method):
    link, caller, called = set_up(refresher, method)
    call_id = caller.call(session_expires=INTERVAL)
    link.run(until=1000)
    ours, theirs = (CALLER, CALLED) if refresher == "uac" else (CALLED, CALLER)
    refreshes = [s for s in link.messages(ours, method) if b"refresher=uac" in s.data]
    assert [sent.at for sent in refreshes] == pytest.approx([301, 601, 901], abs=0.5)
    first = as_request(refreshes[0].data)
    assert first.first("session-expires") == f"{INTERVAL};refresher=uac"
    assert first.body == (b"offer" if method == "INVITE" else b"")
    assert (first.values("supported"), bool(first.contact)) == (("timer",), True)
    answers = [as_response(sent.data) for sent in link.messages(theirs, "200")]
    answer = answers[-1]
    assert answer.cseq_method == method
    assert answer.first("session-expires") == f"{INTERVAL};refresher=uac"
    assert answer.first("require") == "timer"
    assert not link.messages(theirs, "UPDATE")
    caller.bye(call_id)
    link.run()
    assert (len(caller.told(CallEnded)), len(called.told(CallEnded))) == (1, 1)
    assert all_idle(link)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
@pytest.mark.parametrize("refresher", ["uac", "uas"])
def test_sessions_live_on_over_a_bad_network(refresher, method, seed):
    link, caller, called = set_up(refresher, method, seed=seed, loss=0.15, repeat=0.1, reorder=0.2)
    calls = [caller.call(session_expires=INTERVAL) for _ in range(5)]
    link.run(until=3000)
    for party in (caller, called):
        assert not party.told(CallEnded)
    for call_id in calls:
        caller.bye(call_id)
    link.run()
    for call_id in calls:
        assert len(caller.told(CallEnded, call_id)) == len(called.told(CallEnded, call_id)) == 1
    assert all_idle(link)


@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
@pytest.mark.parametrize(
    ("refresher", "ours_ends", "theirs_ends"),
    # BYE once the refresh had no answer in 32 s, or 32 s before the end, and 32 s for it
    [("uac", 301 + 32 + 32, 601 - 32 + 32), ("uas", 601 - 32 + 32, 301 + 32 + 32)],
)
def test_a_dead_peer_ends_the_call(refresher, method, ours_ends, theirs_ends):
    link, caller, called = set_up(refresher, method)
    call_id = caller.call(session_expires=INTERVAL)
    link.run(until=10)
    link.drop = lambda _sent: True
    link.run()
    assert caller.told(CallEnded) == [CallEnded(call_id, by_peer=False)]
    assert caller.told_at(CallEnded) == pytest.approx([ours_ends], abs=0.5)
    assert called.told_at(CallEnded) == pytest.approx([theirs_ends], abs=0.5)
    assert b"SIP;cause=408" in link.messages(CALLER, "BYE")[0].data
    assert all_idle(link)


@pytest.mark.parametrize("asks", [0, INTERVAL])
def test_no_timer_runs_where_one_side_wants_none(asks):
    link, caller, called = pair()
    answering(called)
    changing(caller, (b"Session-Expires", b"Unknown"))
    call_id = caller.call(session_expires=asks)
    link.run(until=100_000 if not asks else 100)
    assert not caller.told(CallEnded)
    assert not link.messages(CALLER, "UPDATE")
    assert caller.endpoint.timer_at() is None
    caller.bye(call_id)
    link.run()
    assert all_idle(link)


def test_422_to_the_invite_makes_the_interval_longer():
    link, caller, _ = set_up()
    caller.call(session_expires=60, min_session_expires=60)
    link.run(until=5)
    first, second = (as_request(sent.data) for sent in link.messages(CALLER, "INVITE"))
    assert (first.first("session-expires"), first.first("min-se")) == ("60", "")
    assert second.first("session-expires") == "90"
    assert (first.cseq, second.cseq) == (1, 2)
    assert [resent.code for resent in caller.told(InviteResent)] == [422]
    assert len(caller.told(AnswerReceived)) == 1


@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
def test_422_to_a_refresh_makes_the_interval_longer(method):
    link, caller, _ = set_up(method=method)
    changing(caller, (b"Session-Expires: 600;", b"Session-Expires: 60;"))
    call_id = caller.call(session_expires=INTERVAL)
    link.run(until=50)
    first, second = (
        as_request(s.data) for s in link.messages(CALLER, method)[method == "INVITE" :]
    )
    assert first.first("session-expires") == "60;refresher=uac"
    assert (second.first("session-expires"), second.first("min-se")) == ("90;refresher=uac", "")
    assert second.cseq == first.cseq + 1
    assert second.body == first.body
    assert [as_response(sent.data).first("min-se") for sent in link.messages(CALLED, "422")] == [
        "90"
    ]
    link.run(until=1000)
    assert not caller.told(CallEnded)
    caller.bye(call_id)
    link.run()
    assert all_idle(link)


def test_an_interval_below_our_minimum_is_refused():
    link, caller, called = set_up(method="UPDATE")
    call_id = caller.call(session_expires=900, min_session_expires=700)
    link.run(until=10)
    changing(caller, (b"Session-Expires: 900;refresher=uas", b"Session-Expires: 650;refresher=uac"))
    called.do(called.endpoint.update(call_id, b"", link.now))
    link.run(until=12)
    refused, *_ = link.messages(CALLER, "422")
    assert as_response(refused.data).first("min-se") == "700"
    minima = [as_request(sent.data).first("min-se") for sent in link.messages(CALLED, "UPDATE")]
    assert minima == ["", "700", "700"]
    assert [answered.code for answered in called.told(ReinviteAnswered)] == [422]
    caller.bye(call_id)
    link.run()
    assert all_idle(link)


def test_a_refused_refresh_is_tried_again_until_the_session_would_end():
    link, caller, called = set_up()
    call_id = caller.call(session_expires=INTERVAL)
    link.run(until=10)
    changing(called, (b"UPDATE sip:", b"UPDATE xxx:"))  # gets 416
    link.run()
    at = [sent.at for sent in link.messages(CALLER, "UPDATE")]
    assert at == pytest.approx([301, 391, 480], abs=1)
    assert len(caller.told(CallEnded, call_id)) == 1  # both sides give up
    assert caller.told_at(CallEnded) == pytest.approx([601 - 32], abs=1)
    assert all_idle(link)


def test_a_peer_without_update_after_all_is_refreshed_by_reinvite():
    link, caller, called = set_up()
    call_id = caller.call(session_expires=INTERVAL)
    link.run(until=10)
    changing(called, (b"UPDATE ", b"UPDATES "), (b" UPDATE\r\n", b" UPDATES\r\n"))  # gets 501
    changing(caller, (b"UPDATES", b"UPDATE"), (b"UPDATE, ", b""))
    link.run(until=1000)
    assert len(link.messages(CALLER, "UPDATE")) == 1
    assert len(link.messages(CALLER, "INVITE")) == 4
    assert {answer.code for answer in caller.told(ReinviteAnswered, call_id)} == {200}
    caller.bye(call_id)
    link.run()
    assert all_idle(link)


def test_a_reinvite_that_gets_100_and_nothing_more_ends_the_call():
    link, caller, called = set_up(method="INVITE")
    called.on_event = lambda _event: None
    answering(called)
    call_id = caller.call(session_expires=INTERVAL)
    link.run()
    assert caller.told(ReinviteAnswered, call_id) == [ReinviteAnswered(call_id, 408)]
    assert caller.told_at(CallEnded) == pytest.approx([301 + 32], abs=1)
    assert all_idle(link)
