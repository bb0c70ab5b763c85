"""The rows of an XLSX workbook, read in a process of its own: `python -m dialer.api.workbook_rows`.

Arguments: the file, and the name of a sheet or nothing for the first. Writes lines of JSON: arrays
of [row from 1, cells as texts, or null where the row is too long]; first the name of the sheet, and
in the end, where it cannot be read, the reason as {"problem": text}. The library holds a sheet in
memory as a whole, which is why this is not done in the process that makes calls.
"""

from __future__ import annotations

import datetime as dt
import decimal
import json
import os
import resource
import sys
import zipfile
from typing import TYPE_CHECKING

import python_calamine
from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY = 4 * 1024**3  # bytes of address space
CPU_SECONDS = 300
MOST_UNPACKED = 2 * 1024**3  # bytes; a full sheet of twenty columns has less
MOST_PARTS = 10_000
LONGEST_ROW = 64 * 1024  # characters
LONGEST_PIECE = 64 * 1024  # characters, after which a line is written
LONGEST_LINE = 2 * 1024**2  # bytes of a line that is written, escapes included
ANOTHER = {
    "xl/workbook.bin": "an XLSB file",
    "word/document.xml": "a Word document",
    "ppt/presentation.xml": "a presentation",
    "content.xml": "an ODS file or another OpenDocument",
    "Index/Document.iwa": "a Numbers file",
}


class WorkbookError(Exception):
    """The workbook cannot be read; the message is one line."""


def check(path: str) -> None:
    """Look at the parts of the file before any is unpacked. Raises WorkbookError."""
    try:
        with zipfile.ZipFile(path) as file:
            parts = file.infolist()
    except (zipfile.BadZipFile, ValueError, OSError):
        raise WorkbookError("the workbook is damaged: it is no whole ZIP file") from None
    names = {part.filename for part in parts}
    if "xl/workbook.xml" not in names:
        what = next((what for name, what in ANOTHER.items() if name in names), "another ZIP file")
        raise WorkbookError(f"the list is {what}; save it as XLSX, or as CSV in UTF-8")
    unpacked = sum(part.file_size for part in parts)
    if unpacked > MOST_UNPACKED or len(parts) > MOST_PARTS:
        raise WorkbookError(
            f"the workbook unpacks to {unpacked // 1024**2} MiB in {len(parts)} parts, more than"
            f" {MOST_UNPACKED // 1024**2} MiB or {MOST_PARTS} parts; save it as CSV"
        )


def choose(book: CalamineWorkbook, wanted: str) -> str:
    """Return the name of the sheet to read: the one wanted, or the first that a person sees."""
    if wanted and wanted not in book.sheet_names:
        names = ", ".join(repr(name) for name in book.sheet_names[:20])
        raise WorkbookError(f"there is no sheet {wanted[:60]!r} in the workbook; it has {names}")
    seen = [
        sheet.name
        for sheet in book.sheets_metadata
        if sheet.typ == SheetTypeEnum.WorkSheet and sheet.visible == SheetVisibleEnum.Visible
    ]
    if not wanted and not seen:
        raise WorkbookError("the workbook has no sheet that is visible")
    return wanted or seen[0]


def text_of(value: object) -> str:
    """Return a cell as a person sees it: whole numbers without a point, none with an exponent."""
    match value:
        case str():
            return value.strip()
        case bool():
            return str(value).upper()
        case float():
            return str(int(value)) if value.is_integer() else f"{decimal.Decimal(repr(value)):f}"
        case dt.datetime():
            return value.isoformat(" ")
        case dt.date() | dt.time():
            return value.isoformat()
    return str(value)


def rows(sheet: python_calamine.CalamineSheet) -> Iterator[tuple[int, list[str] | None]]:
    """Yield the rows that are not empty, with their places from 1."""
    for place, row in enumerate(sheet.iter_rows(), start=1):
        cells = [text_of(value) for value in row]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            yield place, cells if sum(map(len, cells)) + len(cells) <= LONGEST_ROW else None


def write(path: str, wanted: str) -> None:
    """Write the rows of a workbook to stdout. Raises WorkbookError."""
    check(path)
    try:
        book = CalamineWorkbook.from_path(path)
        name = choose(book, wanted)
        sheet = book.get_sheet_by_name(name)
    except python_calamine.PasswordError:
        raise WorkbookError("the workbook has a password; save it without") from None
    except (CalamineError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise WorkbookError(f"the workbook is damaged: {reason}") from None
    print(json.dumps(name))  # noqa: T201 - the parent reads it
    piece: list[tuple[int, list[str] | None]] = []
    size = 0
    for row in rows(sheet):
        piece.append(row)
        size += sum(len(cell) + len('"", ') for cell in row[1] or ()) + len("[9999999, []], ")
        if size > LONGEST_PIECE:
            print(json.dumps(piece))  # noqa: T201 - as above
            piece, size = [], 0
    print(json.dumps(piece), flush=True)  # noqa: T201 - as above


def main() -> None:
    """Read the workbook within limits of memory and time, and behind everything else."""
    os.nice(10)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, path, wanted = sys.argv
    try:
        write(path, wanted)
    except WorkbookError as error:
        print(json.dumps({"problem": str(error)}), flush=True)  # noqa: T201 - as above


if __name__ == "__main__":
    main()
