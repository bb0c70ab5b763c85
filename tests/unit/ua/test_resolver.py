import asyncio
import socket

import pytest
from tests.driven_clock import DrivenClock

from dialer.sip.identity import HostPort
from dialer.ua.resolver import Resolver


class Names:
    """Stands where the system's resolver is asked."""

    def __init__(self, monkeypatch, **known):
        self.known = known
        self.asked = []
        self.was_asked = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", self.getaddrinfo)

    async def getaddrinfo(self, host, _port, *, type):  # noqa: A002 - asyncio's name
        self.asked.append(host)
        self.was_asked.set()
        await self.gate.wait()
        if host not in self.known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, type, 17, "", (self.known[host], 0))]


async def address(resolver, host, port=5060):
    """The first target of a host, None where it has none."""
    return next(iter((await resolver.find(host, port)).targets), None)


@pytest.mark.parametrize("literal", ["192.0.2.7", "::1", "2001:db8::7"])
async def test_literals_need_no_look_up(monkeypatch, literal):
    names = Names(monkeypatch)
    assert await address(Resolver(DrivenClock()), literal) == HostPort(literal, 5060)
    assert not names.asked


async def test_a_name_is_asked_for_once_a_minute(monkeypatch):
    names, clock = Names(monkeypatch, pbx="192.0.2.1"), DrivenClock()
    resolver = Resolver(clock)
    assert await address(resolver, "pbx", 5060) == HostPort("192.0.2.1", 5060)
    assert await address(resolver, "pbx", 5080) == HostPort("192.0.2.1", 5080)
    assert names.asked == ["pbx"]
    clock.advance(61)
    names.known["pbx"] = "192.0.2.2"
    assert await address(resolver, "pbx", 5060) == HostPort("192.0.2.2", 5060)


async def test_a_name_without_an_address_is_asked_for_again_soon(monkeypatch):
    names, clock = Names(monkeypatch), DrivenClock()
    resolver = Resolver(clock)
    assert await address(resolver, "pbx") is None
    assert await address(resolver, "pbx") is None
    assert names.asked == ["pbx"]
    clock.advance(6)
    names.known["pbx"] = "192.0.2.2"
    assert await address(resolver, "pbx", 5060) == HostPort("192.0.2.2", 5060)


async def test_calls_that_wait_share_one_look_up(monkeypatch):
    names = Names(monkeypatch, pbx="192.0.2.1")
    names.gate.clear()
    resolver = Resolver(DrivenClock())
    first, second = (asyncio.ensure_future(address(resolver, "pbx")) for _ in range(2))
    await names.was_asked.wait()
    first.cancel()
    names.gate.set()
    assert await second == HostPort("192.0.2.1", 5060)
    assert names.asked == ["pbx"]


async def test_close_drops_what_is_under_way(monkeypatch):
    names = Names(monkeypatch, pbx="192.0.2.1")
    names.gate.clear()
    resolver = Resolver(DrivenClock())
    waiting = asyncio.ensure_future(address(resolver, "pbx"))
    await names.was_asked.wait()
    await resolver.close()
    assert await waiting is None


async def test_a_name_that_cannot_be_one_has_no_address():
    assert await address(Resolver(DrivenClock()), "a..b") is None
