"""Whether an answered call is recorded, and by whose consent, as a person says it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from dialer.campaign.setting_types import Printable, Settings
from dialer.campaign.spoken_prompt import Prompt  # noqa: TC001 - pydantic needs it at run time

ANNOUNCING = frozenset({"announced", "key"})
AGREEING = frozenset({"yes", "y", "true", "1"})  # what a column says, in any case


class Recording(Settings):
    """The call is recorded, each side on a channel of its own (docs/recordings.md).

    By `consent`: it was `given` before, and all of the call is recorded; `announced`: from the end
    of the `announcement` on; `key`: once `key` was pressed, during the announcement or within
    `key_wait_seconds` after it; `column`: where the list's `column` says yes. Kept for `keep_days`,
    or as long as the configuration says.
    """

    consent: Literal["given", "announced", "key", "column"]
    announcement: Prompt | None = None
    key: Annotated[str, StringConstraints(pattern=r"^[0-9*#]$")] = "1"
    key_wait_seconds: Annotated[float, Field(ge=1, le=60)] = 5
    column: Annotated[str, StringConstraints(min_length=1, max_length=100), Printable] | None = None
    format: Literal["wav", "opus"] = "wav"
    keep_days: Annotated[int, Field(ge=1, le=3650)] | None = None

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        announces = self.consent in ANNOUNCING
        if announces and self.announcement is None:
            raise ValueError(f"consent {self.consent!r} needs an announcement, the prompt to play")
        if not announces and self.announcement is not None:
            raise ValueError(
                f"nobody hears the announcement with consent {self.consent!r};"
                " leave it out, or take consent 'announced' or 'key'"
            )
        if (self.consent == "column") != (self.column is not None):
            raise ValueError("give a column with consent 'column', and with no other")
        return self


def agrees(value: str) -> bool:
    """Whether a column's value says yes to being recorded."""
    return value.strip().lower() in AGREEING
