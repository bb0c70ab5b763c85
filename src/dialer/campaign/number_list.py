"""Lists of numbers in CSV, read piece by piece with flat memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialer.campaign.csv_rows import CsvRows
from dialer.campaign.list_encoding import ListEncoding
from dialer.campaign.list_row import RowProblem
from dialer.campaign.number_columns import NumberColumns

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Iterator

    from dialer.campaign.csv_rows import RawRow
    from dialer.campaign.list_row import Row


class NumberList:
    """Turns pieces of a CSV file, of whatever size, into rows.

    `encoding` is taken where it is given, and found out otherwise.

        rows = numbers.feed(piece)   # for each piece, in order
        rows = numbers.close()       # the rest

    Both raise NumberListError where no row can be read.
    """

    def __init__(self, internal: re.Pattern[str] | None = None, encoding: str = "") -> None:
        self._encoding = ListEncoding(encoding)
        self._rows = CsvRows(self._encoding)
        self._columns = NumberColumns(internal)

    @property
    def encoding(self) -> str:
        """The encoding that was taken; final after `close`."""
        return self._encoding.shown

    @property
    def delimiter(self) -> str:
        """The delimiter that was taken, empty before the first row."""
        return self._rows.delimiter

    def feed(self, piece: bytes) -> list[Row]:
        """Take the next piece; return the rows that it completed."""
        return list(self._taken(self._rows.feed(piece)))

    def close(self) -> list[Row]:
        """Return the rows that are left."""
        return list(self._taken(self._rows.close()))

    def _taken(self, found: Iterator[RawRow]) -> Iterator[Row]:
        for raw in found:
            row = raw if isinstance(raw, RowProblem) else self._columns.take(*raw)
            if row is not None:
                yield row


def read(
    pieces: Iterable[bytes], internal: re.Pattern[str] | None = None, encoding: str = ""
) -> Iterator[Row]:
    """Yield the rows of a whole list; see NumberList."""
    numbers = NumberList(internal, encoding)
    for piece in pieces:
        yield from numbers.feed(piece)
    yield from numbers.close()
