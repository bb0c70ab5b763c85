"""Campaigns: create, read, list, change, and move from one status to another."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from dialer.campaign.moves import CampaignAction, move_campaign
from dialer.campaign.status import CallStatus, CampaignStatus, PauseReason
from dialer.store import plan_limits, rows, schedules
from dialer.store.errors import CampaignClosed, NotFound, Refused, VersionConflict
from dialer.store.idempotency import Progress
from dialer.store.pool import session, transaction
from dialer.store.records import PauseNote
from dialer.store.schedules import Waiting

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Mapping

    from dialer.campaign.windows import Span
    from dialer.store.pool import Connection, Database
    from dialer.store.records import Campaign, CampaignSettings

# The columns that a person sets stand in the order of `_columns`.
CREATE = """
WITH created AS (
    INSERT INTO campaigns (account_id, name, trunks, caller_ids, start_at, max_simultaneous_calls,
        calls_per_second, max_attempts, retry_interval_seconds, retry_by_outcome,
        ring_timeout_seconds, max_talk_seconds, on_answer, webhook_url, redial_interrupted,
        trunk_order, calls_per_minute, retry_jitter_percent, time_zone, window_zone, windows,
        holidays, dates_without_calls)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
        $20, $21, $22, $23)
    RETURNING *
), schedule AS (
    INSERT INTO schedules (campaign_id) SELECT id FROM created
), told AS (
    INSERT INTO events (account_id, campaign_id, kind, data)
    SELECT account_id, id, 'campaign.draft', jsonb_build_object('from', NULL, 'to', 'draft')
    FROM created
)
SELECT * FROM created
"""

# The account's close takes its row FOR UPDATE, so it comes before or after.
OPEN_ACCOUNT = "SELECT FROM accounts WHERE id = $1 AND closed_at IS NULL FOR KEY SHARE"

GET = "SELECT * FROM campaigns WHERE id = $1 AND account_id = $2 AND deleted_at IS NULL"

# A pause must come after every dialing that it cannot stop: dialing holds the row FOR KEY SHARE.
LOCK = GET + " FOR UPDATE"

LIST = """
SELECT * FROM campaigns
WHERE account_id = $1 AND deleted_at IS NULL AND id < coalesce($2, 9223372036854775807)
    AND (cardinality($3::text[]) = 0 OR status = ANY($3))
ORDER BY id DESC
LIMIT $4
"""

CHANGE = """
UPDATE campaigns
SET name = $2, trunks = $3, caller_ids = $4, start_at = $5, max_simultaneous_calls = $6,
    calls_per_second = $7, max_attempts = $8, retry_interval_seconds = $9, retry_by_outcome = $10,
    ring_timeout_seconds = $11, max_talk_seconds = $12, on_answer = $13, webhook_url = $14,
    redial_interrupted = $15, trunk_order = $16, calls_per_minute = $17,
    retry_jitter_percent = $18, time_zone = $19, window_zone = $20, windows = $21, holidays = $22,
    dates_without_calls = $23, version = version + 1
WHERE id = $1
RETURNING *
"""

MOVE = """
WITH moved AS (
    UPDATE campaigns
    SET status = $2, pause_reason = $3, pause_detail = $4, paused_from = $5, started_at = $6,
        finished_at = $7, deleted_at = $8, hang_up = $9, version = version + 1,
        resumed_at = CASE
            WHEN paused_from IS NOT NULL AND $2 = 'in_progress'
                THEN coalesce($12::timestamptz, clock_timestamp())
            ELSE resumed_at
        END,
        ending = ending OR ($2 = 'finished' AND status <> 'finished')
    WHERE id = $1
    RETURNING *
), told AS (
    INSERT INTO events (account_id, campaign_id, kind, data)
    SELECT account_id, id, 'campaign.' || $10::text, $11 FROM moved
)
SELECT * FROM moved
"""

# A batch at a time, so that a million waiting calls hold up nothing. A claimed call is taken from
# its node: its dialing will find it gone.
END_WAITING = """
WITH waiting AS (
    SELECT id, status AS was FROM calls
    WHERE campaign_id = $1 AND status IN ('planned', 'retry_scheduled')
    ORDER BY id
    LIMIT $2
    FOR NO KEY UPDATE
), ended AS (
    UPDATE calls AS k
    SET status = CASE WHEN k.attempts = 0 THEN 'not_dialed' ELSE k.last_final_status END,
        due = NULL, phase = NULL, node = NULL, epoch = NULL, trunk = NULL,
        updated_at = clock_timestamp()
    FROM waiting AS w
    WHERE k.id = w.id
    RETURNING k.id, k.account_id, k.campaign_id, k.attempt_id, w.was, k.status, k.last_outcome,
        k.last_rule
), gone AS (
    DELETE FROM ready USING ended WHERE ready.call_id = ended.id
), told AS (
    INSERT INTO events (account_id, campaign_id, call_id, attempt_id, kind, data)
    SELECT account_id, campaign_id, id, attempt_id, 'call.' || status,
        jsonb_strip_nulls(jsonb_build_object('from', was, 'to', status, 'outcome', last_outcome,
            'rule', last_rule, 'action', 'finish'))
    FROM ended
)
SELECT count(*) FROM ended
"""
END_BATCH = 5000

NAMES = "SELECT id, name, deleted_at FROM campaigns WHERE id = ANY($1::bigint[])"

COUNTS = """
SELECT campaign_id, status, count(*) AS count
FROM calls
WHERE campaign_id = ANY($1::bigint[])
GROUP BY campaign_id, status
"""

# The heads of the index calls_waiting.
WAITING = """
SELECT <calendar>, first.due
FROM campaigns AS c JOIN schedules AS s ON s.campaign_id = c.id CROSS JOIN LATERAL (
    SELECT due FROM calls
    WHERE schedule_id = s.id AND node IS NULL AND due IS NOT NULL
    ORDER BY due, -priority, position
    LIMIT 1
) AS first
WHERE c.id = $1
""".replace("<calendar>", schedules.CALENDAR)


async def create(db: Database, account_id: int, settings: CampaignSettings) -> Campaign:
    """Create a draft. Raises `NotFound` where the account is closed."""
    async with transaction(db) as connection:
        if await connection.fetchrow(OPEN_ACCOUNT, account_id) is None:
            raise NotFound(f"there is no account {account_id}, or it is closed")
        return rows.campaign(await connection.fetchrow(CREATE, account_id, *_columns(settings)))


async def get(db: Database, account_id: int, campaign_id: int) -> Campaign:
    """Read a campaign. Raises `NotFound`, also for a deleted one."""
    async with session(db) as connection:
        return _found(await connection.fetchrow(GET, campaign_id, account_id), campaign_id)


async def list_page(
    db: Database,
    account_id: int,
    *,
    statuses: Collection[CampaignStatus] = (),
    before: int | None = None,
    limit: int = 50,
) -> list[Campaign]:
    """List campaigns, newest first, those with an id below `before`; no statuses means all."""
    async with session(db) as connection:
        found = await connection.fetch(LIST, account_id, before, list(statuses), limit)
    return [rows.campaign(row) for row in found]


async def change(
    db: Database,
    account_id: int,
    campaign_id: int,
    settings: CampaignSettings,
    *,
    version: int | None = None,
) -> Campaign:
    """Replace the settings.

    Raises `NotFound`, `VersionConflict` where `version` is given and no longer the campaign's,
    `CampaignClosed` for a finished campaign, and `Refused` where a planned campaign would lose its
    start time.
    """
    async with transaction(db) as connection:
        before = await _locked(connection, account_id, campaign_id, version)
        if before.status is CampaignStatus.FINISHED:
            raise CampaignClosed(f"campaign {campaign_id} is finished; its settings are fixed")
        planned = CampaignStatus.PLANNED in {before.status, before.paused_from}
        if planned and settings.start_at is None:
            raise Refused(
                f"campaign {campaign_id} is planned and needs its start time; "
                "to start it now, set a start time that has passed"
            )
        await schedules.forget(connection, campaign_id)
        return rows.campaign(await connection.fetchrow(CHANGE, campaign_id, *_columns(settings)))


async def act(  # noqa: PLR0913 - all but whose and what is named, and seldom given
    db: Database,
    account_id: int,
    campaign_id: int,
    action: CampaignAction,
    *,
    pause: PauseNote | None = None,
    hang_up: bool = False,
    version: int | None = None,
    now: dt.datetime | None = None,
    progress: Progress | None = None,
) -> Campaign:
    """Start, pause, resume, finish or delete a campaign, as `campaign.moves` allows.

    `pause` says who pauses and why; None is a person. Once a pause has returned, no call of the
    campaign gets committed for dialling. Finish ends all waiting calls; `hang_up` asks the engines
    to end those that are up. Delete finishes first. With `progress` it goes on from where an
    earlier try ended.
    Raises `NotFound`, `VersionConflict`, `MoveRefused` of `campaign.moves`, and `Refused` where a
    campaign is to be resumed and no minutes are left.
    """
    progress = progress or Progress()
    if progress.state is not None:  # the calls that waited are all that can be left
        campaign = await get(db, account_id, campaign_id)
        while await end_batch(db, campaign_id):
            pass
        return campaign
    async with transaction(db) as connection:
        campaign = await _locked(connection, account_id, campaign_id, version)
        now = now or await connection.fetchval("SELECT clock_timestamp()")
        start_at = campaign.settings.start_at
        status = move_campaign(
            campaign.status,
            action,
            start_in_future=start_at is not None and start_at > now,
            paused_from=campaign.paused_from,
        )
        if action is CampaignAction.RESUME:
            await _check_minutes(connection, account_id, campaign_id, now)
        more = False
        if status is not campaign.status:
            note = pause or PauseNote(PauseReason.MANUAL)
            moved = _moved(campaign, status, note, hang_up=hang_up, now=now)
            campaign = await _write(connection, campaign, moved, action, now)
            if status is CampaignStatus.FINISHED:
                more = await _end_batch(connection, campaign_id)
        if action is CampaignAction.DELETE:
            gone = dataclasses.replace(campaign, deleted_at=now)
            campaign = await _write(connection, campaign, gone, action, now)
        await progress.note(connection, acted=True)
    while more:
        more = await end_batch(db, campaign_id)
    return campaign


async def end_batch(db: Database, campaign_id: int) -> bool:
    """End some more waiting calls of a finished campaign; return whether there may be others.

    `act` does it to the end; should it die on the way, the campaign stays marked as `ending`.
    """
    async with transaction(db) as connection:
        # One at a time per campaign, in the way of neither dialing nor results.
        lock = "SELECT FROM campaigns WHERE id = $1 AND ending FOR NO KEY UPDATE"
        if await connection.fetchrow(lock, campaign_id) is None:
            return False
        return await _end_batch(connection, campaign_id)


async def counts(
    db: Database, campaign_ids: Collection[int]
) -> Mapping[int, Mapping[CallStatus, int]]:
    """Count the calls of campaigns by status; every status is there, with 0 where none."""
    found = {number: dict.fromkeys(CallStatus, 0) for number in campaign_ids}
    async with session(db) as connection:
        for row in await connection.fetch(COUNTS, list(campaign_ids)):
            found[row["campaign_id"]][CallStatus(row["status"])] = row["count"]
    return found


async def names(
    db: Database, campaign_ids: Collection[int]
) -> Mapping[int, tuple[str, dt.datetime | None]]:
    """Return the names of campaigns, and since when those are deleted that are."""
    async with session(db) as connection:
        found = await connection.fetch(NAMES, list(campaign_ids))
    return {row["id"]: (row["name"], row["deleted_at"]) for row in found}


async def waiting(db: Database, campaign_id: int, quiet: Span | None) -> list[Waiting]:
    """Return, for each of its schedules with calls that wait, when the first of them is due."""
    async with session(db) as connection:
        found = await connection.fetch(WAITING, campaign_id)
    return [Waiting(schedules.calendar(row, quiet), row["due"]) for row in found]


async def _check_minutes(
    connection: Connection, account_id: int, campaign_id: int, now: dt.datetime
) -> None:
    account = await plan_limits.lock(connection, account_id, now)
    if account.out_of_minutes:
        raise Refused(
            f"campaign {campaign_id} cannot be resumed: the {account.minutes} minutes of the"
            f" account's plan are used up until {account.period.ends_at:%Y-%m-%d %H:%M} UTC;"
            " raise the limit, or wait for the next period"
        )


async def _locked(
    connection: Connection, account_id: int, campaign_id: int, version: int | None
) -> Campaign:
    campaign = _found(await connection.fetchrow(LOCK, campaign_id, account_id), campaign_id)
    if version is not None and version != campaign.version:
        raise VersionConflict(
            f"campaign {campaign_id} has changed since it was read: it has version "
            f"{campaign.version}, the request is for version {version}"
        )
    return campaign


def _found(row: rows.Row | None, campaign_id: int) -> Campaign:
    if row is None:
        raise NotFound(f"there is no campaign {campaign_id}")
    return rows.campaign(row)


def _moved(
    campaign: Campaign, status: CampaignStatus, pause: PauseNote, *, hang_up: bool, now: dt.datetime
) -> Campaign:
    paused = status is CampaignStatus.PAUSED
    started = campaign.started_at or now
    return dataclasses.replace(
        campaign,
        status=status,
        pause_reason=pause.reason if paused else None,
        pause_detail=pause.detail if paused else "",
        paused_from=campaign.status if paused else None,
        started_at=started if status is CampaignStatus.IN_PROGRESS else campaign.started_at,
        finished_at=now if status is CampaignStatus.FINISHED else None,
        hang_up=hang_up and status is CampaignStatus.FINISHED,
    )


async def _write(
    connection: Connection,
    before: Campaign,
    after: Campaign,
    action: CampaignAction,
    now: dt.datetime,
) -> Campaign:
    kind = "deleted" if after.deleted_at else after.status.value
    data = {"from": before.status.value, "to": after.status.value, "action": action.value}
    if after.pause_reason is not None:
        data |= {"reason": after.pause_reason.value, "detail": rows.clean(after.pause_detail)}
    return rows.campaign(
        await connection.fetchrow(
            MOVE,
            after.id,
            after.status.value,
            after.pause_reason,
            rows.clean(after.pause_detail),
            after.paused_from,
            after.started_at,
            after.finished_at,
            after.deleted_at,
            after.hang_up,
            kind,
            data,
            now,
        )
    )


async def _end_batch(connection: Connection, campaign_id: int) -> bool:
    if await connection.fetchval(END_WAITING, campaign_id, END_BATCH):
        return True
    await connection.execute("UPDATE campaigns SET ending = false WHERE id = $1", campaign_id)
    return False


def _columns(settings: CampaignSettings) -> list[Any]:
    """Return the settings in the order in which they stand in the statements."""
    return [
        rows.clean(settings.name),
        list(settings.trunks),
        list(settings.caller_ids),
        settings.start_at,
        settings.max_simultaneous_calls,
        settings.calls_per_second,
        settings.max_attempts,
        settings.retry_interval_seconds,
        dict(settings.retry_by_outcome),
        settings.ring_timeout_seconds,
        settings.max_talk_seconds,
        dict(settings.on_answer),
        settings.webhook_url,
        settings.redial_interrupted,
        settings.trunk_order,
        settings.calls_per_minute,
        settings.retry_jitter_percent,
        settings.time_zone,
        settings.window_zone,
        [dict(window) for window in settings.windows],
        list(settings.holidays),
        list(settings.dates_without_calls),
    ]
