"""What came of sending one event to one receiver once."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Attempt:
    """`status` of the answer, None where there was none; the beginning of its body as `answer`.

    `problem` says in a sentence why it does not count as taken, and is empty where it does.
    `retry_after` is for how many seconds the receiver asks to be left alone.
    """

    status: int | None = None
    problem: str = ""
    answer: str = ""
    retry_after: float | None = None

    @property
    def taken(self) -> bool:
        """Whether the receiver has the event now."""
        return not self.problem
