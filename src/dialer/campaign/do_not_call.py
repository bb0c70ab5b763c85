"""What may stand on a do-not-call list, as people write it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dialer.campaign.number import PUNCTUATION, NumberError, normalise

if TYPE_CHECKING:
    from typing import Literal

PREFIX = re.compile(r"\+[1-9][0-9]{0,14}")


def pattern_of(
    text: str, kind: Literal["number", "prefix"], internal: re.Pattern[str] | None = None
) -> str:
    """Return a number as calls have it, or the beginning of such numbers.

    A number that cannot exist is taken too: it is dialled by nobody. A prefix has its +, since
    without it nobody could tell extensions from countries. Raises NumberError.
    """
    if kind == "number":
        return normalise(text, internal).text
    written = text.strip().translate(PUNCTUATION)
    if not PREFIX.fullmatch(written):
        raise NumberError(
            f"is no beginning of international numbers, such as +4930: {text[:64]!a};"
            " extensions are listed whole"
        )
    return written
