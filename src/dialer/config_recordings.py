"""The part of the configuration that is about recordings of calls."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import pydantic
from pydantic import Field

from dialer.config_section import Section

_BUCKET = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/([A-Za-z0-9._/-]*))?")
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class Recordings(Section):
    """Where recordings are kept, for how long, and with what they are sealed."""

    place: str = "recordings"
    spool_folder: Path = Path("recordings-spool")
    keep_days: Annotated[int, Field(ge=0, le=36500)] = 30
    spare_mib: Annotated[int, Field(ge=0, le=1_000_000)] = 500
    keys_env: Variable = "DIALER_RECORDING_KEYS"
    keys_file: Path | None = None
    endpoint: str = ""
    region: str = "us-east-1"
    path_style: bool = True
    allow_http: bool = False
    ca_file: Path | None = None
    access_key_env: Variable = "AWS_ACCESS_KEY_ID"
    access_key_file: Path | None = None
    secret_key_env: Variable = "AWS_SECRET_ACCESS_KEY"  # noqa: S105 - the name of a variable
    secret_key_file: Path | None = None
    session_token_env: Variable = "AWS_SESSION_TOKEN"  # noqa: S105 - the name of a variable

    @pydantic.field_validator("place")
    @classmethod
    def _place(cls, value: str) -> str:
        if "://" in value and not _BUCKET.fullmatch(value):
            raise ValueError("is neither a folder nor s3://BUCKET or s3://BUCKET/PREFIX")
        if not value:
            raise ValueError("names no place")
        return value

    @pydantic.field_validator("endpoint")
    @classmethod
    def _endpoint(cls, value: str) -> str:
        if value:
            url = urlsplit(value)
            if url.scheme not in {"http", "https"} or not url.hostname or url.query or url.username:
                raise ValueError("is not a URL such as https://storage.example.com")
        return value

    @pydantic.model_validator(mode="after")
    def _encrypted(self) -> Recordings:
        if self.endpoint.startswith("http:") and not self.allow_http:
            raise ValueError(
                "endpoint is plain HTTP, over which recordings can be listened to on the way;"
                " make it https, or set allow_http = true"
            )
        return self

    def bucket(self) -> tuple[str, str] | None:
        """Return the bucket's name and the prefix of its keys; None where `place` is a folder."""
        named = _BUCKET.fullmatch(self.place)
        return (named[1], (named[2] or "").strip("/")) if named else None
