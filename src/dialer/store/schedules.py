"""The schedules of a campaign: one for each time zone and each own windows among its numbers."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from typing import TYPE_CHECKING, Any

from dialer.campaign.calendar import EVER, Calendar, Interval
from dialer.campaign.windows import windows_of
from dialer.store.pool import session, transaction

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from dialer.campaign.windows import Span
    from dialer.store import rows
    from dialer.store.pool import Connection, Database

ADD = """
INSERT INTO schedules (campaign_id, time_zone, windows)
SELECT $1, n.time_zone, n.windows::jsonb
FROM unnest($2::text[], $3::text[]) AS n (time_zone, windows)
ORDER BY 2, 3
ON CONFLICT DO NOTHING
"""
FIND = """
SELECT s.id, n.rank
FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS n (time_zone, windows, rank)
JOIN schedules AS s ON s.campaign_id = $1 AND s.time_zone = n.time_zone
    AND md5(coalesce(s.windows::text, '')) = md5(coalesce(n.windows::jsonb::text, ''))
ORDER BY n.rank
"""

COUNT = "SELECT count(*) FROM schedules WHERE campaign_id = $1"
MOST = 2000
"""Schedules of a campaign: each is looked at whenever its open time ends, whoever waits in it."""
TOO_MANY = (
    f"its time zone and window would be one too many: a campaign has {MOST} different ones at the"
    " most, its own among them; use fewer, or several campaigns"
)

CALENDAR = """
    s.id AS schedule_id, s.time_zone AS own_zone, s.windows AS own_windows, c.time_zone,
    c.window_zone, c.windows, c.holidays, c.dates_without_calls
"""
CALENDARS = f"SELECT {CALENDAR} FROM schedules AS s JOIN campaigns AS c ON c.id = s.campaign_id"  # noqa: S608 - the columns above
OF_IDS = f"{CALENDARS} WHERE s.id = ANY($1)"
# Those whose open time is over, or was never looked for.
STALE = f"""
{CALENDARS}
WHERE c.status = 'in_progress'
    AND s.closes_at <= (SELECT coalesce($1::timestamptz, clock_timestamp()))
ORDER BY s.id
LIMIT $2
FOR UPDATE OF s SKIP LOCKED
"""
REFRESH = """
UPDATE schedules AS s
SET opens_at = n.opens_at, closes_at = n.closes_at, problem = n.problem
FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[], $4::text[])
    AS n (id, opens_at, closes_at, problem)
WHERE s.id = n.id
"""
BATCH = 200
LOOK_AGAIN = dt.timedelta(days=1)  # for a window, where none opens within a year

# Its calls get ready anew, in the windows that hold from now on.
FORGET = """
WITH stale AS (
    UPDATE schedules SET opens_at = NULL, closes_at = '-infinity', problem = ''
    WHERE campaign_id = $1
    RETURNING id
), unmarked AS (
    DELETE FROM promotion_marks USING stale WHERE promotion_marks.schedule_id = stale.id
)
DELETE FROM ready WHERE campaign_id = $1
"""

Key = tuple[str, str | None]
"""A time zone and own windows as JSON; "" and None stand for the campaign's."""
OF_CAMPAIGN: Key = ("", None)
"""The schedule that a campaign has from its beginning."""


@dataclasses.dataclass(frozen=True, slots=True)
class Waiting:
    """A schedule's calendar, and when the first of its calls that wait is due."""

    calendar: Calendar
    due: dt.datetime


def key(time_zone: str, windows: Sequence[Mapping[str, Any]] | None) -> Key:
    """Return what tells a number's schedule from the others of its campaign."""
    return time_zone, None if windows is None else json.dumps([dict(one) for one in windows])


async def ensure(connection: Connection, campaign_id: int, keys: Collection[Key]) -> dict[Key, int]:
    """Return the schedules of a campaign by their keys, made where they are missing.

    Those for which it has no room (`MOST`) are not there. The list has to be locked.
    """
    found = await find(connection, campaign_id, keys)
    missing = [one for one in dict.fromkeys(keys) if one not in found]
    if missing:
        room = max(0, MOST - await count(connection, campaign_id))
        new = sorted(missing[:room], key=lambda one: (one[0], one[1] or ""))
        await connection.execute(ADD, campaign_id, *_columns(new))
        found |= await find(connection, campaign_id, new)
    return found


async def find(connection: Connection, campaign_id: int, keys: Collection[Key]) -> dict[Key, int]:
    """Return those of the schedules that a campaign has already."""
    wanted = list(set(keys))
    found = await connection.fetch(FIND, campaign_id, *_columns(wanted))
    return {wanted[row["rank"] - 1]: row["id"] for row in found}


async def count(connection: Connection, campaign_id: int) -> int:
    """Return how many schedules a campaign has."""
    counted: int = await connection.fetchval(COUNT, campaign_id)
    return counted


async def refresh(db: Database, quiet: Span | None, now: dt.datetime | None = None) -> int:
    """Find the present or next open time of schedules whose last one is over; return how many."""
    async with transaction(db) as connection:
        stale = await connection.fetch(STALE, now, BATCH)
        if not stale:
            return 0
        at = now or await connection.fetchval("SELECT clock_timestamp()")
        times = [_open_time(calendar(row, quiet), at) for row in stale]
        ids = [row["schedule_id"] for row in stale]
        await connection.execute(REFRESH, ids, *map(list, zip(*times, strict=True)))
    return len(stale)


async def forget(connection: Connection, campaign_id: int) -> None:
    """Have the open times of a campaign looked for anew: its windows have changed."""
    await connection.execute(FORGET, campaign_id)


async def calendars(
    db: Database, schedule_ids: Collection[int], quiet: Span | None
) -> dict[int, Calendar]:
    """Return the calendars of schedules."""
    async with session(db) as connection:
        found = await connection.fetch(OF_IDS, list(schedule_ids))
    return {row["schedule_id"]: calendar(row, quiet) for row in found}


def calendar(row: rows.Row, quiet: Span | None = None) -> Calendar:
    """Read the columns of CALENDAR."""
    campaigns_zone = (row["time_zone"],)
    customer = tuple(row["own_zone"].split(",")) if row["own_zone"] else campaigns_zone
    given = row["windows"] if row["own_windows"] is None else row["own_windows"]
    return Calendar(
        zones=campaigns_zone if row["window_zone"] == "campaign" else customer,
        customer_zones=customer,
        windows=windows_of(given),
        dates_off=frozenset(row["dates_without_calls"]),
        countries=tuple(row["holidays"]),
        quiet=quiet,
    )


def _columns(keys: Sequence[Key]) -> tuple[list[str], list[str | None]]:
    return [one[0] for one in keys], [one[1] for one in keys]


def _open_time(found: Calendar, now: dt.datetime) -> tuple[dt.datetime | None, dt.datetime, str]:
    interval = found.next_open(now)
    if isinstance(interval, Interval):
        return interval.opens, interval.closes, ""
    return None, min(now + LOOK_AGAIN, EVER), interval.reason
