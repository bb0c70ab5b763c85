"""The next hop, the Route values and the Contact's address of requests to a trunk."""

from __future__ import annotations

import pytest

from dialer.sip.identity import HostPort
from dialer.ua.call import Trunk
from dialer.ua.trunk_route import (
    NextHop,
    contact_address,
    hop_of_uri,
    next_hop,
    preloaded_route,
    proxy_route,
)
from dialer.ua.trunk_status import TrunkStatus

SERVICE_ROUTE = ("<sip:core.example;lr>", "<sip:app.example;lr>")
LEARNED = HostPort("203.0.113.7", 40000)


def trunk(**fields):
    return Trunk("carrier", "trunk.example", **fields)


@pytest.mark.parametrize(
    ("uri", "hop"),
    [
        ("sip:proxy.example", NextHop("proxy.example", None, None)),
        ("sip:proxy.example:5070;lr", NextHop("proxy.example", 5070, None)),
        ("sip:user@proxy.example;transport=TCP;lr", NextHop("proxy.example", None, "tcp")),
        ("sip:[2001:db8::1]:5061;transport=tls", NextHop("2001:db8::1", 5061, "tls")),
        ("sips:proxy.example;transport=tcp", NextHop("proxy.example", None, "tls")),
        ("SIP:192.0.2.1", NextHop("192.0.2.1", None, None)),
        ("sip:proxy.example;transport=ws", NextHop("proxy.example", None, None)),
        ("tel:+15550100", None),
        ("sip:", None),
        ("sip:a:b", None),
        ("", None),
    ],
)
def test_the_hop_of_a_uri(uri, hop):
    assert hop_of_uri(uri) == hop


@pytest.mark.parametrize(
    ("proxy", "route"),
    [
        (None, None),
        ("sip:proxy.example", "<sip:proxy.example;lr>"),
        ("proxy.example:5070", "<sip:proxy.example:5070;lr>"),
        ("<sip:proxy.example;lr>", "<sip:proxy.example;lr>"),
        ("sip:proxy.example;transport=tls", "<sip:proxy.example;transport=tls;lr>"),
    ],
)
def test_a_proxy_is_a_loose_router(proxy, route):
    assert proxy_route(trunk(proxy=proxy)) == route


def test_without_proxy_and_service_route_the_trunk_is_the_next_hop():
    plain = trunk(port=5070, transport="tcp")
    route = preloaded_route(plain, TrunkStatus())
    assert route == ()
    assert next_hop(plain, route) == NextHop("trunk.example", 5070, "tcp")


def test_the_service_route_comes_behind_the_proxy():
    proxied = trunk(proxy="sip:edge.example:5070")
    route = preloaded_route(proxied, TrunkStatus(service_route=SERVICE_ROUTE))
    assert route == ("<sip:edge.example:5070;lr>", *SERVICE_ROUTE)
    assert next_hop(proxied, route) == NextHop("edge.example", 5070, None)


def test_a_proxy_that_the_service_route_begins_with_is_not_named_twice():
    proxied = trunk(proxy="sip:CORE.example;transport=udp")
    assert preloaded_route(proxied, TrunkStatus(service_route=SERVICE_ROUTE)) == SERVICE_ROUTE


def test_the_service_route_is_followed_over_the_trunks_transport():
    secure = trunk(transport="tls", port=5061)
    route = preloaded_route(secure, TrunkStatus(service_route=SERVICE_ROUTE))
    assert next_hop(secure, route) == NextHop("core.example", None, "tls")


def test_a_route_that_is_no_sip_uri_leaves_the_trunk_as_next_hop():
    route = ("<tel:+15550100>",)
    assert next_hop(trunk(), route) == NextHop("trunk.example", None, None)


@pytest.mark.parametrize(
    ("external", "learned", "target", "address"),
    [
        (None, None, "192.0.2.1", None),
        (None, LEARNED, "192.0.2.1", ("203.0.113.7", 40000)),
        ("198.51.100.4", LEARNED, "192.0.2.1", ("198.51.100.4", None)),
        ("198.51.100.4", None, "2001:db8::1", None),
        (None, LEARNED, "2001:db8::1", None),
        ("2001:db8::9", None, "2001:db8::1", ("2001:db8::9", None)),
    ],
)
def test_the_address_of_our_contact(external, learned, target, address):
    configured = trunk(external_address=external)
    assert contact_address(configured, learned, HostPort(target, 5060)) == address


def test_a_port_that_was_learned_over_another_transport_is_not_named():
    target = HostPort("192.0.2.1", 5060, "tcp")
    assert contact_address(trunk(), LEARNED, target) == ("203.0.113.7", None)
