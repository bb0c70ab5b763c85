"""Takes recordings whose calls are over from the spool to the place where they are kept."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime as dt
import os
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from dialer.recordings.encoding import encode
from dialer.recordings.keys import RecordingSealed
from dialer.recordings.place import PlaceError
from dialer.recordings.sealing import seal_file
from dialer.recordings.spool import SUFFIX, SpoolDamaged, SpoolReader
from dialer.store import recordings as store
from dialer.store.errors import Unavailable

if TYPE_CHECKING:
    from dialer.metrics import Metrics
    from dialer.recordings.encoding import Encoded
    from dialer.recordings.keys import RecordingKeys
    from dialer.recordings.place import RecordingPlace
    from dialer.recordings.spool import SpoolHead
    from dialer.store.pool import Pool

log = structlog.get_logger(__name__)

LOOK_EVERY = 1.0  # seconds
AGAIN_AFTER = 15.0  # seconds after one that could not be delivered


@dataclasses.dataclass(frozen=True, slots=True)
class RecordingDelivery:
    """Delivers what lies in the spool and nobody writes any more, also what a dead process left.

    Put into its place, noted in the database, and only then taken out of the spool: again and again
    until all of it is done. Several processes may share a spool.
    """

    pool: Pool
    place: RecordingPlace
    keys: RecordingKeys
    spool: Path
    metrics: Metrics
    _told: dict[str, str] = dataclasses.field(default_factory=dict)  # what was said of each

    async def run_once(self) -> float:
        """Deliver all that is ready; return the seconds until the next turn."""
        failed = False
        for path in await asyncio.to_thread(self._ready):
            failed |= not await self._tried(path)
        return AGAIN_AFTER if failed else LOOK_EVERY

    async def deliver(self) -> None:
        """Take one turn; what fails waits for the next start."""
        await self.run_once()

    def _ready(self) -> list[Path]:
        return sorted(self.spool.glob(f"[!.]*{SUFFIX}")) if self.spool.is_dir() else []

    async def _tried(self, path: Path) -> bool:
        """Deliver one; return False where it has to be tried again later."""
        try:
            reader = await asyncio.to_thread(SpoolReader, path, self.keys)
        except (BlockingIOError, FileNotFoundError):
            return True  # its call is up, or another process has it
        except SpoolDamaged as error:
            return await self._put_aside(path, str(error))
        except (OSError, RecordingSealed) as error:
            return self._failed(path, str(error))
        with reader:
            try:
                await self._deliver(reader)
                await asyncio.to_thread(path.unlink)
            except SpoolDamaged as error:
                return await self._put_aside(path, str(error))
            # libsndfile raises RuntimeError, where the disk is full too
            except (PlaceError, Unavailable, OSError, RuntimeError) as error:
                return self._failed(path, str(error))
            except Exception as error:  # a fault of ours in one must not keep the others waiting
                if path.name not in self._told:
                    log.exception("a recording could not be delivered", spool=str(path))
                return self._failed(path, repr(error))
        self._told.pop(path.name, None)
        return True

    async def _put_aside(self, path: Path, reason: str) -> bool:
        """Have nobody try it again, and leave it to a person."""
        aside = path.with_suffix(".damaged")
        try:
            await asyncio.to_thread(path.rename, aside)
        except OSError as error:
            return self._failed(path, f"{reason}, nor can it be put aside: {error}")
        self.metrics.recordings.labels("failed").inc()
        log.error("a recording cannot be read", reason=reason, aside=str(aside))
        return True

    def _failed(self, path: Path, reason: str) -> bool:
        if self._told.get(path.name) != reason:
            self._told[path.name] = reason
            self.metrics.recordings.labels("failed").inc()
            log.warning("a recording waits in the spool", spool=str(path), reason=reason)
        return False

    async def _deliver(self, reader: SpoolReader) -> None:
        head = reader.head
        with contextlib.ExitStack() as files:
            made, ready = await asyncio.to_thread(self._make, reader, files)
            if not made.seconds:
                if reader.damaged:
                    raise SpoolDamaged("what it holds cannot be read")
                return
            new = _noted(head, made, sealed=self.keys.sealing)
            await self.place.put(new.place_key, ready)
        if await store.add(self.pool, new):
            self.metrics.recordings.labels("stored").inc()
            self.metrics.recording_bytes.labels("stored").inc(made.octets)
            log.info("recorded", recording_id=str(new.id), seconds=round(new.seconds, 1))
        else:  # the person was erased, or somebody has deleted it
            await self.place.delete(new.place_key)

    def _make(self, reader: SpoolReader, files: contextlib.ExitStack) -> tuple[Encoded, Path]:
        """Return what was made, and the file that is to be put into the place; it blocks.

        The file is beside the spool, under whose lock it is written. Where recordings are sealed,
        the one in clear is in memory only.
        """
        ready = self.spool / f".{reader.head.id}.ready"
        files.callback(ready.unlink, missing_ok=True)
        if not self.keys.sealing:
            ready.touch(0o600)
            with ready.open("wb+") as file:
                return encode(reader, file), ready
        clear = files.enter_context(os.fdopen(os.memfd_create("recording"), "wb+"))
        made = encode(reader, clear)
        seal_file(Path(f"/proc/self/fd/{clear.fileno()}"), ready, self.keys)
        return made, ready


def _noted(head: SpoolHead, made: Encoded, *, sealed: bool) -> store.NewRecording:
    began = head.started_at.astimezone(dt.UTC)
    ending = {"wav": "wav", "opus": "opus"}[head.format] + (".sealed" if sealed else "")
    return store.NewRecording(
        id=head.id,
        account_id=head.account_id,
        campaign_id=head.campaign_id,
        call_id=head.call_id,
        attempt_id=head.attempt_id,
        started_at=head.started_at,
        seconds=made.seconds,
        format="opus" if head.format == "opus" else "wav",
        octets=made.octets,
        sha256=made.sha256,
        place_key=f"{head.account_id}/{began:%Y/%m/%d}/{head.id}.{ending}",
        sealed=sealed,
        consent=_consent(head.consent),
        consent_detail=head.consent_detail,
        node=head.node,
        expires_at=began + dt.timedelta(days=head.keep_days) if head.keep_days else None,
        whole=made.whole,
    )


def _consent(said: str) -> store.Consent:
    match said:
        case "announced" | "key" | "column":
            return said
    return "given"
