import asyncio
import json

from dialer.simulator.ledger import Facts, Ledger
from dialer.simulator.wire import read


def request(method, cseq, *, call_id="a", number="+15552000000", to_tag="", extra=""):
    tag = f";tag={to_tag}" if to_tag else ""
    return read(
        f"{method} sip:{number}@127.0.0.1:5070 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1\r\n"
        f"From: <sip:1@x>;tag=ours\r\nTo: <sip:2@x>{tag}\r\nCall-ID: {call_id}\r\n"
        f"CSeq: {cseq} {method}\r\n{extra}\r\n".encode()
    )


def response(code, cseq, *, method="INVITE", call_id="a", to_tag="t", extra=""):
    return read(
        f"SIP/2.0 {code} Text\r\nf: <sip:1@x>;tag=ours\r\nt: <sip:2@x>;tag={to_tag}\r\n"
        f"i: {call_id}\r\nCSeq: {cseq} {method}\r\n{extra}\r\n".encode()
    )


def answered(ledger, call_id="a", at=1.0, *, number="+15552000000"):
    ledger.received(request("INVITE", 1, call_id=call_id, number=number), at)
    ledger.sent(response(100, 1, call_id=call_id, to_tag=""), at)
    ledger.sent(response(180, 1, call_id=call_id), at)
    ledger.sent(response(200, 1, call_id=call_id), at + 1)
    ledger.received(request("ACK", 1, call_id=call_id, to_tag="t"), at + 1)


def test_an_answered_call_is_live_until_a_bye():
    ledger = Ledger()
    answered(ledger)
    call = ledger.calls["a"]
    assert call.facts == Facts(200, rang=True, answered=True)
    assert (call.invites, call.acks, call.provisionals) == (1, 1, [100, 180])
    assert ledger.live_dialogs() == [call]
    ledger.received(request("BYE", 2, to_tag="t"), 5.0)
    assert (ledger.live_dialogs(), call.ended_at, call.byes_received) == ([], 5.0, 1)


def test_our_own_bye_ends_it_once_it_is_confirmed():
    ledger = Ledger()
    answered(ledger)
    bye = read(
        b"BYE sip:1@x SIP/2.0\r\nFrom: <sip:2@x>;tag=t\r\nTo: <sip:1@x>;tag=ours\r\n"
        b"Call-ID: a\r\nCSeq: 1 BYE\r\nReason: Q.850;cause=16\r\n\r\n"
    )
    ledger.sent(bye, 3.0)
    ledger.sent(bye, 3.5)
    assert ledger.live_dialogs()
    ledger.received(
        read(
            b"SIP/2.0 200 OK\r\nFrom: <sip:2@x>;tag=t\r\nTo: <sip:1@x>;tag=ours\r\n"
            b"Call-ID: a\r\nCSeq: 1 BYE\r\n\r\n"
        ),
        4.0,
    )
    call = ledger.calls["a"]
    assert (ledger.live_dialogs(), call.byes_sent, call.facts.cause) == ([], 1, 16)


def test_retransmissions_are_counted_apart():
    ledger = Ledger()
    for at in (0.0, 0.5, 1.5):
        ledger.received(request("INVITE", 1), at)
    ledger.sent(response(486, 1, extra="Reason: Q.850;cause=17\r\n"), 1.6)
    ledger.sent(response(486, 1, extra="Reason: Q.850;cause=17\r\n"), 2.1)
    ledger.received(request("ACK", 1, to_tag="t"), 2.2)
    ledger.received(request("ACK", 1, to_tag="t"), 2.3)
    call = ledger.calls["a"]
    assert (call.invites, call.retransmissions, call.finals, call.acks) == (1, 2, [486], 1)
    assert call.facts == Facts(486, rang=False, answered=False, cause=17)
    assert call.ended_at == 1.6


def test_a_challenge_is_not_the_end():
    ledger = Ledger()
    ledger.received(request("INVITE", 1), 0.0)
    ledger.sent(response(407, 1), 0.1)
    ledger.received(request("INVITE", 2), 0.2)
    call = ledger.calls["a"]
    assert (call.invites, call.ended_at) == (2, None)
    ledger.sent(response(200, 2), 0.3)
    assert call.facts == Facts(200, rang=False, answered=True)


def test_each_fork_is_a_dialog():
    ledger = Ledger()
    answered(ledger)
    ledger.sent(response(200, 1, to_tag="second"), 2.0)
    ledger.received(request("BYE", 2, to_tag="second"), 2.1)
    assert ledger.calls["a"].live == {"t"}
    ledger.received(request("BYE", 2, to_tag="t"), 2.2)
    assert not ledger.live_dialogs()


def test_simultaneous_calls_and_the_peak_of_invites():
    ledger = Ledger()
    assert (ledger.max_simultaneous(), ledger.peak_invites()) == (0, 0)
    for n, at in enumerate((0.0, 0.4, 0.9, 5.0)):
        answered(ledger, f"c{n}", at, number=f"+1555200000{n % 2}")
        ledger.received(request("BYE", 2, call_id=f"c{n}", to_tag="t"), at + 2)
    assert ledger.max_simultaneous() == 3
    assert ledger.peak_invites() == 3
    assert ledger.peak_invites(0.45) == 2
    assert ledger.calls_per_number() == {"+15552000000": 2, "+15552000001": 2}
    assert len(ledger.of_number("+15552000001")) == 2


def test_a_call_that_was_met_with_silence_is_over_with_its_last_invite():
    ledger = Ledger()
    ledger.received(request("INVITE", 1, call_id="silent"), 0.0)
    answered(ledger, "b", 10.0)
    assert ledger.max_simultaneous() == 1


def test_a_cancel_is_noted_and_strangers_are_not():
    ledger = Ledger()
    ledger.received(request("BYE", 1, call_id="unknown", to_tag="t"), 0.0)
    ledger.sent(response(481, 1, method="BYE", call_id="unknown"), 0.0)
    assert not ledger.calls
    ledger.received(request("INVITE", 1), 0.0)
    ledger.sent(response(180, 1), 0.0)
    ledger.received(request("CANCEL", 1), 1.0)
    ledger.sent(response(200, 1, method="CANCEL"), 1.0)
    ledger.sent(response(487, 1), 1.0)
    call = ledger.calls["a"]
    assert (call.cancels, call.facts) == (1, Facts(487, rang=True, answered=False))


async def test_one_can_wait_for_what_the_ledger_notes():
    ledger = Ledger()
    waiting = asyncio.ensure_future(ledger.until(lambda known: len(known.calls) == 2))
    answered(ledger, "a")
    await asyncio.sleep(0)
    assert not waiting.done()
    answered(ledger, "b")
    await waiting
    await ledger.until(lambda known: known.calls["a"].acks == 1)


def test_it_is_written_as_json():
    ledger = Ledger()
    answered(ledger)
    (row,) = json.loads(ledger.to_json())
    assert (row["number"], row["finals"], row["live"]) == ("+15552000000", [200], ["t"])
