"""From due calls to claimed ones: promotion into a bounded ready set, and the claim."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping

    from dialer.store.pool import Database
    from dialer.store.records import CampaignToDial, ClaimedCall


async def start_due_campaigns(db: Database, now: dt.datetime | None = None) -> int:
    """Move planned campaigns whose start time has come to in progress; return how many."""
    raise NotImplementedError


async def promote(
    db: Database, *, bound: int = 1000, full: bool = False, now: dt.datetime | None = None
) -> int:
    """Fill the ready set of every campaign in progress up to `bound` calls; return how many came.

    A campaign is filled once its set is half empty. Each pass goes on where the last one
    ended; `full` starts over from the oldest due call, and is wanted every minute or so for a call
    whose transaction committed late. One node promotes at a time; the others get 0.
    """
    raise NotImplementedError


async def next_due(db: Database) -> dt.datetime | None:
    """When the next waiting call of a campaign in progress comes due, or came; None if none."""
    raise NotImplementedError


async def dialable_campaigns(db: Database) -> list[CampaignToDial]:
    """Campaigns in progress that have ready calls, with their limits and occupancy."""
    raise NotImplementedError


async def claim(
    db: Database,
    campaign_id: int,
    node: str,
    epoch: int,
    limit: int,
    trunk_limits: Mapping[str, int],
    now: dt.datetime | None = None,
) -> list[ClaimedCall]:
    """Claim up to `limit` ready calls of the campaign for a node, each with a trunk.

    `trunk_limits` holds the usable trunks and their maximum simultaneous calls, over all nodes.
    Nothing is claimed unless the campaign is in progress and the node's lease runs. The campaign's
    and the trunks' limits hold exactly over all nodes.
    """
    raise NotImplementedError


async def give_back(
    db: Database, node: str, epoch: int, call_ids: Iterable[int], now: dt.datetime | None = None
) -> int:
    """Return claimed, undialled calls to the queue, due now; return how many were ours."""
    raise NotImplementedError
