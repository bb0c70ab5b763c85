"""Calls that are transferred at a real Asterisk: by REFER, and by a second call joined here."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import wave

import numpy as np
import pytest

from dialer.clock import SystemClock
from dialer.conversation.menu import Prompt
from dialer.conversation.transfer import Target, Transfers
from dialer.rtp.frames import Frames
from dialer.ua.call import CallRequest, HungUpBy
from dialer.ua.referral import ReferralEnd

from . import sound
from .calling import place

PATIENCE = 15.0
CALLER = "15550100"


class Lines:
    """Second calls over the lab's trunk, without limits."""

    def __init__(self, agent, trunk):
        self.agent, self.trunk = agent, trunk

    def looked_up(self, target):
        return target

    async def number(self, target):
        return target.number

    async def dial(self, target, on_event):
        request = CallRequest(self.trunk, target.number, CALLER, ring_timeout=target.ring_seconds)
        return self.agent.place(await self.agent.prepare(request), on_event)


async def song(_prompt, codec):
    """A tone of 440 Hz."""
    times = np.arange(sound.TELEPHONE_RATE) / sound.TELEPHONE_RATE
    return Frames.of((8000 * np.sin(2 * np.pi * 440 * times)).astype(np.int16), codec)


async def joined(asterisk, agent, trunk):
    """Return a call that Asterisk has joined with another one."""
    call = await up(agent, trunk, "81001")
    async with asyncio.timeout(PATIENCE):
        while "simple_bridge" not in asterisk.console("bridge", "show", "all"):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.1)
    return call


async def recording(asterisk, number):
    """Return what an extension has recorded, once its file is whole."""
    file = asterisk.folder / "spool" / f"heard-{number}-{CALLER}.wav"
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(OSError, EOFError, wave.Error):
                samples = sound.read(file)
                if len(samples) > 2 * sound.TELEPHONE_RATE:
                    return samples
            await asyncio.sleep(0.1)


async def up(agent, trunk, number):
    call, _, answered = await place(agent, CallRequest(trunk, number, CALLER, max_talk=60))
    async with asyncio.timeout(PATIENCE):
        await answered.wait()
    return call


def transfers(agent, trunk, call, **targets):
    made = {name: Target(name, **target) for name, target in targets.items()}
    return Transfers(call, made, Lines(agent, trunk), SystemClock(), song)


def strength(samples, hertz):
    """Return how much of a sound is one tone: 1 for all of it."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    frequencies = np.fft.rfftfreq(len(samples), 1 / sound.TELEPHONE_RATE)
    return float(spectrum[np.abs(frequencies - hertz) < 15].sum() / max(spectrum.sum(), 1e-9))


@pytest.fixture(autouse=True)
def nothing_stays_up(asterisk):
    """What was transferred goes on at the PBX, where later tests look at what is up."""
    yield
    asterisk.console("channel", "request", "hangup", "all")


async def test_a_refer_is_followed_to_its_end(asterisk, user_agent):
    agent = await user_agent()
    call = await joined(asterisk, agent, asterisk.trunk())
    heard = []
    async with asyncio.timeout(PATIENCE):
        result = await call.refer("1005", PATIENCE, heard.append).result
        assert result.end is ReferralEnd.COMPLETED, result
        assert result.code == 200
        call.hang_up()
        await call.result


async def test_a_transfer_by_refer_ends_our_call(asterisk, user_agent, figure):
    agent = await user_agent()
    trunk = asterisk.trunk()
    call = await joined(asterisk, agent, trunk)
    made = transfers(agent, trunk, call, desk={"number": "1001", "by": "refer"})
    assert made.begin("desk") is None
    async with asyncio.timeout(PATIENCE):
        assert await made.settled()
        await call.result
    record = made.records[0]
    figure("REFER followed", f"{record['status']}, {record['code']}", "completed, 200")
    assert (record["status"], record["code"]) == ("completed", 200)


@pytest.mark.parametrize(
    ("username", "number", "reason", "code"),
    [("dialer-stays", "1001", "refused", 603), ("dialer", "9999", "unavailable", 404)],
)
async def test_a_refer_that_comes_to_nothing_leaves_the_call_up(
    asterisk, user_agent, username, number, reason, code
):
    agent = await user_agent()
    trunk = asterisk.trunk(username)
    call = await joined(asterisk, agent, trunk)
    made = transfers(agent, trunk, call, desk={"number": number, "by": "refer"})
    assert made.begin("desk") is None
    async with asyncio.timeout(PATIENCE):
        assert not await made.settled()
    record = made.records[0]
    assert (record["status"], record["reason"], record["code"]) == ("failed", reason, code)
    assert not call.result.done()
    call.hang_up()
    assert (await call.result).hung_up_by is HungUpBy.US


@pytest.mark.parametrize("codecs", [("PCMU", "PCMU"), ("PCMU", "PCMA")])
async def test_both_sides_of_a_bridge_hear_each_other(asterisk, user_agent, figure, codecs):
    first_codec, second_codec = codecs
    agent = await user_agent()
    trunk = asterisk.trunk()
    tones = {"PCMU": ("0440", "0880"), "PCMA": ("0620", "1240")}[second_codec]
    call = await up(agent, dataclasses.replace(trunk, codecs=(first_codec,)), f"7{tones[0]}")
    second = dataclasses.replace(trunk, codecs=(second_codec,))
    made = transfers(agent, second, call, other={"number": f"7{tones[1]}"})
    assert made.begin("other") is None
    async with asyncio.timeout(PATIENCE):
        await made.handed_over.wait()
        await asyncio.sleep(3)  # of the two tones
        call.hang_up()
        assert await made.settled()
    assert made.records[0]["status"] == "bridged"
    for number, other in (tones, tones[::-1]):
        recorded = await recording(asterisk, f"7{number}")
        heard = recorded[-2 * sound.TELEPHONE_RATE : -sound.TELEPHONE_RATE // 4]
        figure(
            f"bridge, {first_codec} and {second_codec}: the one at {number} Hz hears {other} Hz",
            f"{strength(heard, int(other)):.1%} of what is heard",
            "90 %",
        )
        assert strength(heard, int(other)) > 0.9, number
        assert strength(heard, int(number)) < 0.05, number


async def test_the_end_of_the_target_ends_both_calls(asterisk, user_agent):
    agent = await user_agent()
    trunk = asterisk.trunk()
    call = await up(agent, trunk, "1001")
    made = transfers(agent, trunk, call, short={"number": "1003"})
    assert made.begin("short") is None
    async with asyncio.timeout(PATIENCE):
        assert await made.settled()
        assert (await call.result).hung_up_by is HungUpBy.US
    assert made.records[0]["hung_up_by"] == "target"
    assert made.records[0]["bridged_seconds"] == pytest.approx(2, abs=0.5)


@pytest.mark.parametrize(
    ("number", "reason", "code"),
    [("2005", "busy", 486), ("3021", "unavailable", 403), ("2001", "no_answer", 487)],
)
async def test_a_target_that_does_not_answer_leaves_the_call_up(
    asterisk, user_agent, number, reason, code
):
    agent = await user_agent()
    trunk = asterisk.trunk()
    call = await up(agent, trunk, "1001")
    made = transfers(agent, trunk, call, other={"number": number, "ring_seconds": 2})
    assert made.begin("other") is None
    async with asyncio.timeout(PATIENCE):
        assert not await made.settled()
    record = made.records[0]
    assert (record["status"], record["reason"], record["code"]) == ("failed", reason, code)
    assert not call.result.done()
    call.hang_up()
    await call.result


async def test_early_media_of_the_target_is_heard_by_the_person(asterisk, user_agent):
    agent = await user_agent()
    trunk = asterisk.trunk()
    call = await up(agent, trunk, "70500")
    made = transfers(agent, trunk, call, other={"number": "2002", "ring_seconds": 3})
    assert made.begin("other") is None
    async with asyncio.timeout(PATIENCE):
        assert not await made.settled()
    call.hang_up()
    await call.result
    recorded = await recording(asterisk, "70500")
    assert float(np.abs(recorded).max()) > 0.05


async def test_a_prompt_is_heard_by_the_person_while_the_target_rings(asterisk, user_agent, figure):
    agent = await user_agent()
    trunk = asterisk.trunk()
    call = await up(agent, trunk, "70500")
    music = Prompt(file="music.wav")
    made = transfers(
        agent, trunk, call, other={"number": "2001", "ring_seconds": 4, "waiting": music}
    )
    call.media.source = made.waiting_frame
    assert made.begin("other") is None
    async with asyncio.timeout(PATIENCE):
        assert not await made.settled()
    call.hang_up()
    await call.result
    heard = (await recording(asterisk, "70500"))[sound.TELEPHONE_RATE : 3 * sound.TELEPHONE_RATE]
    figure(
        "a prompt while the target of a transfer rings, over and over",
        f"{strength(heard, 440):.1%} of what is heard",
        "90 %",
    )
    assert strength(heard, 440) > 0.9
