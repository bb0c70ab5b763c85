"""From a trunk's host to the addresses to try: literals at once, names by look-up."""

from __future__ import annotations

import asyncio
import dataclasses
import ipaddress
import socket
from typing import TYPE_CHECKING, Literal

from dialer.sip.identity import HostPort, Transport

if TYPE_CHECKING:
    from dialer.clock import Clock

_TIMEOUT = 5.0  # seconds for one look-up
_KEEP = 60.0  # seconds that an answer serves
_KEEP_FAILURE = 5.0  # seconds before a name that failed is asked for again


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """The targets to try in their order, none where there is no address; `reason` says why.

    `steps` are lines for a person: each look-up and what came of it.
    """

    targets: tuple[HostPort, ...] = ()
    reason: str = ""
    steps: tuple[str, ...] = ()


class Resolver:
    """Looks names up with getaddrinfo and remembers them for a minute."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[str, tuple[float, str | None]] = {}
        self._asking: dict[str, asyncio.Task[str | None]] = {}

    async def find(
        self,
        host: str,
        port: int | None = None,
        transport: Transport | None = None,
        family: Literal["any", "ipv4", "ipv6"] = "any",  # noqa: ARG002 - of the next resolver
    ) -> Found:
        """Return where requests for a host go; never raises."""
        wanted = transport or "udp"
        port = port or (5061 if wanted == "tls" else 5060)
        try:
            return Found((HostPort(str(ipaddress.ip_address(host)), port, wanted),))
        except ValueError:
            pass
        until, address = self._known.get(host, (0.0, None))
        if self._clock.monotonic() >= until:
            address = await self._ask(host)
        if address is None:
            return Found(reason=f"the name {host} has no address")
        return Found((HostPort(address, port, wanted),))

    async def _ask(self, host: str) -> str | None:
        # one look-up serves all calls that wait for it, and outlives one that is cancelled
        task = self._asking.get(host)
        if task is None:
            task = asyncio.create_task(self._look_up(host), name=f"look up {host}")
            self._asking[host] = task
            task.add_done_callback(lambda _: self._asking.pop(host, None))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():  # by close(); nobody cancelled the one who asks
                return None
            raise

    async def _look_up(self, host: str) -> str | None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_TIMEOUT):
                found = await loop.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
            address = str(found[0][4][0])
        except (OSError, TimeoutError, UnicodeError, IndexError):
            address = None
        keep = _KEEP_FAILURE if address is None else _KEEP
        self._known[host] = (self._clock.monotonic() + keep, address)
        return address

    async def close(self) -> None:
        """Drop the look-ups under way."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
