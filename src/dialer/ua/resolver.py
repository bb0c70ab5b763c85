"""From a trunk's host to the targets to try (RFC 3263): literals at once, names by look-up."""

from __future__ import annotations

import asyncio
import dataclasses
import ipaddress
import random
from typing import TYPE_CHECKING, Literal

from dialer.sip.identity import HostPort, Transport
from dialer.sip.server_location import NaptrRecord, SrvRecord, in_order, services, srv_name
from dialer.ua.name_look_up import NameLookUp, Records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from dialer.clock import Clock

Family = Literal["any", "ipv4", "ipv6"]

MOST_TARGETS = 8


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """The targets to try in their order, none where there is no address; `reason` says why.

    `steps` are lines for a person: each look-up and what came of it.
    """

    targets: tuple[HostPort, ...] = ()
    reason: str = ""
    steps: tuple[str, ...] = ()


class Resolver:
    """Finds the servers of a trunk; see NameLookUp for what is kept, and for how long.

    `nameservers` are addresses with ports, none for those of this machine. `timeout` in seconds
    limits one question. `choose(n)` gives a random number from 0 to n inclusive.
    """

    def __init__(
        self,
        clock: Clock,
        nameservers: Sequence[tuple[str, int]] = (),
        timeout: float = 3.0,
        choose: Callable[[int], int] | None = None,
    ) -> None:
        self._names = NameLookUp(clock, nameservers, timeout)
        chance = random.Random()  # noqa: S311 - it spreads load
        self._choose = choose or (lambda most: chance.randint(0, most))

    async def find(
        self,
        host: str,
        port: int | None = None,
        transport: Transport | None = None,
        family: Family = "any",
    ) -> Found:
        """Return where requests for a host go; never raises.

        A literal is itself. With a port only addresses are looked up; without one SRV records go
        before them, and without a transport NAPTR records before these. IPv4 goes before IPv6.
        """
        try:
            literal = ipaddress.ip_address(host)
        except ValueError:
            pass
        else:
            wanted = transport or "udp"
            return Found((HostPort(str(literal), port or _port(wanted), wanted),))
        search = _Search(self._names, family, self._choose)
        if port is not None:
            await search.addresses(host, port, transport or "udp")
        else:
            await search.servers(host, transport)
        if search.targets:
            return Found(tuple(search.targets[:MOST_TARGETS]), steps=tuple(search.steps))
        last = search.steps[-1] if search.steps else "no records"
        return Found(reason=f"the name {host} has no address: {last}", steps=tuple(search.steps))

    async def close(self) -> None:
        """Drop the look-ups under way; from now on no name is found."""
        await self._names.close()


class _Search:
    """One search: its targets so far, and the lines that tell of it."""

    def __init__(self, names: NameLookUp, family: Family, choose: Callable[[int], int]) -> None:
        self._names = names
        self._family = family
        self._choose = choose
        self.targets: list[HostPort] = []
        self.steps: list[str] = []

    async def servers(self, domain: str, transport: Transport | None) -> None:
        """Find the servers of a domain by NAPTR and SRV, else its own addresses."""
        if not self._names.hosts(domain):
            asked = asyncio.gather(
                *(self._names.ask(srv_name(domain, one), "SRV") for one in _tried(transport))
            )
            naptr, srv = await self._naptr(domain, transport), await asked
            if naptr:
                for one, name in naptr:
                    await self._targets_of(one, name, await self._names.ask(name, "SRV"))
            else:
                for one, records in zip(_tried(transport), srv, strict=True):
                    await self._targets_of(one, srv_name(domain, one), records)
        if not self.targets:
            wanted = transport or "udp"
            await self.addresses(domain, _port(wanted), wanted)

    async def addresses(self, name: str, port: int, transport: Transport) -> None:
        """Add the addresses of a name."""
        kinds = {"any": ("A", "AAAA"), "ipv4": ("A",), "ipv6": ("AAAA",)}[self._family]
        listed = self._names.hosts(name)
        if listed:
            self.steps.append(f"{name} stands in this machine's file of hosts: {', '.join(listed)}")
            versions = {"A": 4, "AAAA": 6}
            found = [
                one
                for kind in kinds
                for one in listed
                if ipaddress.ip_address(one).version == versions[kind]
            ]
        else:
            answers = await asyncio.gather(*(self._names.ask(name, kind) for kind in kinds))
            found = []
            for kind, records in zip(kinds, answers, strict=True):
                texts = [one.address for one in records.data]  # type: ignore[attr-defined]
                self._tell(kind, name, texts, records)
                found += texts
        for address in found:
            target = HostPort(address, port, transport)
            if target not in self.targets:
                self.targets.append(target)

    async def _naptr(self, domain: str, transport: Transport | None) -> list[tuple[Transport, str]]:
        if transport is not None:
            return []  # RFC 3263 §4.1: it is known already
        records = await self._names.ask(domain, "NAPTR")
        found = [
            NaptrRecord(
                order=one.order,  # type: ignore[attr-defined]
                preference=one.preference,  # type: ignore[attr-defined]
                flags=_text(one.flags),  # type: ignore[attr-defined]
                service=_text(one.service),  # type: ignore[attr-defined]
                replacement=_name(one.replacement),  # type: ignore[attr-defined]
            )
            for one in records.data
        ]
        texts = [f"{one.order} {one.preference} {one.service} {one.replacement}" for one in found]
        self._tell("NAPTR", domain, texts, records)
        return services(found, transport)

    async def _targets_of(self, transport: Transport, name: str, records: Records) -> None:
        found = [
            SrvRecord(
                one.priority,  # type: ignore[attr-defined]
                one.weight,  # type: ignore[attr-defined]
                one.port,  # type: ignore[attr-defined]
                _name(one.target),  # type: ignore[attr-defined]
            )
            for one in records.data
        ]
        found.sort(key=lambda one: (one.priority, -one.weight, one.target))
        texts = [f"{one.priority} {one.weight} {one.target or '.'}:{one.port}" for one in found]
        self._tell("SRV", name, texts, records)
        for record in in_order(found, self._choose)[:MOST_TARGETS]:
            await self.addresses(record.target, record.port, transport)

    def _tell(self, kind: str, name: str, texts: Iterable[str], records: Records) -> None:
        self.steps.append(f"{kind} {name}: {', '.join(texts) or records.reason}")


def _tried(transport: Transport | None) -> tuple[Transport, ...]:
    """Return the transports that are tried; TLS only where it is configured."""
    return (transport,) if transport else ("udp", "tcp")


def _port(transport: Transport) -> int:
    return 5061 if transport == "tls" else 5060


def _name(name: object) -> str:
    return str(name).rstrip(".")


def _text(value: bytes) -> str:
    return value.decode("ascii", "replace").upper()
