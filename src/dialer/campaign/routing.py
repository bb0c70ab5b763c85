"""Which trunks may take a number, and in which order they are asked."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclasses.dataclass(frozen=True, slots=True)
class TrunkRule:
    """What a trunk takes, and how it stands among others.

    `match` are prefixes of numbers, none for every number; `accounts` may use it, none for all.
    Lower `priority` goes first where trunks are chosen by weight; `weight` is the share of calls
    among those of one priority, 0 for a trunk that takes what the others leave.
    """

    name: str
    priority: int = 0
    weight: int = 1
    match: tuple[str, ...] = ()
    accounts: frozenset[int] = frozenset()


def takes(rule: TrunkRule, number: str, account_id: int) -> bool:
    """Whether the trunk takes calls of the account to the number."""
    return (not rule.accounts or account_id in rule.accounts) and (
        not rule.match or number.startswith(rule.match)
    )


def order(
    rules: Iterable[TrunkRule], number: str, account_id: int, turn: int, *, weighted: bool = False
) -> tuple[TrunkRule, ...]:
    """Return the trunks that take the number, the one to ask first in front.

    As given, or with `weighted` by priority, and among equals by weight: over as many turns as
    the weights add up to, each is in front as often as its weight says.
    """
    able = [rule for rule in rules if takes(rule, number, account_id)]
    if not weighted:
        return tuple(able)
    ordered: list[TrunkRule] = []
    for priority in sorted({rule.priority for rule in able}):
        ordered += _by_weight([rule for rule in able if rule.priority == priority], turn)
    return tuple(ordered)


def _by_weight(equals: list[TrunkRule], turn: int) -> list[TrunkRule]:
    total = sum(rule.weight for rule in equals)
    at = turn % total if total else 0
    for rule in equals:
        if at < rule.weight:
            return [rule, *(other for other in equals if other is not rule)]
        at -= rule.weight
    return equals
