"""Deletes recordings whose time is over, or that are to go, from the place where they are kept."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

import structlog

from dialer.recordings.place import NotThere, PlaceError
from dialer.store import recording_deletion as store

if TYPE_CHECKING:
    import datetime as dt

    from dialer.metrics import Metrics
    from dialer.recordings.place import RecordingPlace
    from dialer.store.pool import Pool
    from dialer.store.recording_deletion import Doomed

log = structlog.get_logger(__name__)

SWEEP_EVERY = 5.0  # seconds
LOOKED_FOR = 5  # tries, a quarter of an hour, after which what is not there counts as deleted
BREATH = 0.1  # seconds between batches while there are more


class RecordingUpkeep:
    """One of these runs on every engine; what one of them cannot delete is tried again by any."""

    def __init__(self, pool: Pool, place: RecordingPlace, metrics: Metrics) -> None:
        self._pool = pool
        self._place = place
        self._metrics = metrics

    async def run_once(self, now: dt.datetime | None = None) -> float:
        """Delete some that are due; return the seconds until the next turn. Raises `Unavailable`.

        `now` None is the database's clock.
        """
        expired = await store.doom_expired(self._pool, now)
        doomed = await store.take_doomed(self._pool, now)
        gone = await asyncio.gather(*map(self._delete, doomed))
        for one in itertools.compress(doomed, gone):
            await store.note_deleted(self._pool, one.id, now)
        return BREATH if expired or doomed else SWEEP_EVERY

    async def _delete(self, doomed: Doomed) -> bool:
        """Return whether it is gone from its place."""
        if doomed.gone:
            return True
        try:
            if doomed.tries < LOOKED_FOR and not await self._place.holds(doomed.place_key):
                raise NotThere(
                    f"it is not in {self._place}; where each process has a place of its own,"
                    " the one that has it may come across it"
                )
            await self._place.delete(doomed.place_key)
        except PlaceError as error:
            log.warning(
                "a recording is not deleted yet; it is tried again",
                recording_id=str(doomed.id),
                reason=str(error),
            )
            self._metrics.recordings.labels("not_deleted").inc()
            return False
        self._metrics.recordings.labels("deleted").inc()
        self._metrics.recording_bytes.labels("deleted").inc(doomed.octets)
        return True
