"""How often one may ask: token buckets of this process, for each token and for failed logins."""

from __future__ import annotations

import collections
import ipaddress
import math
from typing import TYPE_CHECKING

from dialer.api.problem import Problem
from dialer.campaign.pacing import TokenBucket

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from aiohttp import web

    from dialer.api.settings import ApiSettings
    from dialer.clock import Clock
    from dialer.store.account_records import Bearer

REFUSALS_PER_SECOND = 50.0  # of strangers, in all; more of them wait
REFUSALS_AT_ONCE = 200.0
LONGEST_REFUSAL = 5.0  # seconds that one of them waits
MOST_KEPT = 10_000  # buckets; who was not heard of for longest begins anew


class Buckets:
    """A bucket of `size` tokens for each key, which gains `rate` of them in a second."""

    def __init__(self, clock: Clock, rate: float, size: float) -> None:
        self._clock = clock
        self.rate = rate
        self.size = size
        self._found: collections.OrderedDict[Hashable, tuple[float, float]] = (
            collections.OrderedDict()
        )

    def left(self, key: Hashable) -> float:
        """Return how many tokens there are."""
        at, left = self._found.get(key, (0.0, self.size))
        return min(self.size, left + max(0.0, self._clock.monotonic() - at) * self.rate)

    def take(self, key: Hashable) -> float:
        """Take a token; return how many are left then, below 0 where there was none to take."""
        left = self.left(key) - 1
        if left >= 0:
            self._found[key] = (self._clock.monotonic(), left)
            self._found.move_to_end(key)
            if len(self._found) > MOST_KEPT:
                self._found.popitem(last=False)
        return left

    def wait(self, left: float) -> int:
        """Return after how many whole seconds there is a token, with `left` below 0 now."""
        return max(1, math.ceil(-left / self.rate))


class Limits:
    """What each token may ask, and how often an address may show one that does not work."""

    def __init__(self, settings: ApiSettings, clock: Clock) -> None:
        self._requests = Buckets(clock, settings.requests_per_second, settings.request_burst)
        most = settings.failed_logins_per_minute
        self._failures = Buckets(clock, most / 60, most)
        self._refusals = TokenBucket(REFUSALS_PER_SECOND, REFUSALS_AT_ONCE, clock.monotonic())
        self._clock = clock
        self._policy = f'"token";q={settings.request_burst};w={self._seconds(0)}'

    def count(self, bearer: Bearer) -> Mapping[str, str]:
        """Count a request; return the RateLimit fields of its answer, or raise Problem (429).

        They are those of draft-ietf-httpapi-ratelimit-headers.
        """
        left = self._requests.take((bearer.account_id, bearer.token_id, bearer.name))
        fields = {
            "RateLimit-Policy": self._policy,
            "RateLimit": f'"token";r={max(0, int(left))};t={self._seconds(max(0.0, left))}',
        }
        if left < 0:
            raise Problem(
                429,
                f"the token {bearer.name!r} has sent more than {self._requests.rate:g} requests a"
                " second for too long; wait as Retry-After says",
                headers={**fields, "Retry-After": str(self._requests.wait(left))},
            )
        return fields

    def check_login(self, request: web.Request) -> None:
        """Refuse an address from which too many logins have failed (429)."""
        left = self._failures.left(network(request.remote)) - 1
        if left < 0:
            raise Problem(
                429,
                "too many tokens that do not work came from this address; wait as Retry-After says",
                headers={"Retry-After": str(self._failures.wait(left))},
            )

    def login_failed(self, request: web.Request) -> None:
        """Count a login that failed against its address."""
        self._failures.take(network(request.remote))

    async def refuse(self) -> None:
        """Wait until a stranger may be refused: who asks in vain must not cost what calls need."""
        now = self._clock.monotonic()
        wait = min(self._refusals.next_at(now) - now, LONGEST_REFUSAL)
        if wait < LONGEST_REFUSAL:  # else what is owed would outlast the attack by hours
            self._refusals.spend(1, now)
        if wait > 0:
            await self._clock.sleep(wait)

    def _seconds(self, left: float) -> int:
        """Return after how many seconds a bucket of requests is full."""
        return math.ceil((self._requests.size - left) / self._requests.rate)


def network(address: str | None) -> str:
    """Return what stands for a caller: an IPv4 address, or the /64 of an IPv6 one."""
    try:
        found = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return address or ""
    if isinstance(found, ipaddress.IPv6Address):
        mapped = found.ipv4_mapped
        return str(mapped or ipaddress.ip_network((found, 64), strict=False))
    return str(found)
