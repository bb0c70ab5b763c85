"""Whether a trunk may be given calls, judged by what became of the last ones."""

from __future__ import annotations

import collections
import dataclasses
import enum
from typing import TYPE_CHECKING

from dialer.campaign.outcome import Alarm, Outcome, TrunkEffect

if TYPE_CHECKING:
    from dialer.campaign.outcome import Rule

BREAKER_AFTER = 5  # calls in a row that never reached the trunk
DOWN_AFTER = 3  # refusals of credentials or funds in a row
FIRST_HOLD = 30.0  # seconds; doubled at each further failure
LONGEST_HOLD = 300.0
SLOWEST = 0.1  # share of the configured rate
RECOVERY = 60.0  # seconds in which a lowered rate climbs back by a tenth of the configured one
LAST_CALLS = 20  # of which shares are taken
CONGESTED = 0.5  # share of congestion among them that lowers the rate
CONGESTED_AT_LEAST = 5  # calls, so that one unregistered extension does not
BUSY = 0.75  # share of busy among them that no list of people has: the carrier throttles


class Availability(enum.StrEnum):
    """How a trunk stands."""

    UP = "up"
    DEGRADED = "degraded"  # calls are given to it, fewer than it could carry
    DOWN = "down"  # no call may be given to it now


class Trouble(enum.StrEnum):
    """What keeps calls from a trunk, or lowers its rate."""

    RETRY_AFTER = "retry_after"
    BREAKER = "circuit_breaker"
    CREDENTIALS = "credentials"
    FUNDS = "funds"
    CONGESTION = "congestion"
    RATE_LIMIT = "rate_limit"


SLOWED = {
    Trouble.RETRY_AFTER: "it asked for a pause (Retry-After)",
    Trouble.CONGESTION: "it answers too many calls with congestion",
    Trouble.RATE_LIMIT: "it says that we call too fast",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Standing:
    """How a trunk stands, for a person: `reason` is a sentence, "" while it is up.

    `since` and `until` are on the clock of the calls; None where nothing has happened yet, and
    where no time is set.
    """

    availability: Availability = Availability.UP
    trouble: Trouble | None = None
    reason: str = ""
    since: float | None = None
    until: float | None = None
    rate: float = 1.0


@dataclasses.dataclass(slots=True)
class TrunkHealth:
    """Holds a trunk that fails, then lets single calls through until one succeeds.

    `now` is in seconds on a clock that never steps. `reason` is a sentence for a person, empty
    while the trunk is up; `since` is when it was given. `asked_until` is the trunk's own
    Retry-After, which no success of another call ends, asked for at `asked_at`. `rate` is the
    share of the configured calls per second, lowered at `slowed_at` because of `slowed_by`.
    """

    reason: str = ""
    trouble: Trouble | None = None
    since: float | None = None
    held_until: float = 0.0
    asked_at: float = 0.0
    asked_until: float = 0.0
    rate: float = 1.0
    slowed_by: Trouble | None = None
    slowed_at: float = 0.0
    unreached: int = 0
    refused: int = 0
    _hold: float = FIRST_HOLD
    _climbs_from: float = 0.0
    _congested: collections.deque[bool] = dataclasses.field(
        default_factory=lambda: collections.deque(maxlen=LAST_CALLS)
    )
    _busy: collections.deque[bool] = dataclasses.field(
        default_factory=lambda: collections.deque(maxlen=LAST_CALLS)
    )

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

    def standing(self, now: float) -> Standing:
        """Return how the trunk stands, its worst trouble first."""
        rate = self.current_rate(now)
        if now < self.asked_until:
            seconds = self.asked_until - self.asked_at
            return Standing(
                Availability.DOWN,
                Trouble.RETRY_AFTER,
                f"it asked for a pause of {seconds:.0f} s (Retry-After)",
                self.asked_at,
                max(self.asked_until, self.held_until),
                rate,
            )
        if self.reason:
            held = now < self.held_until
            return Standing(
                Availability.DOWN if held else Availability.DEGRADED,
                self.trouble,
                self.reason if held else f"{self.reason}; the next call proves it",
                self.since,
                self.held_until if held else None,
                rate,
            )
        if rate < 1.0:
            slow = "its calls per second are lowered and climb back"
            if self.slowed_by is not None:
                slow = f"{SLOWED[self.slowed_by]}: {slow}"
            return Standing(Availability.DEGRADED, self.slowed_by, slow, self.slowed_at, None, rate)
        return Standing(since=self.since)

    def called(self, now: float) -> None:
        """Take in that a call was given to the trunk; a failed one gets no second until later."""
        if self.probing:
            self.held_until = now + self._hold

    def current_rate(self, now: float) -> float:
        """Return the share of the configured calls per second, climbing back slowly."""
        climbed = int((now - self._climbs_from) / RECOVERY) / 10
        return min(1.0, self.rate + max(0.0, climbed))

    def record(self, rule: Rule, retry_after: int | None, now: float) -> None:
        """Take in what became of a call."""
        self._busy.append(rule.alarm is Alarm.BUSY_BURST)
        self._congested.append(rule.trunk is TrunkEffect.HOLD_TARGET)
        if rule.trunk is not TrunkEffect.BREAKER:
            self.unreached = 0  # an answer of whatever kind shows that the trunk is there
        match rule.trunk:
            case TrunkEffect.BREAKER:
                self.unreached += 1
                if self.unreached >= BREAKER_AFTER or self.probing:
                    why = f"{self.unreached} calls in a row did not reach it ({rule.outcome})"
                    self._hold_for(Trouble.BREAKER, why, now)
            case TrunkEffect.DOWN:
                self.refused += 1
                if self.refused >= DOWN_AFTER or self.probing:
                    funds = rule.outcome is Outcome.TRUNK_NO_FUNDS
                    why = f"it refused {self.refused} calls in a row ({rule.outcome})"
                    self._hold_for(Trouble.FUNDS if funds else Trouble.CREDENTIALS, why, now)
            case TrunkEffect.HOLD_TARGET:
                if retry_after:
                    self.asked_to_wait(retry_after, now)
                else:
                    self._congestion(now)
                    self._answered(now)
            case TrunkEffect.SLOW_DOWN:
                self._slow_down(Trouble.RATE_LIMIT, now, now)
            case TrunkEffect.HEALTHY:
                self._up(now)
            case _:
                self._answered(now)

    def asked_to_wait(self, seconds: int, now: float) -> None:
        """Take in a Retry-After: no call until it is over, and then a lowered rate that climbs."""
        until = now + min(seconds, LONGEST_HOLD)
        if now >= self.asked_until:  # the first of a burst lowers the rate, not each of it
            self.asked_at = now
            self._slow_down(Trouble.RETRY_AFTER, now, until)
        self.asked_until = max(self.asked_until, until)
        self._climbs_from = max(self._climbs_from, self.asked_until)

    def busy_burst(self) -> bool:
        """Whether the last calls were busy beyond all likelihood; true once for each burst."""
        burst = len(self._busy) == LAST_CALLS and sum(self._busy) >= BUSY * LAST_CALLS
        if burst:
            self._busy.clear()
        return burst

    def _congestion(self, now: float) -> None:
        congested = sum(self._congested)
        if congested >= max(CONGESTED_AT_LEAST, CONGESTED * len(self._congested)):
            self._slow_down(Trouble.CONGESTION, now, now)
            self._congested.clear()

    def _slow_down(self, why: Trouble, now: float, climbs_from: float) -> None:
        current = self.current_rate(now)
        if current >= 1.0:
            self.slowed_at = now
        self.slowed_by = why
        self.rate = max(SLOWEST, current / 2)
        self._climbs_from = climbs_from

    def _hold_for(self, trouble: Trouble, reason: str, now: float) -> None:
        if self.probing:
            self._hold = min(self._hold * 2, LONGEST_HOLD)
        else:
            self.since = now
        self.trouble, self.reason = trouble, reason
        self.held_until = now + self._hold

    def _answered(self, now: float) -> None:
        if not self.refused:
            self._up(now)

    def _up(self, now: float) -> None:
        if self.reason:
            self.since = now
        self.reason, self.trouble = "", None
        self.unreached = self.refused = 0
        self.held_until = 0.0
        self._hold = FIRST_HOLD
