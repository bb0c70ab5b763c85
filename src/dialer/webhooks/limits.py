"""How much is sent at a time, for how long it is tried, and how long it is kept."""

from __future__ import annotations

import dataclasses
import datetime as dt

from dialer.webhooks.backoff import BackOff
from dialer.webhooks.circuit import Circuit

LATE = 10.0  # seconds after which what was taken and not begun is left to others
MARGIN = 20.0  # seconds by which a claim outlives what begins late and takes all its time


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """What the configuration says; `timeout` in seconds is that of the transport."""

    timeout: float = 10.0
    concurrency: int = 40
    per_receiver: int = 4
    window: dt.timedelta = dt.timedelta(hours=24)
    keep: dt.timedelta = dt.timedelta(days=30)
    back_off: BackOff = dataclasses.field(default_factory=BackOff)
    circuit: Circuit = dataclasses.field(default_factory=Circuit)

    @property
    def lease(self) -> dt.timedelta:
        """For how long what a node has taken is its own."""
        return dt.timedelta(seconds=self.timeout + LATE + MARGIN)
