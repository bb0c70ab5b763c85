"""Messages on their way to a bot: in order, bounded, and never in anybody's way."""

from __future__ import annotations

import asyncio
import collections
import types
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

_GONE = (aiohttp.ClientError, ConnectionError)


class BotLink:
    """Takes messages at any time and sends them one after another.

    `send` is the connection's. It returns at once while the bot reads, so no task has to be woken
    for each of the fifty messages a second; once it waits, messages wait too, up to `most` of
    them. One more and `overflow` is set, and nothing is taken any longer. `empty` is set while
    none waits.
    """

    def __init__(self, send: Callable[[str], Coroutine[Any, Any, None]], most: int) -> None:
        self._send = send
        self._most = most
        self._waiting: collections.deque[str] = collections.deque()
        self._begun: Coroutine[Any, Any, None] | None = None  # a sending that waits
        self._waits_for: Any = None
        self._gone = False
        self._wake = asyncio.Event()
        self.empty = asyncio.Event()
        self.empty.set()
        self.overflow = asyncio.Event()

    def send(self, text: str) -> None:
        """Take a message; lost where the link has overflowed or the connection is gone."""
        if self._begun is not None:
            self._queue(text)
        elif not self._gone:
            sending = self._send(text)
            try:
                self._waits_for = sending.send(None)
            except StopIteration:
                return
            except _GONE:  # whoever reads the connection knows why
                self._gone = True
            else:
                self._begun = sending
                self.empty.clear()
                self._wake.set()

    async def run(self) -> None:
        """Send what waits, whenever something does, until the connection is gone."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                if self._begun is not None:
                    await _rest_of(self._begun, self._waits_for)
                while self._waiting:
                    await self._send(self._waiting.popleft())
                self._begun = None
                self.empty.set()
        except _GONE:
            self._gone, self._begun = True, None

    def _queue(self, text: str) -> None:
        if len(self._waiting) >= self._most:
            self.overflow.set()
        if not self.overflow.is_set():
            self._waiting.append(text)


@types.coroutine
def _rest_of(coroutine: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    """Go on with a coroutine that has run up to its first wait."""
    try:
        while True:
            result = yield waits_for
            waits_for = coroutine.send(result)
    except StopIteration:
        return
    finally:
        coroutine.close()  # where we are cancelled in the middle
