"""One answered call that is to be recorded: by whose consent, and what came of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import structlog

from dialer.campaign.recording import agrees
from dialer.conversation.consent import announce, ask_for_key
from dialer.conversation.menu import Prompt
from dialer.ua.audio import AudioError

if TYPE_CHECKING:
    from uuid import UUID

    from dialer.clock import Clock
    from dialer.conversation.waiting import Sound
    from dialer.engine.call_recordings import CallRecordings, LiveRecording
    from dialer.store.attempt_records import ClaimedCall
    from dialer.ua.outbound import OutboundCall

LAST_WRITE = 2.0  # seconds that the result of a call may wait for the end of its recording

log = structlog.get_logger(__name__)


class RecordedCall:
    """Records a call from where there is consent; `sound` returns what a prompt sounds like."""

    def __init__(
        self,
        recordings: CallRecordings,
        claimed: ClaimedCall,
        attempt_id: UUID,
        call: OutboundCall,
        sound: Sound,
        clock: Clock,
    ) -> None:
        self._recordings = recordings
        self._claimed = claimed
        self._attempt_id = attempt_id
        self._call = call
        self._sound = sound
        self._clock = clock
        self._wanted = claimed.on_answer["recording"]
        self._live: LiveRecording | None = None
        self._why_not = "the call did not come so far"

    def answered(self) -> None:
        """Begin, where the consent was given before the call."""
        consent = self._wanted["consent"]
        if consent == "given":
            self._begin("given before the call, as the campaign says")
        elif consent == "column":
            column = self._wanted["column"]
            value = self._claimed.payload.get(column, "")
            if agrees(value):
                self._begin(f"the list's column {column!r} says {value.strip()!r}")
            else:
                self._why_not = f"the list's column {column!r} does not say yes"

    @property
    def asks(self) -> bool:
        """Whether the person is told or asked before anything else is said."""
        return self._wanted["consent"] in {"announced", "key"} and not self._call.result.done()

    async def ask(self) -> None:
        """Announce or ask, and begin then; to be called where `asks` says so."""
        wanted, call = self._wanted, self._call
        prompt = Prompt.given(wanted["announcement"])
        try:
            frames = await self._sound(prompt, call.media.codec or "PCMU")
        except AudioError as error:
            self._why_not = f"the announcement cannot be played: {error}"
            log.error("a call is not recorded", call=self._claimed.id, reason=self._why_not)  # noqa: TRY400 - the line says it all
            return
        said = f"{prompt.say or prompt.file!r}"
        if wanted["consent"] == "announced":
            if await announce(call, frames):
                self._begin(f"stayed after the announcement {said}")
            else:
                self._why_not = "the call ended during the announcement"
            return
        key, seconds = str(wanted.get("key", "1")), float(wanted.get("key_wait_seconds", 5))
        if await ask_for_key(call, frames, key, seconds, self._clock):
            self._begin(f"pressed {key} after {said}")
        else:
            self._why_not = f"{key} was not pressed"

    async def end(self) -> dict[str, Any]:
        """End the recording, if there is one; return what the attempt's record keeps of it.

        The last of it is written by then, unless the disk is slow.
        """
        consent = {"consent": self._wanted["consent"]}
        live = self._live
        if live is None:
            return {**consent, "id": None, "seconds": None, "problem": self._why_not}
        await asyncio.wait({self._recordings.end(live)}, timeout=LAST_WRITE)
        if live.writer is None and live.problem:
            return {**consent, "id": None, "seconds": None, "problem": live.problem}
        seconds = round(live.stream.seconds, 2)
        if not seconds:
            return {**consent, "id": None, "seconds": None, "problem": "the call was over at once"}
        return {**consent, "id": str(live.id), "seconds": seconds, "problem": live.problem or None}

    def _begin(self, detail: str) -> None:
        call = self._call
        self._live = self._recordings.begin(call.media, self._claimed, self._attempt_id, detail)
