"""The trunks of this node: their addresses, their pace, and whether they may be used."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import structlog

from dialer.campaign.outcome import TrunkEffect
from dialer.campaign.pacing import TokenBucket
from dialer.campaign.routing import TrunkRule
from dialer.campaign.trunk_health import TrunkHealth
from dialer.ua.call import Trunk
from dialer.ua.trunk_status import TrunkStatus

if TYPE_CHECKING:
    from dialer import config
    from dialer.campaign.outcome import Rule

log = structlog.get_logger(__name__)


def burst_of(rate: float) -> float:
    """Return how many calls may start at once at `rate` calls per second: a tenth of a second's."""
    return max(1.0, rate / 10)


def trunk_of(settings: config.Config, one: config.Trunk) -> Trunk:
    """Return a configured trunk in the user agent's words; raises ConfigError for its password."""
    host, port = one.host_and_port
    return Trunk(
        name=one.name,
        host=host,
        port=port,
        username=one.username,
        password=settings.trunk_password(one),
        from_domain=one.from_domain,
        codecs=one.codecs,
        md5_allowed=one.md5_allowed,
    )


@dataclasses.dataclass(slots=True)
class TrunkState:
    """One trunk: how to call over it, its limits, its pace and its health.

    `routing` says which calls it takes, by default all. `status` is what registration and probes
    tell of it.
    """

    trunk: Trunk
    caller_id: str
    max_calls: int
    calls_per_second: float
    bucket: TokenBucket
    health: TrunkHealth = dataclasses.field(default_factory=TrunkHealth)
    status: TrunkStatus = dataclasses.field(default_factory=TrunkStatus)
    routing: TrunkRule = dataclasses.field(default_factory=lambda: TrunkRule(""))

    def __post_init__(self) -> None:
        self.routing = dataclasses.replace(self.routing, name=self.trunk.name)

    def usable(self, now: float) -> bool:
        """Whether it may be given calls now, as far as we can tell."""
        return self.status.usable and self.health.usable(now)

    def available(self, share: float, now: float) -> int:
        """Return how many calls may start now, for a node with `share` of the rate."""
        if share <= 0 or not self.usable(now):
            return 0
        rate = self.calls_per_second * share * self.health.current_rate(now)
        self.bucket.set_rate(rate, burst_of(rate), now)
        available = self.bucket.available(now)
        return min(1, available) if self.health.probing else available

    def started(self, calls: int, now: float) -> None:
        """Take in that calls are being placed."""
        if calls:
            self.bucket.take(calls, now)
            self.health.called(now)

    def ended(self, rule: Rule, retry_after: int | None, now: float) -> None:
        """Take in what became of a call; the log tells when that holds or frees the trunk."""
        before = self.health.usable(now)
        was = self.health.reason
        self.health.record(rule, retry_after, now)
        if before and not self.health.usable(now):
            log.warning("trunk held", trunk=self.trunk.name, reason=self.health.why_not(now))
        elif was and not self.health.reason:
            log.info("trunk up again", trunk=self.trunk.name, was=was)


class TrunkSet(dict[str, TrunkState]):
    """The configured trunks by name."""

    def ended(self, trunk: TrunkState, rule: Rule, retry_after: int | None, now: float) -> None:
        """Take in what became of a call over `trunk`.

        Retry-After is the server's, so it holds every trunk that leads to it (RFC 3261 §21.5.4).
        """
        trunk.ended(rule, retry_after, now)
        if retry_after and rule.trunk is TrunkEffect.HOLD_TARGET:
            for other in self.values():
                if other is not trunk and _target(other) == _target(trunk):
                    other.health.asked_to_wait(retry_after, now)

    @classmethod
    def from_config(cls, settings: config.Config, now: float) -> TrunkSet:
        """Build the trunks of the configuration; raises ConfigError for a missing password."""
        trunks = cls()
        for one in settings.trunk:
            trunks[one.name] = TrunkState(
                trunk=trunk_of(settings, one),
                caller_id=one.caller_id,
                max_calls=one.max_calls,
                calls_per_second=one.calls_per_second,
                bucket=TokenBucket(one.calls_per_second, burst_of(one.calls_per_second), now),
            )
        return trunks


def _target(state: TrunkState) -> tuple[object, ...]:
    trunk = state.trunk
    return (trunk.host, trunk.port, trunk.proxy)
