"""A report as an XLSX workbook, written row by row into a temporary file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import xlsxwriter

from dialer.campaign.report import text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from dialer.campaign.report import Value

ROWS_OF_SHEET = 1_048_576  # what the format holds, the header among them
LONGEST_CELL = 32_767  # characters, as above


class Workbook:
    """A workbook whose rows go to disk as they come; another sheet begins where one is full.

    Texts are written as texts, so that none of them is ever a formula. All of it blocks: it is
    for a thread.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._book = xlsxwriter.Workbook(path, {"constant_memory": True, "in_memory": False})
        self._columns = columns
        self._sheet: Any = None
        self._row = 0
        self._begin()

    def add(self, rows: Iterable[Sequence[Value]]) -> None:
        """Write rows."""
        for row in rows:
            if self._row == ROWS_OF_SHEET:
                self._begin()
            for place, value in enumerate(row):
                self._write(place, value)
            self._row += 1

    def close(self) -> None:
        """Finish the file."""
        self._book.close()

    def _begin(self) -> None:
        self._sheet = self._book.add_worksheet()
        self._sheet.freeze_panes(1, 0)
        self._row = 0
        for place, name in enumerate(self._columns):
            self._write(place, name)
        self._row = 1

    def _write(self, place: int, value: Value) -> None:
        if isinstance(value, int | float) and not isinstance(value, bool):
            self._sheet.write_number(self._row, place, value)
            return
        text = text_of(value)
        if text:
            self._sheet.write_string(self._row, place, text[:LONGEST_CELL])
