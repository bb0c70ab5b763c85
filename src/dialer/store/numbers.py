"""Adding numbers to a campaign."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from dialer.store.pool import Database
    from dialer.store.records import AddReport, NewCall

BATCH = 5000
"""How many rows one call of `add` takes well."""


async def add(
    db: Database,
    account_id: int,
    campaign_id: int,
    rows: Sequence[NewCall],
    now: dt.datetime | None = None,
) -> AddReport:
    """Add calls in list order, all due now; skip those already there with the same payload.

    Raises `NotFound`, and `CampaignClosed` for a finished campaign.
    """
    raise NotImplementedError
