"""Which part of an answer is asked for (RFC 9110, 14)."""

from __future__ import annotations

import re

_ONE = re.compile(r"bytes=[ \t]*(\d{0,18})-(\d{0,18})[ \t]*", re.IGNORECASE)


class NotSatisfiable(Exception):  # noqa: N818 - the RFC's word
    """The part that is asked for begins behind the end."""


def part_of(field: str | None, length: int) -> tuple[int, int] | None:
    """Return first and last byte, plus one, of the part that a Range field asks for.

    None where all is asked for; so also for what is no range, or several, as a server may take
    them. Raises NotSatisfiable.
    """
    found = _ONE.fullmatch(field or "")
    if found is None or found[0].strip().endswith("=-"):
        return None
    first, last = found[1], found[2]
    if not first:
        start, end = max(0, length - int(last)), length
    else:
        start, end = int(first), min(length, int(last) + 1) if last else length
        if last and int(last) < start:
            return None
    if start >= length:
        raise NotSatisfiable
    return start, end
