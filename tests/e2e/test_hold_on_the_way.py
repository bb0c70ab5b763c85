"""A call that somebody behind Asterisk puts on hold and takes back, while we speak."""

from __future__ import annotations

import asyncio
import re

import numpy as np

from dialer.conversation.keys import Keys
from dialer.rtp.frames import Frames
from dialer.ua.call import CallRequest, HungUpBy

from . import sound
from .calling import place


async def test_what_is_said_and_pressed_goes_on_after_hold(asterisk, far_end, user_agent, figure):
    far = await far_end("hold-then-key")
    passed, keys = [], []
    agent = await user_agent(on_message=passed.append)
    request = CallRequest(asterisk.trunk("dialer-held"), f"7{far.port}", "15550180")
    call, _, up = await place(agent, request)
    Keys(call, keys.append)
    async with asyncio.timeout(20):
        await up.wait()
        said = (sound.sweep(8000, seconds=1.2) * 32767).astype(np.int16)  # hold begins after 0.5 s
        whole = await call.media.play(Frames.of(said, "PCMU"))
        result = await call.result
    await far.finished()
    ways = [
        (message.direction, way.decode())
        for message in passed
        if (way := first_way(message.data)) is not None
    ]
    begin = ways.index(("received", "sendonly"))
    told = [way for _, way in ways[begin : begin + 4]]
    figure(
        "hold and back by re-INVITE",
        f"{', '.join(told)}; prompt {'whole' if whole else 'cut'}; then key {''.join(keys)}",
        "prompt whole; then key 5",
    )
    assert ways[begin : begin + 4] == [
        ("received", "sendonly"),
        ("sent", "recvonly"),
        ("received", "sendrecv"),
        ("sent", "sendrecv"),
    ]
    assert whole
    assert keys == ["5"]
    assert result.hung_up_by is HungUpBy.THEM


def first_way(data):
    found = re.search(rb"^a=(sendrecv|sendonly|recvonly|inactive)\r?$", data, re.MULTILINE)
    return found and found[1]
