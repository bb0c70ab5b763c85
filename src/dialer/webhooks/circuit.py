"""The circuit of a receiver: while it takes nothing, it is asked now and then and not each time."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dialer.webhooks.attempt import Attempt


@dataclasses.dataclass(frozen=True, slots=True)
class State:
    """`failures` in a row; nothing is sent before `open_until`."""

    failures: int = 0
    open_until: dt.datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Circuit:
    """After `threshold` failures in a row nothing is sent for `first` seconds, then one delivery.

    If that one, the probe, fails too, the wait doubles, up to `longest`. A receiver that asks for
    time by Retry-After gets it, up to `retry_after` seconds, whatever the count.
    """

    threshold: int = 5
    first: float = 10.0
    longest: float = 300.0
    retry_after: float = 3600.0

    def after(self, state: State, attempt: Attempt, now: dt.datetime, *, probe: bool) -> State:
        """Return the state after an attempt.

        What had left before the circuit opened does not lengthen the wait.
        """
        if attempt.taken:
            return State()
        asked = min(attempt.retry_after or 0.0, self.retry_after)
        failures = state.failures + 1
        if failures <= self.threshold or probe:
            state = State(failures, None if probe else state.open_until)
        wait = asked
        if state.failures >= self.threshold:
            doublings = min(state.failures - self.threshold, 40)  # a float has an end
            wait = max(asked, min(self.longest, self.first * 2.0**doublings))
        if not wait:
            return state
        until = now + dt.timedelta(seconds=wait)
        return State(state.failures, max(until, state.open_until or until))
