"""What a campaign says shall happen on an answered call, done."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import structlog

from dialer import prompts
from dialer.campaign.spoken_prompt import filled
from dialer.conversation.bot import BotConversation, BotRequest
from dialer.conversation.ending import Cause, ConversationEnd
from dialer.conversation.gather import GatherConversation
from dialer.conversation.listening import Listening
from dialer.conversation.menu import Menu, Prompt
from dialer.conversation.prompt import HELLO, hang_up_after, play_prompt
from dialer.conversation.speech import Speech, SpeechSettings
from dialer.conversation.transfer import Target, Transfers
from dialer.engine.answerers import Met, action_for, answer_settings, cause_of
from dialer.engine.bot_access import BotAccess
from dialer.engine.recorded_call import RecordedCall
from dialer.store import do_not_call
from dialer.store.account_records import NewListing
from dialer.store.errors import Unavailable
from dialer.ua.audio import AudioError, AudioLibrary

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from uuid import UUID

    from dialer.clock import Clock
    from dialer.engine.call_recordings import CallRecordings
    from dialer.engine.second_legs import SecondLegs
    from dialer.rtp.frames import Frames
    from dialer.rtp.packet import Packet
    from dialer.store.attempt_records import ClaimedCall
    from dialer.store.pool import Database
    from dialer.ua.outbound import OutboundCall

log = structlog.get_logger(__name__)

_TARGET = "target"  # the name of the only one of a campaign that transfers every call


@dataclasses.dataclass(frozen=True, slots=True)
class _Answered:
    """A call that was answered, and what its campaign has for it."""

    claimed: ClaimedCall
    attempt_id: UUID
    call: OutboundCall
    transfers: Transfers | None
    recorded: RecordedCall | None


class Conversations:
    """Runs `on_answer` of the campaign; `folder` holds the files that it may name.

    With a database, who opts out is on the account's do-not-call list at once. Without
    `recordings` no call is recorded.
    """

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        bots: BotAccess | None = None,
        speech: SpeechSettings | None = None,
        db: Database | None = None,
        recordings: CallRecordings | None = None,
    ) -> None:
        self._folders = (folder, HELLO.parent)
        self._clock = clock
        self._bots = bots or BotAccess()
        self._library = AudioLibrary(max_seconds=prompts.MOST_SECONDS)
        self._speech = Speech(speech or SpeechSettings(), clock)
        self._db = db
        self._recordings = recordings
        self.second_legs: SecondLegs | None = (
            None  # the engine's; without it nothing is transferred
        )

    async def __call__(
        self, claimed: ClaimedCall, attempt_id: UUID, call: OutboundCall
    ) -> ConversationEnd:
        """Hold the conversation and hang up; raises AudioError for a prompt that is not there."""
        answered = _Answered(
            claimed,
            attempt_id,
            call,
            self._transfers(claimed, attempt_id, call),
            self._recorded(claimed, attempt_id, call),
        )
        kept: dict[str, Any] = {}
        try:
            if answered.recorded is not None:
                answered.recorded.answered()
            ending = await self._hold(answered)
        finally:
            try:
                if answered.transfers is not None:
                    await answered.transfers.close()
                    if answered.transfers.records:
                        kept["transfers"] = answered.transfers.records
            finally:
                if answered.recorded is not None:
                    kept["recording"] = await answered.recorded.end()
        return dataclasses.replace(ending, record={**ending.record, **kept}) if kept else ending

    def _transfers(
        self, claimed: ClaimedCall, attempt_id: UUID, call: OutboundCall
    ) -> Transfers | None:
        wanted = claimed.on_answer
        targets = wanted.get("transfers")
        if wanted.get("kind") == "transfer":
            targets = {_TARGET: wanted["target"]}
        if not targets or self.second_legs is None:
            return None
        return Transfers(
            call,
            {name: Target.of(name, target) for name, target in targets.items()},
            self.second_legs.lines_of(claimed, attempt_id, call),
            self._clock,
            functools.partial(self._sound, claimed.payload),
        )

    def _recorded(
        self, claimed: ClaimedCall, attempt_id: UUID, call: OutboundCall
    ) -> RecordedCall | None:
        if not claimed.on_answer.get("recording") or self._recordings is None:
            return None
        sound = functools.partial(self._sound, claimed.payload)
        return RecordedCall(self._recordings, claimed, attempt_id, call, sound, self._clock)

    async def _hold(self, answered: _Answered) -> ConversationEnd:
        call = answered.call
        detection = answered.claimed.on_answer.get("machine_detection") or {}
        if not detection.get("enabled"):
            return await self._converse(answered, list)
        listening = Listening(call, self._clock, answer_settings(detection))
        try:
            met = Met(await listening.answer())
            ending = await self._meet(met, detection, listening, call)
            if ending is None:
                ending = await self._converse(answered, listening.take)
        except BaseException:
            call.hang_up()
            raise
        finally:
            listening.take()
        met.beep_seconds = listening.beep_seconds
        record = {**ending.record, "machine_detection": met.record()}
        return dataclasses.replace(ending, record=record)

    async def _converse(
        self, answered: _Answered, heard_before: Callable[[], list[Packet]]
    ) -> ConversationEnd:
        """Do what is done for a person."""
        if answered.recorded is not None and answered.recorded.asks:
            heard_before()  # what is said while we ask is not for what comes after it
            heard_before = list
            try:
                await answered.recorded.ask()
            except BaseException:
                answered.call.hang_up()
                raise
        claimed, call = answered.claimed, answered.call
        wanted, transfers = claimed.on_answer, answered.transfers
        if wanted.get("kind") == "bot":
            return await self._let_bot_speak(answered, heard_before)
        heard_before()
        if wanted.get("kind") == "gather":
            sound = functools.partial(self._sound, claimed.payload)
            opt_out = functools.partial(self._opt_out, claimed)
            talk = GatherConversation(call, Menu.of(wanted), sound, self._clock, opt_out, transfers)
            return await talk.hold()
        if wanted.get("kind") == "transfer":
            return await self._hand_over(claimed, call, transfers)
        await self._say(wanted, claimed, call)
        return ConversationEnd()

    async def _hand_over(
        self, claimed: ClaimedCall, call: OutboundCall, transfers: Transfers | None
    ) -> ConversationEnd:
        """Transfer the call after its prompt; where that fails, hang up."""
        media, prompt = call.media, Prompt.of(claimed.on_answer.get("prompt"))
        try:
            if prompt is not None:
                frames = await self._sound(claimed.payload, prompt, media.codec or "PCMU")
                playing = media.play(frames)
                await asyncio.wait((playing, call.result), return_when=asyncio.FIRST_COMPLETED)
            if transfers is not None and not call.result.done():
                transfers.begin(_TARGET)
                media.source = transfers.waiting_frame
                await transfers.settled()
        finally:
            media.source = None
            call.hang_up()
        return ConversationEnd(record={"kind": "transfer"})

    async def _meet(
        self, met: Met, detection: Mapping[str, Any], listening: Listening, call: OutboundCall
    ) -> ConversationEnd | None:
        """Do what is done for a machine, a fax or silence; None where the call goes on."""
        action = action_for(met.answer, detection)
        if action == "continue":
            return None
        if action != "leave_message" or not await listening.turn():
            call.hang_up()
            return ConversationEnd(cause_of(met.answer), met.sentence())
        listening.take()
        met.message_left = await play_prompt(
            call, self.prompt(str(detection["message"])), self._library
        )
        cause = Cause.MESSAGE_LEFT if met.message_left else cause_of(met.answer)
        return ConversationEnd(cause, met.sentence())

    async def _say(
        self, wanted: Mapping[str, Any], claimed: ClaimedCall, call: OutboundCall
    ) -> None:
        if wanted.get("kind") == "prompt":
            try:
                path = await self._file_of(claimed.payload, Prompt.given(wanted))
            except BaseException:
                call.hang_up()
                raise
            await play_prompt(call, path, self._library)
        else:
            await hang_up_after(call, float(wanted.get("after_seconds", 0)), self._clock)

    async def _sound(self, payload: Mapping[str, str], prompt: Prompt, codec: str) -> Frames:
        return await self._library.fetch(await self._file_of(payload, prompt), codec)

    async def _opt_out(self, claimed: ClaimedCall) -> None:
        if self._db is None:
            return
        new = NewListing(claimed.number, is_prefix=False, reason=do_not_call.OPTED_OUT)
        try:
            await do_not_call.add(self._db, claimed.account_id, [new], "callee")
        except Unavailable as error:
            log.warning("an opt-out waits for the end of its call", reason=str(error))

    async def _file_of(self, payload: Mapping[str, str], prompt: Prompt) -> Path:
        """Return what a prompt sounds like for one call; raises AudioError."""
        if not prompt.say:
            return self.prompt(prompt.file)
        return await self._speech.file(filled(prompt.say, payload), prompt.voice)

    async def _let_bot_speak(
        self, answered: _Answered, heard_before: Callable[[], list[Packet]]
    ) -> ConversationEnd:
        claimed, call = answered.claimed, answered.call
        wanted = claimed.on_answer
        url, name = str(wanted["url"]), wanted.get("secret")
        headers = {}

        async def fall_back() -> str:
            heard_before()  # nobody will want it any more
            try:
                await self._say(wanted.get("fallback", {}), claimed, call)
            except AudioError as error:
                log.error("a bot's fallback failed", call=claimed.id, reason=str(error))  # noqa: TRY400 - the line says it all
                return f"and its fallback: {error}"
            return ""

        if name is not None:
            secret = self._bots.bots.secret_for(url, name)
            if secret is None:  # the configuration has changed since the campaign was made
                why = f"the bot failed: no {name!r} in bots.secrets of the configuration covers it"
                log.warning("a bot's secret is missing", call=claimed.id, secret=name)
                await fall_back()
                return ConversationEnd(Cause.BOT_FAILED, why)
            headers[secret.header] = self._bots.headers[name]
        conversation = BotConversation(
            call,
            BotRequest(
                url=url,
                account_sid=f"AC{claimed.account_id:032x}",
                call_sid=f"CA{answered.attempt_id.hex}",
                parameters=parameters_of(claimed),
                headers=headers,
                connect_timeout=float(wanted.get("connect_timeout_seconds", 5)),
            ),
            self._bots.settings,
            self._clock,
            fallback=fall_back,
            heard_before=heard_before,
            transfers=answered.transfers,
        )
        return await conversation.hold()

    def prompt(self, name: str) -> Path:
        """Find a prompt in the folder, or among those that come with the dialer."""
        path = prompts.find(self._folders, name)
        if path is None:
            raise AudioError(f"no prompt {name!r} in {self._folders[0]}")
        return path


def parameters_of(claimed: ClaimedCall) -> dict[str, str]:
    """Return what a bot is told of a call: the list's columns, the campaign's own, and ours."""
    return {
        **claimed.payload,
        **claimed.on_answer.get("parameters", {}),
        "number": claimed.number,
        "campaign_id": str(claimed.campaign_id),
        "call_id": str(claimed.id),
    }
