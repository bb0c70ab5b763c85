"""How requests find their way to a trunk, and what address of ours they name there."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from dialer.sip.fields import parse_address, split_host_port
from dialer.sip.message import is_loose_router

if TYPE_CHECKING:
    from dialer.sip.identity import HostPort, Transport
    from dialer.sip.settings import ContactAddress
    from dialer.ua.call import Trunk
    from dialer.ua.trunk_status import TrunkStatus

_TRANSPORTS: dict[str, Transport] = {"udp": "udp", "tcp": "tcp", "tls": "tls"}


@dataclasses.dataclass(frozen=True, slots=True)
class NextHop:
    """What is looked up to find where a request goes first (RFC 3263)."""

    host: str
    port: int | None
    transport: Transport | None


def hop_of_uri(uri: str, default: Transport | None = None) -> NextHop | None:
    """Return the next hop that a Route's URI names, None where it is no SIP URI.

    A transport that it does not name is `default`.
    """
    scheme, _, rest = uri.partition(":")
    if scheme.lower() not in {"sip", "sips"}:
        return None
    address, *pieces = rest.partition("?")[0].split(";")
    try:
        host, port = split_host_port(address.rpartition("@")[2])
    except ValueError:
        return None
    named = dict(piece.lower().partition("=")[::2] for piece in pieces)
    transport = _TRANSPORTS.get(named.get("transport", "").strip(), default)
    return NextHop(host, port, "tls" if scheme.lower() == "sips" else transport)


def proxy_route(trunk: Trunk) -> str | None:
    """Return the Route value of a trunk's outbound proxy, which is always a loose router."""
    if trunk.proxy is None:
        return None
    uri = trunk.proxy.strip().removeprefix("<").removesuffix(">")
    if not uri.lower().startswith(("sip:", "sips:")):
        uri = f"sip:{uri}"
    return f"<{uri}>" if is_loose_router(uri) else f"<{uri};lr>"


def preloaded_route(trunk: Trunk, status: TrunkStatus) -> tuple[str, ...]:
    """Return the Route values of a call: the outbound proxy, then the registrar's Service-Route.

    A proxy that the Service-Route begins with is not named twice (RFC 3608 §6.1).
    """
    proxy = proxy_route(trunk)
    if proxy is None:
        return status.service_route
    if status.service_route and _same_hop(proxy, status.service_route[0]):
        return status.service_route
    return (proxy, *status.service_route)


def _same_hop(one: str, other: str) -> bool:
    hop = hop_of_uri(parse_address(one).uri, "udp")
    return hop is not None and hop == hop_of_uri(parse_address(other).uri, "udp")


def next_hop(trunk: Trunk, route: tuple[str, ...] = ()) -> NextHop:
    """Return where a request with these Route values goes first (RFC 3261 §8.1.2)."""
    hop = hop_of_uri(parse_address(route[0]).uri, trunk.transport) if route else None
    return hop or NextHop(trunk.host, trunk.port, trunk.transport)


def contact_address(
    trunk: Trunk, learned: HostPort | None, target: HostPort
) -> ContactAddress | None:
    """Return the address that our Contact names to a target, None for the one that we listen at.

    What is configured goes before what was learned; neither serves where its family is not that
    of the target, nor the port of one transport for another.
    """
    ipv6 = ":" in target.host
    if trunk.external_address is not None:
        same_family = (":" in trunk.external_address) == ipv6
        return (trunk.external_address, None) if same_family else None
    if learned is None or (":" in learned.host) != ipv6:
        return None
    return (learned.host, learned.port if learned.transport == target.transport else None)
