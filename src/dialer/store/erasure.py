"""Erasure of one person's data; what was counted, and how calls ended, stays."""

from __future__ import annotations

import dataclasses
import secrets
from typing import TYPE_CHECKING

from dialer.store.errors import CallIsUp
from dialer.store.pool import transaction
from dialer.store.recording_deletion import DOOM_ERASED

if TYPE_CHECKING:
    from dialer.store.pool import Connection, Database

# The campaigns before the calls, as every transaction takes them. The unique index of a campaign's
# numbers serves one way to be found, the index of alternates the other.
CAMPAIGNS = """
SELECT id FROM campaigns WHERE account_id = $1 ORDER BY id FOR KEY SHARE
"""
FIND = """
SELECT id, campaign_id, number, alternates, node IS NOT NULL AS up FROM calls
WHERE id IN (
    SELECT k.id FROM campaigns AS c JOIN calls AS k ON k.campaign_id = c.id AND k.number = $2
    WHERE c.account_id = $1
    UNION
    SELECT id FROM calls
    WHERE alternates <> '{}' AND alternates @> ARRAY[$2::text] AND account_id = $1)
ORDER BY id
FOR NO KEY UPDATE
"""

# It may not be called any more, and is not: as if it stood on the do-not-call list.
END_WAITING = """
WITH ended AS (
    UPDATE calls AS k
    SET status = 'not_dialed', due = NULL, last_outcome = 'suppressed', last_rule = 'erased',
        last_final_status = 'not_dialed', updated_at = clock_timestamp()
    FROM (SELECT id, status FROM calls WHERE id = ANY($1::bigint[])) AS w
    WHERE k.id = w.id AND w.status IN ('planned', 'retry_scheduled')
    RETURNING k.id, k.account_id, k.campaign_id, k.attempt_id, w.status AS was
), gone AS (
    DELETE FROM ready USING ended WHERE ready.call_id = ended.id
)
INSERT INTO events (account_id, campaign_id, call_id, attempt_id, kind, data)
SELECT account_id, campaign_id, id, attempt_id, 'call.not_dialed',
    jsonb_build_object('from', was, 'to', 'not_dialed', 'outcome', 'suppressed',
        'rule', 'erased', 'action', 'erase')
FROM ended
"""

# The number's replacement is unique, as a number with its payload is in a campaign.
CALLS = """
UPDATE calls
SET number = 'erased-' || id, next_number = 'erased-' || id, alternates = '{}', payload = '{}',
    problem = '', erased_at = clock_timestamp()
WHERE id = ANY($1::bigint[])
"""
ATTEMPTS = """
UPDATE attempts SET detail = '', conversation = '{}', report_data = '{}'
WHERE call_id = ANY($1::bigint[]) AND (detail, conversation, report_data) <> ('', '{}', '{}')
"""
# Code, cause and times stay. A phrase or a Reason may name the person, and so may every address.
LEGS = """
UPDATE legs AS l
SET number = 'erased', phrase = '', reasons = '{}', dialog = NULL,
    identity = jsonb_build_object('call_id', 'erased-' || l.attempt_id || '-' || l.ordinal,
        'from_header', '', 'to_header', '', 'request_uri', '', 'via', '', 'cseq', 0,
        'route', '[]'::jsonb, 'target_host', '', 'target_port', 0, 'target_transport', 'udp'),
    provisionals = (
        SELECT coalesce(jsonb_agg(seen || '{"phrase": ""}'), '[]')
        FROM jsonb_array_elements(l.provisionals) AS seen)
FROM attempts AS a
WHERE a.call_id = ANY($1::bigint[]) AND l.attempt_id = a.id
"""
TRACES = "DELETE FROM traces WHERE call_id = ANY($1::bigint[])"
# The words of our own stay.
EVENTS = """
UPDATE events
SET data = (
    SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM jsonb_each(data)
    WHERE key IN ('from', 'to', 'outcome', 'rule', 'action', 'trunk'))
WHERE call_id = ANY($1::bigint[])
"""
# What a receiver answered may hold anything. What is still to be sent is read from the tables then.
DELIVERIES = """
UPDATE webhook_deliveries SET answer = '' WHERE call_id = ANY($1::bigint[]) AND answer <> ''
"""
# Those of another number of the person stay where that number is to be called otherwise: the caps
# on its attempts hold.
CONTACTS = """
DELETE FROM contacts AS c
WHERE c.account_id = $1 AND c.number = ANY($2::text[]) AND NOT EXISTS (
    SELECT FROM campaigns JOIN calls AS k ON k.campaign_id = campaigns.id AND k.number = c.number
    WHERE campaigns.account_id = $1)
"""
# They stay counted.
UNIQUE_USERS = """
UPDATE unique_users
SET number = 'erased-' || encode(sha256(convert_to($3 || number, 'UTF8')), 'hex')
WHERE account_id = $1 AND number = ANY($2::text[])
"""
# As they stood in the lists, with whatever people put between digits.
IMPORT_ROWS = """
DELETE FROM import_rows AS r USING imports AS i
WHERE i.id = r.import_id AND i.account_id = $1
    AND regexp_replace(r.number, '[^0-9]', '', 'g') = ANY($2::text[])
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Erased:
    """How many rows of each kind were found of a person."""

    calls: int
    legs: int
    traces: int
    recordings: int
    events: int
    contacts: int
    unique_users: int
    import_rows: int


async def erase(db: Database, account_id: int, number: str) -> Erased:
    """Erase the data of the person with `number`, in all campaigns of the account.

    That is whoever was to be called at it, first or as an alternate, with all numbers of the call.
    Calls that wait end as `not_dialed`. An entry in the do-not-call list stays. Raises `CallIsUp`
    where one of the calls is held by a node, and changes nothing then.
    """
    async with transaction(db) as connection:
        await connection.execute(CAMPAIGNS, account_id)
        found = await connection.fetch(FIND, account_id, number)
        if any(row["up"] for row in found):
            raise CallIsUp(
                f"a call to {number} is up, and its record is being written;"
                " nothing was erased: try again when it is over"
            )
        ids = [row["id"] for row in found]
        numbers = {number}.union(*([row["number"], *row["alternates"]] for row in found))
        await connection.execute(END_WAITING, ids)
        calls = await _changed(connection, CALLS, ids)
        await connection.execute(ATTEMPTS, ids)
        await connection.execute(DELIVERIES, ids)
        of_account = (account_id, sorted(numbers))
        digits = sorted("".join(filter(str.isdigit, one)) for one in numbers)
        return Erased(
            calls=calls,
            legs=await _changed(connection, LEGS, ids),
            traces=await _changed(connection, TRACES, ids),
            recordings=await _changed(connection, DOOM_ERASED, ids),
            events=await _changed(connection, EVENTS, ids),
            contacts=await _changed(connection, CONTACTS, *of_account),
            unique_users=await _changed(
                connection, UNIQUE_USERS, *of_account, secrets.token_hex(32)
            ),
            import_rows=await _changed(connection, IMPORT_ROWS, account_id, digits),
        )


async def _changed(connection: Connection, statement: str, *values: object) -> int:
    """Execute a statement and return how many rows it changed."""
    return int((await connection.execute(statement, *values)).rpartition(" ")[2])
