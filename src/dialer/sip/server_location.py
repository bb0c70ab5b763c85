"""In which order the servers of a domain are tried (RFC 3263, RFC 2782), from its DNS records."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dialer.sip.identity import Transport

# RFC 3263 §4.1, RFC 5630 for TLS.
_SERVICES: dict[str, Transport] = {"SIP+D2U": "udp", "SIP+D2T": "tcp", "SIPS+D2T": "tls"}
_LABELS: dict[Transport, str] = {"udp": "_sip._udp", "tcp": "_sip._tcp", "tls": "_sips._tcp"}


@dataclasses.dataclass(frozen=True, slots=True)
class NaptrRecord:
    """A NAPTR record (RFC 3403); `flags` and `service` in upper case, names without final dot."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


@dataclasses.dataclass(frozen=True, slots=True)
class SrvRecord:
    """An SRV record (RFC 2782); `target` without final dot, "" for no such service."""

    priority: int
    weight: int
    port: int
    target: str


def srv_name(domain: str, transport: Transport) -> str:
    """Return the name under which a domain lists its servers for a transport."""
    return f"{_LABELS[transport]}.{domain}"


def services(
    records: Iterable[NaptrRecord], transport: Transport | None
) -> list[tuple[Transport, str]]:
    """Return transports and the names of their SRV records, in the order of NAPTR records.

    `transport`, where it is configured, leaves out the others; TLS is used only where it is.
    """
    usable = [
        record
        for record in records
        if record.flags == "S" and record.replacement and record.service in _SERVICES
    ]
    usable.sort(key=lambda record: (record.order, record.preference))
    wanted = {transport} if transport else {"udp", "tcp"}
    return [
        (_SERVICES[record.service], record.replacement)
        for record in usable
        if _SERVICES[record.service] in wanted
    ]


def in_order(records: Iterable[SrvRecord], choose: Callable[[int], int]) -> list[SrvRecord]:
    """Return SRV records in the order in which they are tried (RFC 2782, "Usage rules").

    `choose(n)` gives a random number from 0 to n inclusive.
    """
    ordered: list[SrvRecord] = []
    usable = [record for record in records if record.target]
    for priority in sorted({record.priority for record in usable}):
        # Those of weight 0 stand first, so that they have a small chance.
        rest = sorted(
            (record for record in usable if record.priority == priority),
            key=lambda record: record.weight > 0,
        )
        while rest:
            chosen = _chosen(rest, choose(sum(record.weight for record in rest)))
            rest.remove(chosen)
            ordered.append(chosen)
    return ordered


def _chosen(records: list[SrvRecord], number: int) -> SrvRecord:
    running = 0
    for record in records:
        running += record.weight
        if running >= number:
            return record
    return records[-1]
