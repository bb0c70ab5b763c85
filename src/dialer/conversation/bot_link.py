"""Messages on their way to a bot: in order, bounded, and never in anybody's way."""

from __future__ import annotations

import asyncio
import collections
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class BotLink:
    """Takes messages at any time and sends them one after another.

    `send` is the connection's, which never waits. Between `pause` and `resume` the bot does not
    read, and messages wait, up to `most` of them. One more and `overflow` is set, and nothing is
    taken any longer. `empty` is set while none waits.
    """

    __slots__ = (
        "_most",
        "_paused",
        "_send",
        "_waiting",
        "empty",
        "overflow",
    )

    def __init__(self, send: Callable[[str], None], most: int) -> None:
        self._send = send
        self._most = most
        self._waiting: collections.deque[str] = collections.deque()
        self._paused = False
        self.empty = asyncio.Event()
        self.empty.set()
        self.overflow = asyncio.Event()

    def send(self, text: str) -> None:
        """Take a message; lost where the link has overflowed or the connection is gone."""
        if not self._paused:
            self._send(text)
        elif len(self._waiting) >= self._most:
            self.overflow.set()
        elif not self.overflow.is_set():
            self._waiting.append(text)

    def pause(self) -> None:
        """Send no more for now."""
        self._paused = True
        self.empty.clear()

    def resume(self) -> None:
        """Send what waits, as far as the bot reads it."""
        self._paused = False
        while self._waiting and not self._paused:
            self._send(self._waiting.popleft())
        if not self._paused:
            self.empty.set()
