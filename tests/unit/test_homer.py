"""HEP version 3, read back by a reader that knows the format from its description alone."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import socket
import struct

import pytest
from tests.driven_clock import DrivenClock

from dialer.homer import HomerExporter, encode
from dialer.sip.identity import HostPort
from dialer.ua.transport import Passed

AT = dt.datetime(2026, 5, 6, 7, 8, 9, 123456, tzinfo=dt.UTC)
OPTIONS = b"OPTIONS sip:x SIP/2.0\r\nAuthorization: Digest response=abcd\r\n\r\n"


def chunks(packet):
    assert packet[:4] == b"HEP3"
    assert struct.unpack("!H", packet[4:6]) == (len(packet),)
    found, rest = {}, packet[6:]
    while rest:
        vendor, kind, length = struct.unpack("!HHH", rest[:6])
        assert vendor == 0
        found[kind], rest = rest[6:length], rest[length:]
    return found


@pytest.mark.parametrize(
    ("local", "peer", "family", "protocol", "addresses"),
    [
        (HostPort("192.0.2.9", 5060), HostPort("192.0.2.1", 5070), 2, 17, (3, 4)),
        (
            HostPort("2001:db8::9", 5060, "tls"),
            HostPort("2001:db8::1", 5061, "tls"),
            10,
            6,
            (5, 6),
        ),
    ],
)
@pytest.mark.parametrize("direction", ["sent", "received"])
def test_a_message_in_chunks(local, peer, family, protocol, addresses, direction):
    passed = Passed(direction, local, peer, OPTIONS)
    found = chunks(encode(passed, AT, capture_id=7, password="pw", node="n1"))
    source, target = (local, peer) if direction == "sent" else (peer, local)
    assert (found[1], found[2]) == (bytes([family]), bytes([protocol]))
    assert ipaddress.ip_address(found[addresses[0]]) == ipaddress.ip_address(source.host)
    assert ipaddress.ip_address(found[addresses[1]]) == ipaddress.ip_address(target.host)
    assert struct.unpack("!HH", found[7] + found[8]) == (source.port, target.port)
    assert struct.unpack("!II", found[9] + found[10]) == (int(AT.timestamp()), 123456)
    assert (found[11], found[12]) == (b"\x01", struct.pack("!I", 7))
    assert (found[14], found[19]) == (b"pw", b"n1")
    assert found[15] == OPTIONS.replace(b"abcd", b"xxxx")


async def test_a_copy_reaches_the_server_and_its_absence_harms_nobody():
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(0)
        exporter = HomerExporter(
            server.getsockname(), DrivenClock(), capture_id=1, password="", node=""
        )
        passed = Passed("sent", HostPort("127.0.0.1", 5060), HostPort("127.0.0.1", 5070), OPTIONS)
        exporter(passed)
        async with asyncio.timeout(5):
            assert chunks(await loop.sock_recv(server, 70_000))[15].startswith(b"OPTIONS")
    for _ in range(3):  # nobody listens any more, and the host says so
        exporter(passed)
    assert exporter.lost > 0
    exporter.close()
