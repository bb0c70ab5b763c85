"""What the parts that keep a trunk registered and probed need of the user agent."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from dialer.sip.identity import Credentials
from dialer.ua.trunk_route import NextHop, next_hop, proxy_route

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from dialer.clock import Clock
    from dialer.sip.identity import HostPort
    from dialer.ua.call import Trunk
    from dialer.ua.driver import SipDriver
    from dialer.ua.resolver import Found


@dataclasses.dataclass(frozen=True, slots=True)
class Surroundings:
    """Time, chance, names and sockets.

    `find` looks a trunk's next hop up, `reach` gives the driver that sends to a trunk's targets, or
    raises OSError. `fraction` gives random numbers from 0 to 1, `t1` in seconds is SIP's estimate
    of a round trip.
    """

    clock: Clock
    find: Callable[[Trunk, NextHop], Awaitable[Found]]
    reach: Callable[[Trunk, tuple[HostPort, ...]], Awaitable[SipDriver]]
    token: Callable[[], str]
    fraction: Callable[[], float]
    t1: float

    async def targets(self, trunk: Trunk) -> tuple[HostPort, ...]:
        """Return where requests to a trunk itself go, at least one; raises OSError with why not."""
        found = await self.find(trunk, next_hop(trunk, own_route(trunk)))
        if not found.targets:
            raise OSError(found.reason)
        return found.targets


def own_route(trunk: Trunk) -> tuple[str, ...]:
    """Return the Route values of requests to a trunk itself: its outbound proxy, if any."""
    proxy = proxy_route(trunk)
    return () if proxy is None else (proxy,)


def credentials_of(trunk: Trunk | None) -> Credentials | None:
    """Return what a challenge of a trunk is answered with, None where it has no account."""
    if trunk is None or trunk.username is None:
        return None
    return Credentials(trunk.username, trunk.password or "", trunk.md5_allowed)
