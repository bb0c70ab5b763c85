"""Calls over TCP and TLS: the user agent against the simulated carrier, and against bad peers."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
import time

import pytest
from tests.authority import Authority, address, dns
from tests.unit.sip.sample_messages import request_bytes
from tests.unit.ua.stream_peers import listening
from tests.wire.simulation import TIMERS, TRUNK, placed, simulation

from dialer.clock import SystemClock
from dialer.sip.identity import HostPort
from dialer.ua.agent import UserAgent, UserAgentSettings
from dialer.ua.call import (
    Answered,
    CallRequest,
    HungUpBy,
    InviteSent,
    LocalCause,
    Progress,
    TlsSettings,
    Trunk,
)
from dialer.ua.tls import TlsError, server_context

STREAMS = pytest.mark.parametrize("transport", ["tcp", "tls"])
TALKS, RINGS = "+15552000000", "+15551800000"
HANGS_UP = "+15552001100"


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@contextlib.asynccontextmanager
async def calling(transport, authority, host="127.0.0.1", **options):
    """A simulation whose trunk is called by TCP, or by TLS with a verified certificate."""
    async with simulation(host, **options) as s:
        listens = s.carrier.driver.transport
        tls = TlsSettings(ca_file=authority.file)
        listens.serve_tls(server_context(authority.issue("carrier.pem", address(host)), None))
        # our certificate is made at start and signed by nobody
        own = s.agent._lines[host].driver.transport.listens("tls")
        listens.trust(own, TlsSettings(verify=False), "")
        s.trunk = dataclasses.replace(
            s.trunk, port=listens.listens(transport).port, transport=transport, tls=tls
        )
        yield s


def cut(s):
    """Break every connection between the two."""
    for connection in tuple(s.carrier.driver.transport._connections._all):
        connection._transport.abort()


@STREAMS
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_call_from_invite_to_bye(transport, host, authority):
    passed = []
    async with calling(transport, authority, host, agent={"on_message": passed.append}) as s:
        result, events = await s.call(HANGS_UP)
        peer = HostPort(host, s.trunk.port, transport)
        own = s.agent._lines[host].driver.endpoint._layer.settings
    assert (result.answered, result.hung_up_by) == (True, HungUpBy.THEM)
    assert result.rtp_packets_received > 0
    assert events[0].identity.target_transport == transport
    invite = passed[0]
    assert invite.peer == peer
    assert f"Via: SIP/2.0/{transport.upper()} ".encode() in invite.data
    assert f":{own.port_of(transport)};transport={transport}>".encode() in invite.data
    # the carrier's BYE comes to the port that the Contact names
    assert {message.local.transport for message in passed} == {transport}
    byes = [message for message in passed if message.data.startswith(b"BYE ")]
    assert [(bye.direction, bye.local.port) for bye in byes] == [
        ("received", own.port_of(transport))
    ]


@STREAMS
async def test_nothing_is_sent_twice_and_one_connection_serves_all(transport, authority):
    async with calling(transport, authority, second=0.05) as s:
        results = await asyncio.gather(
            *(s.agent.call(s.request(f"+1555486{n:04}", ring_timeout=20)) for n in range(20))
        )
        inbound = [c for c in s.carrier.driver.transport._connections._all if c.inbound]
        assert len(inbound) == 1
        assert [s.record(result).retransmissions for result in results] == [0] * 20
    assert {result.code for result in results} == {486}


@STREAMS
@pytest.mark.parametrize("who", ["us", "them"])
async def test_the_bye_of_a_call_whose_connection_broke(transport, who, authority):
    async with calling(transport, authority) as s:
        call, watch = await placed(s, TALKS if who == "us" else HANGS_UP, max_talk=60)
        await watch.until(Answered)
        cut(s)
        if who == "us":
            call.hang_up()
        result = await call.result
        await s.ledger.until(lambda ledger: not ledger.live_dialogs())
    assert (result.answered, result.hung_up_by.value) == (True, who)
    assert result.local_cause is None


@STREAMS
async def test_a_ringing_call_whose_connection_broke_can_be_cancelled(transport, authority):
    async with calling(transport, authority) as s:
        call, watch = await placed(s, RINGS, ring_timeout=60)
        await watch.until(Progress, lambda event: event.rings)
        cut(s)
        call.cancel()
        await s.ledger.until(lambda ledger: not ledger.live_dialogs())
        result = await call.result
        record = s.record(result)
    assert (result.local_cause, record.cancels) == (LocalCause.CANCELLED, 1)


@STREAMS
async def test_what_another_process_left_is_hung_up(transport, authority):
    async with calling(transport, authority) as s:
        talking, watch = await placed(s, TALKS, max_talk=60)
        dialog = (await watch.until(Answered)).dialog
        ringing, watch = await placed(s, RINGS, ring_timeout=60)
        await watch.until(Progress, lambda event: event.rings)
        leg = (await watch.until(InviteSent)).identity
        # its sockets are gone, and the next process has the same ports
        listens = s.agent._lines["127.0.0.1"].driver.transport.listens
        settings = UserAgentSettings(
            "127.0.0.1", listens("tcp").port, tls_port=listens("tls").port, **TIMERS
        )
        for call in (talking, ringing):
            call.abandon()
        await s.agent.close()
        other = UserAgent(settings, SystemClock())
        await other.start()
        await other.hang_up_dialog(dialog, s.trunk)
        began = time.monotonic()
        await other.hang_up_leg(leg, s.trunk)
        # the 487 found us, though its own connection is gone
        assert time.monotonic() - began < 64 * TIMERS["t1"]
        assert not s.ledger.live_dialogs()
        await other.close()


async def test_a_trunk_that_verifies_us_sees_the_configured_certificate(authority):
    own = {"tls_certificate": authority.issue("dialer.pem", dns("dialer.example.org"))}
    async with calling("tls", authority, agent=own) as s:
        contact = s.agent._lines["127.0.0.1"].driver.transport.listens("tls")
        settings = TlsSettings(ca_file=authority.file)
        s.carrier.driver.transport.trust(contact, settings, "dialer.example.org")
        result, _ = await s.call(HANGS_UP)
    assert (result.answered, result.hung_up_by) == (True, HungUpBy.THEM)


async def test_a_certificate_of_ours_that_cannot_be_used_is_told_at_start(tmp_path):
    settings = UserAgentSettings("127.0.0.1", tls_certificate=str(tmp_path / "none.pem"))
    with pytest.raises(TlsError, match=r"^sip.tls_certificate .*none.pem cannot be read"):
        await UserAgent(settings, SystemClock()).start()


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
async def test_a_request_of_more_than_1300_bytes(transport, authority):
    async with calling(transport, authority) as s:
        result, _ = await s.call("+15554860000", display_name="x" * 4000)
    assert result.code == 486


async def test_a_connection_is_kept_alive_as_the_trunk_says():
    async with simulation(timers={}) as s, listening() as (peer, streams):
        trunk = dataclasses.replace(
            TRUNK, host=peer.host, port=peer.port, transport="tcp", keep_alive=0.05
        )
        call, _ = await placed(s, "100", trunk=trunk, ring_timeout=60)
        stream = await streams.get()
        for _ in range(3):  # the body ends with a line end, a ping is two
            await stream.reader.readuntil(b"\r\n\r\n")
        call.abandon()


# bad peers


async def test_a_host_that_takes_no_temporary_file_gives_a_call_that_fails(monkeypatch):
    def full(*_):
        raise OSError("no usable temporary directory")

    monkeypatch.setattr("dialer.ua.agent.self_signed_context", full)
    agent = UserAgent(UserAgentSettings("127.0.0.1"), SystemClock())
    trunk = Trunk("carrier", "127.0.0.1", 9, transport="tls")
    prepared = await agent.prepare(CallRequest(trunk, "15550100", "15550199"))
    assert prepared.failure is LocalCause.TRANSPORT
    await agent.close()


async def test_a_line_that_opens_while_we_close_is_closed_too():
    agent = UserAgent(UserAgentSettings("0.0.0.0"), SystemClock())
    trunk = Trunk("carrier", "127.0.0.1", 9)
    opening = asyncio.ensure_future(agent.connect(trunk, HostPort("127.0.0.1", 9)))
    while not agent._opening.locked():  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0)
    await agent.close()
    local = (await opening).local
    assert agent.local_address is None
    with socket.socket(type=socket.SOCK_DGRAM) as free:
        free.bind(local[:2])


async def refused_by(s, peer):
    trunk = dataclasses.replace(TRUNK, host=peer.host, port=peer.port, transport=peer.transport)
    async with asyncio.timeout(5):
        return await s.agent.call(s.request("100", trunk=trunk, ring_timeout=60))


@STREAMS
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_nobody_listens(transport, host):
    async with listening(host) as (nobody, _):
        pass
    nobody = nobody._replace(transport=transport)
    async with simulation(host, timers={}) as s:
        result = await refused_by(s, nobody)
        where = f"{'[::1]' if ':' in host else host}:{nobody.port}"
        assert s.agent.why_not(nobody) == f"nothing listens on {transport} {where}"
    assert (result.local_cause, result.code) == (LocalCause.TRANSPORT, None)


@pytest.mark.parametrize("end", ["reset", "half-open", "garbage"])
async def test_a_peer_that_breaks_off_after_the_invite(end):
    async with simulation(timers={}) as s, listening() as (peer, streams):
        call = asyncio.create_task(refused_by(s, peer))
        stream = await streams.get()
        if end == "reset":  # its kernel answers with RST, the INVITE being unread
            stream.writer.transport.pause_reading()
            stream.reset()
        elif end == "half-open":
            await stream.receive(100)
            stream.writer.write_eof()
        else:
            stream.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        result = await call
        reason = s.agent.why_not(peer)
    assert (result.local_cause, result.code) == (LocalCause.TRANSPORT, None)
    assert reason.startswith(f"127.0.0.1:{peer.port} ")


async def test_a_certificate_for_somebody_else(authority):
    async with calling("tls", authority) as s:
        context = server_context(authority.issue("other.pem", dns("sip.example.org")), None)
        s.carrier.driver.transport.serve_tls(context)
        result = await s.agent.call(s.request(TALKS))
        assert result.local_cause is LocalCause.TRANSPORT
        peer = HostPort("127.0.0.1", s.trunk.port, "tls")
        assert s.agent.why_not(peer) == (
            f"the certificate of 127.0.0.1:{peer.port} is for sip.example.org, not 127.0.0.1"
        )
        assert not s.ledger.calls
        # the next call fails without another try
        result = await s.agent.call(s.request(TALKS))
        assert result.local_cause is LocalCause.TRANSPORT


@contextlib.asynccontextmanager
async def byte_by_byte(target):
    """A relay that hands on what comes back from `target` in single bytes."""
    every = []

    async def relay(reader, writer):
        onward_reader, onward = await asyncio.open_connection(*target[:2])
        every.extend([writer, onward])

        async def there():
            while data := await reader.read(65536):
                onward.write(data)

        async def back():
            while data := await onward_reader.read(1):
                writer.write(data)
                await writer.drain()

        with contextlib.suppress(ConnectionError):
            await asyncio.gather(there(), back())

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in every:
            writer.transport.abort()
        for writer in every:
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def test_a_peer_that_sends_single_bytes(authority):
    async with calling("tcp", authority) as s:
        target = s.carrier.driver.transport.listens("tcp")
        async with byte_by_byte(target) as port:
            trunk = dataclasses.replace(s.trunk, port=port)
            result, _ = await s.call("+15552000000", trunk=trunk, max_talk=0.1, ring_timeout=5)
    assert (result.answered, result.hung_up_by) == (True, HungUpBy.US)


async def test_rubbish_over_tcp_while_a_call_is_up(authority):
    rubbish = [
        b"\x00" * 200,
        b"INVITE",
        b"SIP/2.0 200 OK\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\r\n" * 5000,
        b"INVITE sip:a@b SIP/2.0\r\nVia: \r\nCSeq: x\r\nContent-Length: 0\r\n\r\n",
        b"BYE sip:a@b SIP/2.0\r\nCall-ID: x\r\n" + b"X: y\r\n" * 20_000,
        b"x" * 200_000,
    ]
    async with calling("tcp", authority) as s:
        call, watch = await placed(s, TALKS, max_talk=60)
        await watch.until(Answered)
        own = s.agent._lines["127.0.0.1"].driver.transport.listens("tcp")
        for data in rubbish * 5:
            _, writer = await asyncio.open_connection(*own[:2])
            with contextlib.suppress(ConnectionError):
                writer.write(data)
                await writer.drain()
            writer.transport.abort()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        assert not call.result.done()
        call.hang_up()
        assert (await call.result).answered


@pytest.mark.parametrize(
    ("length", "code"), [("-1", b"400 Bad Request"), ("99999", b"413 Request Entity Too Large")]
)
async def test_a_content_length_that_lies_is_answered_and_the_connection_closed(length, code):
    async with simulation() as s:
        own = s.agent._lines["127.0.0.1"].driver.transport.listens("tcp")
        reader, writer = await asyncio.open_connection(*own[:2])
        writer.write(request_bytes("OPTIONS", content_length=length))
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    assert answer.startswith(b"SIP/2.0 " + code + b"\r\n")
