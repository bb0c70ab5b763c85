"""Deadlines of many owners in one heap; a stopped or moved one is skipped when it comes up."""

from __future__ import annotations

import heapq
import itertools
from typing import Protocol

_LEAST_SWEEP = 1_000


class Owner(Protocol):
    """Something with named timers; `timers` holds the deadlines that are in force."""

    timers: dict[str, float]

    def fire(self, timer: str) -> None:
        """Act on a timer that is due."""


class Schedule:
    """The deadlines of all owners; start is O(log n), stop O(1).

    What was stopped long before its time is swept out now and then, so that it holds no more than
    twice what is in force.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Owner, str]] = []
        self._sweep_at = _LEAST_SWEEP
        self._order = itertools.count()

    def start(self, owner: Owner, timer: str, at: float) -> None:
        """Set, or move, a timer of `owner` to the time `at`."""
        owner.timers[timer] = at
        heapq.heappush(self._heap, (at, next(self._order), owner, timer))
        if len(self._heap) >= self._sweep_at:
            self._heap = [
                entry for entry in self._heap if entry[2].timers.get(entry[3]) == entry[0]
            ]
            heapq.heapify(self._heap)
            self._sweep_at = max(_LEAST_SWEEP, 2 * len(self._heap))

    def next_at(self) -> float | None:
        """Return the nearest deadline in force."""
        heap = self._heap
        while heap:
            at, _, owner, timer = heap[0]
            if owner.timers.get(timer) == at:
                return at
            heapq.heappop(heap)
        return None

    def run_due(self, now: float) -> None:
        """Fire every timer whose deadline is not after `now`, in order of deadline."""
        while (at := self.next_at()) is not None and at <= now:
            _, _, owner, timer = heapq.heappop(self._heap)
            del owner.timers[timer]
            owner.fire(timer)
