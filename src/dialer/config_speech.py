"""The speech command in the configuration: what makes sound of text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pydantic
from pydantic import Field

from dialer.config_section import Section


class Speech(Section):
    """A command that reads text from its standard input and writes an audio file to {output}."""

    command: tuple[str, ...] = ()
    voice: str = ""
    timeout_seconds: Annotated[float, Field(ge=0.5, le=60)] = 10.0
    simultaneous: Annotated[int, Field(ge=1, le=64)] = 2
    cache_folder: Path = Path("speech")
    cache_mib: Annotated[int, Field(ge=1, le=100_000)] = 200

    @pydantic.field_validator("command")
    @classmethod
    def _writes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if value and not any("{output}" in part for part in value[1:]):
            raise ValueError("no part of it holds {output}, the file that it shall write")
        return value
