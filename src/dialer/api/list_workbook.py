"""Reading an XLSX workbook from outside, without holding up the event loop."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING

from dialer.api import workbook_rows
from dialer.campaign.list_row import NumberListError, RowProblem

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from dialer.campaign.csv_rows import RawRow

TOO_MUCH = (
    f"the workbook cannot be read within {workbook_rows.MEMORY // 1024**3} GiB of memory and"
    f" {workbook_rows.CPU_SECONDS} s, or it is damaged; save the sheet as CSV"
)


class Workbook:
    """A workbook in a file; `sheet` is the one that is read, the first where none is wanted."""

    def __init__(self, path: Path, sheet: str = "") -> None:
        self._path = path
        self.sheet = sheet

    async def rows(self) -> AsyncGenerator[list[RawRow]]:
        """Yield the rows of the sheet, some at a time. Raises NumberListError."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            workbook_rows.__name__,
            self._path,
            self.sheet,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=workbook_rows.LONGEST_LINE,
        )
        try:
            assert process.stdout is not None
            async for line in process.stdout:
                said = json.loads(line)
                if isinstance(said, dict):
                    raise NumberListError(said["problem"])
                if isinstance(said, str):
                    self.sheet = said
                else:
                    yield [_row(place, cells) for place, cells in said]
            if await process.wait():
                raise NumberListError(TOO_MUCH)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


def _row(place: int, cells: list[str] | None) -> RawRow:
    if cells is None:
        return RowProblem(place, f"the row is longer than {workbook_rows.LONGEST_ROW} characters")
    if any("\0" in cell for cell in cells):
        return RowProblem(place, "the row has a NUL character")
    return place, cells
