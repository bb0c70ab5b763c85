"""Recordings in a folder of this machine, or one that all machines have mounted."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from dialer.recordings.place import NotThere, PlaceError, RecordingPlace, checked

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

T = TypeVar("T")

PIECE = 256 * 1024  # bytes


class FolderPlace(RecordingPlace):
    """Files of mode 0600 in folders of mode 0700, which are made when they are first needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __str__(self) -> str:
        return str(self._folder)

    async def put(self, key: str, file: Path) -> None:
        """Keep a copy of `file`, on the disk when this returns; raises PlaceError."""
        await self._do("written", self._write, key, file)

    async def delete(self, key: str) -> None:
        """Delete what is there under the key; raises PlaceError."""
        await self._do("deleted", self._unlink, key)

    async def read(self, key: str, start: int, end: int) -> AsyncGenerator[bytes]:
        """Yield the bytes from `start` up to `end`; raises NotThere and PlaceError."""
        with await self._do("read", self._open, key) as file:
            while start < end:
                size = min(PIECE, end - start)
                piece = await self._do("read", os.pread, file.fileno(), size, start)
                if not piece:
                    return
                yield piece
                start += len(piece)

    async def _do(self, done: str, act: Callable[..., T], *args: object) -> T:
        """Do something in a thread; `done` says in an error what could not be."""
        try:
            return await asyncio.to_thread(act, *args)
        except OSError as error:
            advice = (
                "free some space there"
                if error.errno in {errno.ENOSPC, errno.EDQUOT}
                else "see that it is there (mounted, where it is a share) and that this process may"
                " write to it"
            )
            where = error.filename or self
            raise PlaceError(
                f"a recording cannot be {done} in {self}: {where}: {error.strerror}; {advice}"
            ) from None

    def _path(self, key: str) -> Path:
        return self._folder / checked(key)

    def _write(self, key: str, file: Path) -> None:
        target = self._path(key)
        _make_private(target.parent)
        # always the same name: what a crash has left of it is overwritten by the next try
        fresh = target.with_name(f".{target.name}.new")
        with file.open("rb") as source, _private(fresh) as copy:
            shutil.copyfileobj(source, copy, PIECE)
            copy.flush()
            os.fsync(copy.fileno())
        fresh.replace(target)
        _sync(target.parent)

    def _open(self, key: str) -> BinaryIO:
        path = self._path(key)
        try:
            return path.open("rb", buffering=0)
        except FileNotFoundError:
            self._see_its_part(key)
            raise NotThere(f"there is no {path}") from None

    def _unlink(self, key: str) -> None:
        try:
            self._path(key).unlink()
        except FileNotFoundError:
            self._see_its_part(key)

    def _see_its_part(self, key: str) -> None:
        """Raise FileNotFoundError where the folder of an account is missing, and not just a file.

        Then nothing is known of the file: a share that is not mounted looks so.
        """
        (self._folder / key.split("/", maxsplit=1)[0] if "/" in key else self._folder).stat()


def _make_private(folder: Path) -> None:
    """Make a folder and those above it that are missing; only its owner may enter."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)
        _sync(one.parent)


def _sync(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _private(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
