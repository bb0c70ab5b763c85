"""Where recordings are kept: what every such place can do, and how it fails."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import re
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


class PlaceError(Exception):
    """The place cannot do what is asked; the text says in one line what, where, and what to do."""


class NotThere(PlaceError):  # noqa: N818 - read as a sentence
    """There is nothing under that key."""


class RecordingPlace(abc.ABC):
    """A folder or a bucket that keeps files under keys such as `1/2026/11/28/NAME.wav`.

    A file is there whole or not at all. Everything raises PlaceError. `str` of it says where it is.
    """

    @abc.abstractmethod
    async def put(self, key: str, file: Path) -> None:
        """Keep a copy of `file`; one that is there under the key is replaced."""

    @abc.abstractmethod
    async def delete(self, key: str) -> None:
        """Delete what is there under the key; that there is nothing is fine."""

    @abc.abstractmethod
    def read(self, key: str, start: int, end: int) -> AsyncGenerator[bytes]:
        """Yield the bytes from offset `start` up to `end`, fewer where the file ends before it.

        In pieces of a mebibyte at the most. Raises NotThere.
        """

    async def holds(self, key: str) -> bool:
        """Whether there is something under the key."""
        try:
            async with contextlib.aclosing(self.read(key, 0, 1)) as pieces:
                await anext(pieces, None)
        except NotThere:
            return False
        return True

    async def probe(self) -> None:
        """Write a small file and delete it again, to see that both can be done."""
        with await asyncio.to_thread(tempfile.NamedTemporaryFile) as file:
            key = f"probe-{secrets.token_hex(8)}"
            await self.put(key, Path(file.name))
            await self.delete(key)


def checked(key: str) -> str:
    """Return a key that stays within its place; raises ValueError for another."""
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key!r} is no key of a recording")
    return key
