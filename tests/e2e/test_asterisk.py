"""The user agent against Asterisk: every number of the lab, digest, audio both ways."""

from __future__ import annotations

import asyncio
import dataclasses

import numpy as np
import pytest

from dialer.rtp import g711
from dialer.ua.call import CallRequest, HungUpBy, LocalCause

from . import sound
from .calling import place, say, talk
from .dialplan import ANSWERS, DIALPLAN, RING_TIMEOUT

HUNG_UP_BY_FAR_END = {"1000", "1003", "5016", "5034"}


async def dial_all(agent, trunk, numbers):
    """Call the numbers at once, and return the results by number."""

    async def dial(number):
        request = CallRequest(trunk, number, "15550100", ring_timeout=RING_TIMEOUT)
        return await talk(agent, request, 3.5)

    async with asyncio.timeout(30):
        return dict(
            zip(numbers, await asyncio.gather(*(dial(number) for number in numbers)), strict=True)
        )


async def test_every_number_that_answers(asterisk, user_agent):
    results = await dial_all(
        await user_agent(), asterisk.trunk(), [expected.number for expected in ANSWERS]
    )
    for expected in ANSWERS:
        number, result = expected.number, results[expected.number]
        assert (result.code, result.answered, result.local_cause) == (200, True, None), number
        assert result.rang is expected.rang, number
        far_end = number in HUNG_UP_BY_FAR_END
        assert result.hung_up_by is (HungUpBy.THEM if far_end else HungUpBy.US), number
        assert result.rtp_packets_sent > 40, number
        assert result.rtp_packets_received > 40, number
        assert 0.9 < result.talk_seconds < 4.5, number
    assert any("cause=34" in reason for reason in results["5034"].reasons)
    assert results["5034"].q850_cause is None  # the cause of a BYE decides nothing
    assert 183 in [provisional.code for provisional in results["1006"].provisionals]


async def test_every_number_that_does_not_answer(asterisk, user_agent):
    numbers = {expected.number: expected for expected in DIALPLAN if expected not in ANSWERS}
    results = await dial_all(await user_agent(), asterisk.trunk(), list(numbers))
    for number, expected in numbers.items():
        result = results[number]
        assert (result.code, result.rang) == (expected.code, expected.rang), number
        assert result.q850_cause in expected.causes, number
        assert not result.answered, number
        cause = LocalCause.RING_TIMEOUT if expected.timed_out else None
        assert result.local_cause is cause, number


async def test_a_refused_password_is_an_authentication_failure(asterisk, user_agent):
    agent = await user_agent()
    request = CallRequest(asterisk.trunk(password="not-the-secret"), "1000", "15550100")
    result = await agent.call(request)
    assert result.local_cause is LocalCause.AUTHENTICATION
    assert result.code == 401


async def test_a_challenge_by_sha_256_is_answered_by_sha_256(asterisk, user_agent):
    messages = []
    agent = await user_agent(on_message=messages.append)
    trunk = dataclasses.replace(asterisk.trunk("dialer-sha256"), md5_allowed=False)
    result = await talk(agent, CallRequest(trunk, "1001", "dialer-sha256"), 0.2)
    assert result.answered
    assert any(
        passed.direction == "sent"
        and b"Authorization: Digest" in passed.data
        and b"SHA-256" in passed.data
        for passed in messages
    )


async def test_no_codec_in_common_is_refused(asterisk, user_agent):
    agent = await user_agent()
    result = await agent.call(CallRequest(asterisk.trunk("dialer-gsm"), "1001", "15550100"))
    assert (result.code, result.answered) == (488, False)


async def test_cancel_ends_a_call_that_rings(asterisk, user_agent):
    agent = await user_agent()
    placed, rings, _ = await place(agent, CallRequest(asterisk.trunk(), "2001", "15550100"))
    async with asyncio.timeout(10):
        await rings.wait()
    placed.cancel()
    result = await placed.result
    assert (result.code, result.local_cause) == (487, LocalCause.CANCELLED)


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
async def test_asterisk_records_what_the_dialer_says(asterisk, user_agent, tmp_path, codec):
    prompt = tmp_path / "prompt.wav"
    sound.write_prompt(prompt, 44_100)
    caller_id = f"155501{'PCMU PCMA'.index(codec)}"
    trunk = dataclasses.replace(asterisk.trunk(), codecs=(codec,))
    await say(await user_agent(), CallRequest(trunk, "1005", caller_id), prompt)
    heard = await recorded(asterisk, caller_id)
    assert min(sound.likeness(sound.sweep(8000), heard)) > 0.95
    assert max(sound.likeness(sound.sweep(8000, first=2800, last=400), heard)) < 0.6


async def test_what_the_far_end_says_arrives(asterisk, user_agent, tmp_path):
    prompt = tmp_path / "prompt.wav"
    sound.write_prompt(prompt, 8000)
    heard = []
    trunk = dataclasses.replace(asterisk.trunk(), codecs=("PCMU",))
    await say(
        await user_agent(),
        CallRequest(trunk, "1002", "15550100"),  # echo
        prompt,
        lambda packet: heard.append(packet.payload) if packet.payload_type == 0 else None,
    )
    samples = g711.decode(b"".join(heard), "PCMU").astype(np.float64) / 32768
    assert min(sound.likeness(sound.sweep(8000), samples)) > 0.95


async def recorded(asterisk, caller_id):
    """Read a recording, which Asterisk completes as it ends its side of the call."""
    async with asyncio.timeout(5):
        # no event tells of another program's file
        while not asterisk.console("core", "show", "channels", "count").startswith("0 active"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return sound.read(asterisk.recording(caller_id))
