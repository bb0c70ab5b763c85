"""Listening to who answered, over real media, where the far end is away, held, or gone."""

import asyncio

import numpy as np
import pytest
from tests.driven_clock import DrivenClock
from tests.unit.rtp import sounds
from tests.wire.bots import Call

from dialer.conversation.listening import LONGEST_GREETING, Listening
from dialer.rtp import g711
from dialer.rtp.answering_machine import Answerer, AnswerSettings
from dialer.rtp.frames import Frames


@pytest.fixture
async def call(planes):
    return Call(planes[1].open())


@pytest.fixture
async def begun():
    """`await begun(coroutine)` starts it and lets it come to its first wait."""
    tasks = []

    async def begin(coroutine):
        tasks.append(asyncio.create_task(coroutine))
        await asyncio.sleep(0)
        return tasks[-1]

    yield begin
    for task in tasks:
        task.cancel()


async def test_a_far_end_of_which_nothing_comes_is_silence_in_the_end(call, begun):
    clock = DrivenClock()
    listening = Listening(call, clock, AnswerSettings(analysis=5))
    answer = await begun(listening.answer())  # not connected: on hold, no ticker, no packets
    await clock.elapse(6.9)
    assert not answer.done()
    await clock.elapse(0.2)
    found = await answer
    assert (found.answerer, found.confidence) == (Answerer.SILENCE, 0.5)
    assert clock.pending == 0


async def test_a_far_end_that_sends_no_packets_is_silence(call, far_end):
    far_end.connect(call)
    far_end.stream.close()
    listening = Listening(call, DrivenClock(), AnswerSettings(initial_silence=0.5))
    found = await listening.answer()
    assert (found.answerer, found.confidence) == (Answerer.SILENCE, 0.9)
    assert found.seconds == 0.5
    assert listening.take() == []


async def test_a_call_that_ends_first_has_no_answer(call, begun):
    answer = await begun(Listening(call, DrivenClock(), AnswerSettings()).answer())
    call.end()
    assert await answer is None


async def test_a_machine_that_speaks_for_ever_is_spoken_to_in_the_end(call, begun):
    clock = DrivenClock()
    listening = Listening(call, clock, AnswerSettings())
    turn = await begun(listening.turn())
    await clock.elapse(LONGEST_GREETING - 1)
    assert not turn.done()
    await clock.elapse(1)
    assert await turn


async def test_a_machine_that_hangs_up_gives_no_turn(call, begun):
    turn = await begun(Listening(call, DrivenClock(), AnswerSettings()).turn())
    call.end()
    assert not await turn


@pytest.mark.parametrize("codec", g711.CODECS)
async def test_what_came_is_handed_on_whole_and_nobody_listens_any_longer(call, far_end, codec):
    far_end.connect(call, codec)
    random = np.random.default_rng(1)
    hello = sounds.Voice(random).vowel(0.4) * 0.1
    samples = np.rint(np.concatenate((hello, sounds.silence(0.5))) * 32767).astype(np.int16)
    settings = AnswerSettings(after_greeting=0.3)
    listening = Listening(call, DrivenClock(), settings)
    said = Frames.of(samples, codec)
    far_end.stream.play(said)
    found = await listening.answer()
    assert found.answerer is Answerer.HUMAN
    heard = b"".join(packet.payload for packet in listening.take())
    assert said.data[: round(0.6 * g711.SAMPLE_RATE)] in heard
    assert (call.media.listeners, call.media.source) == ([], None)
    assert listening.take() == []
