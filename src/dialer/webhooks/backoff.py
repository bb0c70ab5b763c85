"""What follows from what came of an attempt: taken, tried again, given up, or never again."""

from __future__ import annotations

import dataclasses
import datetime as dt
import email.utils
import enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dialer.webhooks.attempt import Attempt

GONE = 410


class Result(enum.StrEnum):
    """What becomes of a delivery after an attempt."""

    DELIVERED = "delivered"
    RETRY = "retry"
    DEAD = "dead"
    GONE = "gone"


@dataclasses.dataclass(frozen=True, slots=True)
class BackOff:
    """How long is waited before each further attempt; seconds.

    The wait doubles from `first` to `longest`, and each is shortened at random by up to a half, so
    that what failed together does not come back together. `retry_after` bounds what a receiver may
    ask for.
    """

    first: float = 5.0
    longest: float = 3600.0
    retry_after: float = 3600.0

    def wait(self, failures: int, chance: float, asked: float | None = None) -> float:
        """Return the wait after so many failures, at least 1; `chance` is from 0 up to 1.

        `asked` is what the receiver asked for.
        """
        doublings = min(failures - 1, 40)  # a float has an end
        whole = min(self.longest, self.first * 2.0**doublings)
        return max(whole * (1 - chance / 2), min(asked or 0.0, self.retry_after))


def result_of(attempt: Attempt, next_at: dt.datetime, expires_at: dt.datetime) -> Result:
    """Return what becomes of a delivery whose next attempt would be at `next_at`."""
    if attempt.taken:
        return Result.DELIVERED
    if attempt.status == GONE:
        return Result.GONE
    return Result.RETRY if next_at < expires_at else Result.DEAD


def retry_after(text: str, now: dt.datetime) -> float | None:
    """Return the seconds that a Retry-After header asks for (RFC 9110 §10.2.3), None for none."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=dt.UTC)
    return max(0.0, (at - now).total_seconds())
