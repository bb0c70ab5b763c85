"""Whom an answered call may be transferred to, as a person describes it (docs/transfers.md)."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from dialer.campaign.setting_types import Printable, Settings

MOST_TARGETS = 50  # in one campaign

TransferName = Annotated[str, StringConstraints(min_length=1, max_length=100), Printable]


class TransferTarget(Settings):
    """One target: its number, and how a call gets there.

    By `bridge` we call the number over `trunk` (default: the call's own) and join the two calls; by
    `refer` the far end of the call is asked to call it itself. `ring_seconds` is how long it may
    take. Meanwhile the person hears `waiting`, or what the target's network plays. Where nobody
    answers, the conversation goes on, or the call is hung up.
    """

    number: Annotated[str, StringConstraints(pattern=r"^\+?[0-9]{1,20}$")]
    by: Literal["bridge", "refer"] = "bridge"
    trunk: Annotated[str, StringConstraints(min_length=1, max_length=100), Printable] | None = None
    ring_seconds: Annotated[int, Field(ge=5, le=120)] = 30
    waiting: Literal["ringback", "silence"] = "ringback"
    on_failure: Literal["continue", "hang_up"] = "continue"

    @model_validator(mode="after")
    def _one_trunk(self) -> Self:
        if self.by == "refer" and self.trunk is not None:
            raise ValueError(
                "a transfer by refer goes over the call's own trunk; leave trunk out, or bridge"
            )
        return self


Transfers = Annotated[dict[TransferName, TransferTarget], Field(max_length=MOST_TARGETS)]
