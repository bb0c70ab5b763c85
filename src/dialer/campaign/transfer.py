"""Whom an answered call may be transferred to, as a person describes it (docs/transfers.md)."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    Tag,
    model_serializer,
    model_validator,
)

from dialer.campaign.setting_types import Printable, Settings
from dialer.campaign.spoken_prompt import Prompt

MOST_TARGETS = 50  # in one campaign

TransferName = Annotated[str, StringConstraints(min_length=1, max_length=100), Printable]


def _is_prompt(waiting: object) -> str:
    return "prompt" if isinstance(waiting, dict | Prompt) else "word"


Waiting = Annotated[
    Annotated[Literal["ringback", "silence"], Tag("word")] | Annotated[Prompt, Tag("prompt")],
    Discriminator(_is_prompt),
]


class TransferTarget(Settings):
    """One target: its number, and how a call gets there.

    The number is `number`, or stands in the list's column `number_from`. By `bridge` we call it
    over `trunk` (default: the call's own) and join the two calls; by `refer` the far end of the
    call is asked to call it itself. `ring_seconds` is how long it may take. Meanwhile the person
    hears `waiting`: a prompt over and over, or else what the target's network plays, or else
    `ringback` or `silence`. Where nobody answers, the conversation goes on, or the call is hung up.
    """

    number: Annotated[str, StringConstraints(pattern=r"^\+?[0-9]{1,20}$")] | None = None
    number_from: (
        Annotated[str, StringConstraints(min_length=1, max_length=100), Printable] | None
    ) = None
    by: Literal["bridge", "refer"] = "bridge"
    trunk: Annotated[str, StringConstraints(min_length=1, max_length=100), Printable] | None = None
    ring_seconds: Annotated[int, Field(ge=5, le=120)] = 30
    waiting: Waiting = "ringback"
    on_failure: Literal["continue", "hang_up"] = "continue"

    @model_validator(mode="after")
    def _one_number(self) -> Self:
        if (self.number is None) == (self.number_from is None):
            raise ValueError("give one of number and number_from")
        return self

    @model_validator(mode="after")
    def _one_trunk(self) -> Self:
        if self.by == "refer" and self.trunk is not None:
            raise ValueError(
                "a transfer by refer goes over the call's own trunk; leave trunk out, or bridge"
            )
        return self

    @model_serializer(mode="wrap")
    def _given(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        told: dict[str, Any] = serialize(self)
        del told["number" if self.number is None else "number_from"]
        return told


Transfers = Annotated[dict[TransferName, TransferTarget], Field(max_length=MOST_TARGETS)]
