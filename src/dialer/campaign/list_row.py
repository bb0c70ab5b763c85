"""What a row of a list comes to: a number to call, or a problem to report."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dialer.campaign.number import Number
    from dialer.campaign.own_settings import OwnSettings


class NumberListError(ValueError):
    """A list of which no row can be read; the message is one line: what, and what to do."""


@dataclasses.dataclass(frozen=True, slots=True)
class NewNumber:
    """A number to call, its payload and own settings, and the line (from 1) where it stands."""

    number: Number
    payload: Mapping[str, str]
    line: int
    own: OwnSettings


@dataclasses.dataclass(frozen=True, slots=True)
class RowProblem:
    """A row that cannot be used, the line (from 1) where it begins, and why.

    `phone` is what stood in the column of numbers, empty where that could not be told.
    """

    line: int
    reason: str
    phone: str = ""


Row = NewNumber | RowProblem
