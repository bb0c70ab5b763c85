"""A conversation that a bot leads over a WebSocket, in the protocol of Twilio Media Streams."""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
from typing import TYPE_CHECKING, Any, TypeAlias

import structlog

from dialer.conversation import media_streams
from dialer.conversation.bot_connection import BotConnection, BotFailure, connect
from dialer.conversation.bot_link import BotLink
from dialer.conversation.caller_audio import CallerAudio
from dialer.conversation.ending import Cause, ConversationEnd
from dialer.conversation.keys import Keys
from dialer.conversation.media_streams import BotMessageError
from dialer.conversation.playing_queue import PlayingQueue
from dialer.rtp import g711
from dialer.ua.call import HungUpBy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from dialer.clock import Clock
    from dialer.conversation.bot_connection import BotSettings
    from dialer.conversation.transfer import Transfers
    from dialer.rtp.packet import Packet
    from dialer.ua.outbound import OutboundCall

log = structlog.get_logger(__name__)

MOST_BAD_MESSAGES = 20  # then the bot is broken
_MOST_FRAMES_OF_PACKET = 3  # after so many of silence the last one of speech has left
_HOLD_SECONDS = 1.0
_MOST_SECONDS_OF_KEYS = 10.0  # that may wait when more are to be pressed

BotAction: TypeAlias = "Callable[[Mapping[str, Any]], str | None]"
"""Begins what a bot asks for by an event of its own name; returns why it cannot, or None."""


@dataclasses.dataclass(frozen=True, slots=True)
class BotRequest:
    """Which bot shall lead a call, and what it is told.

    The identifiers are in Twilio's form; `headers` go with the handshake.
    """

    url: str
    account_sid: str
    call_sid: str
    parameters: Mapping[str, str] = dataclasses.field(default_factory=dict)
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    connect_timeout: float = 5.0  # seconds


class BotConversation:
    """One answered call led by a bot.

    `fallback` takes over a call whose bot failed, and ends it by hanging up; it returns what went
    wrong in turn, or "". `actions` are what a bot may ask for besides speech, by the name of the
    event; any other is answered by an error. `heard_before` returns, once, what the far end had
    sent before the bot could listen. `transfers`, where there are any, are begun by the bot; it is
    told how each goes, and takes its leave once the person is handed over.
    """

    __slots__ = (
        "__weakref__",
        "_actions",
        "_asked_to_hang_up",
        "_bad_messages",
        "_call",
        "_clock",
        "_connect_seconds",
        "_fallback",
        "_first_bad_message",
        "_handed_over",
        "_heard",
        "_heard_before",
        "_link",
        "_over",
        "_played_out",
        "_queue",
        "_report_data",
        "_settings",
        "_silent_frames",
        "_stopped",
        "_told",
        "_transfers",
        "_wanted",
        "_writer",
    )

    def __init__(
        self,
        call: OutboundCall,
        wanted: BotRequest,
        settings: BotSettings,
        clock: Clock,
        *,
        fallback: Callable[[], Awaitable[str]],
        actions: Mapping[str, BotAction] | None = None,
        heard_before: Callable[[], list[Packet]] = list,
        transfers: Transfers | None = None,
    ) -> None:
        self._call = call
        self._over = call.result
        self._wanted = wanted
        self._settings = settings
        self._clock = clock
        self._fallback = fallback
        self._actions = actions or {}
        self._heard_before = heard_before
        self._transfers = transfers
        self._writer = media_streams.StreamWriter(
            stream_sid="MZ" + secrets.token_hex(16),
            account_sid=wanted.account_sid,
            call_sid=wanted.call_sid,
        )
        self._queue = PlayingQueue(
            settings.buffer_seconds, delay=round(settings.delay_seconds / g711.FRAME_SECONDS)
        )
        self._heard = CallerAudio()
        self._link: BotLink
        self._asked_to_hang_up = asyncio.Event()
        self._played_out = asyncio.Event()
        self._silent_frames = 0  # since the last frame of speech
        self._handed_over = asyncio.Event()
        self._stopped = False  # `stop` was sent
        self._told = asyncio.Event()  # a result came after that
        self._report_data: dict[str, media_streams.Field] = {}
        self._connect_seconds: float | None = None
        self._bad_messages = 0
        self._first_bad_message = ""

    async def hold(self) -> ConversationEnd:
        """Let the bot speak until one side ends the call; hangs up in any case."""
        failure = ""
        try:
            connection = await self._connected()
            if connection is not None:
                await self._converse(connection)
            if self._transfers is not None:
                await self._transfers.settled()
        except BotFailure as error:
            failure = f"the bot failed: {error}"
            log.warning("the bot failed", sip_call_id=self._call.call_id, reason=str(error))
            # a person who is handed over has no more need of a bot
            handed_over = self._transfers is not None and await self._transfers.settled()
            if not handed_over and (wrong := await self._fallback()):
                failure += f"; {wrong}"
        finally:
            self._call.hang_up()
        return ConversationEnd(
            cause=Cause.BOT_FAILED if failure else None,
            detail=failure,
            record=self._record(failure),
            report_data=self._report_data,
        )

    async def _connected(self) -> BotConnection | None:
        """Return the connection, None where the call ends meanwhile; raises `BotFailure`."""
        began = self._clock.monotonic()
        wanted = self._wanted
        connecting = asyncio.create_task(connect(wanted.url, wanted.headers, self._settings))
        try:
            await self._wait(wanted.connect_timeout, connecting, self._over)
        except asyncio.CancelledError:
            await _abandon(connecting)
            raise
        if connecting.done():
            connection = connecting.result()
            self._connect_seconds = self._clock.monotonic() - began
            return connection
        await _abandon(connecting)
        if self._over.done():
            return None
        raise BotFailure(f"no connection within {wanted.connect_timeout:g} s")

    async def _converse(self, connection: BotConnection) -> None:
        """Speak and listen until the call is over or to be ended; raises `BotFailure`."""
        media = self._call.media
        earlier = self._heard_before()
        self._link = BotLink(
            connection.send,
            # of what it could not read until now, a bot reads what it likes when it likes
            round(self._settings.unread_seconds / g711.FRAME_SECONDS) + 3 * len(earlier),
        )
        self._link.send(self._writer.connected())
        self._link.send(self._writer.start(self._wanted.parameters))
        media.listeners.append(self._received)
        keys = Keys(self._call, self._pressed)
        for packet in earlier:
            self._received(packet)
            keys.take(packet)
        media.source = self._next_frame
        if self._transfers is not None:
            self._transfers.tell = self._transferred
            self._handed_over = self._transfers.handed_over
        connection.listen(self._take, self._link)
        watching = asyncio.create_task(self._watch(connection), name="bot-watch")
        orderly = False
        try:
            await self._until_it_ends(connection.ended, watching)
            if self._transfers is None or not self._transfers.under_way:
                self._call.hang_up()
            await self._take_leave(connection.ended)
            orderly = True
        finally:
            media.source = self._source_without_bot()
            media.listeners.remove(self._received)
            keys.close()
            watching.cancel()
            # what went wrong by now is told already, or of no matter since the call is over
            await asyncio.gather(watching, return_exceptions=True)
            await (connection.close() if orderly else connection.abort())

    async def _until_it_ends(
        self, ended: asyncio.Future[None], watching: asyncio.Task[None]
    ) -> None:
        """Wait until the call is over, or the bot has ended it and was heard to the end."""
        overflow = asyncio.create_task(self._link.overflow.wait())
        asked = asyncio.create_task(self._asked_to_hang_up.wait())
        gone = asyncio.create_task(self._handed_over.wait())
        try:
            await self._wait(None, ended, watching, self._over, overflow, asked, gone)
            if self._over.done() or gone.done():
                return
            if not self._asked_to_hang_up.is_set():  # else how it went then is of no matter
                if overflow.done():
                    raise BotFailure(f"it has not read for {self._settings.unread_seconds:g} s")
                if watching.done():
                    watching.result()
                if ended.done():
                    ended.result()
        finally:
            overflow.cancel()
            asked.cancel()
            gone.cancel()
        self._asked_to_hang_up.set()  # by closing the stream, too
        pressing = self._call.media.seconds_of_keys
        if self._queue or pressing or self._silent_frames < _MOST_FRAMES_OF_PACKET:
            self._played_out.clear()
            playing = asyncio.create_task(self._played_out.wait())
            # on hold nothing is played, and nobody knows for how long
            patience = self._queue.queued_seconds + pressing + _HOLD_SECONDS
            await self._wait(patience, playing, self._over)
            playing.cancel()

    async def _take_leave(self, ended: asyncio.Future[None]) -> None:
        """Say that the stream is over; unless the bot itself ended it, wait for its result."""
        self._stopped = True
        self._call.media.source = self._source_without_bot()
        self._link.send(self._writer.stop())
        enough = self._link.empty if self._asked_to_hang_up.is_set() else self._told
        waiting = asyncio.create_task(enough.wait())
        await self._wait(self._settings.after_call_seconds, ended, waiting)
        waiting.cancel()

    def _source_without_bot(self) -> Callable[[], bytes | None] | None:
        """Return what the person hears once the bot is gone, while a transfer goes on."""
        transfers = self._transfers
        return transfers.waiting_frame if transfers is not None and transfers.under_way else None

    async def _wait(self, seconds: float | None, *ends: asyncio.Future[Any]) -> None:
        """Wait for the first of some ends, no longer than so many seconds."""
        patience = None
        if seconds is not None:
            patience = asyncio.ensure_future(self._clock.sleep(seconds))
        waited_for = {*ends, patience} if patience is not None else {*ends}
        try:
            await asyncio.wait(waited_for, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if patience is not None:
                patience.cancel()

    # towards the bot

    def _received(self, packet: Packet) -> None:
        """Forward a packet of the far end."""
        if self._stopped:
            return
        for heard in self._heard.take(packet):
            self._link.send(self._writer.media(heard.audio, heard.milliseconds))

    def _pressed(self, key: str) -> None:
        if not self._stopped:
            self._link.send(self._writer.dtmf(key))

    def _next_frame(self) -> bytes | None:
        """Return what to say now, for the ticker, which also counts the time for what is heard."""
        silence = self._heard.tick()
        if silence is not None:
            self._link.send(self._writer.media(silence.audio, silence.milliseconds))
        frame = self._queue.next_frame()
        if self._queue.marks:
            self._echo(self._queue.reached())
        if frame is None:
            self._silent_frames += 1
            if self._silent_frames >= _MOST_FRAMES_OF_PACKET and not (
                self._queue or self._call.media.seconds_of_keys
            ):
                self._played_out.set()
            return None if self._transfers is None else self._transfers.waiting_frame()
        self._silent_frames = 0
        codec = self._call.media.codec or "PCMU"
        return frame if codec == "PCMU" else g711.recode(frame, "PCMU", codec)

    def _echo(self, marks: list[str]) -> None:
        for name in marks:
            self._link.send(self._writer.mark(name))

    # from the bot

    async def _watch(self, connection: BotConnection) -> None:
        """Ask a bot that has long sent nothing whether it lives; raises `BotFailure`."""
        seconds = self._settings.heartbeat_seconds
        while True:
            connection.lives = False
            await self._clock.sleep(seconds)
            if not connection.lives:
                connection.ping()
                await self._clock.sleep(seconds / 2)
            if not connection.lives:
                raise BotFailure(f"it has not answered a ping within {seconds / 2:g} s")

    def _take(self, message: bytes) -> None:
        """Do what a message of the bot says; raises `BotFailure` after too many bad ones."""
        try:
            said = media_streams.parse(message, self._writer.stream_sid)
            over = self._stopped or self._over.done()
            if not (over and isinstance(said, media_streams.Press | media_streams.Request)):
                self._act(said)  # else it crossed with the end of the call
        except (BotMessageError, OverflowError) as error:
            self._bad(error)

    def _act(self, message: media_streams.BotMessage) -> None:
        match message:
            case media_streams.Media(audio):
                self._queue.add(audio)
            case media_streams.Mark(name):
                reached = self._queue.mark(name)
                self._echo([] if reached is None else [reached])
            case media_streams.Clear():
                self._echo(self._queue.clear())
            case media_streams.Press(keys):
                self._press(keys)
            case media_streams.HangUp():
                self._asked_to_hang_up.set()
            case media_streams.Result(fields):
                self._report_data = media_streams.merged(self._report_data, fields)
                if self._stopped:
                    self._told.set()
            case media_streams.Request(event, body):
                why_not = self._begin(event, body)
                if why_not:
                    self._link.send(self._writer.error(event, why_not))

    def _press(self, keys: str) -> None:
        media = self._call.media
        if media.seconds_of_keys > _MOST_SECONDS_OF_KEYS:
            why_not = f"{media.seconds_of_keys:.0f} seconds of keys wait already"
            self._link.send(self._writer.error("dtmf", why_not))
        else:
            media.press(keys)

    def _begin(self, event: str, body: Mapping[str, Any]) -> str | None:
        """Begin what a bot asks for besides speech; return why it cannot, or None."""
        if event == "transfer" and self._transfers is not None:
            part = body.get("transfer")
            return self._transfers.begin(part.get("to") if isinstance(part, dict) else None)
        action = self._actions.get(event)
        return f"there is no {event} here" if action is None else action(body)

    def _transferred(self, facts: Mapping[str, Any]) -> None:
        if not self._stopped:
            self._link.send(self._writer.transfer(facts))

    def _bad(self, error: Exception) -> None:
        """Count a message that is none of the protocol; too many of them are a failure."""
        self._bad_messages += 1
        if self._bad_messages == 1:
            self._first_bad_message = str(error)
            log.warning(
                "a bot's message is none", sip_call_id=self._call.call_id, reason=str(error)
            )
        if self._bad_messages >= MOST_BAD_MESSAGES:
            raise BotFailure(
                f"it sent {self._bad_messages} messages that are none of the protocol;"
                f" the first: {self._first_bad_message}"
            )

    # what is kept

    def _record(self, failure: str) -> dict[str, Any]:
        queue, heard, connected = self._queue, self._heard, self._connect_seconds
        return {
            "kind": "bot",
            "connect_ms": None if connected is None else round(connected * 1000),
            "seconds_to_bot": _seconds(heard.octets),
            "seconds_to_caller": _seconds(queue.played),
            "barge_ins": queue.barge_ins,
            "cut_seconds": _seconds(queue.cleared),
            "dropped_seconds": _seconds(queue.dropped),
            "late_frames": queue.late_frames,
            "late_packets": self._heard.late_packets,
            "filled_frames": heard.filled_frames,
            "bad_messages": self._bad_messages,
            "first_bad_message": self._first_bad_message,
            "ended_by": self._ended_by(failure),
        }

    def _ended_by(self, failure: str) -> str:
        if failure:
            return "failure"
        if self._over.done() and self._over.result().hung_up_by is HungUpBy.THEM:
            return "caller"
        if self._handed_over.is_set():
            return "transfer"
        return "bot" if self._asked_to_hang_up.is_set() else "dialer"


async def _abandon(connecting: asyncio.Task[BotConnection]) -> None:
    """Give up a connection that is being made, or was made too late."""
    connecting.cancel()
    [made] = await asyncio.gather(connecting, return_exceptions=True)
    if isinstance(made, BotConnection):
        await made.abort()


def _seconds(octets: int) -> float:
    return round(octets / g711.SAMPLE_RATE, 3)
