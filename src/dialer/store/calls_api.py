"""What the Calls API reads: campaigns by their token, their figures, and jobs with attempts."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import secrets
from typing import TYPE_CHECKING, Any

from dialer.campaign.status import CallStatus
from dialer.store import rows
from dialer.store.errors import NotFound
from dialer.store.pool import session

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from dialer.store.pool import Database
    from dialer.store.records import Campaign

PREFIX = "cc_"  # by which people and scanners of secrets know one when they see it
SECRET_BYTES = 32
_SHAPE = re.compile(PREFIX + r"[A-Za-z0-9_-]{43}")
MOST_JOBS = 10_000  # of one report

GIVE = """
UPDATE campaigns SET calls_token_hash = $3
WHERE id = $2 AND account_id = $1 AND deleted_at IS NULL
RETURNING id
"""
# A campaign that was deleted is still told to be so.
FIND = """
SELECT c.* FROM campaigns AS c JOIN accounts AS a ON a.id = c.account_id
WHERE c.calls_token_hash = $1 AND a.closed_at IS NULL
"""
FIGURES = """
SELECT count(*) AS total, count(*) FILTER (WHERE due IS NULL AND node IS NULL) AS processed,
    count(*) FILTER (WHERE status = 'in_progress') AS in_process,
    count(*) FILTER (WHERE attempts > 1) AS retried,
    (SELECT coalesce(sum(billed_seconds), 0)::bigint FROM attempts WHERE campaign_id = $1)
        AS talk_seconds
FROM calls WHERE campaign_id = $1
"""
IDS = """
SELECT k.id
FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS n (number, payload, rank)
JOIN calls AS k ON k.campaign_id = $1 AND k.number = n.number
    AND md5(k.payload::text) = md5(n.payload::jsonb::text)
ORDER BY n.rank
"""
# Of each attempt the leg that decided it, which is its last.
_JOB = """
SELECT k.id AS job_id, k.number, k.payload, k.status, k.last_outcome, k.cancelled_at,
    k.attempts, a.ordinal, a.outcome, a.report_data,
    a.created_at AS began_at, a.ended_at, l.answered_at, l.talk_seconds
FROM calls AS k {attempts}
LEFT JOIN LATERAL (
    SELECT answered_at, talk_seconds FROM legs
    WHERE legs.attempt_id = a.id ORDER BY ordinal DESC LIMIT 1
) AS l ON true
WHERE k.campaign_id = $1 AND (k.id = ANY($2::bigint[]) OR k.number = ANY($3::text[]))
ORDER BY k.id, a.ordinal
LIMIT $4
"""
JOBS = _JOB.replace("{attempts}", "LEFT JOIN attempts AS a ON a.id = k.attempt_id")
ATTEMPTS = _JOB.replace("{attempts}", "JOIN attempts AS a ON a.call_id = k.id")


@dataclasses.dataclass(frozen=True, slots=True)
class Figures:
    """A campaign's calls counted: all, those that are over, under way, and tried more than once."""

    total: int
    processed: int
    in_process: int
    retried: int
    talk_seconds: int


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """A call with one of its attempts, None where it has none."""

    job_id: int
    number: str
    payload: Mapping[str, str]
    status: CallStatus
    last_outcome: str | None
    cancelled_at: dt.datetime | None
    attempts: int
    ordinal: int | None
    outcome: str | None
    report_data: Mapping[str, Any]
    began_at: dt.datetime | None
    ended_at: dt.datetime | None
    answered_at: dt.datetime | None
    talk_seconds: float | None


async def make_token(db: Database, account_id: int, campaign_id: int) -> str:
    """Make a campaign's token, in place of the one before; nobody can read it again.

    Raises `NotFound`.
    """
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    await _set_token(db, account_id, campaign_id, _hash(secret))
    return secret


async def revoke_token(db: Database, account_id: int, campaign_id: int) -> None:
    """Let a campaign's token work no more. Raises `NotFound`."""
    await _set_token(db, account_id, campaign_id, None)


async def find(db: Database, secret: str) -> Campaign:
    """Return the campaign that a token stands for, deleted or not. Raises `NotFound`."""
    row = None
    if _SHAPE.fullmatch(secret):
        async with session(db) as connection:
            row = await connection.fetchrow(FIND, _hash(secret))
    if row is None:
        raise NotFound("there is no campaign with this token")
    return rows.campaign(row)


async def figures(db: Database, campaign_id: int) -> Figures:
    """Count a campaign's calls."""
    async with session(db) as connection:
        return Figures(**await connection.fetchrow(FIGURES, campaign_id))


async def ids(
    db: Database, campaign_id: int, numbers: Sequence[str], payloads: Sequence[str]
) -> list[int]:
    """Return the calls to some numbers with some payloads, as JSON, in their order."""
    async with session(db) as connection:
        return [row["id"] for row in await connection.fetch(IDS, campaign_id, numbers, payloads)]


async def jobs(
    db: Database,
    campaign_id: int,
    call_ids: Sequence[int],
    numbers: Sequence[str],
    *,
    every_attempt: bool,
) -> list[Job]:
    """Read calls by id and by number, each with its latest attempt or, apart, with every one."""
    statement = ATTEMPTS if every_attempt else JOBS
    async with session(db) as connection:
        found = await connection.fetch(
            statement, campaign_id, list(call_ids), list(numbers), MOST_JOBS
        )
    return [Job(**{**row, "status": CallStatus(row["status"])}) for row in found]


async def _set_token(db: Database, account_id: int, campaign_id: int, hashed: bytes | None) -> None:
    async with session(db) as connection:
        if await connection.fetchval(GIVE, account_id, campaign_id, hashed) is None:
            raise NotFound(f"there is no campaign {campaign_id}")


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
