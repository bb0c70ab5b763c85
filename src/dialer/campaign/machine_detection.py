"""What a campaign wants to know of who answered, and what is done upon it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from dialer.campaign.setting_types import Printable, Settings


class MachineDetection(Settings):
    """Who answered is listened for before anything is said (docs/answering-machines.md).

    For each result what to do: `continue` with what is done for a person, `hang_up`, `retry`:
    hang up and call again while attempts are left, or `leave_message`: play the audio file
    `message` after the machine's beep. The times are in seconds.
    """

    enabled: bool = True
    machine: Literal["continue", "hang_up", "leave_message", "retry"] = "hang_up"
    message: Annotated[str, StringConstraints(min_length=1, max_length=1024), Printable] | None = (
        None
    )
    fax: Literal["hang_up", "retry"] = "hang_up"
    silence: Literal["continue", "hang_up", "retry"] = "hang_up"
    initial_silence_seconds: Annotated[float, Field(ge=0.5, le=20)] = 3
    greeting_seconds: Annotated[float, Field(ge=0.5, le=10)] = 1.8
    words: Annotated[int, Field(ge=1, le=50)] = 6
    silence_after_greeting_seconds: Annotated[float, Field(ge=0.3, le=5)] = 0.7
    analysis_seconds: Annotated[float, Field(ge=1, le=30)] = 6
    silence_for_message_seconds: Annotated[float, Field(ge=0.5, le=20)] = 3

    @model_validator(mode="after")
    def _has_message(self) -> Self:
        if self.machine == "leave_message" and self.message is None:
            raise ValueError("leave_message needs `message`, the audio file to play")
        return self
