"""The statuses of campaigns and calls: their slugs, and the labels that a person reads."""

from __future__ import annotations

import enum


class CampaignStatus(enum.StrEnum):
    """Where a campaign stands."""

    DRAFT = "draft"
    PLANNED = "planned"
    IN_PROGRESS = "in_progress"
    PAUSED = "paused"
    FINISHED = "finished"

    @property
    def label(self) -> str:
        """The words that a person reads."""
        return self.value.replace("_", " ").capitalize()


class PauseReason(enum.StrEnum):
    """Who paused a campaign, and why."""

    MANUAL = "manual"
    OUT_OF_MINUTES = "out_of_minutes"
    SYSTEM_FAILURE = "system_failure"


class CallStatus(enum.StrEnum):
    """Where a call to one person stands."""

    PLANNED = "planned"
    IN_PROGRESS = "in_progress"
    RETRY_SCHEDULED = "retry_scheduled"
    ANSWERED = "answered"
    COMPLETED_WITHOUT_ANSWER = "completed_without_answer"
    TECHNICAL_ERROR = "technical_error"
    NOT_DIALED = "not_dialed"
    PLAN_LIMIT_EXCEEDED = "plan_limit_exceeded"

    @property
    def label(self) -> str:
        """The words that a person reads."""
        return CALL_LABELS[self]

    @property
    def final(self) -> bool:
        """Whether this status never changes by itself."""
        return self not in WAITING_OR_RUNNING


CALL_LABELS = {
    CallStatus.PLANNED: "Planned",
    CallStatus.IN_PROGRESS: "In progress",
    CallStatus.RETRY_SCHEDULED: "Another call attempt scheduled",
    CallStatus.ANSWERED: "Answered",
    CallStatus.COMPLETED_WITHOUT_ANSWER: "Completed without answer",
    CallStatus.TECHNICAL_ERROR: "Finished with a technical error",
    CallStatus.NOT_DIALED: "Not dialed",
    CallStatus.PLAN_LIMIT_EXCEEDED: "Plan limit exceeded",
}

WAITING_OR_RUNNING = frozenset(
    {CallStatus.PLANNED, CallStatus.IN_PROGRESS, CallStatus.RETRY_SCHEDULED}
)


class Phase(enum.StrEnum):
    """How far an attempt under way has come.

    `claimed`: a node holds the call and has sent nothing. From `dialing` on an INVITE may have
    left.
    """

    CLAIMED = "claimed"
    DIALING = "dialing"
    RINGING = "ringing"
    TALKING = "talking"
