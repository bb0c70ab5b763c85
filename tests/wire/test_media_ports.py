"""The ports of a media plane: even, within their range, given back, and one clear line without."""

from __future__ import annotations

import errno
import socket

import pytest
from tests.driven_clock import DrivenClock

from dialer.ua.media import MediaPlane, NoPortAvailable

PORTS = (21000, 23998)


@pytest.fixture
def clock():
    return DrivenClock()


async def test_ports_are_even_within_the_range_and_given_back(clock):
    plane = MediaPlane(clock, "127.0.0.1", (24001, 24009))
    streams = [plane.open() for _ in range(4)]
    assert sorted(stream.local_port for stream in streams) == [24002, 24004, 24006, 24008]
    with pytest.raises(NoPortAvailable, match="24001-24009"):
        plane.open()
    streams[2].close()
    streams[2].close()
    assert plane.open().local_port == streams[2].local_port
    with pytest.raises(NoPortAvailable):
        plane.open()
    plane.close()


async def test_a_port_that_another_program_has_is_passed_over(clock):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 24022))
        plane = MediaPlane(clock, "127.0.0.1", (24020, 24024))
        assert {plane.open().local_port, plane.open().local_port} == {24020, 24024}
        with pytest.raises(NoPortAvailable):
            plane.open()
        plane.close()


async def test_a_closed_port_rests_before_it_is_used_again(clock):
    plane = MediaPlane(clock, "127.0.0.1", (24040, 24048))
    first = plane.open()
    first.close()
    assert plane.open().local_port != first.local_port
    plane.close()


async def test_an_address_that_is_not_this_hosts_is_told_in_one_line(clock):
    plane = MediaPlane(clock, "192.0.2.1", PORTS)
    with pytest.raises(NoPortAvailable, match=r"192\.0\.2\.1 port \d+: ") as told:
        plane.open()
    assert "\n" not in str(told.value)


async def test_a_host_without_sockets_left_is_no_port_available(clock, monkeypatch):
    def exhausted(*_):
        raise OSError(errno.EMFILE, "Too many open files")

    plane = MediaPlane(clock, "127.0.0.1", PORTS)
    with monkeypatch.context() as patch:
        patch.setattr(socket, "socket", exhausted)
        with pytest.raises(NoPortAvailable, match="Too many open files"):
            plane.open()
    plane.open()
    plane.close()


@pytest.mark.parametrize("ports", [(0, 10), (4001, 4001), (5000, 4000), (65536, 65540)])
def test_a_range_without_a_port_is_refused(clock, ports):
    with pytest.raises(ValueError, match=f"{ports[0]}-{ports[1]}"):
        MediaPlane(clock, "127.0.0.1", ports)
