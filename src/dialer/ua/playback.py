"""What is being played into a call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialer.rtp import g711

if TYPE_CHECKING:
    import asyncio

    from dialer.rtp.frames import Frames


class Playback:
    """Frames on their way out; `done` becomes True after the last one, False if stopped."""

    __slots__ = ("done", "frames", "offset")

    def __init__(self, frames: Frames, done: asyncio.Future[bool]) -> None:
        self.frames = frames
        self.done = done
        self.offset = 0  # octets of `frames` that left

    def next_frame(self) -> bytes:
        """Return the next frame."""
        begin = self.offset
        self.offset = end = begin + g711.FRAME_SAMPLES
        return self.frames.data[begin:end]

    @property
    def taken(self) -> bool:
        """Whether the last frame was."""
        return self.offset >= len(self.frames.data)

    def finish(self, *, whole: bool) -> None:
        """Tell the one who waits whether all of it has left."""
        if not self.done.done():
            self.done.set_result(whole)
