"""Who wants to be reminded, and when: rare moments of many streams, by one timer."""

from __future__ import annotations

import heapq
import itertools
import math
from typing import Protocol


class Reminded(Protocol):
    """What has something to do now and then."""

    def remind(self, now: float) -> None:
        """Do it."""


class Reminders:
    """Keeps one moment for each that wants one; times in seconds of any one clock."""

    def __init__(self) -> None:
        self._order = itertools.count()
        self._heap: list[tuple[float, int, Reminded]] = []
        self._wanted: dict[Reminded, int] = {}  # the entry that counts; others have been replaced

    def set(self, one: Reminded, at: float) -> None:
        """Remind one at `at`, instead of any other time."""
        number = self._wanted[one] = next(self._order)
        heapq.heappush(self._heap, (at, number, one))

    def drop(self, one: Reminded) -> None:
        """Remind one no more."""
        self._wanted.pop(one, None)

    def next_at(self) -> float:
        """Return the nearest moment, infinity where there is none."""
        while self._heap and self._wanted.get(self._heap[0][2]) != self._heap[0][1]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else math.inf

    def take(self, now: float) -> list[Reminded]:
        """Return those whose moment has come; each has to set its next one itself."""
        due = []
        while self.next_at() <= now:
            one = heapq.heappop(self._heap)[2]
            del self._wanted[one]
            due.append(one)
        return due
