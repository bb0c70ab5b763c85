"""Encrypted media against Asterisk: SRTP whose keys stand in the session description."""

from __future__ import annotations

import asyncio
import dataclasses

import numpy as np
import pytest

from dialer.rtp import g711
from dialer.ua.call import CallRequest

from . import sound
from .calling import place, say


async def test_asterisk_hears_a_prompt_whole_and_echoes_it_encrypted(
    asterisk, user_agent, tmp_path
):
    prompt = tmp_path / "prompt.wav"
    sound.write_prompt(prompt, 8000)
    heard = []
    trunk = dataclasses.replace(
        asterisk.trunk("dialer-srtp"), srtp="required", codecs=("PCMU",), ptime=40
    )
    agent = await user_agent()
    result = await say(
        agent,
        CallRequest(trunk, "1002", "15550100"),  # echo
        prompt,
        lambda packet: heard.append(packet.payload) if packet.payload_type == 0 else None,
    )
    assert result.rtp_packets_received > 40
    samples = g711.decode(b"".join(heard), "PCMU").astype(np.float64) / 32768
    assert min(sound.likeness(sound.sweep(8000), samples)) > 0.95


@pytest.mark.parametrize(
    ("account", "srtp", "secure"),
    [
        ("dialer-srtp", "required", True),
        ("dialer", "optional", False),
    ],
)
async def test_what_goes_over_the_wire(asterisk, user_agent, account, srtp, secure):
    messages = []
    agent = await user_agent(on_message=messages.append)
    trunk = dataclasses.replace(asterisk.trunk(account), srtp=srtp)
    call, _, up = await place(agent, CallRequest(trunk, "1002", "15550100"))
    passed = asyncio.Event()
    call.media.listeners.append(lambda _: passed.set())
    async with asyncio.timeout(10):
        await up.wait()
        await passed.wait()
    dropped = call.media.packets_dropped
    call.hang_up()
    result = await call.result
    assert result.answered
    assert dropped == 0
    [answer] = [
        one.data
        for one in messages
        if one.direction == "received" and b"INVITE" in one.data and b"m=audio" in one.data
    ]
    assert (b"RTP/SAVP" in answer and b"a=crypto:" in answer) is secure


async def test_encrypted_early_media_is_heard(asterisk, user_agent):
    trunk = dataclasses.replace(asterisk.trunk("dialer-srtp"), srtp="optional")
    call, _, up = await place(await user_agent(), CallRequest(trunk, "2002", "15550100"))
    decoded, heard = asyncio.Event(), []

    def note(packet):
        heard.append((packet.payload_type, len(packet.payload)))
        if call.media.codec is not None and len(heard) > 20:
            decoded.set()

    call.media.listeners.append(note)
    async with asyncio.timeout(10):
        await decoded.wait()
    call.cancel()
    result = await call.result
    assert not up.is_set()
    assert (result.code, call.media.packets_dropped) == (487, 0)
    assert set(heard[-10:]) == {(0, 160)}


@pytest.mark.parametrize(("account", "srtp"), [("dialer-srtp", "off"), ("dialer", "required")])
async def test_media_that_one_side_must_have_and_the_other_has_not(
    asterisk, user_agent, account, srtp
):
    trunk = dataclasses.replace(asterisk.trunk(account), srtp=srtp)
    result = await (await user_agent()).call(CallRequest(trunk, "1001", "15550100"))
    assert (result.code, result.answered) == (488, False)


@pytest.mark.parametrize(("account", "srtp"), [("dialer-srtp", "required"), ("dialer", "off")])
async def test_asterisk_and_we_report_to_each_other(asterisk, user_agent, account, srtp):
    """Its first report comes after five seconds; with keys agreed, reports are encrypted too."""
    trunk = dataclasses.replace(asterisk.trunk(account), srtp=srtp)
    call, _, up = await place(await user_agent(), CallRequest(trunk, "1002", "15550100"))
    async with asyncio.timeout(30):
        await up.wait()
        while call.media.control.reports.far_end.round_trip is None:  # noqa: ASYNC110 - the stream has no event for this
            await asyncio.sleep(0.1)
    call.hang_up()
    media = (await call.result).media
    assert (media.secured, media.far_end_lost) == (srtp == "required", 0)
    assert (media.lost, media.dropped, call.media.control.packets_dropped) == (0, 0, 0)
    assert 0 <= media.round_trip_ms < 200
    assert media.mos > 4
    assert media.far_end_mos > 4
