"""DNS questions with their answers kept: by TTL, stale ones while nobody answers."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING

import dns.asyncresolver
import dns.exception
import dns.rdatatype
import dns.resolver

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dns.rdata import Rdata

    from dialer.clock import Clock

LEAST_TTL, LONGEST_TTL = 5.0, 3600.0  # seconds that an answer is kept
NEGATIVE_TTL = 30.0  # seconds that "there is none" is kept, at the most
STALE = 86_400.0  # seconds that an answer serves beyond its time while no server answers
AGAIN = 5.0  # seconds before a question that nobody answered is asked again
_MAX_KEPT = 10_000
_LOCALHOST = {"localhost": ("127.0.0.1", "::1")}  # RFC 6761 §6.3: asked of nobody


@dataclasses.dataclass(frozen=True, slots=True)
class Records:
    """What DNS says: the records' data, and why there are none."""

    data: tuple[Rdata, ...] = ()
    reason: str = ""
    answered: bool = True  # False: no server answered


_DROPPED = Records(reason="the look-up was dropped", answered=False)


@dataclasses.dataclass(slots=True)
class _Kept:
    records: Records
    until: float
    since: float  # when a server last answered


class NameLookUp:
    """Asks the name servers of this machine, or those that are named as `address[:port]`.

    `timeout` in seconds is the limit of one question, whatever it takes. A question that was
    answered once is never waited for again while the servers are silent.
    """

    def __init__(
        self, clock: Clock, nameservers: Sequence[tuple[str, int]] = (), timeout: float = 3.0
    ) -> None:
        self._clock = clock
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._asking: dict[tuple[str, str], asyncio.Task[Records]] = {}
        self._hosts = _hosts() if not nameservers else _LOCALHOST
        self._resolver: dns.asyncresolver.Resolver | None = None
        with contextlib.suppress(dns.resolver.NoResolverConfiguration, OSError):
            self._resolver = dns.asyncresolver.Resolver(configure=not nameservers)
        if nameservers and self._resolver is not None:
            self._resolver.nameservers = [
                dns.nameserver.Do53Nameserver(host, port) for host, port in nameservers
            ]
        if self._resolver is not None:
            self._resolver.lifetime = timeout
            self._resolver.timeout = timeout / 2
        self._timeout = timeout
        self._closed = False

    def hosts(self, name: str) -> tuple[str, ...]:
        """Return the addresses that the machine's own file of hosts gives a name."""
        return self._hosts.get(name.lower(), ())

    async def ask(self, name: str, kind: str) -> Records:
        """Return the records of a name; `kind` is "A", "AAAA", "SRV" or "NAPTR". Never raises."""
        key = (name.lower().rstrip("."), kind)
        kept = self._kept.get(key)
        now = self._clock.monotonic()
        if self._closed:
            return _DROPPED
        if kept is not None:
            if now < kept.until:
                return kept.records
            if not kept.records.answered or (kept.records.data and now < kept.since + STALE):
                self._start(key)
                return kept.records
        # One question serves all who wait for it, and outlives one that is cancelled.
        task = self._start(key)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():  # by close(); nobody cancelled the one who asks
                return _DROPPED
            raise

    def _start(self, key: tuple[str, str]) -> asyncio.Task[Records]:
        task = self._asking.get(key)
        if task is None:
            task = asyncio.create_task(self._ask(key), name=f"look up {key[1]} {key[0]}")
            self._asking[key] = task
            task.add_done_callback(lambda _: self._asking.pop(key, None))
        return task

    async def _ask(self, key: tuple[str, str]) -> Records:
        records, ttl = await self._answer(*key)
        now = self._clock.monotonic()
        before = self._kept.get(key)
        if records.answered or before is None or not before.records.data:
            self._kept[key] = _Kept(records, now + ttl, now)
        else:
            # Nobody answers: what was true before serves on.
            before.until = now + AGAIN
            records = before.records
        while len(self._kept) > _MAX_KEPT:
            del self._kept[next(iter(self._kept))]
        return records

    async def _answer(self, name: str, kind: str) -> tuple[Records, float]:
        """Ask the servers; return the records, and for how many seconds they are kept."""
        if self._resolver is None or not self._resolver.nameservers:
            return Records(reason="this machine has no name server", answered=False), AGAIN
        try:
            async with asyncio.timeout(self._timeout + 1):
                answer = await self._resolver.resolve(name, kind, search="." not in name)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer) as error:
            reason = "no such name" if isinstance(error, dns.resolver.NXDOMAIN) else "none"
            return Records(reason=reason), NEGATIVE_TTL
        except (dns.resolver.LifetimeTimeout, TimeoutError):
            reason = f"no answer within {self._timeout:g} s"
            return Records(reason=reason, answered=False), AGAIN
        except (dns.exception.DNSException, OSError, ValueError) as error:
            return Records(reason=str(error).splitlines()[0][:200], answered=False), AGAIN
        assert answer.rrset is not None
        ttl = min(max(float(answer.rrset.ttl), LEAST_TTL), LONGEST_TTL)
        return Records(tuple(answer.rrset)), ttl

    async def close(self) -> None:
        """Drop the questions under way, and ask nothing more."""
        self._closed = True
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _hosts() -> dict[str, tuple[str, ...]]:
    """Read the machine's file of hosts; what is not readable in it is passed over."""
    found: dict[str, tuple[str, ...]] = dict(_LOCALHOST)
    try:
        lines = Path("/etc/hosts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return found
    for line in lines:
        address, *names = line.partition("#")[0].split() or [""]
        try:
            literal = str(ipaddress.ip_address(address))
        except ValueError:
            continue
        for name in map(str.lower, names):
            found[name] = tuple(dict.fromkeys((*found.get(name, ()), literal)))
    return found
