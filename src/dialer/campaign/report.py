"""Reports as CSV that a spreadsheet shows as text and never runs."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# What a spreadsheet takes as the start of a formula, full-width forms included.
FORMULA = re.compile(r"[\t\r\n]|\s*[=+\-@\uFF1D\uFF0B\uFF0D\uFF20]")
NUMBER = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)?")


def guard(text: str) -> str:
    """Return a cell with an apostrophe before what could run as a formula.

    Plain numbers stay as they are, +E.164 among them.
    """
    if FORMULA.match(text) and not NUMBER.fullmatch(text):
        return "'" + text
    return text


def csv_lines(rows: Iterable[Iterable[str]]) -> str:
    """Return rows as guarded CSV text with CRLF line ends (RFC 4180)."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerows([map(guard, row) for row in rows])
    return buffer.getvalue()
