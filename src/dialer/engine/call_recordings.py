"""Recordings of the calls of one node, written to its spool while they are up.

What was heard is cut off every second, one call after the other, so that no frame of any call waits
for it; files are written by one thread, in order, so that a slow disk holds up no call.
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
    from concurrent.futures import Future
    from pathlib import Path
    from uuid import UUID

    from dialer.clock import Clock
    from dialer.metrics import Metrics
    from dialer.recordings.keys import RecordingKeys
    from dialer.store.attempt_records import ClaimedCall
    from dialer.ua.media_stream import MediaStream

log = structlog.get_logger(__name__)

WRITE_EVERY = 1.0  # seconds
MOST_WAITING = 60  # blocks of a recording that wait for the disk; further ones are lost
LOOK_PATIENCE = 5.0  # seconds; a disk that takes longer holds up nothing but recordings
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
        self.writer: SpoolWriter | None = None  # the thread's
        self.problem = ""
        self.waiting = 0  # blocks for the thread
        self.closed: asyncio.Future[None]  # once it has ended

    @property
    def id(self) -> UUID:
        """What it will be called by."""
        return self.head.id


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
        self._looking: asyncio.Future[str] | None = None
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
        self._live.add(live)
        self._in_thread(live, self._open)
        return live

    def end(self, live: LiveRecording) -> asyncio.Future[None]:
        """End a recording; the future tells that all of it is written. Twice is harmless."""
        live.stream.stop()
        if live in self._live:
            self._live.discard(live)
            self._write_rest(live)
            live.closed = asyncio.wrap_future(self._in_thread(live, self._close))
        return live.closed

    async def run_once(self) -> float:
        """Have all written that was heard, in a second; return the seconds until the next turn."""
        turn = tuple(self._live)
        for live in turn:
            if live in self._live:
                self._write_rest(live)
            await self._clock.sleep(WRITE_EVERY / len(turn))
        return 0.001 if turn else WRITE_EVERY

    async def look(self) -> str:
        """Return `trouble` as it is now: whether the spool can be written and has room."""
        if self._looking is None:
            self._looking = asyncio.wrap_future(self._thread.submit(self._look))
        await asyncio.wait({self._looking}, timeout=LOOK_PATIENCE)
        if self._looking.done():
            trouble, self._looking = self._looking.result(), None
        else:
            trouble = (
                f"no call can be recorded: the disk of {self._settings.folder} has not answered for"
                f" {LOOK_PATIENCE:.0f} s; see what is wrong with it"
            )
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

    def _write_rest(self, live: LiveRecording) -> None:
        block = live.stream.cut()
        if not block or live.problem:
            return
        if live.waiting >= MOST_WAITING:
            self._failed(live, f"the disk of {self._settings.folder} is too slow to record")
            return
        live.waiting += 1
        self._in_thread(live, self._write, block)

    def _in_thread(
        self, live: LiveRecording, act: Callable[..., None], *values: object
    ) -> Future[None]:
        """Have the thread do something; what fails is the recording's problem."""

        def work() -> None:
            try:
                act(live, *values)
            except OSError as error:
                self._failed(live, f"the recording could not be written: {_words(error)}")
            except Exception:
                log.exception("a recording failed", recording_id=str(live.id))
                self._failed(live, "the recording failed; see the log")

        return self._thread.submit(work)

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
            live.writer = SpoolWriter(self._settings.folder, live.head, self._settings.keys)

    def _write(self, live: LiveRecording, block: bytes) -> None:
        live.waiting -= 1
        if live.writer is not None and not live.problem:
            live.writer.write(block)

    def _close(self, live: LiveRecording) -> None:
        if live.writer is not None:
            live.writer.close(whole=not live.problem)

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


def _words(error: OSError) -> str:
    said = error.strerror or str(error)
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        said += "; free some space there"
    return said
