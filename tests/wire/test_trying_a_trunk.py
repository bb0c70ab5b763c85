"""A user agent tries a trunk out: names, connections, one OPTIONS, each with its outcome."""

from __future__ import annotations

import asyncio
import socket

import pytest
from tests.authority import Authority, address
from tests.wire.simulation import simulation
from tests.wire.watching import watching

from dialer.sip.identity import HostPort
from dialer.ua.call import TlsSettings, Trunk
from dialer.ua.certificate import facts
from dialer.ua.tls import server_context


def unused(transport="tcp"):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return HostPort("127.0.0.1", probe.getsockname()[1], transport)


async def test_a_tls_connection_is_opened_once_and_tells_what_was_agreed_on(tmp_path):
    authority = Authority(tmp_path)
    async with simulation() as s:
        listens = s.carrier.driver.transport
        certificate = authority.issue("carrier.pem", address("127.0.0.1"))
        listens.serve_tls(server_context(certificate, None))
        target = listens.listens("tls")
        trunk = Trunk(
            "carrier", "127.0.0.1", target.port, "tls", tls=TlsSettings(ca_file=authority.file)
        )
        both = await asyncio.gather(s.agent.connect(trunk, target), s.agent.connect(trunk, target))
        again = await s.agent.connect(trunk, target)
        inbound = [c for c in listens._connections._all if c.inbound]
        answer = await s.agent.probe(trunk, target, 4.0)
    assert both == [again, again]
    assert (again.failure, again.local.transport, again.session.version) == ("", "tls", "TLSv1.3")
    assert facts(again.session.certificate).names == ("IP 127.0.0.1",)
    assert [connection.peer for connection in inbound] == [again.local]
    assert (answer.code, answer.unreachable) == (200, False)


async def test_a_connection_that_fails_tells_why_also_during_the_back_off():
    async with simulation() as s:
        target = unused()
        trunk = Trunk("carrier", "127.0.0.1", target.port, "tcp")
        first = await s.agent.connect(trunk, target)
        second = await s.agent.connect(trunk, target)
    assert first == second
    assert first.failure == f"nothing listens on tcp 127.0.0.1:{target.port}"


async def test_whoever_waits_for_a_connection_is_told_when_the_user_agent_closes():
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        target = HostPort("127.0.0.1", full.getsockname()[1], "tls")
        async with simulation() as s:
            trunk = Trunk("carrier", "127.0.0.1", target.port, "tls")
            waiting = asyncio.create_task(s.agent.connect(trunk, target))
            accepted, _ = await asyncio.to_thread(full.accept)
            with accepted:
                await s.agent.close()
                assert (await waiting).failure == "closed"
            assert "the user agent is closed" in (await s.agent.connect(trunk, target)).failure


async def test_over_udp_a_connection_is_a_route():
    async with simulation() as s:
        target = s.carrier.address
        here = await s.agent.connect(s.trunk, target)
        nowhere = await s.agent.connect(s.trunk, HostPort("192.0.2.1", 5060))
        assert (here.local, here.failure) == (s.agent.local_address, "")
    assert nowhere.failure.startswith("192.0.2.1:5060 cannot be reached: ")


async def test_the_software_of_an_answer_is_told_and_a_watch_hears_nothing_of_it():
    async with watching() as scene:
        scene.far.answers["OPTIONS"] = (404, {"server": "Switch 1.2"})
        answer = await scene.agent.probe(scene.trunk(), scene.far.address, 4.0)
        assert (answer.code, answer.phrase, answer.software) == (404, "Said", "Switch 1.2")
        assert answer.seen == scene.agent.local_address
        scene.far.answers["OPTIONS"] = (200, {"user-agent": "Phone 3"})
        answer = await scene.agent.probe(scene.trunk(), scene.far.address, 4.0)
        assert answer.software == "Phone 3"
        assert scene.told.changes == []


async def test_a_probe_waits_no_longer_than_asked():
    async with watching() as scene:
        scene.far.answers["OPTIONS"] = None
        asked = asyncio.create_task(scene.agent.probe(scene.trunk(), scene.far.address, 4.0))
        await scene.far.received("OPTIONS", 1)
        await scene.clock.elapse(4.0)
        answer = await asked
    assert (answer.code, answer.unreachable) == (None, False)


async def test_a_probe_of_a_closed_port_ends_at_once():
    async with watching() as scene:
        answer = await scene.agent.probe(scene.trunk(), unused("udp"), 4.0)
    assert (answer.code, answer.unreachable) == (None, True)


async def test_who_stops_waiting_for_a_probe_leaves_nothing_behind():
    async with watching() as scene:
        scene.far.answers["OPTIONS"] = None
        asked = asyncio.create_task(scene.agent.probe(scene.trunk(), scene.far.address, 4.0))
        await scene.far.received("OPTIONS", 1)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        await scene.clock.elapse(4.0)
        assert scene.agent._probes._waiting == {}
