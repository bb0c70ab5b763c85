"""The user agent against Asterisk over TCP and TLS."""

from __future__ import annotations

import asyncio

import pytest

from dialer.sip.identity import HostPort
from dialer.ua.call import CallRequest, HungUpBy, LocalCause

from .calling import place, talk

STREAMS = pytest.mark.parametrize("transport", ["tcp", "tls"])


@STREAMS
async def test_a_call_that_we_end(transport, asterisk, user_agent):
    passed = []
    agent = await user_agent(on_message=passed.append)
    trunk = asterisk.trunk_over(transport)
    result = await talk(agent, CallRequest(trunk, "1001", "15550100"), 0.5)
    assert (result.code, result.answered, result.hung_up_by) == (200, True, HungUpBy.US)
    assert result.rtp_packets_received > 10
    assert {message.peer for message in passed} == {HostPort("127.0.0.1", trunk.port, transport)}
    assert f"Via: SIP/2.0/{transport.upper()} ".encode() in passed[0].data


@STREAMS
async def test_a_call_that_asterisk_ends(transport, asterisk, user_agent):
    agent = await user_agent()
    request = CallRequest(asterisk.trunk_over(transport), "1000", "15550100")
    async with asyncio.timeout(15):
        result = await agent.call(request)
    assert (result.answered, result.hung_up_by) == (True, HungUpBy.THEM)


@STREAMS
async def test_the_bye_goes_over_a_new_connection(transport, asterisk, user_agent):
    agent = await user_agent()
    trunk = asterisk.trunk_over(transport)
    call, _, up = await place(agent, CallRequest(trunk, "1001", "15550100"))
    async with asyncio.timeout(10):
        await up.wait()
        [line] = agent._lines.values()
        [connection] = line.driver.transport._connections._all
        connection._transport.abort()
        await connection.closed
        call.hang_up()
        result = await call.result
    assert (result.answered, result.hung_up_by) == (True, HungUpBy.US)
    assert "1001" not in asterisk.console("core", "show", "channels", "concise")


async def test_tls_is_refused_for_another_name(asterisk, user_agent):
    agent = await user_agent()
    trunk = asterisk.trunk_over("tls", server_name="pbx.example.org")
    result = await agent.call(CallRequest(trunk, "1001", "15550100"))
    assert (result.local_cause, result.code) == (LocalCause.TRANSPORT, None)
    where = f"127.0.0.1:{trunk.port}"
    assert agent.why_not(HostPort("127.0.0.1", trunk.port, "tls")) == (
        f"the certificate of {where} is for localhost, lab.invalid, 127.0.0.1, not pbx.example.org"
    )


async def test_tls_is_refused_without_the_authority(asterisk, user_agent):
    agent = await user_agent()
    trunk = asterisk.trunk_over("tls", ca_file=None)
    result = await agent.call(CallRequest(trunk, "1001", "15550100"))
    assert (result.local_cause, result.code) == (LocalCause.TRANSPORT, None)
    assert agent.why_not(HostPort("127.0.0.1", trunk.port, "tls")) == (
        f"the certificate of 127.0.0.1:{trunk.port} is signed by an authority that is not known; "
        "set tls_ca_file"
    )
