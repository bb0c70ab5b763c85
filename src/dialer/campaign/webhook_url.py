"""Where webhooks may go: the form of an address, and which networks are not ours to reach."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from typing import TypeAlias
from urllib.parse import urlsplit

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

LONGEST = 2048  # characters
_PRINTABLE = re.compile(r"[\x21-\x7e\u00a1-\uffff]+")
_LOCAL_NAMES = re.compile(r"(?:.*\.)?(?:localhost|local|internal|localdomain)\.?", re.IGNORECASE)

# IPv6 addresses in which an IPv4 one stands, and where: RFC 4291 §2.5.5.2, RFC 6052, RFC 3056.
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_EMBEDDED = (
    (ipaddress.IPv6Network("::ffff:0:0/96"), 0),
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),
    (ipaddress.IPv6Network("2002::/16"), 80),
)
# Translation of one's own (RFC 8215), protocols with Teredo among them (RFC 2928), documentation
# (RFC 9637).
_NOT_REACHED = tuple(map(ipaddress.IPv6Network, ("64:ff9b:1::/48", "2001::/23", "3fff::/20")))


@dataclasses.dataclass(frozen=True, slots=True)
class WebhookRules:
    """What the configuration allows: plain HTTP, private addresses, or some networks of them."""

    allow_http: bool = False
    allow_private: bool = False
    allow_networks: tuple[Network, ...] = ()

    def check(self, url: str) -> None:
        """Raise ValueError with a sentence for an address that can be told to be no good.

        Names are looked up when something is sent, and each of their addresses is checked then.
        """
        if len(url) > LONGEST or not _PRINTABLE.fullmatch(url):
            raise ValueError(f"is not a web address of at most {LONGEST} characters without spaces")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise ValueError(f"is not a web address: {error}") from None
        if parts.scheme not in {"http", "https"} or not host or "\\" in url or port == 0:
            raise ValueError("is not a web address such as https://example.com/hook")
        if parts.scheme == "http" and not self.allow_http:
            raise ValueError(
                "must begin with https://; the configuration does not allow plain HTTP"
                " (webhooks.allow_http)"
            )
        if parts.username is not None or parts.password is not None:
            raise ValueError("must hold no user name or password: requests are signed instead")
        if parts.fragment:
            raise ValueError("must not have a #fragment, which is never sent")
        self._check_host(host)

    def _check_host(self, host: str) -> None:
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            local = _LOCAL_NAMES.fullmatch(host) or "." not in host
            if local and not self.allow_private and not self.allow_networks:
                raise ValueError(
                    f"names {host}, which is not on the public internet; the configuration"
                    " can allow it (webhooks.allow_networks)"
                ) from None
            return
        if refused := self.refused(address):
            raise ValueError(f"{refused}; the configuration can allow it (webhooks.allow_networks)")

    def refused(self, address: Address) -> str:
        """Return why nothing is sent to an address, empty where it may be."""
        if self.allow_private or any(
            address.version == network.version and address in network
            for network in self.allow_networks
        ):
            return ""
        inner = _inner(address)
        if inner is not None and inner != address:
            why = self.refused(inner)
            return why and f"{address} stands for {inner}: {why}"
        if inner is None or not inner.is_global or inner.is_multicast or inner.is_reserved:
            return f"{address} is {_kind(address)}, not on the public internet"
        return ""


def _inner(address: Address) -> Address | None:
    """Return the IPv4 address that an IPv6 one stands for, itself for another, None for no good."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    for network, shift in _EMBEDDED:
        if address in network:
            return ipaddress.IPv4Address(int(address) >> shift & 0xFFFF_FFFF)
    if address not in _GLOBAL_UNICAST or any(address in one for one in _NOT_REACHED):
        return None
    return address


def _kind(address: Address) -> str:
    for word in ("unspecified", "loopback", "link_local", "multicast", "private"):
        if getattr(address, f"is_{word}"):
            return f"a {word.replace('_', '-')} address".replace("a unspec", "an unspec")
    return "a reserved or shared address"
