"""Recordings of the calls of one node, written to its spool while they are up.

All writing is done by one thread, in order, so that a slow disk holds up no call.
"""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import shutil
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import structlog

from dialer.conversation.recording import StreamRecording
from dialer.recordings.spool import SpoolHead, SpoolWriter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from uuid import UUID

    from dialer.clock import Clock
    from dialer.conversation.recording import Batch
    from dialer.metrics import Metrics
    from dialer.recordings.keys import RecordingKeys
    from dialer.store.attempt_records import ClaimedCall
    from dialer.ua.media_stream import MediaStream

log = structlog.get_logger(__name__)

WRITE_EVERY = 1.0  # seconds
_MIB = 1024 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class SpoolSettings:
    """Where recordings lie while their calls are up, and how much room is left for others."""

    folder: Path
    keys: RecordingKeys
    node: str
    keep_days: int
    spare_mib: int = 0


class LiveRecording:
    """One call's recording that is under way; `problem` says why there is none, or not all."""

    def __init__(self, stream: StreamRecording, head: SpoolHead) -> None:
        self.stream = stream
        self.head = head
        self.writer: SpoolWriter | None = None
        self.problem = ""

    @property
    def id(self) -> UUID:
        """What it will be called by."""
        return self.head.id

    # in the thread

    def open(self, settings: SpoolSettings) -> None:
        """Begin the spool; raises OSError."""
        self.writer = SpoolWriter(settings.folder, self.head, settings.keys)

    def write(self, batch: Batch) -> None:
        """Add what was heard; raises OSError, after which nothing is added any more."""
        block = self.stream.block(batch)
        if block and self.writer is not None and not self.problem:
            self.writer.write(block)

    def close(self, batch: Batch) -> None:
        """Add the rest and end the spool; raises OSError."""
        if self.writer is not None:
            try:
                self.write(batch)
            except OSError as error:
                self.problem = _sentence(error, self.head)
                raise
            finally:
                self.writer.close(whole=not self.problem and not self.stream.lost)


class CallRecordings:
    """Begins and ends the recordings of a node's calls.

    `trouble` is why nothing could be recorded when somebody last looked, "" where it could: calls
    that have to be recorded should not be placed meanwhile.
    """

    def __init__(self, settings: SpoolSettings, clock: Clock, metrics: Metrics) -> None:
        self.trouble = ""
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._live: set[LiveRecording] = set()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="recordings")

    def begin(
        self, media: MediaStream, claimed: ClaimedCall, attempt_id: UUID, detail: str
    ) -> LiveRecording:
        """Record a call from now on, as its campaign wants it.

        `detail` says in words by what consent.
        """
        wanted = claimed.on_answer["recording"]
        stream = StreamRecording(media, self._clock)
        head = SpoolHead(
            id=uuid.uuid4(),
            account_id=claimed.account_id,
            campaign_id=claimed.campaign_id,
            call_id=claimed.id,
            attempt_id=attempt_id,
            node=self._settings.node,
            started_at=stream.started_at,
            format=str(wanted.get("format", "wav")),
            consent=str(wanted["consent"]),
            consent_detail=detail,
            keep_days=wanted.get("keep_days") or self._settings.keep_days,
        )
        live = LiveRecording(stream, head)
        if self.trouble:
            live.problem = self.trouble
            stream.stop()
        else:
            self._live.add(live)
            self._in_thread(live, self._open, live)
        return live

    def end(self, live: LiveRecording) -> None:
        """End a recording; what is left is written soon. Ending twice is harmless."""
        live.stream.stop()
        if live in self._live:
            self._live.discard(live)
            self._in_thread(live, live.close, live.stream.take())

    async def run_once(self) -> float:
        """Write what was heard; return the seconds until the next turn."""
        loop = asyncio.get_running_loop()
        for live in tuple(self._live):
            self._in_thread(live, live.write, live.stream.take())
        await loop.run_in_executor(self._thread, _nothing)  # until the thread has done all that
        return WRITE_EVERY

    async def look(self) -> str:
        """Return `trouble` as it is now: whether the spool can be written and has room."""
        loop = asyncio.get_running_loop()
        trouble = await loop.run_in_executor(self._thread, self._look)
        if trouble and not self.trouble:
            log.error("calls cannot be recorded", reason=trouble)
        elif self.trouble and not trouble:
            log.info("calls can be recorded again")
        self.trouble = trouble
        return trouble

    async def close(self) -> None:
        """End every recording, and wait until all is written."""
        for live in tuple(self._live):
            self.end(live)
        await asyncio.to_thread(self._thread.shutdown)

    def _in_thread(self, live: LiveRecording, act: Callable[..., None], *values: object) -> None:
        """Have the thread do something; what fails is the recording's problem."""

        def work() -> None:
            try:
                act(*values)
            except OSError as error:
                self._failed(live, _sentence(error, live.head))
            except Exception:
                log.exception("a recording failed", recording_id=str(live.id))
                self._failed(live, "the recording failed; see the log")

        self._thread.submit(work)

    def _failed(self, live: LiveRecording, problem: str) -> None:
        live.problem = live.problem or problem
        self._metrics.recordings.labels("failed").inc()
        log.error("a call is not recorded whole", recording_id=str(live.id), reason=live.problem)

    # in the thread

    def _open(self, live: LiveRecording) -> None:
        trouble = self._look()
        if trouble:
            self._failed(live, trouble)
        else:
            live.open(self._settings)

    def _look(self) -> str:
        """Return why nothing can be recorded, "" where it can."""
        settings = self._settings
        try:
            settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            free = shutil.disk_usage(settings.folder).free // _MIB
            if free < settings.spare_mib:
                return (
                    f"no call can be recorded: {settings.folder} has {free} MiB free, fewer than"
                    f" the {settings.spare_mib} of recordings.spare_mib; free some space there"
                )
            probe = settings.folder / f".probe-{settings.node}"
            probe.write_bytes(bytes(4096))
            probe.unlink()
        except OSError as error:
            return f"no call can be recorded: {settings.folder}: {_words(error)}"
        return ""


def _nothing() -> None:
    """Do nothing, when what was asked for before is done."""


def _sentence(error: OSError, head: SpoolHead) -> str:
    return f"the recording {head.id} could not be written: {_words(error)}"


def _words(error: OSError) -> str:
    said = error.strerror or str(error)
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        said += "; free some space there"
    return said
