"""Asking whoever answered whether the call may be recorded."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from dialer.conversation.keys import Keys
from dialer.rtp.g711 import FRAME_SECONDS

LONGEST_PRESS = 10.0  # seconds that a key is waited for to come up
REPETITIONS = 3  # packets that tell the end of a key (RFC 4733 §2.5.1.4)

if TYPE_CHECKING:
    from dialer.clock import Clock
    from dialer.rtp.frames import Frames
    from dialer.ua.outbound import OutboundCall


async def announce(call: OutboundCall, frames: Frames) -> bool:
    """Play an announcement; return whether the person has heard the end of it."""
    media = call.media
    playing = media.play(frames)
    try:
        await asyncio.wait((playing, call.result), return_when=asyncio.FIRST_COMPLETED)
    finally:
        media.stop_playing()
    return playing.result() and not call.result.done()


async def _released(keys: Keys, call: OutboundCall, clock: Clock) -> None:
    """Wait until the key is up, and its end repeated: whoever listens next would take it anew."""
    until = clock.monotonic() + LONGEST_PRESS
    while keys.down and not call.result.done() and clock.monotonic() < until:
        await clock.sleep(FRAME_SECONDS)
    await clock.sleep(REPETITIONS * FRAME_SECONDS)


async def ask_for_key(
    call: OutboundCall, frames: Frames, key: str, seconds: float, clock: Clock
) -> bool:
    """Play a question, which any key stops; return whether `key` was the first key pressed.

    It may come until `seconds` after the question's end.
    """
    first: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def pressed(one: str) -> None:
        if not first.done():
            first.set_result(one)

    keys = Keys(call, pressed)
    media = call.media
    playing = media.play(frames)
    waiting: asyncio.Future[None] | None = None
    try:
        await asyncio.wait((playing, first, call.result), return_when=asyncio.FIRST_COMPLETED)
        if playing.done() and not first.done() and not call.result.done():
            waiting = asyncio.ensure_future(clock.sleep(seconds))
            await asyncio.wait((waiting, first, call.result), return_when=asyncio.FIRST_COMPLETED)
        await _released(keys, call, clock)
    finally:
        keys.close()
        media.stop_playing()
        if waiting is not None:
            waiting.cancel()
    return first.done() and first.result() == key and not call.result.done()
