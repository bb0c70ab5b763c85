"""A whole call to the simulated carrier, SIP and all, led by a bot at a WebSocket."""

import asyncio

import numpy as np
import pytest
from tests.wire.bots import Bot, FarEnd, conversation
from tests.wire.simulation import TIMERS

from dialer.clock import SystemClock
from dialer.rtp import g711
from dialer.rtp.frames import Frames
from dialer.simulator.carrier import Carrier, CarrierSettings
from dialer.sip.sdp import Negotiated
from dialer.ua.agent import UserAgent, UserAgentSettings
from dialer.ua.call import Answered, CallRequest, HungUpBy, Trunk
from dialer.ua.media import MediaPlane


class SpeakingMedia:
    """The carrier's media for one call, with a voice and ears."""

    def __init__(self, clock):
        self._clock = clock

    async def start(self, host):
        self._plane = MediaPlane(self._clock, host, (29000, 29998))
        self.far_end = FarEnd(self._plane.open())
        self.port = self.far_end.stream.local_port

    def talk(self, _call_id, caller, codec, payload_type, _says):
        self.far_end.stream.connect(Negotiated(*caller, codec, payload_type, telephone_event=101))
        self.far_end.changed()

    def forget(self, _caller):
        """The stream stays until the end of the test."""

    def close(self):
        self._plane.close()


@pytest.fixture
async def carrier():
    clock = SystemClock()
    carrier = Carrier(CarrierSettings(second=0.1, **TIMERS), clock)
    carrier.media = SpeakingMedia(clock)
    await carrier.start()
    yield carrier
    await carrier.close()


@pytest.fixture
async def agent():
    agent = UserAgent(
        UserAgentSettings("127.0.0.1", rtp_ports=(20000, 39999), **TIMERS), SystemClock()
    )
    await agent.start()
    yield agent
    await agent.close()


async def echo(bot, message):
    if message["event"] == "media":
        await bot.send("media", media={"payload": message["media"]["payload"]})


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
async def test_far_end_and_bot_hear_each_other(carrier, agent, codec):
    far_end, clock = carrier.media.far_end, SystemClock()
    bot = await Bot(echo).start()
    trunk = Trunk("simulator", "127.0.0.1", port=carrier.address.port, codecs=(codec,))
    answered = asyncio.Event()
    call = agent.place(
        await agent.prepare(CallRequest(trunk, "+15552000000", "+15550001111")),
        lambda event: isinstance(event, Answered) and answered.set(),
    )
    async with asyncio.timeout(10):
        await answered.wait()
    ending = asyncio.create_task(conversation(call, bot.url, clock).hold())
    await bot.got("media")
    said = Frames.of(np.repeat(np.arange(1, 31) * 150, 160).astype(np.int16), codec)
    assert await far_end.stream.play(said)
    to_bot = g711.recode(said.data, codec, "PCMU")
    await bot.until(lambda: to_bot in bot.heard)
    last = g711.recode(to_bot, "PCMU", codec)[-160:]
    await far_end.until(lambda: last in [one.payload for one in far_end.packets])
    await bot.send("hangup")
    end = await asyncio.wait_for(ending, 10)
    result = await asyncio.wait_for(call.result, 10)
    assert (end.cause, end.record["ended_by"]) == (None, "bot")
    assert (result.code, result.hung_up_by) == (200, HungUpBy.US)
    await asyncio.wait_for(carrier.ledger.until(lambda ledger: not ledger.live_dialogs()), 10)
    await bot.stop()
