"""From ready calls to claimed ones, within every limit."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import asyncpg

from dialer.store import admission, plan_limits, rows, schedules
from dialer.store.attempt_records import CampaignToDial, ClaimedCall
from dialer.store.pool import session, transaction

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from dialer.store.plan_limits import AccountState
    from dialer.store.pool import Connection, Database

LOOKS = 5  # at so many calls for each place, where those in front have to wait
# Two accounts claim one number at the same time: one of them finds that it has to wait.
RACES = (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError)


class Holder(NamedTuple):
    """Who claims: a node, under its lease."""

    node: str
    epoch: int


DIALABLE = """
SELECT c.id, c.account_id, c.trunks, c.trunk_order, c.calls_per_second, c.calls_per_minute,
    c.max_simultaneous_calls, r.ready, ARRAY(
        SELECT name FROM trunks WHERE name = ANY(c.trunks) AND held_at IS NOT NULL) AS held,
    (SELECT count(*) FROM calls AS k WHERE k.node IS NOT NULL AND k.campaign_id = c.id) AS live
FROM campaigns AS c
CROSS JOIN LATERAL (SELECT count(*) AS ready FROM ready WHERE campaign_id = c.id) AS r
WHERE c.status = 'in_progress' AND r.ready > 0
ORDER BY c.id
"""

# The campaign's row serialises its claims over all nodes. Dialing and results take it FOR KEY
# SHARE, which this lock lets pass, and a pause takes it FOR UPDATE, which it does not.
LOCK_CAMPAIGN = """
SELECT id, account_id, time_zone, max_simultaneous_calls, trunks
FROM campaigns
WHERE id = $1 AND status = 'in_progress' AND EXISTS (
    SELECT FROM nodes
    WHERE name = $2 AND epoch = $3
        AND lease_until > coalesce($4::timestamptz, clock_timestamp()))
FOR NO KEY UPDATE
"""

# Always in the order of names, so that claims of two campaigns cannot wait for each other. A hold
# takes the row too: once it is acknowledged, nothing more is claimed.
LOCK_TRUNKS = """
SELECT name, held_at IS NOT NULL AS held FROM trunks WHERE name = ANY($1)
ORDER BY name FOR NO KEY UPDATE
"""
NAME_TRUNKS = (
    "INSERT INTO trunks (name) SELECT unnest($1::text[]) ORDER BY 1 ON CONFLICT DO NOTHING"
)

# A statement of its own: its snapshot is newer than both locks, so no claim is missed.
COUNT_HELD = """
SELECT trunk, count(*) AS held, count(*) FILTER (WHERE campaign_id = $1) AS of_campaign
FROM (
    SELECT trunk, campaign_id FROM calls
    WHERE node IS NOT NULL AND (campaign_id = $1 OR trunk = ANY($2))
    UNION ALL
    SELECT trunk, NULL FROM transfer_legs WHERE ended_at IS NULL AND trunk = ANY($2)
) AS one
GROUP BY trunk
"""

HELD_OF_TRUNK = """
SELECT (SELECT count(*) FROM calls WHERE node IS NOT NULL AND trunk = $1)
    + (SELECT count(*) FROM transfer_legs WHERE ended_at IS NULL AND trunk = $1)
"""

# The calls in front, with what is known of the numbers that they would dial. What is no longer
# waiting just leaves the ready set.
PICK = """
WITH picked AS (
    SELECT call_id, window_close, priority, position
    FROM ready
    WHERE campaign_id = $1
        AND window_close > (SELECT coalesce($3::timestamptz, clock_timestamp()))<which>
    ORDER BY window_close, -priority, position
    LIMIT $2
    FOR UPDATE OF ready SKIP LOCKED
)
SELECT p.call_id, k.next_number, k.alternates, k.dialable, k.schedule_id,
    coalesce(k.node IS NULL AND k.status IN ('planned', 'retry_scheduled')
        AND coalesce(k.not_after > (SELECT coalesce($3::timestamptz, clock_timestamp())), true),
        false) AS waits,
    EXISTS (
        SELECT FROM calls AS o WHERE o.next_number = k.next_number AND o.node IS NOT NULL) AS live
FROM picked AS p LEFT JOIN calls AS k ON k.id = p.call_id
ORDER BY p.window_close, -p.priority, p.position
"""
# The same of numbers by their beginnings, $4: with $5 those that have one of them, else the others.
BY_NUMBER = """ AND EXISTS (
        SELECT FROM calls
        WHERE calls.id = ready.call_id AND (calls.next_number LIKE ANY($4::text[])) = $5)"""
PICK_BY_NUMBER = PICK.replace("<which>", BY_NUMBER)
PICK = PICK.replace("<which>", "")

# The index calls_one_live makes sure of what PICK has seen: nobody is rung twice at once.
TAKE = """
WITH taken AS (
    SELECT * FROM unnest($4::bigint[], $5::text[], $6::boolean[], $7::date[]) WITH ORDINALITY
        AS t (call_id, trunk, reserves, day, rank)
), gone AS (
    DELETE FROM ready USING taken AS t WHERE ready.call_id = t.call_id
)
UPDATE calls AS k
SET phase = 'claimed', node = $2, epoch = $3, trunk = t.trunk, reserves = t.reserves,
    period = $8, contact_day = t.day, updated_at = clock_timestamp()
FROM taken AS t, campaigns AS c JOIN schedules AS s ON s.campaign_id = c.id
WHERE k.id = t.call_id AND c.id = $1 AND s.id = k.schedule_id
    AND k.node IS NULL AND k.status IN ('planned', 'retry_scheduled')
RETURNING t.rank, k.id, k.account_id, k.campaign_id, k.next_number AS number, k.dialable,
    k.problem, k.payload, k.trunk, c.trunks, c.trunk_order, c.caller_ids, c.ring_timeout_seconds,
    c.max_talk_seconds, c.on_answer, coalesce(k.max_attempts, c.max_attempts) AS max_attempts,
    coalesce(k.retry_interval_seconds, c.retry_interval_seconds) AS retry_interval_seconds,
    c.retry_by_outcome, c.redial_interrupted, c.retry_jitter_percent, <calendar>,
    cardinality(k.alternates) AS alternates, k.attempts, k.attempts_counted,
    k.technical_in_a_row, k.declined, k.status AS was
""".replace("<calendar>", schedules.CALENDAR)

POSTPONE = """
WITH postponed AS (
    SELECT * FROM unnest($1::bigint[], $2::timestamptz[]) AS t (call_id, until)
), gone AS (
    DELETE FROM ready USING postponed AS p WHERE ready.call_id = p.call_id
)
UPDATE calls AS k SET due = p.until, updated_at = clock_timestamp()
FROM postponed AS p
WHERE k.id = p.call_id AND k.node IS NULL AND k.due IS NOT NULL
"""
FORGET = "DELETE FROM ready WHERE call_id = ANY($1)"

SET_ASIDE = """
WITH blocked AS (
    SELECT ready.call_id FROM ready JOIN calls ON calls.id = ready.call_id
    WHERE ready.campaign_id = $1 AND NOT calls.next_number LIKE ANY($2::text[])
    FOR UPDATE OF ready SKIP LOCKED
), gone AS (
    DELETE FROM ready USING blocked WHERE ready.call_id = blocked.call_id
)
SELECT count(*) FROM blocked
"""

# Calls that wait again, straight back into the ready set while their window is open.
READY_AGAIN = """
    INSERT INTO ready (call_id, campaign_id, window_close, priority, position)
    SELECT f.id, f.campaign_id, s.closes_at, f.priority, f.position
    FROM {rows} AS f JOIN schedules AS s ON s.id = f.schedule_id
    WHERE s.opens_at <= f.due AND s.closes_at > f.due
    ON CONFLICT DO NOTHING
"""

# The campaign's lock keeps a finish out, which takes calls in another order.
GIVE_BACK = """
WITH campaign AS (
    SELECT id FROM campaigns
    WHERE id IN (SELECT campaign_id FROM calls WHERE id = ANY($3::bigint[]))
    ORDER BY id
    FOR KEY SHARE
), freed AS (
    UPDATE calls AS k
    SET phase = NULL, node = NULL, epoch = NULL, trunk = NULL,
        due = coalesce($4::timestamptz, clock_timestamp()), updated_at = clock_timestamp()
    FROM campaign AS c
    WHERE k.id = ANY($3::bigint[]) AND k.campaign_id = c.id
        AND k.node = $1 AND k.epoch = $2 AND k.phase = 'claimed'
    RETURNING k.id, k.campaign_id, k.schedule_id, k.priority, k.position, k.due
), added AS (<ready>)
SELECT count(*) FROM freed
""".replace("<ready>", READY_AGAIN.format(rows="freed"))


async def dialable_campaigns(db: Database) -> list[CampaignToDial]:
    """List campaigns in progress that have ready calls, with their limits and occupancy."""
    async with session(db) as connection:
        return [
            CampaignToDial(**{**row, "trunks": tuple(row["trunks"]), "held": tuple(row["held"])})
            for row in await connection.fetch(DIALABLE)
        ]


async def claim(
    db: Database,
    campaign_id: int,
    node: str,
    epoch: int,
    limit: int,
    trunk_limits: Mapping[str, int],
    now: dt.datetime | None = None,
    *,
    prefixes: Collection[str] = (),
) -> list[ClaimedCall]:
    """Claim up to `limit` ready calls of the campaign for a node, each with a trunk.

    `trunk_limits` holds the usable trunks and their maximum simultaneous calls, over all nodes.
    With `prefixes` only numbers are claimed that begin with one of them. Nothing is claimed unless
    the campaign is in progress and the node's lease runs, nor for a trunk that a person holds. The
    limits of campaign, trunks and account hold exactly over all nodes. A call that may not be
    dialled comes as refused, to be ended; one that has to wait gets a later time.
    """
    with contextlib.suppress(*RACES):
        async with transaction(db) as connection:
            campaign = await connection.fetchrow(LOCK_CAMPAIGN, campaign_id, node, epoch, now)
            if campaign is None:
                return []
            account = await plan_limits.lock(connection, campaign["account_id"], now)
            places = await _places(connection, campaign, account, limit, trunk_limits)
            if not places:
                return []
            holder = Holder(node, epoch)
            return await _take(connection, campaign, account, holder, places, prefixes)
    return []


async def claim_unroutable(
    db: Database,
    campaign_id: int,
    node: str,
    epoch: int,
    limit: int,
    prefixes: Collection[str],
    now: dt.datetime | None = None,
) -> list[ClaimedCall]:
    """Claim up to `limit` ready calls whose number begins with none of `prefixes`, to end them.

    They are held under the campaign's first trunk, and count against no limit: nothing is sent.
    """
    with contextlib.suppress(*RACES):
        async with transaction(db) as connection:
            campaign = await connection.fetchrow(LOCK_CAMPAIGN, campaign_id, node, epoch, now)
            if campaign is None:
                return []
            begins = False
            picked = await connection.fetch(
                PICK_BY_NUMBER, campaign_id, limit, now, _patterns(prefixes), begins
            )
            free = [row["call_id"] for row in picked if row["waits"] and not row["live"]]
            trunks = [campaign["trunks"][0]] * len(free)
            nothing, day = [False] * len(free), [None] * len(free)
            return _in_order(
                await connection.fetch(
                    TAKE, campaign_id, node, epoch, free, trunks, nothing, day, None
                )
            )
    return []


async def set_aside(db: Database, campaign_id: int, prefixes: Collection[str]) -> int:
    """Take ready calls whose number begins with none of `prefixes` out of the ready set.

    They wait for the next full promotion, so that those behind them get ready; return how many.
    """
    async with session(db) as connection:
        return int(await connection.fetchval(SET_ASIDE, campaign_id, _patterns(prefixes)))


async def give_back(
    db: Database, node: str, epoch: int, call_ids: Iterable[int], now: dt.datetime | None = None
) -> int:
    """Return claimed, undialled calls to the queue, due now; return how many were ours."""
    async with session(db) as connection:
        return int(await connection.fetchval(GIVE_BACK, node, epoch, list(call_ids), now))


async def lock_trunks(connection: Connection, names: Sequence[str]) -> set[str]:
    """Lock trunks until the transaction ends, so that calls can be counted; return those held."""
    locked = await connection.fetch(LOCK_TRUNKS, names)
    if len(locked) < len(names):
        await connection.execute(NAME_TRUNKS, names)
        locked = await connection.fetch(LOCK_TRUNKS, names)
    return {row["name"] for row in locked if row["held"]}


async def held_of_trunk(connection: Connection, name: str) -> int:
    """Count the calls of a trunk, over all nodes and with the second legs of transfers."""
    return int(await connection.fetchval(HELD_OF_TRUNK, name))


async def _places(
    connection: Connection,
    campaign: rows.Row,
    account: AccountState,
    limit: int,
    trunk_limits: Mapping[str, int],
) -> list[str]:
    """Return a trunk for each call that may be claimed now."""
    known = [name for name in dict.fromkeys(campaign["trunks"]) if name in trunk_limits]
    stopped = await lock_trunks(connection, known)
    usable = [name for name in known if name not in stopped]
    held = await connection.fetch(COUNT_HELD, campaign["id"], usable)
    of_account = account.room()
    room = campaign["max_simultaneous_calls"] - sum(row["of_campaign"] for row in held)
    room = max(0, min(limit, room if of_account is None else min(room, of_account)))
    taken = {row["trunk"]: row["held"] for row in held}
    return [name for name in usable for _ in range(trunk_limits[name] - taken.get(name, 0))][:room]


async def _take(
    connection: Connection,
    campaign: rows.Row,
    account: AccountState,
    holder: Holder,
    places: Sequence[str],
    prefixes: Collection[str],
) -> list[ClaimedCall]:
    """Claim as many calls as there are places, looking past those that have to wait."""
    claimed: list[ClaimedCall] = []
    limits = account.limits
    for _ in range(LOOKS):
        left = places[len(claimed) :]
        which = (campaign["id"], len(left), account.now)
        if prefixes:
            begins = True
            picked = await connection.fetch(PICK_BY_NUMBER, *which, _patterns(prefixes), begins)
        else:
            picked = await connection.fetch(PICK, *which)
        if not picked:
            break
        ruled = await admission.rule(connection, campaign, account, limits, picked)
        gone = [row["call_id"] for row in picked if not row["waits"]]
        if gone:
            await connection.execute(FORGET, gone)
        waiting, until = ruled.postponed()
        if waiting:
            await connection.execute(POSTPONE, waiting, until)
        taken = ruled.taken()
        reserves = [one.reserves for one in taken]
        found = await connection.fetch(
            TAKE,
            campaign["id"],
            holder.node,
            holder.epoch,
            [one.call_id for one in taken],
            left[: len(taken)],
            reserves,
            [one.day for one in taken],
            account.period.start,
        )
        refusals = {one.call_id: one.refused for one in taken if one.refused}
        claimed += [
            dataclasses.replace(call, refused=refusals.get(call.id)) for call in _in_order(found)
        ]
        limits = dataclasses.replace(limits, reserved=limits.reserved + sum(reserves))
        if len(claimed) >= len(places):
            break
    return claimed


def _patterns(prefixes: Iterable[str]) -> list[str]:
    """Return prefixes as patterns of LIKE."""
    return [re.sub(r"([\\%_])", r"\\\1", prefix) + "%" for prefix in prefixes]


def _in_order(claimed: Iterable[rows.Row]) -> list[ClaimedCall]:
    return [_claimed(row) for row in sorted(claimed, key=lambda row: row["rank"])]


def _claimed(row: rows.Row) -> ClaimedCall:
    return ClaimedCall(
        id=row["id"],
        account_id=row["account_id"],
        campaign_id=row["campaign_id"],
        number=row["number"],
        dialable=row["dialable"],
        problem=row["problem"],
        payload=row["payload"],
        trunk=row["trunk"],
        trunks=tuple(row["trunks"]),
        trunk_order=row["trunk_order"],
        caller_ids=tuple(row["caller_ids"]),
        ring_timeout_seconds=row["ring_timeout_seconds"],
        max_talk_seconds=row["max_talk_seconds"],
        on_answer=row["on_answer"],
        retry=dataclasses.replace(
            rows.retry(row),
            redial_bot_failure=_redials_bot_failure(row["on_answer"]),
            redial_answered_by=_redialled_answerers(row["on_answer"]),
        ),
        history=rows.history(row),
    )


def _redials_bot_failure(on_answer: Mapping[str, Any]) -> bool:
    """Whether the campaign wants a person called again whom a bot could not speak to."""
    return bool(on_answer.get("fallback", {}).get("kind") == "retry")


def _redialled_answerers(on_answer: Mapping[str, Any]) -> frozenset[str]:
    """Return the outcomes of machine detection after which the campaign wants another call."""
    wanted = on_answer.get("machine_detection") or {}
    outcomes = {"machine": "machine", "fax": "fax", "silence": "silent"}
    return frozenset(outcomes[name] for name in outcomes if wanted.get(name) == "retry")
