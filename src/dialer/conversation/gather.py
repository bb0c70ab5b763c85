"""A menu held on an answered call: prompts are played, keys taken, results handed back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import structlog

from dialer.conversation import menu as menus
from dialer.conversation.ending import Cause, ConversationEnd
from dialer.conversation.keys import Keys
from dialer.rtp.frames import Frames
from dialer.ua.audio import AudioError
from dialer.ua.call import HungUpBy

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from dialer.clock import Clock, Timer
    from dialer.conversation.transfer import Transfers
    from dialer.conversation.waiting import Sound
    from dialer.ua.outbound import OutboundCall

log = structlog.get_logger(__name__)

TAIL_SECONDS = 0.2  # of silence after a prompt, before anything is done that its end leads to


async def _told_at_the_end() -> None:
    """Leave an opt-out to what the conversation hands back."""


class GatherConversation:
    """One answered call led by a menu.

    `opt_out` is run as soon as the person opts out, lest it be lost with the process in the rest of
    the call; the end says so again, so it may fail.
    """

    def __init__(
        self,
        call: OutboundCall,
        menu: menus.Menu,
        sound: Sound,
        clock: Clock,
        opt_out: Callable[[], Coroutine[Any, Any, None]] = _told_at_the_end,
        transfers: Transfers | None = None,
    ) -> None:
        self._call = call
        self._sound = sound
        self._clock = clock
        self._talk = menus.MenuConversation(menu)
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._playing: asyncio.Task[None] | None = None
        self._timer: Timer | None = None
        self._failure = ""
        self._opt_out = opt_out
        self._opting_out: asyncio.Task[None] | None = None
        self._transfers = transfers
        self._transferring: asyncio.Task[None] | None = None

    async def hold(self) -> ConversationEnd:
        """Go through the menu until its end or the call's; hangs up in any case.

        A prompt that cannot be played ends the call, with the reason in `detail`.
        """
        keys = Keys(self._call, self._pressed)
        try:
            self._do(self._talk.begin(self._clock.monotonic()))
            await asyncio.wait((self._over, self._call.result), return_when="FIRST_COMPLETED")
        finally:
            keys.close()
            self._stop_playing()
            self._set_timer(None)
            self._call.hang_up()
            for task in (self._opting_out, self._transferring):
                if task is not None:
                    task.cancel()
        if self._over.done():
            self._over.result()
        talk = self._talk
        # one who asked for no more calls was heard, whatever failed later
        failed = self._failure and not talk.opted_out
        return ConversationEnd(
            cause=Cause.BOT_FAILED if failed else None,
            detail=self._failure,
            record=self._record(keys.way),
            report_data=dict(talk.fields),
            opted_out=talk.opted_out,
        )

    # what happens

    def _pressed(self, key: str) -> None:
        if not self._over.done():
            self._do(self._talk.key(key, self._clock.monotonic()))

    def _timed_out(self) -> None:
        self._timer = None
        if not self._over.done():
            self._do(self._talk.tick(self._clock.monotonic()))

    def _played(self, task: asyncio.Task[None]) -> None:
        if task is not self._playing or task.cancelled() or self._over.done():
            return
        self._playing = None
        error = task.exception()
        if error is None:
            self._do(self._talk.played(self._clock.monotonic()))
            return
        if not isinstance(error, AudioError):
            self._over.set_exception(error)
            return
        self._failure = str(error)
        log.error("a prompt cannot be played", sip_call_id=self._call.call_id, reason=str(error))
        self._over.set_result(None)

    # what is done about it

    def _do(self, actions: list[menus.Action]) -> None:
        for action in actions:
            match action:
                case menus.Play(prompt):
                    self._stop_playing()
                    self._playing = asyncio.create_task(self._play(prompt), name="menu-prompt")
                    self._playing.add_done_callback(self._played)
                case menus.StopPlaying():
                    self._stop_playing()
                case menus.OptOut():
                    log.info("opted out", sip_call_id=self._call.call_id)
                    self._opting_out = asyncio.create_task(self._opt_out(), name="opt-out")
                case menus.Transfer(name):
                    self._transferring = asyncio.create_task(self._transfer(name), name="transfer")
                case menus.HangUp():
                    self._over.set_result(None)
        self._set_timer(self._talk.deadline)

    async def _transfer(self, name: str) -> None:
        """Hand the call over; where that fails, go on."""
        transfers, media = self._transfers, self._call.media
        done = False
        if transfers is not None and transfers.begin(name) is None:
            media.source = transfers.waiting_frame
            try:
                done = await transfers.settled()
            finally:
                media.source = None
        if not done and not self._over.done():
            self._do(self._talk.not_transferred(self._clock.monotonic()))

    async def _play(self, prompt: menus.Prompt) -> None:
        media = self._call.media
        codec = media.codec or "PCMU"
        frames = await self._sound(prompt, codec) + Frames.silence(TAIL_SECONDS, codec)
        if not await media.play(frames):
            await asyncio.Event().wait()  # the call is over, and this task is about to be cancelled

    def _stop_playing(self) -> None:
        playing, self._playing = self._playing, None
        if playing is not None:
            playing.cancel()
            self._call.media.stop_playing()

    def _set_timer(self, at: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if at is not None:
            self._timer = self._clock.call_at(at, self._timed_out)

    def _record(self, way: str | None) -> dict[str, Any]:
        steps = [
            {"menu": step.menu, "entry": step.entry.value, "keys": step.keys, "branch": step.branch}
            for step in self._talk.steps
        ]
        return {
            "kind": "gather",
            "steps": steps,
            "keys_by": way,
            "opted_out": self._talk.opted_out,
            "ended_by": self._ended_by(),
        }

    def _ended_by(self) -> str:
        if self._failure:
            return "failure"
        if self._transfers is not None and self._transfers.handed_over.is_set():
            return "transfer"
        if self._over.done():
            return "menu"
        result = self._call.result
        theirs = result.done() and result.result().hung_up_by is HungUpBy.THEM
        return "caller" if theirs else "dialer"
