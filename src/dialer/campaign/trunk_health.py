"""Whether a trunk may be given calls, judged by what became of the last ones."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from dialer.campaign.outcome import TrunkEffect

if TYPE_CHECKING:
    from dialer.campaign.outcome import Rule

BREAKER_AFTER = 5  # calls in a row that never reached the trunk
DOWN_AFTER = 3  # refusals of credentials or funds in a row
FIRST_HOLD = 30.0  # seconds; doubled at each further failure
LONGEST_HOLD = 300.0
SLOWEST = 0.1  # share of the configured rate
RECOVERY = 60.0  # seconds in which a lowered rate climbs back by a tenth of the configured one


@dataclasses.dataclass(slots=True)
class TrunkHealth:
    """Holds a trunk that fails, then lets single calls through until one succeeds.

    `now` is in seconds on a clock that never steps. `reason` is a sentence for a person, empty
    while the trunk is up; `since` is when it was given. `asked_until` is the trunk's own
    Retry-After, which no success of another call ends. `rate` is the share of the configured
    calls per second.
    """

    reason: str = ""
    since: float = 0.0
    held_until: float = 0.0
    asked_until: float = 0.0
    rate: float = 1.0
    unreached: int = 0
    refused: int = 0
    _hold: float = FIRST_HOLD
    _rate_at: float = 0.0

    def why_not(self, now: float) -> str:
        """Return why no call may be given to the trunk now, "" where one may."""
        if now < self.asked_until:
            return f"it asked for a pause of {self.asked_until - now:.0f} s more (Retry-After)"
        return self.reason if now < self.held_until else ""

    def usable(self, now: float) -> bool:
        """Whether a call may be given to the trunk now."""
        return now >= max(self.held_until, self.asked_until)

    @property
    def probing(self) -> bool:
        """Whether the trunk has failed and not yet proved itself, so that calls go one by one."""
        return bool(self.reason)

    def called(self, now: float) -> None:
        """Take in that a call was given to the trunk; a failed one gets no second until later."""
        if self.probing:
            self.held_until = now + self._hold

    def current_rate(self, now: float) -> float:
        """Return the share of the configured calls per second, climbing back slowly."""
        climbed = int((now - self._rate_at) / RECOVERY) / 10
        return min(1.0, self.rate + max(0.0, climbed))

    def record(self, rule: Rule, retry_after: int | None, now: float) -> None:
        """Take in what became of a call."""
        match rule.trunk:
            case TrunkEffect.BREAKER:
                self.unreached += 1
                if self.unreached >= BREAKER_AFTER or self.probing:
                    self._hold_for(
                        now, f"{self.unreached} calls in a row did not reach it ({rule.outcome})"
                    )
            case TrunkEffect.DOWN:
                self.unreached = 0
                self.refused += 1
                if self.refused >= DOWN_AFTER or self.probing:
                    self._hold_for(
                        now, f"it refused {self.refused} calls in a row ({rule.outcome})"
                    )
            case TrunkEffect.HOLD_TARGET if retry_after:
                self.unreached = 0
                self.asked_until = max(self.asked_until, now + min(retry_after, LONGEST_HOLD))
            case TrunkEffect.SLOW_DOWN:
                self.unreached = 0
                self.rate = max(SLOWEST, self.current_rate(now) / 2)
                self._rate_at = now
            case TrunkEffect.HEALTHY:
                self._up()
            case _:
                # an answer of whatever kind shows that the trunk is there
                self.unreached = 0
                if not self.refused:
                    self._up()

    def _hold_for(self, now: float, reason: str) -> None:
        if self.probing:
            self._hold = min(self._hold * 2, LONGEST_HOLD)
        else:
            self.since = now
        self.reason = reason
        self.held_until = now + self._hold

    def _up(self) -> None:
        self.reason = ""
        self.unreached = self.refused = 0
        self.held_until = 0.0
        self._hold = FIRST_HOLD
