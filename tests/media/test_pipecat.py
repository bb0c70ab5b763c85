"""A call led by somebody else's client of the protocol: the Twilio serializer of Pipecat.

Its packages are large and have an environment of their own: `make media`.
"""

import asyncio
import contextlib
import os
from pathlib import Path

import numpy as np
import pytest
from tests.e2e import sound
from tests.wire.bots import Call, FarEnd, conversation

from dialer.clock import SystemClock
from dialer.rtp import g711
from dialer.rtp.frames import Frames
from dialer.rtp.telephone_event import TelephoneEvent
from dialer.ua.media import MediaPlane

PYTHON = Path(os.environ.get("PIPECAT_PYTHON", ".venv-pipecat/bin/python"))


@pytest.fixture
async def pipecat():
    """The address of the echo."""
    bot = await asyncio.create_subprocess_exec(
        PYTHON,
        Path(__file__).parent / "pipecat_bot.py",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(60):
            port = int(await bot.stdout.readline())
        yield f"ws://127.0.0.1:{port}/"
    finally:
        with contextlib.suppress(ProcessLookupError):
            bot.kill()
        await bot.wait()


async def test_pipecat_is_heard_hears_us_and_can_be_interrupted(pipecat):
    clock = SystemClock()
    here, there = (MediaPlane(clock, "127.0.0.1", (27000, 28998)) for _ in range(2))
    far_end, call = FarEnd(there.open()), Call(here.open())
    far_end.connect(call, "PCMA")
    ending = asyncio.create_task(conversation(call, pipecat, clock).hold())
    await far_end.until(lambda: call.media.source is not None)

    said = sound.sweep(8000)
    samples = (said * 32767).astype(np.int16)
    assert await far_end.stream.play(Frames.of(samples, "PCMA"))
    before = len(far_end.packets)
    await far_end.until(lambda: len(far_end.packets) > before + 50)  # the echo's last second
    heard = g711.decode(far_end.heard, "PCMA") / 32768
    _, *found = sound.likeness(said, heard)  # in the beginning Pipecat's resampler settles
    assert min(found) > 0.9

    far_end.press(call, bytes(TelephoneEvent(1, 160)), 1000)
    level = g711.encode(np.array([0x2000], dtype=np.int16), "PCMA")
    loud = level * 160
    await far_end.until(lambda: loud * 5 in far_end.heard[-800:])
    far_end.press(call, bytes(TelephoneEvent(2, 160)), 2000)
    silence = g711.silence(160, "PCMA")
    await far_end.until(lambda: far_end.packets[-1].payload == silence)
    await far_end.until(lambda: far_end.heard.endswith(silence * 10))

    call.end()
    end = await asyncio.wait_for(ending, 10)
    assert end.cause is None
    assert (end.record["bad_messages"], end.record["barge_ins"]) == (0, 1)
    assert end.record["cut_seconds"] > 2
    for plane in (here, there):
        plane.close()
