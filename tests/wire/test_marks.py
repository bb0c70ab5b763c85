"""The marks for routers, from the configuration to the sockets."""

from __future__ import annotations

import socket

import pytest

from dialer import config
from dialer.clock import SystemClock
from dialer.our_side import start_user_agent
from dialer.ua.call import CallRequest, Trunk


def mark_of(bound):
    return bound.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) >> 2


@pytest.mark.parametrize(
    ("text", "rtp", "sip"), [("", 46, 24), ("rtp_dscp = 34\nsip_dscp = 26", 34, 26)]
)
async def test_packets_carry_the_configured_marks(tmp_path, text, rtp, sip):
    path = tmp_path / "dialer.toml"
    path.write_text(f"[sip]\nhost = '127.0.0.1'\n{text}\n")
    agent = await start_user_agent(config.load(path), SystemClock())
    prepared = await agent.prepare(CallRequest(Trunk("far", "127.0.0.1", 9), "1", "2"))
    route = prepared.route
    udp = route.driver.transport._udp._socket
    assert mark_of(route.session.stream._socket) == rtp
    assert mark_of(udp) == sip
    route.session.stream.close()
    await agent.close()
