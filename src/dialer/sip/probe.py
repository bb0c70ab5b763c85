"""Whether a peer is there, judged by OPTIONS that are sent at intervals (RFC 3261 §11)."""

from __future__ import annotations

DOWN_AFTER = 2  # failures in a row
QUICK = 5.0  # seconds to the next probe after the first failure; doubled at each further one
_DEAD = frozenset({408, 503, 504})  # what a proxy says of somebody whom it does not reach
_MAX_PHRASE = 80


class Probe:
    """Asks every `interval` seconds, sooner after a failure; one success means up.

    `reason` says in a sentence what the failures were, "" after a success. `now` is in seconds on
    a clock that never steps, `fraction` a fresh random number from 0 to 1.
    """

    def __init__(self, interval: float, now: float, fraction: float) -> None:
        self.reason = ""
        self.failures = 0
        self._interval = interval
        self._at: float | None = now + min(interval, QUICK) * fraction

    @property
    def down(self) -> bool:
        """Whether the peer counts as gone."""
        return self.failures >= DOWN_AFTER

    def timer_at(self) -> float | None:
        """Return when `handle_timer` is next wanted, None while a probe is out."""
        return self._at

    def handle_timer(self, now: float) -> bool:
        """Say whether a probe has to be sent now."""
        if self._at is None or now < self._at:
            return False
        self._at = None
        return True

    def answered(self, code: int | None, phrase: str, now: float, fraction: float) -> None:
        """Take in the final response, None where none came: any but a few means that it lives."""
        said = "no answer" if code is None else f"{code} {phrase[:_MAX_PHRASE]}".rstrip()
        if code is None or code in _DEAD:
            self.failed(f"OPTIONS got {said}", now, fraction)
        elif self._at is None:
            self.failures, self.reason = 0, ""
            self._at = now + self._interval * (0.9 + 0.2 * fraction)

    def failed(self, reason: str, now: float, fraction: float) -> None:
        """Take in that the probe that was due came to nothing."""
        if self._at is not None:
            return
        self.failures += 1
        self.reason = reason
        wait = min(self._interval, QUICK * 2 ** min(self.failures - 1, 16))
        self._at = now + wait * (0.5 + 0.5 * fraction)
