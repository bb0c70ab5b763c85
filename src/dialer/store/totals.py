"""A campaign's figures: its calls and attempts counted by what became of them, when, and where."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from dialer.store.errors import NotFound
from dialer.store.pool import session

if TYPE_CHECKING:
    import datetime as dt

    from dialer.store.pool import Database

TIMEOUT = 60.0  # seconds; a campaign of millions is read whole

ZONE = """
SELECT time_zone FROM campaigns WHERE id = $1 AND account_id = $2 AND deleted_at IS NULL
"""

CALLS = """
SELECT status, last_outcome, count(*) AS calls, count(*) FILTER (WHERE attempts > 0) AS tried,
    sum(requeued) AS requeued
FROM calls WHERE campaign_id = $1
GROUP BY status, last_outcome
"""

# By quarters of an hour, of which the hours of every time zone are made.
ATTEMPTS = """
SELECT outcome, date_bin('15 minutes', created_at, '2000-01-01') AS slot, count(*) AS attempts,
    count(*) FILTER (WHERE counted) AS counted, sum(billed_seconds) AS billed_seconds
FROM attempts WHERE campaign_id = $1 AND ended_at IS NOT NULL
GROUP BY outcome, slot
"""

# Abandoned is what somebody answered and we spoiled; silent is what was answered, not abandoned,
# and heard nothing from us.
LEGS = """
SELECT a.slot, a.trunk, count(*) AS legs, count(*) FILTER (WHERE a.answered) AS answered,
    count(*) FILTER (WHERE a.answered AND a.abandoned) AS abandoned,
    count(*) FILTER (WHERE a.answered AND NOT a.abandoned AND a.silent) AS silent,
    sum(a.talk_seconds) FILTER (WHERE a.answered) AS talk_seconds
FROM (
    SELECT date_bin('15 minutes', a.created_at, '2000-01-01') AS slot, l.trunk, l.talk_seconds,
        l.answered,
        a.outcome IN ('media_failure', 'bot_failure', 'interrupted')
            OR 'answered_late' = ANY(a.flags) AS abandoned,
        a.outcome = 'silent' OR l.rtp_packets_sent = 0 AS silent
    FROM attempts AS a JOIN legs AS l ON l.attempt_id = a.id
    WHERE a.campaign_id = $1 AND a.ended_at IS NOT NULL
) AS a
GROUP BY a.slot, a.trunk
"""


@dataclasses.dataclass(frozen=True, slots=True)
class CallCount:
    """Calls with one status and last outcome: all, those tried at least once, and requeues."""

    status: str
    last_outcome: str | None
    calls: int
    tried: int
    requeued: int


@dataclasses.dataclass(frozen=True, slots=True)
class AttemptCount:
    """Ended attempts of one outcome that began in one quarter of an hour.

    `counted` used up one of their call's attempts.
    """

    outcome: str
    slot: dt.datetime
    attempts: int
    counted: int
    billed_seconds: int


@dataclasses.dataclass(frozen=True, slots=True)
class LegCount:
    """INVITEs over one trunk, of ended attempts that began in one quarter of an hour."""

    slot: dt.datetime
    trunk: str
    legs: int
    answered: int
    abandoned: int
    silent: int
    talk_seconds: float


@dataclasses.dataclass(frozen=True, slots=True)
class Totals:
    """What `of_campaign` reads; `time_zone` is the campaign's."""

    time_zone: str
    calls: tuple[CallCount, ...]
    attempts: tuple[AttemptCount, ...]
    legs: tuple[LegCount, ...]


async def of_campaign(db: Database, account_id: int, campaign_id: int) -> Totals:
    """Count a campaign's calls and ended attempts. Raises `NotFound`, also for a deleted one."""
    async with session(db) as connection:
        zone = await connection.fetchval(ZONE, campaign_id, account_id)
        if zone is None:
            raise NotFound(f"there is no campaign {campaign_id}")
        calls = await connection.fetch(CALLS, campaign_id, timeout=TIMEOUT)
        attempts = await connection.fetch(ATTEMPTS, campaign_id, timeout=TIMEOUT)
        legs = await connection.fetch(LEGS, campaign_id, timeout=TIMEOUT)
    return Totals(
        time_zone=zone,
        calls=tuple(CallCount(**row) for row in calls),
        attempts=tuple(AttemptCount(**row) for row in attempts),
        legs=tuple(LegCount(**{**row, "talk_seconds": row["talk_seconds"] or 0}) for row in legs),
    )
