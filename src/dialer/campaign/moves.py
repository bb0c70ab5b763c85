"""Both state tables: the one place for every move of a campaign and of a call."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dialer.campaign.status import CallStatus, CampaignStatus


class CampaignAction(enum.StrEnum):
    """What may be asked of a campaign."""

    START = "start"
    START_TIME_CAME = "start_time_came"
    PAUSE = "pause"
    RESUME = "resume"
    FINISH = "finish"
    DELETE = "delete"


class MoveRefused(Exception):
    """The move is not in the table; the message names the status and what it allows."""

    def __init__(
        self, status: CampaignStatus | CallStatus, action: str, allowed: tuple[str, ...]
    ) -> None:
        self.status = status
        self.action = action
        self.allowed = allowed


def move_campaign(
    status: CampaignStatus,
    action: CampaignAction,
    *,
    start_in_future: bool = False,
    paused_from: CampaignStatus | None = None,
) -> CampaignStatus:
    """Return the status after `action`; raises `MoveRefused`.

    `start_in_future` matters to `start`, `paused_from` to `resume`. Pausing what is paused is
    no error.
    """
    raise NotImplementedError
