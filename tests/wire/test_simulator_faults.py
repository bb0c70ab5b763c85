"""The user agent against the simulated carrier when things go wrong, or come in crowds."""

import asyncio
import dataclasses
import socket

import pytest
from tests.wire.simulation import TIMERS, Watch, placed, simulation

from dialer.clock import SystemClock
from dialer.simulator.behaviours import expected
from dialer.simulator.carrier import Carrier, CarrierSettings
from dialer.sip.identity import HostPort
from dialer.ua.agent import UserAgent, UserAgentSettings
from dialer.ua.call import Answered, HungUpBy, InviteSent, LocalCause, Progress
from dialer.ua.media import NoPortAvailable
from dialer.ua.transport import bind


async def test_a_tenth_of_all_datagrams_lost_both_ways():
    numbers = [
        number
        for n in range(20)
        for number in (
            f"+155520010{n:02}",
            f"+155520001{n:02}",
            f"+15554861{900 + n}",
            f"+155560300{20 + n:02}",
            f"+155518000{n:02}",
        )
    ]
    async with simulation(loss=0.1, seed=7) as s:
        results = await asyncio.gather(
            *(s.agent.call(s.request(number, ring_timeout=1.2, max_talk=0.2)) for number in numbers)
        )
        await s.ledger.until(lambda ledger: not ledger.live_dialogs())
        assert not s.agent.calls
    for number, result in zip(numbers, results, strict=True):
        facts = expected(number, ring_timeout=12)
        record = s.ledger.calls[result.call_id]
        assert record.facts == facts, number
        assert (result.code, result.answered) == (facts.code, facts.answered), result
        if not facts.answered:
            assert result.q850_cause == facts.cause
    assert set(s.ledger.calls_per_number().values()) == {1}
    assert sum(record.retransmissions for record in s.ledger.calls.values()) > 0


async def test_a_number_that_loses_packets_is_answered_all_the_same():
    async with simulation() as s:
        result, _ = await s.call("+15557202000", ring_timeout=3, max_talk=0.05)
    assert (result.code, result.answered) == (200, True)


async def test_two_hundred_calls_at_once():
    async def answered_and_hung_up(n):
        call, watch = await placed(s, f"+155520010{n % 100:02}", ring_timeout=60)
        await watch.until(Answered)
        call.hang_up()
        return await call.result

    async with simulation(timers={}) as s:
        results = await asyncio.gather(*(answered_and_hung_up(n) for n in range(200)))
        assert not s.ledger.live_dialogs()
        assert not s.agent.calls
    assert all(result.answered and result.hung_up_by is HungUpBy.US for result in results)
    assert set(s.ledger.calls) == {result.call_id for result in results}
    assert len(s.ledger.calls) == 200


async def test_ipv6():
    async with simulation("::1") as s:
        result, _ = await s.call("+15552001100")
        assert s.agent.local_address.host == "::1"
    assert (result.answered, result.hung_up_by) == (True, HungUpBy.THEM)
    assert result.rtp_packets_received > 0


async def test_each_trunk_is_called_from_the_address_that_suits_it():
    async with (
        simulation(agent={"bind_host": "0.0.0.0"}) as s,
        simulation("::1") as other,
    ):
        assert s.agent.local_address is None
        result, events = await s.call("+15552001100")
        assert (result.answered, s.agent.local_address.host) == (True, "127.0.0.1")
        result = await s.agent.call(other.request("+15552001100"))
        assert result.answered
    assert "127.0.0.1" in events[0].identity.via


async def test_an_external_address_stands_in_via_and_sdp():
    sent = []

    def keep(passed):
        if passed.direction == "sent":
            sent.append(passed.data)

    outside = {"external_address": "198.51.100.7", "on_message": keep}
    async with simulation(agent=outside) as s:
        await s.call("+15554860000")
    invite = sent[0]
    assert b"c=IN IP4 198.51.100.7" in invite
    assert b"Via: SIP/2.0/UDP 198.51.100.7:" in invite
    assert b"@198.51.100.7:" in invite


async def test_closing_ends_what_is_up():
    async with simulation() as s:
        talking, talking_watch = await placed(s, "+15552000000")
        ringing, ringing_watch = await placed(s, "+15551800000", ring_timeout=60)
        await talking_watch.until(Answered)
        await ringing_watch.until(Progress, lambda event: event.rings)
        await s.agent.close()
        assert (talking.result.result().answered, ringing.result.result().code) == (True, 487)
        assert ringing.result.result().local_cause is LocalCause.CANCELLED
        assert not s.ledger.live_dialogs()
        late = await s.agent.call(s.request("+15552000000"))
        assert (late.local_cause, late.sent_at) == (LocalCause.TRANSPORT, None)


async def test_closing_does_not_wait_for_a_far_end_that_is_gone():
    async with simulation() as s:
        talking, watch = await placed(s, "+15552000000")
        await watch.until(Answered)
        silent, _ = await placed(s, "+15550000000", ring_timeout=60)
        s.carrier.settings = dataclasses.replace(s.carrier.settings, loss=1.0)
        await s.agent.close(grace=0.05)
        assert talking.result.result().hung_up_by is HungUpBy.US
        assert silent.result.result().local_cause is LocalCause.CANCELLED
        assert not s.agent.calls


async def test_a_call_prepared_but_not_placed_gives_its_port_back():
    while True:
        with bind("127.0.0.1", 0) as free:
            port = free.getsockname()[1]
        if port % 2 == 0:
            break
    async with simulation(agent={"rtp_ports": (port, port + 1)}) as s:
        prepared = await s.agent.prepare(s.request("+15554860000"))
        with pytest.raises(NoPortAvailable):
            await s.agent.prepare(s.request("+15554860000"))
        prepared.release()
        result, _ = await s.call("+15554860000")
        assert result.code == 486
        result, _ = await s.call("+15554860000")
        assert result.code == 486
        assert len(s.ledger.calls) == 2


async def test_cancelling_a_ringing_call():
    async with simulation() as s:
        call, watch = await placed(s, "+15551800000", ring_timeout=60)
        await watch.until(Progress, lambda event: event.rings)
        call.cancel()
        call.cancel()
        result = await call.result
        assert s.ledger.calls[result.call_id].cancels == 1
    assert (result.code, result.local_cause, result.rang) == (487, LocalCause.CANCELLED, True)


async def test_cancelling_before_any_response():
    async with simulation() as s:
        call, _ = await placed(s, "+15550000000")
        call.hang_up()
        result = await call.result
        assert s.ledger.calls[result.call_id].cancels == 0
    assert (result.code, result.local_cause) == (None, LocalCause.CANCELLED)


async def test_one_who_waits_and_is_cancelled_hangs_up():
    async with simulation() as s:
        watch = Watch()
        waiting = asyncio.ensure_future(s.agent.call(s.request("+15552000000"), watch))
        await watch.until(Answered)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await s.ledger.until(lambda ledger: ledger.calls and not ledger.live_dialogs())


async def test_one_who_stops_waiting_takes_the_result_from_nobody_else():
    async with simulation() as s:
        call, watch = await placed(s, "+15552000000")
        await watch.until(Answered)
        impatient = asyncio.ensure_future(call.result)
        patient = asyncio.ensure_future(call.result)
        impatient.cancel()
        call.hang_up()
        assert (await patient).answered
        assert call.result.done()


async def test_a_listener_that_fails_does_not_end_the_call():
    def fail(_event):
        raise RuntimeError("a fault of ours")

    async with simulation() as s:
        result = await s.agent.call(s.request("+15552001100"), fail)
    assert (result.answered, result.hung_up_by) == (True, HungUpBy.THEM)


async def test_a_trunk_without_an_address():
    async with simulation() as s:
        trunk = dataclasses.replace(s.trunk, host="no..where")
        prepared = await s.agent.prepare(s.request("+15552000000", trunk=trunk))
        assert prepared.identity.target_host == "no..where"
        watch = Watch()
        result = await s.agent.place(prepared, watch).result
    assert (result.local_cause, result.code, result.sent_at) == (LocalCause.DNS, None, None)
    assert result.call_id == prepared.identity.call_id
    assert not watch.events


async def test_a_trunk_whose_port_is_closed():
    with bind("127.0.0.1", 0) as unused:
        port = unused.getsockname()[1]
    async with simulation() as s:
        trunk = dataclasses.replace(s.trunk, port=port)
        result, _ = await s.call("+15552000000", trunk=trunk, ring_timeout=60)
    assert (result.local_cause, result.code) == (LocalCause.TRANSPORT, None)


@pytest.mark.parametrize("number", ["", "1\r\nX: y", "1\n2", "1\x002"])
async def test_a_number_that_cannot_stand_in_a_uri(number):
    async with simulation() as s:
        with pytest.raises(ValueError, match=r"empty|control character"):
            await s.agent.prepare(s.request(number))
        with pytest.raises(ValueError, match=r"empty|control character"):
            await s.agent.prepare(s.request("100", caller_id=number))


async def test_a_port_in_use():
    async with simulation() as s:
        taken = UserAgentSettings("127.0.0.1", s.agent.local_address.port, **TIMERS)
        with pytest.raises(OSError, match=r"cannot listen on udp 127\.0\.0\.1 port"):
            await UserAgent(taken, SystemClock()).start()


async def test_a_flood_of_bad_datagrams_while_a_call_is_up():
    rubbish = [
        b"",
        b"\r\n\r\n",
        b"\x00" * 200,
        b"INVITE",
        b"SIP/2.0 200 OK\r\n\r\n",
        b"INVITE sip:a@b SIP/2.0\r\nVia: \r\nCSeq: x\r\n\r\n",
        b"BYE sip:a@b SIP/2.0\r\nCall-ID: x\r\n" + b"X: y\r\n" * 2000 + b"\r\n",
        b"x" * 60_000,
    ]
    async with simulation() as s:
        call, watch = await placed(s, "+15552000000", max_talk=60)
        await watch.until(Answered)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for _ in range(100):
                for data in rubbish:
                    stranger.sendto(data, s.agent.local_address[:2])
        result = await s.agent.call(s.request("+15552001100", ring_timeout=10))
        assert (result.answered, result.hung_up_by) == (True, HungUpBy.THEM)
        assert not call.result.done()
        call.hang_up()
        assert (await call.result).answered


async def test_somebody_who_calls_back_is_told_to_try_later():
    async with simulation() as s:
        caller = UserAgent(UserAgentSettings("127.0.0.1", **TIMERS), SystemClock())
        await caller.start()
        trunk = dataclasses.replace(s.trunk, port=s.agent.local_address.port)
        result = await caller.call(s.request("anybody", trunk=trunk))
        await caller.close()
    assert result.code == 480


async def test_a_call_that_another_process_left_talking_is_hung_up():
    async with simulation() as s:
        dead, watch = await placed(s, "+15552000000", max_talk=60)
        dialog = (await watch.until(Answered)).dialog
        other = UserAgent(UserAgentSettings("127.0.0.1", **TIMERS), SystemClock())
        await other.start()
        await other.hang_up_dialog(dialog, s.trunk)
        assert not s.ledger.live_dialogs()
        await other.hang_up_dialog(dialog, s.trunk)  # 481: gone already
        dead.abandon()
        await other.close()


async def test_a_call_that_another_process_left_ringing_is_cancelled():
    async with simulation() as s:
        dead, watch = await placed(s, "+15551800000", ring_timeout=60)
        await watch.until(Progress, lambda event: event.rings)
        identity = (await watch.until(InviteSent)).identity
        # its socket is gone, and the CANCEL comes from the same address
        port = s.agent.local_address.port
        dead.abandon()
        s.agent._calls.clear()
        await s.agent.close()
        other = UserAgent(UserAgentSettings("127.0.0.1", port, **TIMERS), SystemClock())
        await other.start()
        await other.hang_up_leg(identity, s.trunk)
        record = s.ledger.calls[identity.call_id]
        assert (record.cancels, record.finals) == (1, [487])
        await other.hang_up_leg(identity, s.trunk)  # it is over already
        await other.close()


async def test_a_leg_that_never_had_an_address_needs_no_hang_up():
    async with simulation() as s:
        trunk = dataclasses.replace(s.trunk, host="no..where")
        prepared = await s.agent.prepare(s.request("+15552000000", trunk=trunk))
        await s.agent.hang_up_leg(prepared.identity)


async def test_a_leg_that_was_never_sent_is_refused_and_close_does_not_wait_for_it():
    async with simulation() as s:
        prepared = await s.agent.prepare(s.request("+15552000000"))
        prepared.release()
        with pytest.raises(ValueError, match="Via"):
            await s.agent.hang_up_leg(dataclasses.replace(prepared.identity, via=""))
        async with asyncio.timeout(5):
            await s.agent.close(grace=60)


async def test_the_carrier_takes_a_thousand_calls():
    async def ringing(n):
        call, watch = await placed(s, f"+1555180{n:04}", ring_timeout=600)
        await watch.until(Progress, lambda event: event.rings)
        return call

    async with simulation(agent={"rtp_ports": (10000, 60000)}, timers={}) as s:
        batches = [
            await asyncio.gather(*map(ringing, range(first, first + 50)))
            for first in range(0, 1000, 50)
        ]
        assert len(s.agent.calls) == s.ledger.max_simultaneous() == 1000
        for batch in batches:
            for call in batch:
                call.hang_up()
            results = await asyncio.gather(*(call.result for call in batch))
            assert {result.code for result in results} == {487}


async def test_the_carrier_names_a_port_in_use():
    async with simulation() as s:
        with pytest.raises(OSError, match=r"cannot listen on udp 127\.0\.0\.1 port"):
            await Carrier(CarrierSettings(port=s.carrier.address.port)).start()
    assert isinstance(s.carrier.address, HostPort)
