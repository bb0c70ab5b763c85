"""Reading calls: pages, one with all its evidence, and a campaign's report."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from dialer.campaign.status import CallStatus
    from dialer.store.pool import Database
    from dialer.store.records import Call, CallDetails, ReportRow


async def list_page(
    db: Database,
    account_id: int,
    *,
    campaign_id: int | None = None,
    statuses: Collection[CallStatus] = (),
    before: int | None = None,
    limit: int = 50,
) -> list[Call]:
    """List calls, newest first, those with an id below `before`; no statuses means all.

    Without `campaign_id`, over all campaigns of the account, deleted ones included (dialogs).
    """
    raise NotImplementedError


async def get(db: Database, account_id: int, call_id: int) -> CallDetails:
    """Read a call with its attempts and legs. Raises `NotFound`."""
    raise NotImplementedError


def report(db: Database, account_id: int, campaign_id: int) -> AsyncIterator[ReportRow]:
    """Go through all calls of a campaign in list order, each with its latest attempt.

    Raises `NotFound` at the first step. Reads in pages, so that a slow reader holds neither a
    connection nor a snapshot.
    """
    raise NotImplementedError
