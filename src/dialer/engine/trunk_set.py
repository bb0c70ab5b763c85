"""The trunks of this node: their addresses, their pace, and whether they may be used."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import structlog

from dialer.campaign.outcome import TrunkEffect
from dialer.campaign.pacing import TokenBucket
from dialer.campaign.trunk_health import TrunkHealth
from dialer.engine.trunk_definition import TrunkDefinition, definition_of
from dialer.ua.trunk_status import Availability, TrunkStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dialer import config
    from dialer.campaign.outcome import Rule
    from dialer.ua.call import Trunk

log = structlog.get_logger(__name__)


def burst_of(rate: float) -> float:
    """Return how many calls may start at once at `rate` calls per second: a tenth of a second's."""
    return max(1.0, rate / 10)


@dataclasses.dataclass(slots=True)
class TrunkState:
    """One trunk: how to call over it, its limits, its pace and its health.

    `status` asks the user agent what registration and probes say.
    """

    definition: TrunkDefinition
    bucket: TokenBucket
    health: TrunkHealth = dataclasses.field(default_factory=TrunkHealth)
    status: Callable[[], TrunkStatus] = TrunkStatus

    def why_not(self, now: float) -> str:
        """Return why no call may be given to the trunk now, "" where one may."""
        status = self.status()
        return self.health.why_not(now) if status.usable else status.reason

    def usable(self, now: float) -> bool:
        """Whether a call may be given to the trunk now."""
        return self.status().usable and self.health.usable(now)

    @classmethod
    def of(cls, definition: TrunkDefinition, now: float) -> TrunkState:
        """Return a trunk that nothing is known of yet."""
        rate = definition.calls_per_second
        return cls(definition, TokenBucket(rate, burst_of(rate), now))

    @property
    def trunk(self) -> Trunk:
        """How to call over it."""
        return self.definition.trunk

    def available(self, share: float, now: float) -> int:
        """Return how many calls may start now, for a node with `share` of the rate."""
        if share <= 0 or not self.usable(now):
            return 0
        rate = self.definition.calls_per_second * share * self.health.current_rate(now)
        self.bucket.set_rate(rate, burst_of(rate), now)
        available = self.bucket.available(now)
        return min(1, available) if self.health.probing else available

    def started(self, calls: int, now: float) -> None:
        """Take in that calls are being placed."""
        if calls:
            # failovers and the dispatcher may each have seen room for what one of them took
            self.bucket.spend(calls, now)
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


def log_status(name: str, before: TrunkStatus, after: TrunkStatus) -> None:
    """Say in one line that registration or probes took a trunk down, or brought it back.

    One that is down, and has been from the start, is worth a line for each new reason.
    """
    same = before.availability is after.availability
    if same and (after.usable or before.reason == after.reason):
        return
    match after.availability:
        case Availability.UP:
            log.info("trunk up", trunk=name, was=before.reason)
        case Availability.DEGRADED:
            log.warning("trunk degraded", trunk=name, reason=after.reason)
        case Availability.DOWN:
            log.warning("trunk down", trunk=name, reason=after.reason)


@dataclasses.dataclass(frozen=True, slots=True)
class TrunkChanges:
    """The names of the trunks that a new configuration adds, changes and leaves out."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]


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
    def from_config(
        cls, settings: config.Config, now: float, accounts: Mapping[str, int] | None = None
    ) -> TrunkSet:
        """Build the trunks of the configuration; raises ConfigError.

        `accounts` has the ids of accounts by name.
        """
        return cls(
            (one.name, TrunkState.of(definition_of(settings, one, accounts), now))
            for one in settings.trunk
        )

    def take(self, new: TrunkSet) -> TrunkChanges:
        """Become the new set; a trunk that stays keeps its pace and its health.

        Calls that are up keep what they were placed with, also over a trunk that is gone.
        """
        common = self.keys() & new.keys()
        changed = [
            name
            for name in common
            if self[name].definition.fingerprint != new[name].definition.fingerprint
        ]
        changes = TrunkChanges(
            added=tuple(sorted(new.keys() - common)),
            changed=tuple(sorted(changed)),
            removed=tuple(sorted(self.keys() - common)),
        )
        for name in common:
            self[name].definition = new[name].definition
        kept = {name: self.get(name, state) for name, state in new.items()}
        self.clear()
        self.update(kept)
        return changes


def _target(state: TrunkState) -> tuple[object, ...]:
    trunk = state.trunk
    return (trunk.host, trunk.port, trunk.proxy)
