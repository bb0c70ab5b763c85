"""A prompt over and over, for one who waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from dialer.rtp import g711

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from dialer.conversation.menu import Prompt
    from dialer.rtp.frames import Frames

Sound: TypeAlias = "Callable[[Prompt, str], Awaitable[Frames]]"
"""Returns a prompt in a codec; raises `AudioError` where it cannot be played."""


def looped(frames: Frames, codec: Callable[[], str]) -> Callable[[], bytes]:
    """Return a source of frames without an end, which asks for the codec each time."""
    place = 0

    def frame() -> bytes:
        nonlocal place
        begin = place * g711.FRAME_SAMPLES
        place = (place + 1) % len(frames)
        return g711.recode(frames.data[begin : begin + g711.FRAME_SAMPLES], frames.codec, codec())

    return frame
