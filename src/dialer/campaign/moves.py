"""Both state tables: the one place for every move of a campaign and of a call."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from dialer.campaign.status import CallStatus, CampaignStatus

if TYPE_CHECKING:
    from collections.abc import Mapping


class CampaignAction(enum.StrEnum):
    """What may happen to a campaign; all but the coming of its start time are asked by a person."""

    START = "start"
    START_TIME_CAME = "start_time_came"
    PAUSE = "pause"
    RESUME = "resume"
    FINISH = "finish"
    DELETE = "delete"


class CallAction(enum.StrEnum):
    """What may happen to a call."""

    DIAL = "dial"  # an attempt is committed, its INVITE may leave
    RETRY = "retry"  # the attempt is over, another one is scheduled
    GO_BACK = "go_back"  # the trunk would not take it now; it waits as it did before
    END = "end"  # the attempt is over, and so is the call
    REFUSE = "refuse"  # it may or can not be dialled: number, do-not-call, plan limit
    CAMPAIGN_FINISHED = "campaign_finished"
    REQUEUE = "requeue"  # a person wants finished calls dialled again


_DRAFT, _PLANNED, _IN_PROGRESS, _PAUSED, _FINISHED = CampaignStatus

# Where two statuses stand, the first holds for a start time in the future, or is where a paused
# campaign came from.
CAMPAIGN_MOVES: Mapping[tuple[CampaignStatus, CampaignAction], tuple[CampaignStatus, ...]] = {
    (_DRAFT, CampaignAction.START): (_PLANNED, _IN_PROGRESS),
    (_DRAFT, CampaignAction.DELETE): (_FINISHED,),
    (_PLANNED, CampaignAction.START_TIME_CAME): (_IN_PROGRESS,),
    (_PLANNED, CampaignAction.PAUSE): (_PAUSED,),
    (_PLANNED, CampaignAction.FINISH): (_FINISHED,),
    (_PLANNED, CampaignAction.DELETE): (_FINISHED,),
    (_IN_PROGRESS, CampaignAction.PAUSE): (_PAUSED,),
    (_IN_PROGRESS, CampaignAction.FINISH): (_FINISHED,),
    (_IN_PROGRESS, CampaignAction.DELETE): (_FINISHED,),
    (_PAUSED, CampaignAction.PAUSE): (_PAUSED,),
    (_PAUSED, CampaignAction.RESUME): (_PLANNED, _IN_PROGRESS),
    (_PAUSED, CampaignAction.FINISH): (_FINISHED,),
    (_PAUSED, CampaignAction.DELETE): (_FINISHED,),
    (_FINISHED, CampaignAction.DELETE): (_FINISHED,),
}

_OF_AN_ATTEMPT = frozenset(
    {
        CallStatus.ANSWERED,
        CallStatus.COMPLETED_WITHOUT_ANSWER,
        CallStatus.TECHNICAL_ERROR,
        CallStatus.NOT_DIALED,  # ended by a person before it rang
    }
)
_WITHOUT_AN_INVITE = frozenset(
    {CallStatus.TECHNICAL_ERROR, CallStatus.NOT_DIALED, CallStatus.PLAN_LIMIT_EXCEEDED}
)
_DIALED = frozenset({CallStatus.IN_PROGRESS})
_REQUEUED = frozenset({CallStatus.PLANNED})

CALL_MOVES: Mapping[tuple[CallStatus, CallAction], frozenset[CallStatus]] = {
    (CallStatus.PLANNED, CallAction.DIAL): _DIALED,
    (CallStatus.PLANNED, CallAction.REFUSE): _WITHOUT_AN_INVITE,
    # Not dialed where it was never tried, else as its last attempt ended: the trunk would not take
    # it then, or it was requeued.
    (CallStatus.PLANNED, CallAction.CAMPAIGN_FINISHED): frozenset(
        {
            CallStatus.NOT_DIALED,
            CallStatus.TECHNICAL_ERROR,
            CallStatus.COMPLETED_WITHOUT_ANSWER,
            CallStatus.PLAN_LIMIT_EXCEEDED,
        }
    ),
    (CallStatus.IN_PROGRESS, CallAction.RETRY): frozenset({CallStatus.RETRY_SCHEDULED}),
    (CallStatus.IN_PROGRESS, CallAction.GO_BACK): frozenset(
        {CallStatus.PLANNED, CallStatus.RETRY_SCHEDULED}
    ),
    (CallStatus.IN_PROGRESS, CallAction.END): _OF_AN_ATTEMPT,
    (CallStatus.RETRY_SCHEDULED, CallAction.DIAL): _DIALED,
    (CallStatus.RETRY_SCHEDULED, CallAction.REFUSE): _WITHOUT_AN_INVITE,
    (CallStatus.RETRY_SCHEDULED, CallAction.CAMPAIGN_FINISHED): frozenset(
        {CallStatus.ANSWERED, CallStatus.COMPLETED_WITHOUT_ANSWER, CallStatus.TECHNICAL_ERROR}
    ),
    (CallStatus.NOT_DIALED, CallAction.REQUEUE): _REQUEUED,
    (CallStatus.TECHNICAL_ERROR, CallAction.REQUEUE): _REQUEUED,
    (CallStatus.PLAN_LIMIT_EXCEEDED, CallAction.REQUEUE): _REQUEUED,
    (CallStatus.COMPLETED_WITHOUT_ANSWER, CallAction.REQUEUE): _REQUEUED,
}

BY_A_PERSON = frozenset(CampaignAction) - {CampaignAction.START_TIME_CAME}


class MoveRefused(Exception):  # noqa: N818 - read as a sentence: raise MoveRefused
    """The move is not in the table; the message names the status and the moves that it allows."""

    def __init__(
        self, status: CampaignStatus, action: CampaignAction, allowed: tuple[CampaignAction, ...]
    ) -> None:
        super().__init__(
            f"cannot {action.replace('_', ' ')} a campaign that is {status.label.lower()}; "
            f"allowed: {', '.join(allowed)}"
        )
        self.status = status
        self.action = action
        self.allowed = allowed


def allowed_actions(status: CampaignStatus) -> tuple[CampaignAction, ...]:
    """Return what a person may ask of a campaign with this status."""
    return tuple(
        action for (now, action) in CAMPAIGN_MOVES if now is status and action in BY_A_PERSON
    )


def move_campaign(
    status: CampaignStatus,
    action: CampaignAction,
    *,
    start_in_future: bool = False,
    paused_from: CampaignStatus | None = None,
) -> CampaignStatus:
    """Return the status after `action`; raises MoveRefused where the table has no such move.

    `start_in_future` matters to `start`; `paused_from` to `resume`, where it must be known.
    Pausing what is paused is no error and changes nothing.
    """
    targets = CAMPAIGN_MOVES.get((status, action))
    if targets is None:
        raise MoveRefused(status, action, allowed_actions(status))
    match action:
        case CampaignAction.START:
            return _PLANNED if start_in_future else _IN_PROGRESS
        case CampaignAction.RESUME:
            if paused_from not in targets:
                raise ValueError(f"a paused campaign cannot have been {paused_from}")
            return paused_from
        case _:
            (target,) = targets
            return target


def call_may_move(status: CallStatus, to: CallStatus) -> bool:
    """Whether some action leads a call from one status to the other."""
    return any(now is status and to in targets for (now, _), targets in CALL_MOVES.items())
