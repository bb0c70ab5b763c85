"""What a person who answers is to hear: an audio file, or text for the speech command."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import (
    AfterValidator,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
    model_validator,
)

from dialer.campaign.setting_types import Printable, Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_SPOKEN = 5000  # characters, the values of columns included
_MOST_OF_COLUMN = 500
_PLACEHOLDER = re.compile(r"\{([^{}|]+)\|([^{}|]*)\}")


def _text(text: str) -> str:
    rest = _PLACEHOLDER.sub("", text)
    if bare := re.search(r"\{([^{}|]+)\}", rest):
        name = bare[1]
        raise ValueError(
            f"{{{name}}} does not say what is spoken where a number has no {name!r}:"
            f" write {{{name}|something}}, or {{{name}|}} for nothing"
        )
    if "{" in rest or "}" in rest:
        raise ValueError("has a brace that belongs to no {column|otherwise}")
    if not filled(text, {}):
        raise ValueError("says nothing where a number has none of its columns")
    return text


def filled(text: str, payload: Mapping[str, str]) -> str:
    """Return a text with {column|otherwise} replaced by what a call's payload has in that column.

    An empty value is none. Control characters of values become spaces; each is cut after 500
    characters, the whole after `MOST_SPOKEN`.
    """

    def value(match: re.Match[str]) -> str:
        found = "".join(
            " " if unicodedata.category(char).startswith("C") else char
            for char in payload.get(match[1], "")[:_MOST_OF_COLUMN]
        )
        return found.strip() or match[2]

    return _PLACEHOLDER.sub(value, text)[:MOST_SPOKEN].strip()


class Prompt(Settings):
    """What is played: `file`, an audio file among the prompts, or `say`, a text to be spoken.

    The text has the list's columns as {column|otherwise}; `voice` goes to the speech command.
    """

    file: Annotated[str, StringConstraints(min_length=1, max_length=1024), Printable] | None = None
    say: (
        Annotated[
            str, StringConstraints(min_length=1, max_length=2000), Printable, AfterValidator(_text)
        ]
        | None
    ) = None
    voice: (
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}$")] | None
    ) = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.file is None) == (self.say is None):
            raise ValueError("give one of file and say")
        if self.voice is not None and self.say is None:
            raise ValueError("a voice is for say, and not for a file")
        return self

    @model_serializer(mode="wrap")
    def _given(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in serialize(self).items() if value is not None}
