"""A list of numbers on its way in: what it is, and its rows as they come."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from dialer.api import inputs
from dialer.api.context import context_of
from dialer.api.list_workbook import Workbook
from dialer.api.problem import Problem
from dialer.campaign.list_format import LONGEST_MARK, ListFormat, format_of
from dialer.campaign.list_row import NumberListError, RowProblem
from dialer.campaign.number_columns import NumberColumns
from dialer.campaign.number_list import NumberList

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from dialer.api.models import ListReading
    from dialer.api.settings import ApiSettings
    from dialer.campaign.list_row import Row

SPOOL_PIECE = 1024 * 1024  # bytes that are written at a time
ROWS_AT_A_TIME = 250  # of a workbook, so that the event loop gets its turn
CSV_PIECE = 8 * 1024  # bytes; a few hundred rows, so that the event loop gets its turn
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FILE_TYPES = frozenset({"text/csv", "multipart/form-data", XLSX})
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclasses.dataclass(frozen=True, slots=True)
class Spooled:
    """A list that has come whole: its file, the SHA-256 of it, and the name that it was sent by."""

    path: Path
    digest: bytes
    file_name: str


SPOOLED: web.RequestKey[Spooled] = web.RequestKey("spooled")
"""Under which a request has its list, where it was spooled before the handler."""


class ListUpload:
    """The rows of a list in a request's body. `format` says how it was read, once it was.

    A workbook goes to a temporary file first, and with `spool` every list does, so that a slow
    sender holds nothing else.
    """

    def __init__(
        self, request: web.Request, asked: ListReading, settings: ApiSettings, *, spool: bool
    ) -> None:
        self._request = request
        self._asked = asked
        self._settings = settings
        self._spool = spool
        self.file_name = asked.file_name or ""
        self.format = ""

    async def rows(self) -> AsyncGenerator[Sequence[Row]]:
        """Yield the rows, some at a time. Raises Problem and NumberListError."""
        whole = self._request.get(SPOOLED)
        if whole is not None:
            self._named(whole.file_name)
            body = _read(whole.path)
        else:
            body = inputs.list_body(self._request, self._settings, told=self._named)
        async with contextlib.aclosing(body) as pieces:
            start = b""
            while len(start) < LONGEST_MARK and (piece := await anext(pieces, b"")):
                start += piece
            kind = format_of(start)
            if kind is ListFormat.XLSX or (self._spool and whole is None):
                async with _path_of(whole, start, pieces) as path:
                    if kind is ListFormat.XLSX:
                        found = self._of_workbook(path)
                    else:
                        found = self._of_csv(_read(path))
                    async with contextlib.aclosing(found):
                        async for rows in found:
                            yield rows
            else:
                async with contextlib.aclosing(self._of_csv(_after(start, pieces))) as found:
                    async for rows in found:
                        yield rows

    def _named(self, file_name: str) -> None:
        self.file_name = self.file_name or file_name[: inputs.LONGEST_FILE_NAME]

    async def _of_csv(self, pieces: AsyncGenerator[bytes]) -> AsyncGenerator[Sequence[Row]]:
        if self._asked.sheet:
            raise NumberListError("the list is CSV and has no sheets; leave `sheet` out")
        numbers = NumberList(self._settings.internal_numbers, self._asked.encoding or "")
        async with contextlib.aclosing(pieces):
            async for piece in pieces:
                for first in range(0, len(piece), CSV_PIECE):
                    yield numbers.feed(piece[first : first + CSV_PIECE])
                    await asyncio.sleep(0)  # what is there already is read without a wait
        yield numbers.close()
        self.format = f"CSV in {numbers.encoding.upper()}"
        if numbers.delimiter:
            self.format += f" with {DELIMITERS[numbers.delimiter]}"

    async def _of_workbook(self, path: Path) -> AsyncGenerator[Sequence[Row]]:
        if self._asked.encoding:
            raise NumberListError("the list is XLSX, which says its encoding itself; leave it out")
        book = Workbook(path, self._asked.sheet or "")
        columns = NumberColumns(self._settings.internal_numbers)
        room = context_of(self._request).workbooks
        async with room, contextlib.aclosing(book.rows()) as pieces:
            async for piece in pieces:
                for first in range(0, len(piece), ROWS_AT_A_TIME):
                    taken = (
                        raw if isinstance(raw, RowProblem) else columns.take(*raw)
                        for raw in piece[first : first + ROWS_AT_A_TIME]
                    )
                    yield [row for row in taken if row is not None]
                    await asyncio.sleep(0)
        self.format = f"XLSX, sheet {book.sheet!r}"


async def _after(start: bytes, pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Yield what was read already, then the rest."""
    yield start
    async for piece in pieces:
        yield piece


@contextlib.asynccontextmanager
async def _path_of(
    whole: Spooled | None, start: bytes, pieces: AsyncIterator[bytes]
) -> AsyncIterator[Path]:
    if whole is not None:
        yield whole.path
    else:
        async with _spooled(start, pieces) as (path, _):
            yield path


@contextlib.asynccontextmanager
async def spooled(request: web.Request, settings: ApiSettings) -> AsyncIterator[Spooled]:
    """Give a list that has come whole. Raises Problem, also where there is no room for it."""
    names: list[str] = []
    body = inputs.list_body(request, settings, told=names.append)
    async with contextlib.aclosing(body) as pieces, _spooled(b"", pieces) as (path, digest):
        yield Spooled(path, digest, "".join(names))


@contextlib.asynccontextmanager
async def _spooled(start: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[tuple[Path, bytes]]:
    """Give a temporary file with the whole list, and its SHA-256; as `spooled`."""
    folder = await asyncio.to_thread(tempfile.TemporaryDirectory, prefix="dialer-list-")
    try:
        path = Path(folder.name) / "list"
        try:
            digest = await _write(path, start, pieces)
        except OSError as error:
            if isinstance(error, ConnectionError | TimeoutError):
                raise
            raise Problem(
                507, f"the list cannot be kept in {folder.name}: {error.strerror}"
            ) from None
        yield path, digest
    finally:
        await asyncio.to_thread(folder.cleanup)


async def _write(path: Path, start: bytes, pieces: AsyncIterator[bytes]) -> bytes:
    digest = hashlib.sha256()
    with path.open("wb", buffering=0) as file:
        waiting = bytearray(start)
        async for piece in pieces:
            waiting += piece
            if len(waiting) >= SPOOL_PIECE:
                digest.update(waiting)
                await asyncio.to_thread(file.write, bytes(waiting))
                waiting.clear()
        digest.update(waiting)
        await asyncio.to_thread(file.write, bytes(waiting))
    return digest.digest()


async def _read(path: Path) -> AsyncGenerator[bytes]:
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, SPOOL_PIECE):
            yield piece
