"""Calls as the tests place them."""

from __future__ import annotations

import asyncio
import dataclasses

from dialer.conversation.prompt import play_prompt
from dialer.ua.audio import AudioLibrary
from dialer.ua.call import Answered, Progress


async def talk(agent, request, seconds):
    """Call, and hang up `seconds` after the answer if the far end has not."""
    return await agent.call(dataclasses.replace(request, max_talk=seconds))


async def place(agent, request):
    """Place a call; return it with an event for the first ringing and one for the answer."""
    rings, up = asyncio.Event(), asyncio.Event()

    def note(event):
        if isinstance(event, Progress) and event.rings:
            rings.set()
        elif isinstance(event, Answered):
            up.set()

    return agent.place(await agent.prepare(request), note), rings, up


async def say(agent, request, prompt, listener=None):
    """Call, play the prompt to its end, hang up."""
    call, _, up = await place(agent, request)
    if listener is not None:
        call.media.listeners.append(listener)
    async with asyncio.timeout(10):
        await up.wait()
    assert await play_prompt(call, prompt, AudioLibrary())
    return await call.result
