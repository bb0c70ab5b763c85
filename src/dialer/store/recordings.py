"""Recordings of calls: written once they are in their place, listed, and marked for deletion.

The sound itself is kept elsewhere; `recording_deletion` sees to it that it goes.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Literal

from dialer.store.errors import NotFound
from dialer.store.pool import session

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection
    from uuid import UUID

    from dialer.store.pool import Database

RecordingFormat = Literal["wav", "opus"]
Consent = Literal["given", "announced", "key", "column"]


@dataclasses.dataclass(frozen=True, slots=True)
class NewRecording:
    """A recording that is in its place, under `place_key`.

    `octets` and `sha256` (in hexadecimal) are those of the sound in clear, `sealed` says whether
    it is kept so. `consent` is how the person agreed, `consent_detail` the words for it. It is
    deleted from `expires_at` on, None: with its call. It is not `whole` where pieces were lost.
    """

    id: UUID
    account_id: int
    campaign_id: int
    call_id: int
    attempt_id: UUID
    started_at: dt.datetime
    seconds: float
    format: RecordingFormat
    octets: int
    sha256: str
    place_key: str
    sealed: bool
    consent: Consent
    consent_detail: str
    node: str
    expires_at: dt.datetime | None
    whole: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Recording(NewRecording):
    """A recording as it stands.

    `ordinal` grows with every one that is added. From `doomed_at` on nobody may listen to it, and
    at `deleted_at` it was gone from its place.
    """

    ordinal: int
    created_at: dt.datetime
    doomed_at: dt.datetime | None
    doomed_because: Literal["expired", "deleted"] | None
    deleted_at: dt.datetime | None


_GIVEN = tuple(field.name for field in dataclasses.fields(NewRecording))
_READ = tuple(field.name for field in dataclasses.fields(Recording))

# Erasure holds the call's lock while it dooms the recordings that are there, so the share lock
# waits for it, and then finds that it was erased. One that was deleted meanwhile stays so, and what
# was put into the place once more has to go.
ADD = f"""
WITH call AS MATERIALIZED (
    SELECT id FROM calls
    WHERE id = $4 AND account_id = $2 AND campaign_id = $3 AND erased_at IS NULL
    FOR SHARE
), added AS (
    INSERT INTO recordings ({", ".join(_GIVEN)})
    SELECT {", ".join(f"${n}" for n in range(1, len(_GIVEN) + 1))} FROM call
    ON CONFLICT (id) DO NOTHING
)
SELECT EXISTS (SELECT FROM call)
    AND NOT EXISTS (SELECT FROM recordings WHERE id = $1 AND doomed_at IS NOT NULL)
"""  # noqa: S608 - the names are those of our own fields

# What is erased or forgotten is not to be seen any more, though it may take a moment to be gone.
_SEEN = "(doomed_because IS NULL OR doomed_because IN ('expired', 'deleted'))"
GET = f"""
SELECT {", ".join(_READ)} FROM recordings WHERE id = $1 AND account_id = $2 AND {_SEEN}
"""  # noqa: S608 - as above
# One statement for each choice of filters, which are few, so that each is planned for its index.
LIST = f"""
SELECT {", ".join(_READ)} FROM recordings
WHERE account_id = $1 AND {_SEEN} {{}}
ORDER BY ordinal DESC
LIMIT $2
"""  # noqa: S608 - as above
OF_CALLS = f"""
SELECT {", ".join(_READ)} FROM recordings
WHERE account_id = $1 AND call_id = ANY($2::bigint[]) AND {_SEEN}
ORDER BY started_at, ordinal
"""  # noqa: S608 - as above

DOOM = f"""
WITH doomed AS (
    UPDATE recordings SET doomed_at = clock_timestamp(), doomed_because = 'deleted',
        delete_at = clock_timestamp()
    WHERE id = $1 AND account_id = $2 AND doomed_at IS NULL
)
SELECT EXISTS (SELECT FROM recordings WHERE id = $1 AND account_id = $2 AND {_SEEN})
"""  # noqa: S608 - as above


async def add(db: Database, new: NewRecording) -> bool:
    """Note a recording; again is no error.

    False where the call is gone or erased, or the recording was deleted: then what is in the place
    must be deleted by the caller.
    """
    async with session(db) as connection:
        return bool(await connection.fetchval(ADD, *(getattr(new, name) for name in _GIVEN)))


async def get(db: Database, account_id: int, recording_id: UUID) -> Recording:
    """Read a recording; raises NotFound."""
    async with session(db) as connection:
        row = await connection.fetchrow(GET, recording_id, account_id)
    if row is None:
        raise NotFound(f"there is no recording {recording_id}")
    return _recording(row)


async def list_page(
    db: Database,
    account_id: int,
    *,
    campaign_id: int | None = None,
    call_id: int | None = None,
    since: dt.datetime | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[Recording]:
    """List recordings of an account, the last added first, those deleted by a person or age too.

    `since` is when they began at the earliest; `before` is the `ordinal` of the last one seen.
    """
    filters = {
        "campaign_id =": campaign_id,
        "call_id =": call_id,
        "started_at >=": since,
        "ordinal <": before,
    }
    given = {name: value for name, value in filters.items() if value is not None}
    wanted = "".join(f" AND {name} ${place}" for place, name in enumerate(given, start=3))
    async with session(db) as connection:
        rows = await connection.fetch(LIST.format(wanted), account_id, limit, *given.values())
    return [_recording(row) for row in rows]


async def of_calls(db: Database, account_id: int, call_ids: Collection[int]) -> list[Recording]:
    """List the recordings of calls, in the order in which they began."""
    async with session(db) as connection:
        rows = await connection.fetch(OF_CALLS, account_id, list(call_ids))
    return [_recording(row) for row in rows]


async def doom(db: Database, account_id: int, recording_id: UUID) -> None:
    """Have a recording deleted; one that is deleted already stays so. Raises NotFound."""
    async with session(db) as connection:
        if not await connection.fetchval(DOOM, recording_id, account_id):
            raise NotFound(f"there is no recording {recording_id}")


def _recording(row: Any) -> Recording:
    return Recording(**{name: row[name] for name in _READ})
