"""OPTIONS that we send: told by the Call-ID of whoever asks, and given up when told to."""

from __future__ import annotations

import pytest
from tests.wire.link import CALLED, CALLER, Link, Party, all_idle, pair

from dialer.sip.effects import OptionsAnswered
from dialer.sip.identity import HostPort

NOBODY = HostPort("192.0.2.99", 5060)


def ask(link, party, target, **options):
    party.do(party.endpoint.options(target, f"sip:{target.host}", link.now, **options))


def test_the_call_id_names_the_question_and_the_route_is_preloaded():
    link, caller, _ = pair()
    ask(link, caller, CALLED, call_id="mine", route=("<sip:192.0.2.2;lr>",))
    link.run()
    (answer,) = caller.told(OptionsAnswered)
    assert (answer.call_id, answer.code, answer.seen) == ("mine", 200, CALLER)
    (request,) = link.messages(CALLER, "OPTIONS")
    assert b"\r\nCall-ID: mine\r\n" in request.data
    assert b"\r\nRoute: <sip:192.0.2.2;lr>\r\n" in request.data
    assert all_idle(link)


def test_nobody_is_waited_for_longer_than_the_patience():
    link, caller, _ = pair()
    ask(link, caller, NOBODY, call_id="mine", patience=5.0)
    link.run()
    assert caller.told_at(OptionsAnswered) == [5.0]
    assert caller.told(OptionsAnswered) == [OptionsAnswered(NOBODY, None, call_id="mine")]
    assert len(link.messages(CALLER, "OPTIONS")) == 4
    assert all_idle(link)


def test_an_answer_after_that_is_ignored():
    link = Link()
    caller, called = Party(link, CALLER), Party(link, CALLED)
    link.drop = lambda sent: sent.source == CALLED and link.now < 5.0
    ask(link, caller, CALLED, patience=3.6)
    link.run()
    assert [answer.code for answer in caller.told(OptionsAnswered)] == [None]
    assert called.endpoint.idle
    assert caller.endpoint.idle


def test_a_target_that_cannot_be_reached_is_told_once():
    link, caller, _ = pair()
    ask(link, caller, NOBODY, patience=5.0)
    link.after(0.1, lambda: caller.do(caller.endpoint.transport_failed(NOBODY, link.now)))
    link.run()
    assert caller.told_at(OptionsAnswered) == [0.1]
    assert all_idle(link)


@pytest.mark.parametrize("options", [{"call_id": "a\r\nX: 1"}, {"route": ("<sip:a>\r\nX: 1",)}])
def test_text_that_breaks_out_of_its_place_is_refused(options):
    link, caller, _ = pair()
    with pytest.raises(ValueError, match="control character"):
        ask(link, caller, CALLED, **options)
    assert link.sent == []
