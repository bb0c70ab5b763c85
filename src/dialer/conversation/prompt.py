"""What the simplest conversation is: a prompt, then good-bye."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from dialer.rtp.frames import Frames

if TYPE_CHECKING:
    from dialer.clock import Clock
    from dialer.ua.audio import AudioLibrary
    from dialer.ua.outbound import OutboundCall

HELLO = Path(__file__).parent / "prompts" / "hello.wav"


async def play_prompt(
    call: OutboundCall, path: Path, library: AudioLibrary, *, tail: float = 0.2
) -> bool:
    """Play an audio file to whoever answered, then `tail` seconds of silence, and hang up.

    Returns whether all of it left: False where the call ended before. Hangs up in any case, also
    when cancelled. Raises `AudioError` where the file cannot be played.
    """
    media = call.media
    try:
        codec = media.codec or "PCMU"
        frames = await library.fetch(path, codec) + Frames.silence(tail, codec)
        playing = media.play(frames)
        await asyncio.wait((playing, call.result), return_when=asyncio.FIRST_COMPLETED)
        return playing.done() and playing.result()
    finally:
        media.stop_playing()
        call.hang_up()


async def hang_up_after(call: OutboundCall, seconds: float, clock: Clock) -> None:
    """Stay on the call in silence for `seconds`, or until the other side ends it; then hang up."""
    waiting = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait((waiting, call.result), return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        call.hang_up()
