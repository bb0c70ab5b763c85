"""Lists of numbers in CSV, read piece by piece with flat memory."""

from __future__ import annotations

import csv
import dataclasses
from typing import TYPE_CHECKING

from dialer.campaign.number import LONGEST_TEXT, Number, NumberError, normalise

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Iterator, Mapping, Sequence

LONGEST_LINE = 64 * 1024  # bytes
MOST_LINES = 50  # of one row, where quoted cells hold line breaks
MOST_COLUMNS = 256
DELIMITERS = ",;\t"
PHONE = "phone"
UTF8_BOM = b"\xef\xbb\xbf"
OTHER_FORMATS = {
    b"PK\x03\x04": "it is a ZIP or XLSX file",
    b"\xd0\xcf\x11\xe0": "it is an XLS file",
    b"\xff\xfe": "its text is UTF-16",
    b"\xfe\xff": "its text is UTF-16",
    b"\x1f\x8b": "it is a GZIP file",
}


class NumberListError(ValueError):
    """A list of which no row can be read; the message is one line: what, and what to do."""


@dataclasses.dataclass(frozen=True, slots=True)
class NewNumber:
    """A number to call, its other columns, and the line (from 1) where its row begins."""

    number: Number
    payload: Mapping[str, str]
    line: int


@dataclasses.dataclass(frozen=True, slots=True)
class RowProblem:
    """A row that cannot be used, the line (from 1) where it begins, and why.

    `phone` is what stood in the column of numbers, empty where that could not be told.
    """

    line: int
    reason: str
    phone: str = ""


Row = NewNumber | RowProblem


class NumberList:
    """Turns pieces of a CSV file, of whatever size, into rows.

    The file is UTF-8, with commas, semicolons or tabs. Numbers stand in the column named `phone`,
    failing that in the first. The first row is a header if it names `phone` or if its first cell
    has no digit; without a header the columns are named column_2, column_3, ... Memory is bounded
    by the longest line that is taken, whatever the input.

        rows = numbers.feed(piece)   # for each piece, in order
        rows = numbers.close()       # the rest

    Both raise NumberListError where no row can be read.
    """

    def __init__(self, internal: re.Pattern[str] | None = None) -> None:
        self._internal = internal
        self._delimiter = ""  # this and the next two come from the first row
        self._names: tuple[str, ...] = ()
        self._phone = 0
        self._rest = bytearray()  # a line whose end has not come
        self._too_long = False  # the rest of this line is thrown away
        self._begun = False
        self._line = 0  # the last line that ended
        self._open: list[tuple[int, str]] = []  # the lines of a row with an open quote

    def feed(self, piece: bytes) -> list[Row]:
        """Take the next piece; return the rows that it completed."""
        if not self._begun:
            self._rest += piece
            if len(self._rest) < 4:
                return []
            piece = self._begin()
        return list(self._split(piece))

    def close(self) -> list[Row]:
        """Return the rows of a last line without an end, and of a quote that was never closed."""
        rows: list[Row] = []
        if not self._begun:
            rows += self._split(self._begin())
        if self._rest or self._too_long:
            rows += self._split(b"\n")
        while self._open:
            rows += self._give_up("a quote is opened and not closed")
        return rows

    def _begin(self) -> bytes:
        self._begun = True
        start = bytes(self._rest)
        self._rest.clear()
        for magic, what in OTHER_FORMATS.items():
            if start.startswith(magic):
                raise NumberListError(f"the list is not CSV: {what}; save it as CSV in UTF-8")
        return start.removeprefix(UTF8_BOM)

    def _split(self, piece: bytes) -> Iterator[Row]:
        start = 0
        while (end := piece.find(b"\n", start)) >= 0:
            self._keep(piece[start:end])
            start = end + 1
            yield from self._end_line()
        self._keep(piece[start:])

    def _keep(self, part: bytes) -> None:
        if len(self._rest) + len(part) > LONGEST_LINE:
            self._too_long = True
            self._rest.clear()
        if not self._too_long:
            self._rest += part

    def _end_line(self) -> Iterator[Row]:
        self._line += 1
        line = bytes(self._rest).removesuffix(b"\r")
        self._rest.clear()
        problem = text = ""
        if self._too_long:
            problem = f"the line is longer than {LONGEST_LINE} bytes"
        elif b"\r" in line:
            problem = "the line has a carriage return within; end lines with LF or CRLF"
        elif b"\0" in line:
            problem = "the line has a NUL byte"
        else:
            try:
                text = line.decode()
            except UnicodeDecodeError as error:
                problem = f"byte {error.start + 1} of the line is not UTF-8"
        self._too_long = False
        if not problem:
            yield from self._take(self._line, text)
            return
        while self._open:
            yield from self._give_up("a quote is opened and not closed")
        yield RowProblem(self._line, problem)

    def _take(self, line: int, text: str) -> Iterator[Row]:
        """Take a line: a row, or a part of a row with line breaks in its cells."""
        if not self._names:
            self._delimiter = _sniff(self._open[0][1] if self._open else text)
        if not self._open and '"' not in text:
            yield from self._row(line, text.split(self._delimiter))
            return
        self._open.append((line, text))
        size = sum(len(text) for _, text in self._open)
        if size > LONGEST_LINE or len(self._open) > MOST_LINES:
            yield from self._give_up("a quote is opened and not closed")
        elif '"' in text:
            lines = [text + "\n" for _, text in self._open]
            try:
                (cells,) = csv.reader(lines, delimiter=self._delimiter, strict=True)
            except csv.Error as error:
                if "unexpected end" not in str(error):
                    yield from self._give_up("a quote is closed before the end of its cell")
            else:
                first, _ = self._open[0]
                self._open.clear()
                yield from self._row(first, cells)

    def _give_up(self, reason: str) -> Iterator[Row]:
        """Report the first line of an unfinished row, and read its others as rows of their own."""
        (first, _), *others = self._open
        self._open.clear()
        yield RowProblem(first, reason)
        for line, text in others:
            yield from self._take(line, text)

    def _row(self, line: int, raw: Sequence[str]) -> Iterator[Row]:
        cells = [cell.strip() for cell in raw]
        if not any(cells):
            return
        if not self._names:
            header = _is_header(cells)
            self._names, self._phone = _name(cells, header=header, line=line)
            if header:
                return
        yield self._number(line, cells)

    def _number(self, line: int, cells: list[str]) -> Row:
        phone = cells[self._phone] if self._phone < len(cells) else ""
        shown = phone[:LONGEST_TEXT]
        width = len(self._names)
        if any(cells[width:]):
            reason = f"has {len(cells)} columns where the first row has {width}"
            return RowProblem(line, reason, shown)
        try:
            number = normalise(phone, self._internal)
        except NumberError as error:
            return RowProblem(line, f"{PHONE}: {error}", shown)
        values = cells + [""] * (width - len(cells))
        payload = dict(zip(self._names, values, strict=False))
        del payload[self._names[self._phone]]
        return NewNumber(number, payload, line)


def read(pieces: Iterable[bytes], internal: re.Pattern[str] | None = None) -> Iterator[Row]:
    """Yield the rows of a whole list; see NumberList."""
    numbers = NumberList(internal)
    for piece in pieces:
        yield from numbers.feed(piece)
    yield from numbers.close()


def _sniff(text: str) -> str:
    """Return the delimiter that the first row has most of, outside its quotes."""
    outside = "".join(text.split('"')[::2])
    return max(DELIMITERS, key=outside.count)


def _is_header(cells: Sequence[str]) -> bool:
    return PHONE in map(str.casefold, cells) or not any(char.isdigit() for char in cells[0])


def _name(cells: Sequence[str], *, header: bool, line: int) -> tuple[tuple[str, ...], int]:
    """Return the columns' names, and which one holds the numbers."""
    if len(cells) > MOST_COLUMNS:
        raise NumberListError(f"line {line}: more than {MOST_COLUMNS} columns; leave some out")
    titles = cells if header else [""] * len(cells)
    names = tuple(title or f"column_{place}" for place, title in enumerate(titles, 1))
    for name in names:
        if names.count(name) > 1:
            raise NumberListError(f"line {line}: two columns are named {name!r}; rename one")
    folded = [name.casefold() for name in names]
    return names, folded.index(PHONE) if PHONE in folded else 0
