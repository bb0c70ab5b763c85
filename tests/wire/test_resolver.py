"""Finding the servers of a domain, against a name server of the tests."""

from __future__ import annotations

import asyncio

import pytest
from tests.driven_clock import DrivenClock
from tests.name_server import name_server

from dialer.sip.identity import HostPort
from dialer.ua.resolver import Resolver

RECORDS = {
    ("example.org", "NAPTR"): [
        '100 10 "S" "SIP+D2T" "" _sip._tcp.example.org.',
        '100 20 "S" "SIP+D2U" "" _sip._udp.example.org.',
        '10 10 "S" "SIPS+D2T" "" _sips._tcp.example.org.',
    ],
    ("_sip._udp.example.org", "SRV"): ["10 1 5060 one.example.org.", "20 1 5070 two.example.org."],
    ("_sip._tcp.example.org", "SRV"): ["10 1 5080 one.example.org."],
    ("_sips._tcp.example.org", "SRV"): ["10 1 5061 one.example.org."],
    ("_sip._udp.plain.org", "SRV"): ["10 1 5060 one.example.org."],
    ("_sip._udp.closed.org", "SRV"): ["0 0 0 ."],
    ("_sip._udp.dead.org", "SRV"): ["10 1 5060 gone.example.org.", "20 1 5070 two.example.org."],
    ("one.example.org", "A"): ["192.0.2.1"],
    ("one.example.org", "AAAA"): ["2001:db8::1"],
    ("two.example.org", "A"): ["192.0.2.9"],
    ("six.example.org", "AAAA"): ["2001:db8::6"],
    ("alone.org", "A"): ["192.0.2.7"],
}
ONE, TWO = "192.0.2.1", "192.0.2.9"


def first_of(_most):
    return 0


@pytest.fixture
async def names():
    async with name_server(RECORDS) as server:
        yield server


@pytest.fixture
def clock():
    return DrivenClock()


@pytest.fixture
async def resolver(names, clock):
    found = Resolver(clock, [names.address], timeout=2.0, choose=first_of)
    yield found
    await found.close()


@pytest.mark.parametrize("literal", ["192.0.2.7", "::1", "2001:db8::7"])
async def test_literals_need_no_look_up(resolver, names, literal):
    assert (await resolver.find(literal)).targets == (HostPort(literal, 5060),)
    assert (await resolver.find(literal, 5070, "tls")).targets == (HostPort(literal, 5070, "tls"),)
    assert (await resolver.find(literal, None, "tls")).targets[0].port == 5061
    assert names.asked == []


@pytest.mark.parametrize(
    ("host", "port", "transport", "family", "targets"),
    [
        (
            "example.org", None, None, "ipv4",
            [(ONE, 5080, "tcp"), (ONE, 5060, "udp"),
             (TWO, 5070, "udp")],
        ),
        ("example.org", None, "tls", "ipv6", [("2001:db8::1", 5061, "tls")]),
        (
            "example.org", None, "udp", "any",
            [(ONE, 5060, "udp"), ("2001:db8::1", 5060, "udp"),
             (TWO, 5070, "udp")],
        ),
        ("plain.org", None, None, "ipv4", [(ONE, 5060, "udp")]),
        ("dead.org", None, "udp", "any", [(TWO, 5070, "udp")]),
        ("alone.org", None, None, "any", [("192.0.2.7", 5060, "udp")]),
        ("alone.org", None, "tls", "any", [("192.0.2.7", 5061, "tls")]),
        ("two.example.org", 5099, None, "any", [(TWO, 5099, "udp")]),
        ("two.example.org", 5099, "tcp", "any", [(TWO, 5099, "tcp")]),
        ("six.example.org", 5099, None, "any", [("2001:db8::6", 5099, "udp")]),
        ("six.example.org", 5099, None, "ipv4", []),
        ("closed.org", None, None, "any", []),
        ("nowhere.org", None, None, "any", []),
        ("a..b", None, None, "any", []),
        ("x" * 300, 5060, None, "any", []),
    ],
)  # fmt: skip
async def test_where_requests_go(resolver, host, port, transport, family, targets):
    found = await resolver.find(host, port, transport, family)
    assert [tuple(target) for target in found.targets] == targets
    assert bool(found.reason) is not bool(targets)
    assert found.steps


async def test_a_person_is_told_of_each_look_up(resolver):
    found = await resolver.find("dead.org")
    assert "SRV _sip._udp.dead.org: 10 1 gone.example.org:5060, 20 1 two.example.org:5070" in (
        found.steps
    )
    assert "A gone.example.org: no such name" in found.steps
    assert "A two.example.org: 192.0.2.9" in found.steps
    assert (await resolver.find("nowhere.org")).reason.startswith("the name nowhere.org has no")


async def test_an_answer_is_kept_for_its_time(resolver, names, clock):
    names.ttl = 60
    await resolver.find("two.example.org", 5060, family="ipv4")
    names.records["two.example.org", "A"] = ["192.0.2.10"]
    clock.advance(59)
    found = await resolver.find("two.example.org", 5060, family="ipv4")
    assert found.targets == (HostPort(TWO, 5060),)
    assert names.asked == [("two.example.org", "A")]


async def test_that_there_is_none_is_believed_for_a_while(resolver, names, clock):
    assert (await resolver.find("late.org", 5060, family="ipv4")).targets == ()
    names.records["late.org", "A"] = ["192.0.2.10"]
    assert (await resolver.find("late.org", 5060, family="ipv4")).targets == ()
    clock.advance(31)
    assert (await resolver.find("late.org", 5060, family="ipv4")).targets != ()


async def test_an_old_answer_serves_while_it_is_asked_anew(resolver, names, clock):
    names.ttl = 60
    await resolver.find("two.example.org", 5060, family="ipv4")
    names.records["two.example.org", "A"] = ["192.0.2.10"]
    clock.advance(61)
    for expected in (TWO, "192.0.2.10"):
        found = await resolver.find("two.example.org", 5060, family="ipv4")
        assert found.targets == (HostPort(expected, 5060),)
        await asyncio.gather(*resolver._names._asking.values())


async def test_a_dead_resolver_is_waited_for_once(names, clock):
    names.silent = True
    resolver = Resolver(clock, [names.address], timeout=0.2)
    found = await resolver.find("two.example.org", 5060, family="ipv4")
    assert found.reason == (
        "the name two.example.org has no address: A two.example.org: no answer within 0.2 s"
    )
    clock.advance(6)
    names.silent = False
    # not waited for again, but asked for: the next one knows
    assert (await resolver.find("two.example.org", 5060, family="ipv4")).targets == ()
    await asyncio.gather(*resolver._names._asking.values())
    assert (await resolver.find("two.example.org", 5060, family="ipv4")).targets != ()
    names.silent = True
    clock.advance(400)
    for _ in range(2):  # and what was true before serves on
        assert (await resolver.find("two.example.org", 5060, family="ipv4")).targets != ()
        await asyncio.gather(*resolver._names._asking.values())
        clock.advance(6)
    await resolver.close()


async def test_a_server_that_fails(names, resolver):
    names.failing = True
    found = await resolver.find("two.example.org", 5060)
    assert found.targets == ()
    assert "SERVFAIL" in found.reason


async def test_a_long_answer_comes_over_tcp(names, resolver):
    names.short = True
    assert (await resolver.find("two.example.org", 5060, family="ipv4")).targets != ()
    assert names.over_tcp == 1


async def test_those_who_wait_share_one_question(names, resolver):
    first, second = (
        asyncio.ensure_future(resolver.find("two.example.org", 5060, family="ipv4"))
        for _ in range(2)
    )
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).targets == (HostPort(TWO, 5060),)
    assert names.asked == [("two.example.org", "A")]


async def test_names_of_this_machine_need_no_server():
    resolver = Resolver(DrivenClock())
    found = await resolver.find("localhost", family="ipv4")
    assert found.targets == (HostPort("127.0.0.1", 5060),)
    assert "file of hosts" in found.steps[0]


async def test_close_drops_what_is_under_way(names, clock):
    names.silent = True
    resolver = Resolver(clock, [names.address], timeout=30)
    waiting = asyncio.ensure_future(resolver.find("two.example.org", 5060))
    while not names.asked:  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0)
    await resolver.close()
    assert (await waiting).targets == ()


async def test_nothing_is_asked_after_close(names, clock):
    names.silent = True
    resolver = Resolver(clock, [names.address], timeout=30)
    before = asyncio.all_tasks()
    waiting = asyncio.ensure_future(resolver.find("two.example.org"))
    while not names.asked:  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0)
    await resolver.close()
    assert (await waiting).targets == ()
    assert (await resolver.find("one.example.org")).targets == ()
    assert asyncio.all_tasks() == before
