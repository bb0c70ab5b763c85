"""The servers of a domain as its DNS lists them, some of them dead: the next one takes the call."""

from __future__ import annotations

import asyncio
import dataclasses

from tests.name_server import name_server

from dialer.clock import SystemClock
from dialer.ua.call import CallRequest, LocalCause, Trunk
from dialer.ua.resolver import Resolver

from .programs import free_port

SHORT_T1 = 0.05  # a server that says nothing is left after half a second
TRUNK = Trunk("carrier", "carrier.example", username="dialer", password="far-secret")


def records(*ports):
    """SRV records that list servers of loopback in this order."""
    return {
        ("_sip._udp.carrier.example", "SRV"): [
            f"{10 + n} 1 {port} server{n}.carrier.example." for n, port in enumerate(ports)
        ],
        **{(f"server{n}.carrier.example", "A"): ["127.0.0.1"] for n in range(len(ports))},
    }


async def called(user_agent, names, **changes):
    resolver = Resolver(SystemClock(), [names.address], timeout=1.0)
    agent = await user_agent(resolver=resolver, t1=SHORT_T1)
    request = CallRequest(TRUNK, "4711", "15550100", ring_timeout=10.0, max_talk=0.3)
    async with asyncio.timeout(20):
        return await agent.call(dataclasses.replace(request, **changes))


async def test_the_next_server_takes_the_call(far_end, user_agent):
    silent, unavailable, alive = [
        await far_end("silent"),
        await far_end("final", status="503 Service Unavailable", header="Retry-After: 9"),
        await far_end("progress"),
    ]
    listed = records(free_port(), silent.port, unavailable.port, alive.port)
    async with name_server(listed) as names:
        result = await called(user_agent, names)
    await alive.finished()
    await unavailable.finished()
    assert (result.answered, result.code) == (True, 200)
    invites = [far.received("INVITE") for far in (silent, unavailable, alive)]
    assert [len(found) for found in invites[1:]] == [1, 1]
    everywhere = [text for found in invites for text in found]
    assert {text.split("Call-ID: ")[1].split()[0] for text in everywhere} == {result.call_id}
    branches = {text.split("branch=")[1].split()[0] for text in everywhere}
    assert len(branches) == 3  # a new transaction for each server
    assert not silent.received("CANCEL")  # it has not said anything that could be cancelled


async def test_a_busy_person_is_not_asked_for_at_the_next_server(far_end, user_agent):
    busy, other = (
        await far_end("final", status="486 Busy Here", header="Server: far"),
        await far_end("progress"),
    )
    async with name_server(records(busy.port, other.port)) as names:
        result = await called(user_agent, names)
    await busy.finished()
    assert (result.code, other.received("INVITE")) == (486, [])


async def test_all_servers_are_dead(user_agent):
    async with name_server(records(free_port(), free_port())) as names:
        result = await called(user_agent, names)
    assert (result.code, result.local_cause) == (None, LocalCause.TRANSPORT)


async def test_a_domain_that_is_not_there(user_agent):
    async with name_server({}) as names:
        result = await called(user_agent, names)
    assert (result.code, result.local_cause) == (None, LocalCause.DNS)


async def test_a_name_server_that_is_silent(user_agent):
    async with name_server({}, silent=True) as names:
        result = await called(user_agent, names)
    assert result.local_cause is LocalCause.DNS
