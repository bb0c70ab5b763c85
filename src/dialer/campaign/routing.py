"""Which trunks a call may take, and in which order."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclasses.dataclass(frozen=True, slots=True)
class TrunkRule:
    """Which calls a trunk is given; an empty `match` or `accounts` takes all.

    `match` are the beginnings of the numbers that it takes. The lowest `priority` is tried first;
    among equals `weight` is a trunk's share.
    """

    name: str
    priority: int = 0
    weight: int = 1
    match: tuple[str, ...] = ()
    accounts: frozenset[int] = frozenset()


def takes(rule: TrunkRule, number: str, account_id: int) -> bool:
    """Say whether a trunk may carry a call."""
    if rule.accounts and account_id not in rule.accounts:
        return False
    return not rule.match or number.startswith(rule.match)


def order(rules: Sequence[TrunkRule], turn: int, *, weighted: bool) -> tuple[str, ...]:
    """Return the trunks in the order in which they are tried; `turn` counts the choices.

    Not weighted: as listed. Weighted: by priority, and among equals by turns, each as often the
    first as its weight says.
    """
    if not weighted:
        return tuple(rule.name for rule in rules)
    ordered: list[str] = []
    for priority in sorted({rule.priority for rule in rules}):
        ordered += _by_turns([rule for rule in rules if rule.priority == priority], turn)
    return tuple(ordered)


def _by_turns(equals: list[TrunkRule], turn: int) -> list[str]:
    """Put first the one whose turn it is, then the one whose turn it were without the first."""
    ordered = []
    rest = list(equals)
    while rest:
        total = sum(rule.weight for rule in rest)
        place = turn % total if total else 0
        for rule in rest:
            if place < rule.weight or not total:
                ordered.append(rule.name)
                rest.remove(rule)
                break
            place -= rule.weight
    return ordered
