"""Bots in the configuration: where they may be, and what opens their doors."""

from __future__ import annotations

import ipaddress
from pathlib import Path  # noqa: TC003 - pydantic needs it at run time
from typing import TYPE_CHECKING, Annotated
from urllib.parse import SplitResult, urlsplit

import pydantic
from pydantic import Field

from dialer.config_section import Section

if TYPE_CHECKING:
    from collections.abc import Iterator

    Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052 §2.1
_PORTS = {"ws": 80, "wss": 443}


class BotSecret(Section):
    """A header that goes to the bots below one URL, and nowhere else."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    url: Annotated[str, Field(pattern=r"^wss?://[^\s/?#@]+(/[^\s?#]*)?$", max_length=2048)]
    header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,100}$")] = "Authorization"
    value_env: str | None = None
    value_file: Path | None = None

    @pydantic.model_validator(mode="after")
    def _one_source(self) -> BotSecret:
        if (self.value_env is None) == (self.value_file is None):
            raise ValueError("give one of value_env and value_file")
        urlsplit(self.url).port  # noqa: B018 - raises ValueError for one that is none
        return self

    def covers(self, url: str) -> bool:
        """Whether the header may go to a URL: same scheme, host and port, at or below the path."""
        ours, theirs = urlsplit(self.url), urlsplit(url)
        base = ours.path.rstrip("/")
        return (
            _origin(ours) == _origin(theirs)
            and not {"..", "."}
            & set(theirs.path.replace("%2e", ".").replace("%2E", ".").split("/"))
            and (theirs.path == base or theirs.path.startswith(base + "/") or not base)
        )


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    return url.scheme, url.hostname, url.port or _PORTS.get(url.scheme)


def _inner(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one leads to (mapped, 6to4, NAT64), else itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


class Bots(Section):
    """What holds for the bots of all campaigns."""

    allow_networks: tuple[str, ...] = ()
    ca_file: Path | None = None
    buffer_seconds: Annotated[float, Field(ge=1, le=600)] = 120.0
    delay_seconds: Annotated[float, Field(ge=0, le=0.5)] = 0.04
    unread_seconds: Annotated[float, Field(ge=0.5, le=60)] = 5.0
    heartbeat_seconds: Annotated[float, Field(ge=0.5, le=300)] = 10.0
    after_call_seconds: Annotated[float, Field(ge=0.1, le=4)] = 2.0

    secrets: tuple[BotSecret, ...] = ()

    @pydantic.field_validator("allow_networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            ipaddress.ip_network(one)  # its error names the text
        return value

    @pydantic.field_validator("secrets")
    @classmethod
    def _distinct(cls, value: tuple[BotSecret, ...]) -> tuple[BotSecret, ...]:
        names = [secret.name for secret in value]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two secrets are named {name!r}")
        return value

    def allows(self, address: str) -> bool:
        """Whether a bot may be at an address: a public one, or one of `allow_networks`."""
        host = _inner(ipaddress.ip_address(address.partition("%")[0]))
        listed = any(host in ipaddress.ip_network(one) for one in self.allow_networks)
        return listed or (host.is_global and not host.is_multicast)

    def mistakes(self, url: str, secret: str | None) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with a bot, as far as it shows before a connection: key, sentence."""
        host = urlsplit(url).hostname or ""
        address = "127.0.0.1" if host == "localhost" else host
        try:
            allowed = self.allows(address)
        except ValueError:
            allowed = True  # a name: its address decides when it is connected to
        if not allowed:
            yield (
                "url",
                (
                    f"{host} is not a public address; bots may be there where"
                    " bots.allow_networks of the configuration says so"
                ),
            )
        if secret is not None and self.secret_for(url, secret) is None:
            yield (
                "secret",
                f"no {secret!r} in bots.secrets of the configuration covers this URL",
            )

    def secret_for(self, url: str, name: str) -> BotSecret | None:
        """Return the secret of that name, None where it may not go to the URL."""
        return next((one for one in self.secrets if one.name == name and one.covers(url)), None)
