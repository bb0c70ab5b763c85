"""A prompt played to the far end over real sockets, on a driven clock."""

import asyncio

import numpy as np
import pytest
import soundfile
from tests.driven_clock import DrivenClock

from dialer.conversation.prompt import HELLO, hang_up_after, play_prompt
from dialer.rtp import g711
from dialer.rtp.frames import Frames
from dialer.sip.sdp import Direction, Negotiated
from dialer.ua.audio import AudioError, AudioLibrary
from dialer.ua.call import CallResult
from dialer.ua.media import MediaPlane

PORTS = (25000, 26998)


class Call:
    """A call that is up: its media is real, its signalling only notes the end."""

    def __init__(self, media):
        self.media = media
        self.result = asyncio.get_running_loop().create_future()
        self.hang_ups = 0

    def hang_up(self):
        self.hang_ups += 1
        self.end()

    def end(self):
        if not self.result.done():
            self.media.close()
            self.result.set_result(CallResult("call"))


@pytest.fixture
def clock():
    return DrivenClock()


@pytest.fixture
async def plane(clock):
    plane = MediaPlane(clock, "127.0.0.1", PORTS)
    yield plane
    plane.close()


@pytest.fixture
async def far_end(plane):
    return plane.open()


@pytest.fixture
def heard(far_end):
    """The frames that the far end hears."""
    frames = []
    far_end.listeners.append(lambda packet: frames.append(packet.payload))
    return frames


@pytest.fixture
async def call(plane, far_end):
    media = plane.open()
    far_end.connect(Negotiated("127.0.0.1", media.local_port, "PCMA", 8))
    media.connect(Negotiated("127.0.0.1", far_end.local_port, "PCMA", 8))
    return Call(media)


@pytest.fixture
def prompt(tmp_path):
    """A tenth of a second, every frame different."""
    path = tmp_path / "prompt.wav"
    soundfile.write(path, np.repeat(np.arange(1, 6) * 1000, 160).astype(np.int16), 8000)
    return path


async def playing(call, clock, path, **options):
    """Start to play, and return when the file was read and the first frame waits for its time."""
    library = AudioLibrary()
    task = asyncio.create_task(play_prompt(call, path, library, **options))
    await asyncio.sleep(0)
    await library.fetch(path, "PCMA")  # shares the reading under way
    await clock.elapse(0)
    return task


async def test_the_prompt_is_played_whole_and_then_the_call_ends(clock, call, heard, prompt):
    task = await playing(call, clock, prompt, tail=0.04)
    await clock.elapse(0.119)
    assert not task.done()
    await clock.elapse(0.02)
    assert await task is True
    assert call.hang_ups == 1
    async with asyncio.timeout(10):
        while len(heard) < 7:  # noqa: ASYNC110 - each turn of the loop reads its socket
            await asyncio.sleep(0)
    expected = AudioLibrary().load(prompt, "PCMA") + Frames.silence(0.04, "PCMA")
    assert b"".join(heard) == expected.data


async def test_the_other_side_may_hang_up_first(clock, call, prompt):
    task = await playing(call, clock, prompt)
    await clock.elapse(0.05)
    call.end()
    assert await task is False


async def test_the_call_may_end_while_the_file_is_read(call, prompt):
    task = asyncio.create_task(play_prompt(call, prompt, AudioLibrary()))
    call.end()
    assert await task is False


async def test_a_prompt_that_cannot_be_read_ends_the_call_and_says_why(call, tmp_path):
    with pytest.raises(AudioError, match=r"gone\.wav: No such file"):
        await play_prompt(call, tmp_path / "gone.wav", AudioLibrary())
    assert call.hang_ups == 1


async def test_cancelling_hangs_up_and_stops_the_playing(clock, call, prompt):
    task = await playing(call, clock, prompt)
    await clock.elapse(0.03)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert call.hang_ups == 1


async def test_a_hold_suspends_the_prompt(clock, call, far_end, prompt):
    task = await playing(call, clock, prompt, tail=0)
    await clock.elapse(0.03)
    held = Negotiated("127.0.0.1", far_end.local_port, "PCMA", 8, direction=Direction.INACTIVE)
    call.media.connect(held)
    await clock.elapse(5)
    assert not task.done()
    call.media.connect(Negotiated("127.0.0.1", far_end.local_port, "PCMA", 8))
    await clock.elapse(0.1)
    assert await task is True


async def test_without_a_prompt_the_call_stays_up_for_as_long_as_asked(clock, call):
    task = asyncio.create_task(hang_up_after(call, 3.0, clock))
    await clock.elapse(2.9)
    assert call.hang_ups == 0
    await clock.elapse(0.2)
    await task
    assert call.hang_ups == 1


async def test_without_a_prompt_the_other_side_may_hang_up_first(clock, call):
    task = asyncio.create_task(hang_up_after(call, 3600.0, clock))
    await clock.elapse(1.0)
    call.end()
    await task
    await asyncio.sleep(0)
    assert clock.pending == 0 or clock.next_at() <= clock.monotonic() + 0.02


async def test_the_prompt_in_the_package_plays():
    frames = await AudioLibrary().fetch(HELLO, "PCMU")
    assert 2 <= frames.seconds <= 3
    assert np.abs(g711.decode(frames.data, "PCMU").astype(int)).max() > 6000
