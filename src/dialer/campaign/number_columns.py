"""From the cells of a row to a number: which column is what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialer.campaign import own_settings
from dialer.campaign.csv_rows import PHONE
from dialer.campaign.list_row import NewNumber, NumberListError, RowProblem
from dialer.campaign.number import LONGEST_TEXT, NumberError, normalise
from dialer.campaign.own_settings import RESERVED, OwnSettingError

if TYPE_CHECKING:
    import re
    from collections.abc import Sequence

    from dialer.campaign.list_row import Row

MOST_COLUMNS = 256


class NumberColumns:
    """Turns the cells of rows into numbers; the first row says which column is what.

    Numbers stand in the column named `phone`, failing that in the first. The first row is a header
    if it names `phone` or if its first cell has no digit; without a header the columns are named
    column_2, column_3, ... Reserved columns are the number's own settings, all others its payload.
    """

    def __init__(self, internal: re.Pattern[str] | None = None) -> None:
        self._internal = internal
        self._names: tuple[str, ...] = ()  # this and the next three come from the first row
        self._phone = 0
        self._payload: tuple[tuple[str, int], ...] = ()
        self._reserved: tuple[tuple[str, int], ...] = ()

    def take(self, line: int, cells: list[str]) -> Row | None:
        """Return what a row comes to, None for a header; raises NumberListError.

        `cells` are stripped, and not all of them are empty.
        """
        if not self._names:
            header = _is_header(cells)
            self._name(cells, header=header, line=line)
            if header:
                return None
        phone = cells[self._phone] if self._phone < len(cells) else ""
        width = len(self._names)
        if len(cells) < width:
            cells += [""] * (width - len(cells))
        elif any(cells[width:]):
            reason = f"has {len(cells)} columns where the first row has {width}"
            return RowProblem(line, reason, phone[:LONGEST_TEXT])
        own = own_settings.NONE
        try:
            number = normalise(phone, self._internal)
            if self._reserved:
                given = {name: cells[place] for name, place in self._reserved}
                own = own_settings.parse(given, number.text, self._internal)
        except NumberError as error:
            return RowProblem(line, f"{PHONE}: {error}", phone[:LONGEST_TEXT])
        except OwnSettingError as error:
            return RowProblem(line, str(error), phone[:LONGEST_TEXT])
        return NewNumber(number, {name: cells[place] for name, place in self._payload}, line, own)

    def _name(self, cells: Sequence[str], *, header: bool, line: int) -> None:
        """Find out the columns' names, and what each of them holds."""
        if len(cells) > MOST_COLUMNS:
            raise NumberListError(f"line {line}: more than {MOST_COLUMNS} columns; leave some out")
        titles = cells if header else [""] * len(cells)
        names = tuple(title or f"column_{place}" for place, title in enumerate(titles, 1))
        folded = [name.casefold() for name in names]
        for name, plain in zip(names, folded, strict=True):
            if names.count(name) > 1 or (plain in RESERVED and folded.count(plain) > 1):
                raise NumberListError(f"line {line}: two columns are named {name!r}; rename one")
        self._names = names
        self._phone = folded.index(PHONE) if PHONE in folded else 0
        others = [place for place in range(len(names)) if place != self._phone]
        self._reserved = tuple((folded[one], one) for one in others if folded[one] in RESERVED)
        self._payload = tuple((names[one], one) for one in others if folded[one] not in RESERVED)


def _is_header(cells: Sequence[str]) -> bool:
    return PHONE in map(str.casefold, cells) or not any(char.isdigit() for char in cells[0])
