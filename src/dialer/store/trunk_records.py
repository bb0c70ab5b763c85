"""What the store tells of trunks: rows as frozen values."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from dialer.store.records import Leg


@dataclasses.dataclass(frozen=True, slots=True)
class TrunkHold:
    """Since when, why and by whom a trunk is held."""

    at: dt.datetime
    reason: str
    by: str


@dataclasses.dataclass(frozen=True, slots=True)
class NodeTrunk:
    """A trunk as one live node has it: its calls that are up there, and what the node publishes."""

    node: str
    calls_up: int
    published: Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class TrunkTraffic:
    """How many calls a trunk was given in some time, and how many ended, and were answered."""

    calls: int
    ended: int
    answered: int


@dataclasses.dataclass(frozen=True, slots=True)
class Trunk:
    """A trunk over all live nodes."""

    name: str
    hold: TrunkHold | None
    nodes: tuple[NodeTrunk, ...]
    calls_up: int
    traffic: TrunkTraffic


@dataclasses.dataclass(frozen=True, slots=True)
class RecentLeg:
    """A leg, with the call that it was of."""

    call_id: int
    leg: Leg
