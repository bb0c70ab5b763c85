"""The rows of a CSV file, read piece by piece with flat memory."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from dialer.campaign.list_encoding import UTF8, ListEncoding
from dialer.campaign.list_row import RowProblem
from dialer.campaign.number import reads_as_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LONGEST_LINE = 64 * 1024  # bytes
MOST_LINES = 50  # of one row, where quoted cells hold line breaks
DELIMITERS = ",;\t|"
PHONE = "phone"
UNCLOSED = "a quote is opened and not closed"

RawRow = tuple[int, list[str]] | RowProblem
"""The line (from 1) where a row begins, and its cells."""


class CsvRows:
    """Turns pieces of a CSV file, of whatever size, into rows.

    The delimiter is a comma, semicolon, tab or bar, as the first row shows, or a line `sep=;`
    before it. Memory is bounded by the longest line that is taken, whatever the input.
    """

    def __init__(self, encoding: ListEncoding) -> None:
        self._encoding = encoding
        self.delimiter = ""  # comes from the first row
        self._rest = bytearray()  # a line whose end has not come
        self._too_long = False  # the rest of this line is thrown away
        self._line = 0  # the last line that ended
        self._open: list[tuple[int, str]] = []  # the lines of a row with an open quote

    def feed(self, piece: bytes) -> Iterator[RawRow]:
        """Take the next piece; yield the rows that it completed."""
        yield from self._split(self._encoding.feed(piece))

    def close(self) -> Iterator[RawRow]:
        """Yield the rows of a last line without an end, and of a quote that was never closed."""
        yield from self._split(self._encoding.close())
        if self._rest or self._too_long:
            yield from self._split(b"\n")
        while self._open:
            yield from self._give_up(UNCLOSED)

    def _split(self, piece: bytes) -> Iterator[RawRow]:
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

    def _end_line(self) -> Iterator[RawRow]:
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
                text = line.decode(self._encoding.codec)
            except UnicodeDecodeError as error:
                problem = self._undecodable(error)
        self._too_long = False
        if not problem:
            yield from self._take(self._line, text)
            return
        while self._open:
            yield from self._give_up(UNCLOSED)
        yield RowProblem(self._line, problem)

    def _undecodable(self, error: UnicodeDecodeError) -> str:
        encoding = self._encoding.shown.upper()
        if encoding == UTF8.upper():
            return f"byte {error.start + 1} of the line is not {encoding}"
        return f"the line is not {encoding}, as the list seems to be"

    def _take(self, line: int, text: str) -> Iterator[RawRow]:
        """Take a line: a row, or a part of a row with line breaks in its cells."""
        if not self.delimiter and text.strip() and not self._open and self._announced(text):
            return
        delimiter = self.delimiter or _sniff(self._open[0][1] if self._open else text)
        if not self._open and '"' not in text:
            yield from self._row(line, text.split(delimiter), delimiter)
            return
        self._open.append((line, text))
        size = sum(len(text) for _, text in self._open)
        if size > LONGEST_LINE or len(self._open) > MOST_LINES:
            yield from self._give_up(UNCLOSED)
        elif '"' in text:
            lines = [text + "\n" for _, text in self._open]
            try:
                (cells,) = csv.reader(lines, delimiter=delimiter, strict=True)
            except csv.Error as error:
                if "unexpected end" not in str(error):
                    yield from self._give_up("a quote is closed before the end of its cell")
            else:
                first, _ = self._open[0]
                self._open.clear()
                yield from self._row(first, cells, delimiter)

    def _row(self, line: int, raw: Sequence[str], delimiter: str) -> Iterator[RawRow]:
        cells = [cell.strip() for cell in raw]
        if any(cells):
            self.delimiter = delimiter
            yield line, cells

    def _announced(self, text: str) -> bool:
        """Whether the line only names the delimiter, as spreadsheets understand it."""
        if len(text) == 5 and text[:4].lower() == "sep=" and text[4] in DELIMITERS:
            self.delimiter = text[4]
            return True
        return False

    def _give_up(self, reason: str) -> Iterator[RawRow]:
        """Report the first line of an unfinished row, and read its others as rows of their own."""
        (first, _), *others = self._open
        self._open.clear()
        yield RowProblem(first, reason)
        for line, text in others:
            yield from self._take(line, text)


def _sniff(text: str) -> str:
    """Return the delimiter by which the first row makes sense, or else that it has most of.

    It makes sense where it sets off the column of numbers, or a number in the first place.
    """
    outside = "".join(text.split('"')[::2])

    def merit(delimiter: str) -> tuple[bool, int]:
        cells = [cell.strip().strip('"').casefold() for cell in text.split(delimiter)]
        sensible = len(cells) > 1 and (PHONE in cells or reads_as_number(cells[0]))
        return sensible, outside.count(delimiter)

    return max(DELIMITERS, key=merit)
