"""TCP connections: opened, reused, kept alive, bounded, and lost."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest
import uvloop
from tests.authority import today
from tests.driven_clock import DrivenClock
from tests.unit.sip.sample_messages import request_bytes, response_bytes
from tests.unit.ua.stream_peers import Stream, connected, listening, transports

from dialer.sip.identity import HostPort
from dialer.ua import connection, connections
from dialer.ua.tls import self_signed_context
from dialer.ua.transport import bind

OPTIONS = request_bytes("OPTIONS")
LARGE = request_bytes("INVITE", body=b"x" * 40_000)
OK = response_bytes(200, "OK")
PING, PONG = b"\r\n\r\n", b"\r\n"


def unused(transport="tcp", host="127.0.0.1"):
    with socket.socket() as probe:
        probe.bind((host, 0))
        return HostPort(host, probe.getsockname()[1], transport)


async def exchange(host):
    async with transports(host) as (one_uses, one), transports(host) as (two_uses, two):
        for data in (OPTIONS, LARGE):
            one.send(data, two.listens("tcp"))
            assert await two_uses.messages.get() == (data, one.local_towards(two.listens("tcp")))
        # the answer takes the same connection
        source = one.local_towards(two.listens("tcp"))
        two.send(OK, source)
        assert await one_uses.messages.get() == (OK, two.listens("tcp"))
        assert two.local_towards(source) == two.listens("tcp")
        # and so does whatever else goes there, while UDP goes its own way
        one.send(LARGE, two.local)
        assert await two_uses.messages.get() == (LARGE, one.local)
        assert one_uses.failures.empty()


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_messages_pass_both_ways_over_one_connection(loop, host):
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(exchange(host))


async def test_what_is_sent_while_the_connection_opens_arrives_in_order():
    async with transports() as (_, ours), listening() as (peer, streams):
        messages = [request_bytes("OPTIONS", cseq=f"{n} OPTIONS") for n in range(20)]
        for data in messages:
            ours.send(data, peer)
        stream = await streams.get()
        assert await stream.receive(sum(map(len, messages))) == b"".join(messages)
        assert streams.empty()


async def test_a_peer_that_sends_one_byte_at_a_time():
    async with transports() as (uses, ours), connected(ours) as peer:
        for byte in OPTIONS:
            peer.send(bytes([byte]))
            await peer.writer.drain()
        assert await uses.messages.get() == (OPTIONS, HostPort(*peer.address, "tcp"))


async def test_many_messages_in_one_segment():
    async with transports() as (uses, ours), connected(ours) as peer:
        peer.send((OPTIONS + PING) * 50)
        for _ in range(50):
            assert (await uses.messages.get())[0] == OPTIONS
        assert await peer.receive(100) == PONG * 50


# failures


async def test_a_refused_connection_is_told_at_once_with_its_reason():
    async with transports() as (uses, ours):
        nobody = unused()
        ours.send(OPTIONS, nobody)
        assert await uses.failures.get() == nobody
        assert ours.why_not(nobody) == f"nothing listens on tcp 127.0.0.1:{nobody.port}"


async def test_during_the_back_off_a_send_fails_without_a_try():
    clock = DrivenClock()
    async with transports(clock=clock) as (uses, ours):
        peer = unused()
        ours.send(OPTIONS, peer)
        await uses.failures.get()
        async with listening(port=peer.port) as (_, streams):
            clock.advance(0.9)
            ours.send(OPTIONS, peer)
            assert uses.failures.get_nowait() == peer
            clock.advance(0.2)
            ours.send(OPTIONS, peer)
            stream = await streams.get()
            assert await stream.receive(len(OPTIONS)) == OPTIONS
            assert ours.why_not(peer) == ""


async def test_the_back_off_grows_with_each_failure_up_to_half_a_minute():
    clock = DrivenClock()
    async with transports(clock=clock) as (uses, ours):
        nobody = unused()
        for wait in (1, 2, 4, 8, 16, 30, 30):
            ours.send(OPTIONS, nobody)
            assert await uses.failures.get() == nobody
            clock.advance(wait - 0.01)
            ours.send(OPTIONS, nobody)
            assert uses.failures.get_nowait() == nobody  # without a try
            clock.advance(0.02)


async def test_the_back_off_is_jittered():
    clock = DrivenClock()
    async with transports(clock=clock, chance=lambda: 0.0) as (uses, ours):
        nobody = unused()
        ours.send(OPTIONS, nobody)
        await uses.failures.get()
        clock.advance(0.51)
        ours.send(OPTIONS, nobody)
        assert uses.failures.empty()  # it is tried
        await uses.failures.get()


async def test_nobody_answers_the_connection():
    clock = DrivenClock()
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    with full, contextlib.ExitStack() as stack:
        for _ in range(3):  # the kernel lets no more of them wait
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)  # noqa: FBT003 - the standard library's signature
            with contextlib.suppress(BlockingIOError):
                waiting.connect(full.getsockname())
        async with transports(clock=clock) as (uses, ours):
            peer = HostPort(*full.getsockname(), "tcp")
            ours.send(OPTIONS, peer)
            await clock.elapse(connections.CONNECT - 0.1)
            assert uses.failures.empty()
            await clock.elapse(0.2)
            assert uses.failures.get_nowait() == peer
            assert ours.why_not(peer) == f"127.0.0.1:{peer.port} did not answer within 5 s"


@pytest.mark.parametrize("end", ["reset", "close"])
async def test_a_connection_that_the_peer_ends_is_told_and_opened_anew(end):
    async with transports() as (uses, ours), listening() as (peer, streams):
        ours.send(OPTIONS, peer)
        stream = await streams.get()
        await stream.receive(len(OPTIONS))
        stream.send(OK)
        await uses.messages.get()
        if end == "reset":
            stream.reset()
        else:
            await stream.close()
        assert await uses.failures.get() == peer
        assert f"127.0.0.1:{peer.port} " in ours.why_not(peer)
        ours.send(OPTIONS, peer)
        assert await (await streams.get()).receive(len(OPTIONS)) == OPTIONS
        assert ours.why_not(peer) == ""


async def test_a_peer_that_hangs_up_on_everybody_is_left_in_peace_for_a_while():
    async with transports() as (uses, ours), listening() as (peer, streams):
        ours.send(OPTIONS, peer)
        stream = await streams.get()
        await stream.receive(len(OPTIONS))
        await stream.close()
        assert await uses.failures.get() == peer
        ours.send(OPTIONS, peer)
        assert uses.failures.get_nowait() == peer
        assert streams.empty()


async def test_a_slow_reader_loses_the_connection():
    async with transports() as (uses, ours), listening() as (peer, streams):
        ours.send(OPTIONS, peer)
        stream = await streams.get()
        stream.writer.transport.pause_reading()
        sent = 0
        while uses.failures.empty():
            ours.send(LARGE, peer)
            sent += len(LARGE)
            await asyncio.sleep(0)
            assert sent < 32 * 1024 * 1024
        assert uses.failures.get_nowait() == peer
        assert "reads too slowly" in ours.why_not(peer)


async def test_too_much_for_a_connection_that_still_opens():
    async with transports() as (uses, ours), listening() as (peer, streams):
        for _ in range(connection.MAX_PENDING // len(LARGE) + 1):
            ours.send(LARGE, peer)
        assert uses.failures.get_nowait() == peer
        # what counts as lost does not ring anybody later
        ours.send(OPTIONS, peer)
        assert await (await streams.get()).receive(len(OPTIONS)) == OPTIONS


async def test_a_response_whose_connection_is_gone_goes_where_the_peer_listens():
    async with transports() as (uses, ours), listening() as (peer, streams):
        async with connected(ours) as stream:
            stream.send(OPTIONS)
            _, source = await uses.messages.get()
        assert await uses.failures.get() == source
        via = f"SIP/2.0/TCP 192.0.2.9:{peer.port};branch=z9hG4bKa;received=127.0.0.1"
        answer = b"SIP/2.0 200 OK\r\nVia: " + via.encode() + b"\r\nContent-Length: 0\r\n\r\n"
        ours.send(answer, source)
        assert await (await streams.get()).receive(len(answer)) == answer


async def test_what_ends_a_call_is_sent_again_over_the_next_connection():
    async with transports() as (uses, ours), listening() as (peer, streams):
        answered, lost, cancel, invite = (
            request_bytes(method, via=f"SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK{branch}")
            for method, branch in (("BYE", "a"), ("BYE", "b"), ("CANCEL", "c"), ("INVITE", "d"))
        )
        for data in (answered, lost, cancel, invite):
            ours.send(data, peer)
        stream = await streams.get()
        await stream.receive(len(answered + lost + cancel + invite))
        ok = response_bytes(200, "OK", via="SIP/2.0/TCP 192.0.2.1;branch=z9hG4bKa")
        stream.send(ok)
        await uses.messages.get()
        stream.reset()
        assert await uses.failures.get() == peer
        again = await streams.get()
        assert await again.receive(len(lost + cancel)) == lost + cancel
        again.send(OK)
        await uses.messages.get()


async def test_what_may_leave_no_longer_once_the_connection_stands_stays():
    async with transports() as (uses, ours), listening() as (peer, streams):
        uses.held_back.append(LARGE)
        ours.send(LARGE, peer)
        ours.send(OPTIONS, peer)
        assert await (await streams.get()).receive(len(OPTIONS)) == OPTIONS


# what cannot be read


async def test_a_request_that_cannot_be_read_is_answered_before_the_end():
    async with transports() as (uses, ours), connected(ours) as peer:
        uses.answer_to_broken = response_bytes(400, "Bad Request")
        peer.send(request_bytes("OPTIONS", content_length="-5") + OPTIONS)
        assert await peer.ended() == uses.answer_to_broken
        assert uses.broken.get_nowait().reason == "Content-Length is not one number"
        assert uses.messages.empty()
        await uses.failures.get()


async def test_a_message_that_does_not_end_is_given_up():
    clock = DrivenClock()
    async with transports(clock=clock) as (uses, ours), connected(ours) as peer:
        peer.send(OPTIONS + request_bytes("INVITE", content_length="999", body=b"v=0"))
        await uses.messages.get()
        for _ in range(3):
            peer.send(b"x")
            await peer.writer.drain()
            await clock.elapse(9.9)
        assert uses.failures.empty()
        await clock.elapse(1.0)
        assert await peer.ended() == b""
        assert uses.failures.get_nowait() == HostPort(*peer.address, "tcp")


# time


async def test_an_idle_connection_is_closed_without_a_word():
    clock = DrivenClock()
    async with transports(clock=clock) as (uses, ours), listening() as (peer, streams):
        ours.send(OPTIONS, peer)
        stream = await streams.get()
        await clock.elapse(connection.IDLE - 1)
        ours.send(OPTIONS, peer)
        await clock.elapse(connection.IDLE - 1)
        assert not stream.reader.at_eof()
        await clock.elapse(2)
        assert await stream.ended() == OPTIONS * 2
        assert uses.failures.empty()
        ours.send(OPTIONS, peer)
        await streams.get()


async def pinged(clock, stream, seconds):
    await clock.elapse(seconds)
    return await stream.receive(len(PING))


async def test_a_connection_that_is_kept_alive_is_pinged_and_not_idle():
    clock = DrivenClock()
    async with transports(clock=clock) as (uses, ours), listening() as (peer, streams):
        ours.keep_alive(peer, 30.0)
        ours.send(OPTIONS, peer)
        stream = await streams.get()
        assert await stream.receive(len(OPTIONS)) == OPTIONS
        for _ in range(25):  # a peer that answers none of them is not to blame
            assert await pinged(clock, stream, 30.0) == PING
        assert uses.failures.empty()
        ours.keep_alive(peer, 0)
        await clock.elapse(connection.IDLE + 1)
        assert await stream.ended() == b""


async def test_a_peer_that_stops_to_answer_pings_is_dropped():
    clock = DrivenClock()
    async with transports(clock=clock) as (uses, ours), listening() as (peer, streams):
        ours.send(OPTIONS, peer)
        stream = await streams.get()
        await stream.receive(len(OPTIONS))
        ours.keep_alive(peer, 30.0)
        for _ in range(3):
            assert await pinged(clock, stream, 30.0) == PING
            stream.send(PONG + OK)
            await uses.messages.get()
        await clock.elapse(30.0 + connection.PONG - 0.1)
        assert uses.failures.empty()
        await clock.elapse(0.2)
        assert await uses.failures.get() == peer
        assert "did not answer a keep-alive within 10 s" in ours.why_not(peer)


# crowds


async def test_the_longest_idle_of_too_many_connections_makes_room(monkeypatch):
    monkeypatch.setattr(connections, "MAX_INBOUND", 3)
    clock = DrivenClock()
    async with contextlib.AsyncExitStack() as stack:
        uses, ours = await stack.enter_async_context(transports(clock=clock))
        peers = []
        for _ in range(3):
            peers.append(await stack.enter_async_context(connected(ours)))
            peers[-1].send(OPTIONS)
            await uses.messages.get()
            clock.advance(1.0)
        peers[0].send(OPTIONS)
        await uses.messages.get()
        last = await stack.enter_async_context(connected(ours))
        last.send(OPTIONS)
        await uses.messages.get()
        assert await peers[1].ended() == b""
        for peer in (peers[0], peers[2], last):
            peer.send(OPTIONS)
            assert (await uses.messages.get())[1] == HostPort(*peer.address, "tcp")


async def test_one_who_connects_and_says_nothing_is_not_waited_for():
    clock = DrivenClock()
    async with transports(clock=clock) as (uses, ours), connected(ours) as silent:
        async with connected(ours) as talking:
            talking.send(OPTIONS)
            await uses.messages.get()
            await clock.elapse(connection.PARTIAL + 1)
            assert await silent.ended() == b""
            talking.send(OPTIONS)
            await uses.messages.get()
        assert await uses.failures.get() is not None


async def test_handshakes_that_do_not_end_push_nobody_out(monkeypatch):
    monkeypatch.setattr(connections, "_MAX_ENTERING", 2)
    clock = DrivenClock()
    context = self_signed_context("127.0.0.1", today())
    async with (
        transports(clock=clock, context=context) as (_, ours),
        contextlib.AsyncExitStack() as s,
    ):
        streams = []
        for _ in range(4):
            reader, writer = await asyncio.open_connection(*ours.listens("tls")[:2])
            streams.append(Stream(reader, writer))
            s.push_async_callback(streams[-1].close)
        assert await streams[3].ended() == b""
        assert len(ours._connections._entering) == 2
        await clock.elapse(connections.CONNECT + 0.1)
        for stream in streams:
            assert await stream.ended() == b""
        assert not ours._connections._entering


# sockets


async def test_udp_and_tcp_share_a_port_and_tls_has_the_next_or_any():
    async with transports() as (_, ours):
        udp, tcp, tls = map(ours.listens, ("udp", "tcp", "tls"))
        assert udp.port == tcp.port != tls.port
        with pytest.raises(OSError, match=r"cannot listen on udp 127.0.0.1 port \d+: Address al"):
            bind("127.0.0.1", udp.port)


async def test_tls_is_refused_until_there_is_a_certificate_to_show():
    async with transports() as (_, ours):
        reader, writer = await asyncio.open_connection(*ours.listens("tls")[:2])
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_sip_is_marked_cs3(host):
    async with transports(host) as (_, ours), listening(host) as (peer, streams):
        ours.send(OPTIONS, peer)
        await (await streams.get()).receive(len(OPTIONS))
        [outbound] = ours._connections._open.values()
        sockets = [
            ours._udp._socket,
            ours._tcp._bound,
            ours._tls._bound,
            outbound._transport.get_extra_info("socket"),
        ]
        level, option = (
            (socket.IPPROTO_IPV6, socket.IPV6_TCLASS)
            if ":" in host
            else (socket.IPPROTO_IP, socket.IP_TOS)
        )
        assert {opened.getsockopt(level, option) for opened in sockets} == {24 << 2}


async def test_closing_does_not_wait_for_a_peer_that_does_not_read():
    async with listening() as (peer, streams):
        async with transports() as (uses, ours):
            ours.send(LARGE * 20, peer)
            stream = await streams.get()
            stream.writer.transport.pause_reading()
            ours.send(LARGE, peer)
        assert uses.failures.empty()


async def test_nothing_is_sent_after_closing():
    async with listening() as (peer, streams):
        async with transports() as (uses, ours):
            ours.send(OPTIONS, peer)  # its connection is still on its way
        ours.send(OPTIONS, peer)
        assert uses.failures.empty()
        assert streams.empty()
