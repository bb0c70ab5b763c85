"""A bot at a real WebSocket, and a call whose media is real and whose signalling notes the end."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json

import numpy as np
from aiohttp import WSMsgType, web

from dialer.conversation.bot import BotConversation, BotRequest
from dialer.conversation.bot_connection import BotSettings
from dialer.rtp.frames import Frames
from dialer.rtp.packet import Packet
from dialer.sip.sdp import Negotiated
from dialer.ua.call import CallResult, HungUpBy

PATIENCE = 10.0  # seconds until a test says that nothing comes


class Happenings:
    """Things that happened, and a way to wait until they suffice."""

    def __init__(self):
        self._changed = asyncio.Event()

    def changed(self):
        self._changed.set()

    async def until(self, condition):
        async with asyncio.timeout(PATIENCE):
            while not (found := condition()):
                self._changed.clear()
                await self._changed.wait()
        return found


class Bot(Happenings):
    """A bot that notes what it gets; `behave(bot, message)`, if any, is run for each message.

    `refuse` is a status that it answers the handshake with; `deaf` accepts and never reads.
    """

    def __init__(self, behave=None, *, refuse=None, deaf=False, heartbeat=None):
        super().__init__()
        self.behave = behave
        self.refuse = refuse
        self.deaf = deaf
        self.heartbeat = heartbeat  # seconds after which it asks us by ping
        self.messages = []
        self.headers = {}
        self.socket = None
        self.closed = False
        self._left = asyncio.Event()
        self._runner = None
        self.url = ""

    async def start(self, ssl=None):
        app = web.Application()
        app.router.add_get("/bot", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=ssl)
        await site.start()
        scheme = "ws" if ssl is None else "wss"
        self.url = f"{scheme}://127.0.0.1:{self._runner.addresses[0][1]}/bot"
        return self

    async def stop(self):
        self._left.set()
        await self._runner.cleanup()

    async def _handle(self, request):
        self.headers = request.headers
        if self.refuse:
            return web.Response(status=self.refuse, headers={"Location": "/elsewhere"})
        self.socket = web.WebSocketResponse(heartbeat=self.heartbeat)
        await self.socket.prepare(request)
        self.changed()
        if self.deaf:
            request.transport.pause_reading()
            await self._left.wait()
            return self.socket
        async for message in self.socket:
            assert message.type is WSMsgType.TEXT
            self.messages.append(json.loads(message.data))
            if self.behave is not None:
                with contextlib.suppress(ConnectionError):
                    await self.behave(self, self.messages[-1])
            self.changed()
        self.closed = True
        self.changed()
        return self.socket

    # what it says

    async def send(self, event, **body):
        await self.socket.send_json({"event": event, "streamSid": self.stream_sid, **body})

    async def say(self, audio):
        await self.send("media", media={"payload": base64.b64encode(audio).decode()})

    async def mark(self, name):
        await self.send("mark", mark={"name": name})

    # what it got

    @property
    def stream_sid(self):
        return self.of("start")[0]["streamSid"]

    def of(self, event):
        return [one for one in self.messages if one["event"] == event]

    async def got(self, event, count=1):
        return await self.until(lambda: len(self.of(event)) >= count and self.of(event))

    @property
    def heard(self):
        return b"".join(base64.b64decode(one["media"]["payload"]) for one in self.of("media"))


class FarEnd(Happenings):
    """The far end's side of the media: says frames, and notes what it hears."""

    def __init__(self, stream):
        super().__init__()
        self.stream = stream
        self.packets = []
        stream.listeners.append(self._note)

    def _note(self, packet):
        self.packets.append(packet)
        self.changed()

    @property
    def heard(self):
        return b"".join(packet.payload for packet in self.packets)

    def connect(self, call, codec="PCMU"):
        payload_type = {"PCMU": 0, "PCMA": 8}[codec]
        pairs = ((self.stream, call.media), (call.media, self.stream))
        for ours, theirs in pairs:
            ours.connect(
                Negotiated("127.0.0.1", theirs.local_port, codec, payload_type, telephone_event=101)
            )

    def press(self, call, digit_payload, timestamp):
        """Send one packet of a telephone event, past the stream's own numbering."""
        packet = Packet(101, 1, timestamp, 5, digit_payload)
        self.stream._socket.sendto(bytes(packet), ("127.0.0.1", call.media.local_port))


class Call(Happenings):
    """A call that is up; it ends as somebody asks."""

    def __init__(self, media):
        super().__init__()
        self.media = media
        self.call_id = "call"
        self.digit_listeners = []
        self.result = asyncio.get_running_loop().create_future()

    def hang_up(self):
        self.end(HungUpBy.US)

    def end(self, by=HungUpBy.THEM):
        if not self.result.done():
            self.media.close()
            self.result.set_result(CallResult("call", hung_up_by=by))


def settings(**changes):
    return BotSettings(**({"allows": lambda _: True, "after_call_seconds": 0.5} | changes))


def conversation(
    call, url, clock, *, fallback=None, actions=None, limits=None, transfers=None, **wanted
):
    """The conversation of a call with the bot at a URL; without a fallback it hangs up."""

    async def hang_up():
        call.hang_up()
        return ""

    request = BotRequest(url=url, account_sid="AC1", call_sid="CA1", **wanted)
    return BotConversation(
        call,
        request,
        limits or settings(),
        clock,
        fallback=fallback or hang_up,
        actions=actions,
        transfers=transfers,
    )


def sound(frames, codec="PCMU", first=1):
    """Audio of which every frame differs from the others and from silence."""
    levels = np.arange(first, frames + first) * 100
    return Frames.of(np.repeat(levels, 160).astype(np.int16), codec)
