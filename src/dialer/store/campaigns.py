"""Campaigns: create, read, list, change, and move from one status to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Mapping

    from dialer.campaign.moves import CampaignAction
    from dialer.campaign.status import CallStatus, CampaignStatus
    from dialer.store.pool import Database
    from dialer.store.records import Campaign, CampaignSettings, PauseNote


async def create(db: Database, account_id: int, settings: CampaignSettings) -> Campaign:
    """Create a draft."""
    raise NotImplementedError


async def get(db: Database, account_id: int, campaign_id: int) -> Campaign:
    """Read a campaign. Raises `NotFound`, also for a deleted one."""
    raise NotImplementedError


async def list_page(
    db: Database,
    account_id: int,
    *,
    statuses: Collection[CampaignStatus] = (),
    before: int | None = None,
    limit: int = 50,
) -> list[Campaign]:
    """List campaigns, newest first, those with an id below `before`; no statuses means all."""
    raise NotImplementedError


async def change(
    db: Database,
    account_id: int,
    campaign_id: int,
    settings: CampaignSettings,
    *,
    version: int | None = None,
) -> Campaign:
    """Replace the settings.

    Raises `NotFound`, `VersionConflict` where `version` is given and no longer the campaign's,
    and `CampaignClosed` for a finished campaign.
    """
    raise NotImplementedError


async def act(
    db: Database,
    account_id: int,
    campaign_id: int,
    action: CampaignAction,
    *,
    pause: PauseNote | None = None,
    hang_up: bool = False,
    version: int | None = None,
    now: dt.datetime | None = None,
) -> Campaign:
    """Start, pause, resume, finish or delete a campaign, as `campaign.moves` allows.

    `pause` says who pauses and why; None is a person. Once a pause has returned, no call of the
    campaign gets committed for dialling. Finish ends all waiting calls; `hang_up` asks the engines
    to end those that are up. Delete finishes first.
    Raises `NotFound`, `VersionConflict`, and `MoveRefused` of `campaign.moves`.
    """
    raise NotImplementedError


async def counts(
    db: Database, campaign_ids: Collection[int]
) -> Mapping[int, Mapping[CallStatus, int]]:
    """Count the calls of campaigns by status; every status is there, with 0 where none."""
    raise NotImplementedError
