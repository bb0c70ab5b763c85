"""Every key of a telephone, from Asterisk to us and from us to Asterisk, each way it can go."""

from __future__ import annotations

import asyncio
import re

import pytest

from dialer.conversation.keys import Keys
from dialer.rtp.telephone_event import DIGITS
from dialer.ua.call import CallRequest

from .calling import place

HEARD = {"dialer": "telephone-event", "dialer-info": "info", "dialer-inband": "in-band"}
NAMES = {"dialer": "RFC 4733", "dialer-info": "SIP INFO", "dialer-inband": "tones in the audio"}


async def up(user_agent, trunk, number, caller_id):
    call, _, answered = await place(await user_agent(), CallRequest(trunk, number, caller_id))
    async with asyncio.timeout(10):
        await answered.wait()
    return call


@pytest.mark.parametrize("account", HEARD)
async def test_keys_that_asterisk_presses_are_heard(asterisk, user_agent, figure, account):
    heard = []
    request = CallRequest(asterisk.trunk(account), "1011", "15550171")
    call, _, _ = await place(await user_agent(), request)
    keys = Keys(call, heard.append)
    async with asyncio.timeout(20):
        await call.result
    keys.close()
    figure(f"keys from Asterisk by {NAMES[account]}", in_place(heard), "16 of 16")
    assert ("".join(heard), keys.way) == (DIGITS, HEARD[account])


@pytest.mark.parametrize("account", ["dialer", "dialer-inband"])
async def test_keys_that_we_press_are_read_by_asterisk(asterisk, user_agent, figure, account):
    caller_id = f"1555017{2 + list(HEARD).index(account)}"
    call = await up(user_agent, asterisk.trunk(account), "1010", caller_id)
    call.media.press(DIGITS)
    async with asyncio.timeout(30):
        await call.result
    read = await told(asterisk, rf"keys of {caller_id}: ([0-9*#A-D]*)")
    figure(f"keys to Asterisk by {NAMES[account]}", in_place(read), "16 of 16")
    assert read == DIGITS


def in_place(keys):
    right = sum(one == other for one, other in zip(keys, DIGITS, strict=False))
    return f"{right} of {len(DIGITS)}"


async def told(asterisk, pattern):
    """Return what Asterisk's log says, which a thread of its own writes."""
    async with asyncio.timeout(5):
        # no event tells of another program's file
        while not (found := re.findall(pattern, asterisk.log)):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return found[-1]
