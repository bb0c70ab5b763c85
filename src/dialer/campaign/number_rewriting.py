"""How a number is written for a trunk: national, with a prefix, without the plus."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

from dialer.campaign.emergency_number import is_emergency_or_short, regions_of

if TYPE_CHECKING:
    from collections.abc import Iterable

# What may stand in the user part of a SIP address as it is (RFC 3261 §25.1), and is dialled.
_DIALLED = re.compile(r"\+?[A-Za-z0-9_.*#-]{1,64}")
_LITERAL = re.compile(r"[A-Za-z0-9_.*#+-]*")


class RewritingError(ValueError):
    """A rule that cannot be used; the message is one line."""


@dataclasses.dataclass(frozen=True, slots=True)
class Rewriting:
    r"""A rule: what it fits, and the new number.

    `replace` is put in the place of what `match` finds (\1 stands for its first group); without
    it, `strip` characters are cut from the front. `prepend` goes before the result.
    """

    match: re.Pattern[str]
    replace: str | None = None
    strip: int = 0
    prepend: str = ""

    @classmethod
    def of(
        cls, match: str, replace: str | None = None, strip: int = 0, prepend: str = ""
    ) -> Rewriting:
        """Return the rule; raises RewritingError for one that makes no sense."""
        try:
            pattern = re.compile(match)
            if replace is not None:
                re.compile(f"(?:{match})|").sub(replace, "")
        except (re.error, IndexError) as error:
            raise RewritingError(f"match or replace is no regular expression: {error}") from None
        if replace is not None and strip:
            raise RewritingError("replace and strip exclude each other")
        if replace is None and not strip and not prepend:
            raise RewritingError("changes nothing: give replace, strip or prepend")
        if not _LITERAL.fullmatch(prepend):
            raise RewritingError(f"prepend holds what no number can: {prepend!a}")
        return cls(pattern, replace, strip, prepend)

    def apply(self, number: str) -> str | None:
        """Return the number rewritten, None where the rule does not fit."""
        if not self.match.search(number):
            return None
        if self.replace is not None:
            number = self.match.sub(self.replace, number, count=1)
        return self.prepend + number[self.strip :]


def rewritten(rules: Iterable[Rewriting], number: str) -> str:
    """Return a number by the first rule that fits, itself where none does.

    Raises ValueError where the result is nothing that can be dialled.
    """
    for rule in rules:
        result = rule.apply(number)
        if result is not None:
            if not _DIALLED.fullmatch(result):
                raise ValueError(f"rewriting {number} gives {result!a}, which cannot be dialled")
            return result
    return number


def dialled(rules: Iterable[Rewriting], number: str, region: str = "") -> str:
    """Return what a trunk is asked to call for a number; raises ValueError as `rewritten` does.

    So it does where that is an emergency number: everywhere, in the country of the number, or in
    `region`, where the PBX stands.
    """
    result = rewritten(rules, number)
    regions = (*regions_of(number), *([region] if region else ()))
    if is_emergency_or_short(result, regions):
        raise ValueError(
            f"{number} is dialled as {result}, an emergency or short number, which is never called"
        )
    return result
