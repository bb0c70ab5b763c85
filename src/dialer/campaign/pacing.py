"""How many calls may start now, so that a rate is kept over any time."""

from __future__ import annotations

ROUNDING = 1e-6  # of a token; a bucket asked at the time that it named itself must grant


class TokenBucket:
    """Tokens that come in at `rate` per second, up to `burst`; it starts full.

    `now` is in seconds on a clock that never steps. In any t seconds at most burst + rate * t
    tokens are granted. Who asks every p seconds needs a burst of at least rate * p to reach the
    rate.
    """

    def __init__(self, rate: float, burst: float, now: float) -> None:
        _check(rate, burst)
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = now

    def set_rate(self, rate: float, burst: float, now: float) -> None:
        """Change rate and burst from now on; what has come in stays, up to the new burst."""
        _check(rate, burst)
        self._fill(now)
        self._rate = rate
        self._burst = burst
        self._tokens = min(self._tokens, burst)

    def available(self, now: float) -> int:
        """Return how many whole tokens are there."""
        self._fill(now)
        return max(0, int(self._tokens + ROUNDING))

    def take(self, n: int, now: float) -> int:
        """Take up to `n` tokens; return how many were granted."""
        granted = max(0, min(n, self.available(now)))
        self._tokens -= granted
        return granted

    def spend(self, n: int, now: float) -> None:
        """Take `n` tokens; those that are not there are owed, and come off what comes in."""
        self._fill(now)
        self._tokens -= n

    def give_back(self, n: int) -> None:
        """Return tokens that were taken and not used."""
        self._tokens = min(self._burst, self._tokens + n)

    def next_at(self, now: float) -> float:
        """Return when a whole token is there: now or later."""
        self._fill(now)
        return now + max(0.0, 1.0 - self._tokens) / self._rate

    def _fill(self, now: float) -> None:
        if now > self._at:
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
            self._at = now


def _check(rate: float, burst: float) -> None:
    if rate <= 0 or burst < 1:
        raise ValueError(f"a rate above 0 and a burst of 1 or more are needed: {rate}, {burst}")
