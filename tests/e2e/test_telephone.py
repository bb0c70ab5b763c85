"""A telephone that others wrote, registered with a PBX that others wrote, called by the dialer."""

from __future__ import annotations

import asyncio

from dialer.ua.call import CallRequest, HungUpBy, LocalCause

from . import sound
from .calling import place, say


async def test_the_telephone_heard_the_prompt(asterisk, telephone, user_agent, tmp_path):
    prompt = tmp_path / "prompt.wav"
    sound.write_prompt(prompt, 48_000)
    phone = await telephone("phone1")
    result = await say(
        await user_agent(), CallRequest(asterisk.trunk(), "6001", "15550100"), prompt
    )
    await phone.said("ended")
    assert result.answered
    assert result.rang
    assert result.hung_up_by is HungUpBy.US
    heard = sound.without_pauses(sound.read(phone.heard))
    assert min(sound.likeness(sound.sweep(8000), heard)) > 0.9
    other = sound.sweep(8000, first=2800, last=400)  # what was not said is not heard
    assert max(sound.likeness(other, heard)) < 0.6


async def test_a_telephone_that_nobody_answers(asterisk, telephone, user_agent):
    phone = await telephone("phone2", "--never-answer")
    call, rings, _ = await place(
        await user_agent(), CallRequest(asterisk.trunk(), "6002", "15550100", ring_timeout=2.0)
    )
    async with asyncio.timeout(10):
        await phone.said("ringing")
        await rings.wait()
        result = await call.result
    assert result.rang
    assert (result.code, result.local_cause) == (487, LocalCause.RING_TIMEOUT)


async def test_a_telephone_that_rings_out_at_the_pbx(asterisk, telephone, user_agent):
    await telephone("phone2", "--never-answer")
    agent = await user_agent()
    result = await agent.call(CallRequest(asterisk.trunk(), "6102", "15550100", ring_timeout=10))
    assert result.rang
    assert result.code == 603  # Dial() gave up, and the dialplan ended
    assert result.q850_cause in {None, 0, 16}
    assert result.local_cause is None
