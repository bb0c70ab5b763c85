"""What the models of settings have in common."""

from __future__ import annotations

import unicodedata

from pydantic import AfterValidator, BaseModel, ConfigDict

UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})  # controls, lone surrogates, line separators


def _printable(text: str) -> str:
    if any(unicodedata.category(char) in UNPRINTABLE for char in text):
        raise ValueError("must not contain control characters or line breaks")
    return text


Printable = AfterValidator(_printable)


class Settings(BaseModel):
    """Settings that a person gives; a key that is unknown is refused, so that a typo is seen."""

    model_config = ConfigDict(extra="forbid", frozen=True)
