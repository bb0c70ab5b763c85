from __future__ import annotations

import itertools

import pytest

from dialer.campaign.moves import (
    BY_A_PERSON,
    CALL_MOVES,
    CAMPAIGN_MOVES,
    CallAction,
    CampaignAction,
    MoveRefused,
    allowed_actions,
    call_may_move,
    move_campaign,
)
from dialer.campaign.status import CallStatus, CampaignStatus

# start, start_time_came, pause, resume, finish, delete; - is refused
CAMPAIGN = {
    "draft": "in_progress - - - - finished",
    "planned": "- in_progress paused - finished finished",
    "in_progress": "- - paused - finished finished",
    "paused": "- - paused in_progress finished finished",
    "finished": "- - - - - finished",
}
ALLOWED = {
    "draft": ["start", "delete"],
    "planned": ["pause", "finish", "delete"],
    "in_progress": ["pause", "finish", "delete"],
    "paused": ["pause", "resume", "finish", "delete"],
    "finished": ["delete"],
}
# dial, retry, go_back, end, refuse, campaign_finished, requeue
CALL = {
    "planned": "in_progress - - - error,not,limit not,error,without,limit -",
    "in_progress": "- retry planned,retry answered,without,error,not - - -",
    "retry_scheduled": "in_progress - - - error,not,limit answered,without,error -",
    "answered": "- - - - - - -",
    "completed_without_answer": "- - - - - - planned",
    "technical_error": "- - - - - - planned",
    "not_dialed": "- - - - - - planned",
    "plan_limit_exceeded": "- - - - - - planned",
}
SHORT = {
    "retry": "retry_scheduled",
    "error": "technical_error",
    "not": "not_dialed",
    "limit": "plan_limit_exceeded",
    "without": "completed_without_answer",
}


@pytest.mark.parametrize(
    ("status", "action", "target"),
    [
        (CampaignStatus(status), action, target)
        for status, targets in CAMPAIGN.items()
        for action, target in zip(CampaignAction, targets.split(), strict=True)
    ],
)
def test_every_campaign_status_and_action(status, action, target):
    def move():
        return move_campaign(status, action, paused_from=CampaignStatus.IN_PROGRESS)

    if target != "-":
        assert move() == target
        return
    with pytest.raises(MoveRefused) as caught:
        move()
    refused = caught.value
    assert (refused.status, refused.action) == (status, action)
    assert list(refused.allowed) == ALLOWED[status]
    assert str(refused) == (
        f"cannot {action.replace('_', ' ')} a campaign that is {status.label.lower()}; "
        f"allowed: {', '.join(ALLOWED[status])}"
    )


@pytest.mark.parametrize(
    ("status", "action", "targets"),
    [
        (CallStatus(status), action, targets)
        for status, row in CALL.items()
        for action, targets in zip(CallAction, row.split(), strict=True)
    ],
)
def test_every_call_status_and_action(status, action, targets):
    wanted = {SHORT.get(name, name) for name in targets.split(",")} - {"-"}
    assert CALL_MOVES.get((status, action), frozenset()) == wanted
    assert all(call_may_move(status, CallStatus(to)) for to in wanted)


def test_a_start_time_in_the_future_makes_it_planned():
    assert move_campaign(CampaignStatus.DRAFT, CampaignAction.START, start_in_future=True) == (
        CampaignStatus.PLANNED
    )


@pytest.mark.parametrize("before", [CampaignStatus.PLANNED, CampaignStatus.IN_PROGRESS])
def test_resume_leads_back_to_where_it_came_from(before):
    paused = move_campaign(before, CampaignAction.PAUSE)
    assert move_campaign(paused, CampaignAction.RESUME, paused_from=before) == before


@pytest.mark.parametrize("before", [None, CampaignStatus.DRAFT, CampaignStatus.PAUSED])
def test_resume_to_where_nothing_is_paused_from_is_our_own_fault(before):
    with pytest.raises(ValueError, match="a paused campaign cannot have been"):
        move_campaign(CampaignStatus.PAUSED, CampaignAction.RESUME, paused_from=before)


def test_finished_is_reached_by_finish_and_delete_only():
    assert {
        action
        for (status, action), targets in CAMPAIGN_MOVES.items()
        if CampaignStatus.FINISHED in targets
    } == {CampaignAction.FINISH, CampaignAction.DELETE}


def test_a_person_is_never_told_to_make_the_start_time_come():
    offered = itertools.chain.from_iterable(map(allowed_actions, CampaignStatus))
    assert set(offered) == BY_A_PERSON


def test_a_final_status_changes_only_when_a_person_requeues():
    for (status, action), targets in CALL_MOVES.items():
        if status.final:
            assert (action, targets) == (CallAction.REQUEUE, {CallStatus.PLANNED})
    assert not any(call_may_move(CallStatus.ANSWERED, to) for to in CallStatus)
