"""An echo of Pipecat's own parts: its Twilio serializer at a WebSocket, run by its own Python.

It prints its port. A key that is pressed makes it speak for five seconds, a second one makes it
interrupt itself, as Pipecat does when the person begins to speak.
"""

import asyncio
import json

from aiohttp import web
from pipecat.frames.frames import (
    InputAudioRawFrame,
    InputDTMFFrame,
    InterruptionFrame,
    OutputAudioRawFrame,
)
from pipecat.serializers.twilio import TwilioFrameSerializer

RATE = 16_000  # of the pipeline
LOUD = b"\x00\x20" * (5 * RATE)


async def bot(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    assert json.loads(await socket.receive_str())["event"] == "connected"
    start = json.loads(await socket.receive_str())
    serializer = TwilioFrameSerializer(
        start["start"]["streamSid"],
        call_sid=start["start"]["callSid"],
        params=TwilioFrameSerializer.InputParams(auto_hang_up=False, sample_rate=RATE),
    )
    await serializer.setup(None)  # the rate is given above
    keys = 0
    async for message in socket:
        frame = await serializer.deserialize(message.data)
        if isinstance(frame, InputDTMFFrame):
            keys += 1
            speech = OutputAudioRawFrame(audio=LOUD, sample_rate=RATE, num_channels=1)
            answer = speech if keys == 1 else InterruptionFrame()
        elif isinstance(frame, InputAudioRawFrame) and not keys:
            answer = OutputAudioRawFrame(
                audio=frame.audio, sample_rate=frame.sample_rate, num_channels=1
            )
        else:
            continue
        data = await serializer.serialize(answer)
        if data is not None:
            await socket.send_str(data)
    return socket


async def main():
    app = web.Application()
    app.router.add_get("/", bot)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)  # noqa: T201 - the test reads it
    await asyncio.Event().wait()


asyncio.run(main())
