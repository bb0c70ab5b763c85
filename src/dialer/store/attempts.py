"""What the engine writes of attempts, fenced by node and epoch, in batches.

A batch goes as one JSON array. Statements that decide by a campaign's status take its row FOR KEY
SHARE first: they pass one another and the claims, but not a pause or a finish, which takes the row
FOR UPDATE; whoever comes second sees what the first has committed.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from dialer.campaign.status import CampaignStatus, Phase
from dialer.store import do_not_call, queue, rows, schedules, transfers
from dialer.store.attempt_records import OrphanedCall
from dialer.store.pool import session, transaction

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from dialer.store.attempt_records import AttemptResult, LegProgress, NewLeg, UndialedResult
    from dialer.store.pool import Database

# The numbers of a person are tried in turn; one that nobody could reach is not tried again.
THEN_DIALS = """
    next_number = CASE WHEN i.then_dials = 'same' THEN k.next_number ELSE k.alternates[1] END,
    alternates = CASE i.then_dials
        WHEN 'next' THEN k.alternates[2:] || k.next_number
        WHEN 'others' THEN k.alternates[2:]
        ELSE k.alternates
    END
"""

DIAL = """
WITH input AS MATERIALIZED (
    SELECT i.*, k.campaign_id, k.status AS was
    FROM jsonb_to_recordset($3) AS i (
        call_id bigint, attempt_id uuid, trunk text, number text, caller_id text, identity jsonb)
    JOIN calls AS k ON k.id = i.call_id
), campaign AS (
    SELECT id FROM campaigns
    WHERE id IN (SELECT campaign_id FROM input) AND status = 'in_progress' AND EXISTS (
        SELECT FROM nodes
        WHERE name = $1 AND epoch = $2
            AND lease_until > coalesce($4::timestamptz, clock_timestamp()))
    ORDER BY id
    FOR KEY SHARE
), moved AS (
    UPDATE calls AS k
    SET status = 'in_progress', phase = 'dialing', attempt_id = i.attempt_id, trunk = i.trunk,
        attempts = k.attempts + 1, due = NULL, updated_at = clock_timestamp()
    FROM input AS i JOIN campaign AS c ON c.id = i.campaign_id
    WHERE k.id = i.call_id AND k.node = $1 AND k.epoch = $2 AND k.phase = 'claimed'
        AND NOT EXISTS (SELECT FROM trunks WHERE name = i.trunk AND held_at IS NOT NULL)
    RETURNING k.id AS call_id, k.account_id, k.campaign_id, k.attempt_id, k.attempts, i.was,
        i.trunk, i.number, i.caller_id, i.identity, k.next_number, k.contact_day
), contact AS (
    INSERT INTO contacts AS n (account_id, number, day, attempts)
    SELECT account_id, next_number, contact_day, 1 FROM moved WHERE contact_day IS NOT NULL
    ORDER BY 1, 2, 3
    ON CONFLICT (account_id, number, day) DO UPDATE SET attempts = n.attempts + 1
), attempt AS (
    INSERT INTO attempts (id, call_id, campaign_id, ordinal, node, epoch, was)
    SELECT attempt_id, call_id, campaign_id, attempts, $1, $2, was FROM moved
), leg AS (
    INSERT INTO legs (attempt_id, ordinal, trunk, number, caller_id, identity)
    SELECT attempt_id, 0, trunk, number, caller_id, identity FROM moved
), told AS (
    INSERT INTO events (account_id, campaign_id, call_id, attempt_id, kind, data)
    SELECT account_id, campaign_id, call_id, attempt_id, 'call.in_progress',
        jsonb_build_object('from', was, 'to', 'in_progress', 'trunk', trunk)
    FROM moved
)
SELECT attempt_id FROM moved
"""

RECORD_UNDIALED = """
WITH input AS MATERIALIZED (
    SELECT i.*, k.campaign_id, k.status AS was
    FROM jsonb_to_recordset($3) AS i (
        call_id bigint, attempt_id uuid, flags text[], outcome text, rule text, status text,
        final_status text, counted boolean, next_attempt_at timestamptz,
        technical_in_a_row integer, declined integer, then_dials text, detail text)
    JOIN calls AS k ON k.id = i.call_id
), campaign AS (
    SELECT id FROM campaigns
    WHERE id IN (SELECT campaign_id FROM input)
    ORDER BY id
    FOR KEY SHARE
), moved AS (
    UPDATE calls AS k
    SET status = i.status, due = i.next_attempt_at, phase = NULL, node = NULL, epoch = NULL,
        trunk = NULL, attempt_id = i.attempt_id, attempts = k.attempts + 1,
        attempts_counted = k.attempts_counted + i.counted::int,
        technical_in_a_row = i.technical_in_a_row, declined = i.declined,
        last_outcome = i.outcome, last_rule = i.rule, last_final_status = i.final_status,
        <then_dials>, updated_at = clock_timestamp()
    FROM input AS i JOIN campaign AS c ON c.id = i.campaign_id
    WHERE k.id = i.call_id AND k.node = $1 AND k.epoch = $2 AND k.phase = 'claimed'
    RETURNING k.id AS call_id, k.account_id, k.campaign_id, k.attempts, i.attempt_id, i.was,
        i.outcome, i.rule, i.status, i.counted, i.flags, i.detail
), attempt AS (
    INSERT INTO attempts (id, call_id, campaign_id, ordinal, node, epoch, was, outcome, rule,
        status, counted, flags, detail, ended_at)
    SELECT attempt_id, call_id, campaign_id, attempts, $1, $2, was, outcome, rule,
        status, counted, flags, coalesce(detail, ''), clock_timestamp()
    FROM moved
), told AS (
    INSERT INTO events (account_id, campaign_id, call_id, attempt_id, kind, data)
    SELECT account_id, campaign_id, call_id, attempt_id, 'call.' || status,
        jsonb_build_object('from', was, 'to', status, 'outcome', outcome, 'rule', rule)
    FROM moved
)
SELECT attempt_id FROM moved
UNION
SELECT a.id FROM attempts AS a JOIN input AS i ON i.attempt_id = a.id
WHERE a.node = $1 AND a.epoch = $2 AND a.ended_at IS NOT NULL
""".replace("<then_dials>", THEN_DIALS)

RECORD_PROGRESS = """
WITH input AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($3) AS i (
        call_id bigint, attempt_id uuid, leg_ordinal integer, phase text, identity jsonb,
        dialog jsonb, sent_at timestamptz, first_provisional_at timestamptz,
        ringing_at timestamptz, answered_at timestamptz)
), moved AS (
    UPDATE calls AS k
    SET phase = CASE
            WHEN i.phase = 'talking' OR k.phase = 'dialing' THEN coalesce(i.phase, k.phase)
            ELSE k.phase
        END,
        updated_at = clock_timestamp()
    FROM input AS i
    WHERE k.id = i.call_id AND k.attempt_id = i.attempt_id AND k.node = $1 AND k.epoch = $2
        AND k.phase IN ('dialing', 'ringing', 'talking')
    RETURNING k.attempt_id
), leg AS (
    UPDATE legs AS l
    SET identity = coalesce(nullif(i.identity, 'null'), l.identity),
        dialog = coalesce(nullif(i.dialog, 'null'), l.dialog),
        rang = l.rang OR i.ringing_at IS NOT NULL,
        answered = l.answered OR i.answered_at IS NOT NULL,
        sent_at = coalesce(i.sent_at, l.sent_at),
        first_provisional_at = coalesce(i.first_provisional_at, l.first_provisional_at),
        ringing_at = coalesce(i.ringing_at, l.ringing_at),
        answered_at = coalesce(i.answered_at, l.answered_at)
    FROM input AS i JOIN moved AS m ON m.attempt_id = i.attempt_id
    WHERE l.attempt_id = i.attempt_id AND l.ordinal = i.leg_ordinal
)
SELECT attempt_id FROM moved
"""

RECORD_RESULTS = """
WITH input AS MATERIALIZED (
    SELECT i.*, k.campaign_id, k.account_id, k.next_number AS called, k.period, k.contact_day,
        coalesce((i.evidence ->> 'answered')::boolean, false) AS spoken,
        ceil(round(coalesce((i.evidence ->> 'talk_seconds')::numeric, 0), 3)
            / p.increment_seconds)::integer * p.increment_seconds AS billed
    FROM jsonb_to_recordset($3) AS i (
        call_id bigint, attempt_id uuid, leg_ordinal integer, flags text[], outcome text,
        rule text, status text, final_status text, counted boolean, next_attempt_at timestamptz,
        technical_in_a_row integer, declined integer, then_dials text, evidence jsonb,
        detail text, conversation jsonb, report_data jsonb, opted_out boolean)
    JOIN calls AS k ON k.id = i.call_id
    JOIN accounts AS p ON p.id = k.account_id
), campaign AS (
    SELECT id, status FROM campaigns
    WHERE id IN (SELECT campaign_id FROM input)
    ORDER BY id
    FOR KEY SHARE
), verdict AS (
    SELECT i.*, CASE WHEN over THEN i.final_status ELSE i.status END AS becomes,
        CASE WHEN over THEN NULL ELSE i.next_attempt_at END AS due
    FROM input AS i JOIN campaign AS c ON c.id = i.campaign_id,
        LATERAL (SELECT c.status = 'finished'
            AND i.status IN ('planned', 'retry_scheduled') AS over) AS o
), moved AS (
    UPDATE calls AS k
    SET status = v.becomes, due = v.due, phase = NULL, node = NULL, epoch = NULL, trunk = NULL,
        attempts_counted = k.attempts_counted + v.counted::int,
        technical_in_a_row = v.technical_in_a_row, declined = v.declined,
        last_outcome = v.outcome, last_rule = v.rule, last_final_status = v.final_status,
        <then_dials>, updated_at = clock_timestamp()
    FROM verdict AS v
    WHERE k.id = v.call_id AND k.attempt_id = v.attempt_id AND k.node = $1 AND k.epoch = $2
        AND k.phase IN ('dialing', 'ringing', 'talking')
    RETURNING k.id AS call_id, k.account_id, k.campaign_id, k.attempt_id, v.becomes, v.called,
        v.period, v.contact_day, v.spoken, v.billed, v.counted, v.outcome, v.opted_out
), place AS (
    INSERT INTO unique_users (account_id, period, number)
    SELECT account_id, period, called FROM moved WHERE spoken AND period IS NOT NULL
    ORDER BY 1, 2, 3
    ON CONFLICT DO NOTHING
    RETURNING account_id, period
), spent AS (
    INSERT INTO usage AS u (account_id, period, billed_seconds, unique_users)
    SELECT account_id, period, sum(billed), sum(places) FROM (
        SELECT account_id, period, billed, 0 AS places FROM moved
        WHERE billed > 0 AND period IS NOT NULL
        UNION ALL SELECT account_id, period, 0, 1 FROM place
    ) AS one
    GROUP BY account_id, period
    ORDER BY account_id, period
    ON CONFLICT (account_id, period) DO UPDATE
        SET billed_seconds = u.billed_seconds + excluded.billed_seconds,
            unique_users = u.unique_users + excluded.unique_users
), uncounted AS (
    UPDATE contacts AS n SET attempts = n.attempts - 1
    FROM moved AS m
    WHERE NOT m.counted AND n.account_id = m.account_id AND n.number = m.called
        AND n.day = m.contact_day AND n.attempts > 0
), unwanted AS (
    INSERT INTO do_not_call (account_id, pattern, reason, source)
    SELECT account_id, called, CASE WHEN opted_out THEN '<opted_out>'
            ELSE 'the callee said so (607)' END, 'callee'
    FROM moved WHERE opted_out OR outcome = 'unwanted'
    ORDER BY account_id, called
    ON CONFLICT DO NOTHING
), attempt AS (
    UPDATE attempts AS a
    SET node = $1, epoch = $2, outcome = v.outcome, rule = v.rule, status = v.becomes,
        counted = v.counted, flags = v.flags, billed_seconds = v.billed, detail = v.detail,
        conversation = v.conversation, report_data = v.report_data,
        ended_at = clock_timestamp()
    FROM verdict AS v JOIN moved AS m ON m.attempt_id = v.attempt_id
    WHERE a.id = v.attempt_id
), leg AS (
    UPDATE legs AS l
    SET outcome = v.outcome, rule = v.rule, <evidence>
    FROM verdict AS v JOIN moved AS m ON m.attempt_id = v.attempt_id,
        LATERAL jsonb_populate_record(NULL::legs, v.evidence) AS e
    WHERE l.attempt_id = v.attempt_id AND l.ordinal = v.leg_ordinal
), told AS (
    INSERT INTO events (account_id, campaign_id, call_id, attempt_id, kind, data)
    SELECT m.account_id, m.campaign_id, m.call_id, m.attempt_id, kind,
        jsonb_build_object('from', 'in_progress', 'to', m.becomes,
            'outcome', v.outcome, 'rule', v.rule)
    FROM moved AS m JOIN verdict AS v ON v.attempt_id = m.attempt_id,
        LATERAL unnest(ARRAY['call.' || m.becomes]
            || CASE WHEN m.opted_out THEN ARRAY['call.opted_out'] END) AS kind
)
SELECT attempt_id FROM moved
UNION
SELECT a.id FROM attempts AS a JOIN input AS i ON i.attempt_id = a.id
WHERE a.node = $1 AND a.epoch = $2 AND a.ended_at IS NOT NULL
""".replace("<evidence>", rows.SET_EVIDENCE)
RECORD_RESULTS = RECORD_RESULTS.replace("<then_dials>", THEN_DIALS.replace("i.", "v.")).replace(
    "<opted_out>", do_not_call.OPTED_OUT
)

# A leg later than the one that decided was committed, and its INVITE never left. A statement of its
# own: the commit may have been at work until the result took the call, unseen by its snapshot.
DELETE_UNSENT = """
DELETE FROM legs AS l
USING unnest($3::uuid[], $4::integer[]) AS i (attempt_id, ordinal)
WHERE l.attempt_id = i.attempt_id AND l.ordinal > i.ordinal AND EXISTS (
    SELECT FROM attempts AS a
    WHERE a.id = l.attempt_id AND a.node = $1 AND a.epoch = $2 AND a.ended_at IS NOT NULL)
"""

# Nothing was sent for these: they go straight back into the ready set.
FREE_ORPHANS = """
WITH orphan AS (
    SELECT k.id FROM calls AS k
    WHERE k.node IS NOT NULL AND k.phase = 'claimed' AND NOT EXISTS (
        SELECT FROM nodes AS n
        WHERE n.name = k.node AND n.epoch = k.epoch
            AND n.lease_until > coalesce($1::timestamptz, clock_timestamp()))
    FOR NO KEY UPDATE SKIP LOCKED
), freed AS (
    UPDATE calls AS k
    SET phase = NULL, node = NULL, epoch = NULL, trunk = NULL,
        due = coalesce($1::timestamptz, clock_timestamp()), updated_at = clock_timestamp()
    FROM orphan WHERE k.id = orphan.id
    RETURNING k.id, k.campaign_id, k.schedule_id, k.priority, k.position, k.due
)
<ready>
""".replace("<ready>", queue.READY_AGAIN.format(rows="freed"))

# No order, lest the planner walk all calls by their ids to find the first of very few.
TAKE_ORPHANS = """
WITH orphan AS (
    SELECT k.id FROM calls AS k
    WHERE k.node IS NOT NULL AND k.phase <> 'claimed' AND NOT EXISTS (
        SELECT FROM nodes AS n
        WHERE n.name = k.node AND n.epoch = k.epoch
            AND n.lease_until > coalesce($4::timestamptz, clock_timestamp()))
    LIMIT $3
    FOR NO KEY UPDATE SKIP LOCKED
), taken AS (
    UPDATE calls AS k SET node = $1, epoch = $2, updated_at = clock_timestamp()
    FROM orphan WHERE k.id = orphan.id
    RETURNING k.*
), attempt AS (
    UPDATE attempts AS a SET node = $1, epoch = $2
    FROM taken AS k WHERE a.id = k.attempt_id
    RETURNING a.id, a.was
)
SELECT k.id AS id_of_call, k.account_id, k.campaign_id, k.attempt_id, k.phase,
    k.attempts, k.attempts_counted, k.technical_in_a_row, k.declined,
    cardinality(k.alternates) AS alternates, a.was, c.status AS campaign_status,
    c.retry_by_outcome, c.redial_interrupted, c.retry_jitter_percent, <calendar>,
    coalesce(k.max_attempts, c.max_attempts) AS max_attempts,
    coalesce(k.retry_interval_seconds, c.retry_interval_seconds) AS retry_interval_seconds,
    l.*
FROM taken AS k
JOIN attempt AS a ON a.id = k.attempt_id
JOIN campaigns AS c ON c.id = k.campaign_id
JOIN schedules AS s ON s.id = k.schedule_id
CROSS JOIN LATERAL (
    SELECT * FROM legs WHERE legs.attempt_id = k.attempt_id ORDER BY ordinal DESC LIMIT 1
) AS l
ORDER BY k.id
""".replace("<calendar>", schedules.CALENDAR)

OWN_LEASE = """
SELECT EXISTS (
    SELECT FROM nodes
    WHERE name = $1 AND epoch = $2 AND lease_until > coalesce($3::timestamptz, clock_timestamp()))
"""

TO_HANG_UP = """
SELECT k.attempt_id
FROM calls AS k JOIN campaigns AS c ON c.id = k.campaign_id
WHERE k.node = $1 AND k.epoch = $2 AND k.phase <> 'claimed' AND c.hang_up
"""

HELD = """
SELECT attempt_id FROM calls WHERE node = $1 AND epoch = $2 AND phase <> 'claimed'
"""

LIVE_COUNT = "SELECT count(*) FROM calls WHERE node IS NOT NULL AND ($1::text IS NULL OR node = $1)"


async def dial(
    db: Database, node: str, epoch: int, legs: Sequence[NewLeg], now: dt.datetime | None = None
) -> set[UUID]:
    """Commit attempts and their first legs; return those whose INVITE may leave.

    Left out, and not to be sent: calls no longer claimed by this node, calls of a campaign that
    is not in progress or over a trunk that is held, and everything once the node's lease has run
    out.
    """
    async with session(db) as connection:
        return _ids(await connection.fetch(DIAL, node, epoch, rows.parameter(legs), now))


async def record_undialed(
    db: Database, node: str, epoch: int, results: Sequence[UndialedResult]
) -> set[UUID]:
    """End claimed calls without an INVITE; return the attempts recorded, now or before by us."""
    batch = [
        rows.plain(result.verdict)
        | {
            "call_id": result.call_id,
            "attempt_id": str(result.attempt_id),
            "flags": rows.plain(result.flags),
            "detail": rows.clean(result.detail),
        }
        for result in results
    ]
    async with session(db) as connection:
        return _ids(await connection.fetch(RECORD_UNDIALED, node, epoch, batch))


async def record_progress(
    db: Database, node: str, epoch: int, news: Sequence[LegProgress]
) -> set[UUID]:
    """Record news of legs under way; return the attempts that are still ours.

    Several rows of one attempt may stand in a batch, oldest first. A phase never goes back.
    """
    async with session(db) as connection:
        batch = rows.parameter(_folded(news))
        return _ids(await connection.fetch(RECORD_PROGRESS, node, epoch, batch))


async def record_results(
    db: Database, node: str, epoch: int, results: Sequence[AttemptResult]
) -> set[UUID]:
    """End attempts; return those recorded, now or before by us. Those left out are no longer ours.

    In a finished campaign a call that would be tried again takes its verdict's final status.
    """
    batch = [
        rows.plain(result.verdict)
        | {
            "call_id": result.call_id,
            "attempt_id": str(result.attempt_id),
            "leg_ordinal": result.leg_ordinal,
            "flags": rows.plain(result.flags),
            "detail": rows.clean(result.detail),
            "conversation": rows.json_values(result.conversation),
            "report_data": rows.json_values(result.report_data),
            "opted_out": result.opted_out,
            "evidence": rows.plain(result.evidence),
        }
        for result in results
    ]
    async with session(db) as connection:
        recorded = _ids(await connection.fetch(RECORD_RESULTS, node, epoch, batch))
        # should this one be lost, whoever records the batch again makes up for it
        ids = [result.attempt_id for result in results]
        ordinals = [result.leg_ordinal for result in results]
        await connection.execute(DELETE_UNSENT, node, epoch, ids, ordinals)
        await transfers.end_all(connection, node, epoch, ids)
    return recorded


async def free_orphans(db: Database, now: dt.datetime | None = None) -> None:
    """Return calls that were merely claimed, by a node without a live lease, to the queue."""
    async with session(db) as connection:
        await connection.execute(FREE_ORPHANS, now)


async def take_over_orphans(
    db: Database, node: str, epoch: int, limit: int = 100, now: dt.datetime | None = None
) -> list[OrphanedCall]:
    """Make up to `limit` calls under way, whose node has no live lease, the caller's; return them.

    Nothing unless the caller's own lease runs. To be called in a transaction that records them
    too: were it to end in between, nobody would know of them.
    """
    async with transaction(db) as connection:
        if not await connection.fetchval(OWN_LEASE, node, epoch, now):
            return []
        taken = await connection.fetch(TAKE_ORPHANS, node, epoch, limit, now)
    return [_orphan(row) for row in taken]


async def to_hang_up(db: Database, node: str, epoch: int) -> set[UUID]:
    """List attempts of this node that a person asked to hang up at Finish."""
    async with session(db) as connection:
        return _ids(await connection.fetch(TO_HANG_UP, node, epoch))


async def held(db: Database, node: str, epoch: int) -> set[UUID]:
    """List the attempts under way that are this node's."""
    async with session(db) as connection:
        return _ids(await connection.fetch(HELD, node, epoch))


async def live_count(db: Database, node: str | None = None) -> int:
    """Count the calls claimed or under way, on one node or on all."""
    async with session(db) as connection:
        return int(await connection.fetchval(LIVE_COUNT, node))


def _ids(found: Iterable[rows.Row]) -> set[UUID]:
    return {row[0] for row in found}


def _folded(news: Iterable[LegProgress]) -> list[LegProgress]:
    """Make one row of all that a batch says of an attempt: an UPDATE takes one row at most.

    Once another leg is under way, the end of the one before is on record, with all its news.
    """
    latest: dict[UUID, LegProgress] = {}
    for row in news:
        before = latest.get(row.attempt_id)
        if before is not None and before.leg_ordinal == row.leg_ordinal:
            given = {
                field.name: value
                for field in dataclasses.fields(row)
                if (value := getattr(row, field.name)) is not None
            }
            if before.phase is not None and row.phase is not None:
                given["phase"] = max(before.phase, row.phase, key=list(Phase).index)
            latest[row.attempt_id] = dataclasses.replace(before, **given)
        else:
            latest[row.attempt_id] = row
    return list(latest.values())


def _orphan(row: rows.Row) -> OrphanedCall:
    return OrphanedCall(
        id=row["id_of_call"],
        account_id=row["account_id"],
        campaign_id=row["campaign_id"],
        attempt_id=row["attempt_id"],
        leg_ordinal=row["ordinal"],
        number=row["number"],
        trunk=row["trunk"],
        phase=Phase(row["phase"]),
        identity=rows.identity(row["identity"]),
        dialog=rows.dialog(row["dialog"]),
        answered=row["answered"],
        evidence=rows.evidence(row),
        finished=row["campaign_status"] == CampaignStatus.FINISHED,
        retry=rows.retry(row),
        history=rows.history(row),
    )
