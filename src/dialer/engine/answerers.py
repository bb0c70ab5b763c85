"""What a campaign says of machines, faxes and silence, put into what is done and recorded."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from dialer.conversation.ending import Cause
from dialer.rtp.answering_machine import Answer, Answerer, AnswerSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

_CAUSES = {
    Answerer.MACHINE: Cause.MACHINE,
    Answerer.FAX: Cause.FAX,
    Answerer.SILENCE: Cause.SILENT,
}


@dataclasses.dataclass(slots=True)
class Met:
    """Who answered, and what came of it; without an `answer` the call ended before that."""

    answer: Answer | None
    beep_seconds: float | None = None
    message_left: bool | None = None  # None where none was to be left

    def record(self) -> dict[str, Any]:
        """Return what the attempt's record keeps."""
        answer = self.answer
        return {
            "result": "unknown" if answer is None else answer.answerer.value,
            "confidence": None if answer is None else answer.confidence,
            "seconds": None if answer is None else answer.seconds,
            "because": "the call ended before" if answer is None else answer.because,
            "beep_seconds": self.beep_seconds,
            "message_left": self.message_left,
        }

    def sentence(self) -> str:
        """Return the same for a person."""
        if self.answer is None:
            return ""
        said = f"answered by {self.answer.answerer.value}: {self.answer.because}"
        if self.message_left is not None:
            said += "; the message was left" if self.message_left else "; it hung up before the end"
        return said


def answer_settings(detection: Mapping[str, Any]) -> AnswerSettings:
    """Return the detector's settings of a campaign's; those that it lacks have their defaults."""
    names = {
        "initial_silence": "initial_silence_seconds",
        "human_greeting": "greeting_seconds",
        "human_words": "words",
        "after_greeting": "silence_after_greeting_seconds",
        "analysis": "analysis_seconds",
        "after_machine": "silence_for_message_seconds",
    }
    given = {ours: detection[name] for ours, name in names.items() if name in detection}
    return AnswerSettings(**given)


def action_for(answer: Answer | None, detection: Mapping[str, Any]) -> str:
    """Return what the campaign wants: continue, hang_up, leave_message or retry."""
    if answer is None or answer.answerer is Answerer.HUMAN:
        return "continue"
    return str(detection.get(answer.answerer.value, "hang_up"))


def cause_of(answer: Answer | None) -> Cause | None:
    """Return the cause by which a call ends that nobody spoke on."""
    return None if answer is None else _CAUSES.get(answer.answerer)
