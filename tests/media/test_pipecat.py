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
from tests.e2e.calling import place
from tests.e2e.conftest import asterisk, user_agent  # noqa: F401 - fixtures of these tests
from tests.e2e.test_asterisk import recorded
from tests.e2e.test_prompt_whole import place_of
from tests.wire.bots import Call, FarEnd, conversation

from dialer.clock import SystemClock
from dialer.rtp import g711
from dialer.rtp.frames import Frames
from dialer.rtp.telephone_event import TelephoneEvent
from dialer.ua.call import CallRequest
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


async def test_pipecat_is_heard_hears_us_and_can_be_interrupted(pipecat, figure):
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
    figure("Pipecat over plain RTP: likeness of the echo", f"{min(found):.2f}", "0.9")
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


async def test_pipecat_converses_with_asterisk(asterisk, user_agent, pipecat, figure):  # noqa: F811
    name, rate = "15550190", sound.TELEPHONE_RATE
    words = (sound.sweep(rate) * 32767).astype(np.int16)
    (asterisk.folder / "spool" / f"say-{name}.ulaw").write_bytes(g711.encode(words, "PCMU"))
    call, _, up = await place(await user_agent(), CallRequest(asterisk.trunk(), "1012", name))
    async with asyncio.timeout(40):
        await up.wait()
        end = await conversation(call, pipecat, SystemClock()).hold()
    heard = await recorded(asterisk, name)
    said = sound.read(asterisk.folder / "spool" / f"said-{name}.wav")
    middle = words[rate : 2 * rate]  # in the beginning Pipecat's resampler settles
    round_trip = (place_of(middle, heard) - place_of(middle, said)) / rate
    echo = min(sound.likeness(sound.sweep(rate), heard)[1:])
    speech = np.abs(heard - 0x2000 / 32768) < 0.01  # what it says by itself, at one level
    spoken = np.count_nonzero(speech) / rate
    last = np.flatnonzero(speech)[-1] if speech.any() else len(heard)
    quiet = (len(heard) - 1 - last) / rate
    turns = sum(map(bool, (echo > 0.9, spoken > 2, spoken < 4.5 and quiet > 1)))
    figure(
        "Pipecat through Asterisk: turns right",
        f"{turns} of 3: echo {echo:.2f} alike, {spoken:.1f} s said, cut by a key",
        "3",
    )
    figure("Pipecat through Asterisk: round trip of speech", f"{round_trip * 1000:.0f} ms", "1 s")
    assert (end.cause, end.record["bad_messages"], end.record["barge_ins"]) == (None, 0, 1)
    assert turns == 3
    assert 0 < round_trip < 1
