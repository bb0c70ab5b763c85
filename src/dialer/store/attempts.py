"""What the engine writes of attempts, fenced by node and epoch: one batch, one statement each."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence
    from uuid import UUID

    from dialer.store.pool import Database
    from dialer.store.records import (
        AttemptResult,
        LegProgress,
        NewLeg,
        OrphanedCall,
        UndialedResult,
    )


async def dial(db: Database, node: str, epoch: int, legs: Sequence[NewLeg]) -> set[UUID]:
    """Commit attempts and their first legs; return those whose INVITE may leave.

    Left out, and not to be sent: calls no longer claimed by this node, calls of a campaign that
    is not in progress, and everything once the node's lease has run out.
    """
    raise NotImplementedError


async def record_undialed(
    db: Database, node: str, epoch: int, rows: Sequence[UndialedResult]
) -> set[UUID]:
    """End claimed calls without an INVITE; return the attempts recorded, now or before by us."""
    raise NotImplementedError


async def record_progress(
    db: Database, node: str, epoch: int, rows: Sequence[LegProgress]
) -> set[UUID]:
    """Record news of legs under way; return the attempts that are still ours.

    Several rows of one attempt may stand in a batch, oldest first. A phase never goes back.
    """
    raise NotImplementedError


async def record_results(
    db: Database, node: str, epoch: int, rows: Sequence[AttemptResult]
) -> set[UUID]:
    """End attempts; return those recorded, now or before by us. Those left out are no longer ours.

    In a finished campaign a call that would be tried again takes its verdict's final status.
    """
    raise NotImplementedError


async def take_over_orphans(
    db: Database, node: str, epoch: int, limit: int = 100, now: dt.datetime | None = None
) -> list[OrphanedCall]:
    """Rescue calls whose node has no live lease.

    Those merely claimed go back to the queue, due now. Up to `limit` of those under way become
    the caller's and are returned, to be hung up and recorded.
    """
    raise NotImplementedError


async def to_hang_up(db: Database, node: str, epoch: int) -> set[UUID]:
    """List attempts of this node that a person asked to hang up at Finish."""
    raise NotImplementedError


async def live_count(db: Database, node: str | None = None) -> int:
    """How many calls are claimed or under way, on one node or on all."""
    raise NotImplementedError
