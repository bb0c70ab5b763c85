"""Reports as text: CSV that a spreadsheet shows as text and never runs, and JSON lines."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import re
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Value: TypeAlias = (
    "str | int | float | bool | dt.datetime | Sequence[str] | Mapping[str, Any] | None"
)
"""What a column of a report holds: several texts, or an object of JSON, in one cell too."""

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


def text_of(value: Value) -> str:
    """Return a value as a person reads it in a cell; times are ISO 8601 with milliseconds."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "yes" if value else "no"
        case int():
            return str(value)
        case float():
            return f"{value:.1f}"
        case dt.datetime():
            return value.isoformat(timespec="milliseconds")
        case dict():
            return json.dumps(value, ensure_ascii=False) if value else ""
    return "\n".join(value)


def csv_lines(rows: Iterable[Iterable[str]]) -> str:
    """Return rows as guarded CSV text with CRLF line ends (RFC 4180)."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerows([map(guard, row) for row in rows])
    return buffer.getvalue()


def json_lines(columns: Sequence[str], rows: Iterable[Sequence[Value]]) -> str:
    """Return rows as JSON objects, one a line, their values with their own types."""
    return "".join(
        json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False, default=_in_json)
        + "\n"
        for row in rows
    )


def _in_json(value: object) -> object:
    if isinstance(value, dt.datetime):
        return value.isoformat(timespec="milliseconds")
    raise TypeError(f"{type(value).__name__} has no place in a report")
