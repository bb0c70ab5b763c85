"""Adding numbers to a campaign."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeVar

from dialer.campaign.number_zone import zone_of_number
from dialer.store import imports, rows, schedules
from dialer.store.pool import transaction
from dialer.store.records import AddReport, SkippedRow

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Container, Iterable, Mapping, Sequence

    from dialer.store.pool import Connection, Database
    from dialer.store.records import NewCall

T = TypeVar("T")

BATCH = 5000
"""How many rows one call of `add` takes well."""

DUPLICATE = "the campaign has this number with the same payload already"

# One batch of a campaign at a time, so that ids and positions grow together. Not the campaign's
# row: claims need that one.
LOCK_LIST = "SELECT pg_advisory_xact_lock(1852403250, hashint8($1))"

# One `due` for the whole batch: the list order decides among them, by their positions. Of most
# lists the arrays after the schedules are NULL, which unnest takes for NULL in every row.
ADD = """
WITH last AS (
    SELECT coalesce((
        SELECT position FROM calls WHERE campaign_id = $2 ORDER BY id DESC LIMIT 1), 0) AS position
), added AS (
    INSERT INTO calls (account_id, campaign_id, import_id, position, number, dialable, problem,
        payload, priority, max_attempts, retry_interval_seconds, alternates, next_number,
        schedule_id, not_after, due)
    SELECT $1, $2, $4, last.position + n.rank, n.number, n.problem IS NULL,
        coalesce(n.problem, ''), n.payload::jsonb, coalesce(n.priority, 0), n.max_attempts,
        n.retry_interval_seconds, coalesce(n.alternates::text[], '{}'), n.number, n.schedule_id,
        n.not_after, greatest(coalesce($3::timestamptz, now()), n.not_before)
    FROM last, unnest($5::text[], $6::text[], $7::bigint[], $8::text[], $9::integer[],
            $10::integer[], $11::integer[], $12::text[], $13::timestamptz[], $14::timestamptz[])
        WITH ORDINALITY AS n (number, payload, schedule_id, problem, priority, max_attempts,
            retry_interval_seconds, alternates, not_before, not_after, rank)
    ORDER BY n.rank
    ON CONFLICT (campaign_id, number, md5(payload::text)) DO NOTHING
    RETURNING position
), told AS (
    INSERT INTO events (account_id, campaign_id, kind, data)
    SELECT $1, $2, 'numbers.added',
        jsonb_strip_nulls(jsonb_build_object('added', count(*), 'import_id', $4::bigint))
    FROM added
    HAVING count(*) > 0
)
SELECT array_agg(n.rank ORDER BY n.rank) AS duplicates
FROM last, generate_series(1, cardinality($5::text[])) AS n (rank)
WHERE NOT EXISTS (SELECT FROM added WHERE added.position = last.position + n.rank)
"""


async def add(
    db: Database,
    account_id: int,
    campaign_id: int,
    new: Sequence[NewCall],
    now: dt.datetime | None = None,
    *,
    import_id: int | None = None,
    rejected: Sequence[SkippedRow] = (),
) -> AddReport:
    """Add calls in list order, due as soon as their window opens.

    Those that are there already, with the same payload, are skipped; those that would be one
    schedule too many are rejected. With `import_id` the import's figures and skipped rows grow by
    this batch, `rejected` ones included. Raises `NotFound`, and `CampaignClosed` for a finished
    campaign.
    """
    async with transaction(db) as connection:
        await imports.lock_open_campaign(connection, account_id, campaign_id)
        report = await _insert(connection, account_id, campaign_id, new, now, import_id)
        if import_id is not None:
            await imports.count(
                connection,
                import_id,
                added=report.added,
                undialable=report.undialable,
                duplicates=[
                    SkippedRow(row.line, row.number, DUPLICATE) for row in report.duplicates
                ],
                rejected=[*rejected, *report.rejected],
            )
    return report


def schedule_of(row: NewCall) -> schedules.Key:
    """Return what tells the schedule of a call from the others of its campaign."""
    return schedules.key(row.time_zone or zone_of_number(row.number), row.windows)


async def _insert(
    connection: Connection,
    account_id: int,
    campaign_id: int,
    given: Sequence[NewCall],
    now: dt.datetime | None,
    import_id: int | None,
) -> AddReport:
    """Insert a batch; say what was there already, and for what there is no room."""
    if not given:
        return AddReport(0, ())
    await connection.execute(LOCK_LIST, campaign_id)
    keys = [schedule_of(row) for row in given]
    ids = await schedules.ensure(connection, campaign_id, keys)
    new, rejected = fit(given, keys, ids)
    ranks = await connection.fetchval(
        ADD,
        account_id,
        campaign_id,
        now,
        import_id,
        [row.number for row in new],
        [payload_json(row.payload) for row in new],
        [ids[key] for key in keys if key in ids],
        _column([None if row.dialable else rows.clean(row.problem) for row in new]),
        _column([row.priority or None for row in new]),
        _column([row.max_attempts for row in new]),
        _column([row.retry_interval_seconds for row in new]),
        _column([_array(row.alternates) if row.alternates else None for row in new]),
        _column([row.not_before for row in new]),
        _column([row.not_after for row in new]),
    )
    return report_of(new, ranks, rejected)


def fit(
    given: Sequence[NewCall], keys: Sequence[schedules.Key], known: Container[schedules.Key]
) -> tuple[list[NewCall], tuple[SkippedRow, ...]]:
    """Part the calls that have one of the known schedules from those for which there is no room."""
    fitting, rejected = [], []
    for row, key in zip(given, keys, strict=True):
        if key in known:
            fitting.append(row)
        else:
            rejected.append(SkippedRow(row.line, row.number, schedules.TOO_MANY))
    return fitting, tuple(rejected)


def report_of(
    fitting: Sequence[NewCall], ranks: Sequence[int] | None, rejected: tuple[SkippedRow, ...]
) -> AddReport:
    """Report on a batch; those of the fitting calls that are there already are told by rank."""
    duplicates = tuple(fitting[rank - 1] for rank in ranks or ())
    return AddReport(
        added=len(fitting) - len(duplicates),
        duplicates=duplicates,
        rejected=rejected,
        undialable=_undialable(fitting) - _undialable(duplicates),
    )


def _undialable(calls: Iterable[NewCall]) -> int:
    return sum(not call.dialable for call in calls)


def _column(values: list[T | None]) -> list[T | None] | None:
    """Return a column, or None where it says nothing of any row."""
    return None if values.count(None) == len(values) else values


def payload_json(payload: Mapping[str, str]) -> str:
    """Return a payload as JSON that Postgres can hold."""
    text = json.dumps(payload)
    # Most payloads need no cleaning; only what is escaped may hold what Postgres refuses.
    return json.dumps(rows.plain(payload)) if "\\u" in text else text


def _array(alternates: Sequence[str]) -> str:
    """Return normalised numbers as Postgres writes an array, since it has none of arrays."""
    return "{" + ",".join(alternates) + "}"
