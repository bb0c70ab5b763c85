"""A list of numbers on its way in: what it is, and its rows as they come."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

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

    from aiohttp import web

    from dialer.api.models import ListReading
    from dialer.api.settings import ApiSettings
    from dialer.campaign.list_row import Row

SPOOL_PIECE = 1024 * 1024  # bytes that are written at a time
CSV_PIECE = 8 * 1024  # bytes; a few hundred rows, so that the event loop gets its turn
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


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
        body = inputs.list_body(self._request, self._settings, told=self._named)
        async with contextlib.aclosing(body) as pieces:
            start = b""
            while len(start) < LONGEST_MARK and (piece := await anext(pieces, b"")):
                start += piece
            kind = format_of(start)
            if kind is ListFormat.XLSX or self._spool:
                async with _spooled(start, pieces) as path:
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
                taken = (
                    raw if isinstance(raw, RowProblem) else columns.take(*raw) for raw in piece
                )
                yield [row for row in taken if row is not None]
        self.format = f"XLSX, sheet {book.sheet!r}"


async def _after(start: bytes, pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Yield what was read already, then the rest."""
    yield start
    async for piece in pieces:
        yield piece


@contextlib.asynccontextmanager
async def _spooled(start: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[Path]:
    """Give a temporary file with the whole list. Raises Problem where there is no room."""
    folder = await asyncio.to_thread(tempfile.TemporaryDirectory, prefix="dialer-list-")
    try:
        path = Path(folder.name) / "list"
        try:
            await _write(path, start, pieces)
        except OSError as error:
            if isinstance(error, ConnectionError | TimeoutError):
                raise
            raise Problem(
                507, f"the list cannot be kept in {folder.name}: {error.strerror}"
            ) from None
        yield path
    finally:
        await asyncio.to_thread(folder.cleanup)


async def _write(path: Path, start: bytes, pieces: AsyncIterator[bytes]) -> None:
    with path.open("wb", buffering=0) as file:
        waiting = bytearray(start)
        async for piece in pieces:
            waiting += piece
            if len(waiting) >= SPOOL_PIECE:
                await asyncio.to_thread(file.write, bytes(waiting))
                waiting.clear()
        await asyncio.to_thread(file.write, bytes(waiting))


async def _read(path: Path) -> AsyncGenerator[bytes]:
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, SPOOL_PIECE):
            yield piece
