"""The part of the configuration that is about webhooks."""

from __future__ import annotations

import ipaddress
from pathlib import Path  # noqa: TC003 - pydantic reads the annotations
from typing import Annotated

import pydantic
from pydantic import Field

from dialer.config_section import Section

Seconds = Annotated[float, Field(ge=0.1, le=86_400)]


class Webhooks(Section):
    """Events sent to web addresses."""

    send: bool = True
    allow_http: bool = False
    allow_private: bool = False
    allow_networks: tuple[str, ...] = ()
    ca_file: Path | None = None
    timeout_seconds: Annotated[float, Field(ge=1, le=120)] = 10.0
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 40
    per_receiver: Annotated[int, Field(ge=1, le=100)] = 4
    first_retry_seconds: Seconds = 5.0
    longest_retry_seconds: Seconds = 3600.0
    longest_retry_after_seconds: Seconds = 3600.0
    give_up_hours: Annotated[float, Field(ge=0.1, le=720)] = 24.0
    circuit_failures: Annotated[int, Field(ge=1, le=1000)] = 5
    circuit_seconds: Seconds = 10.0
    longest_circuit_seconds: Seconds = 300.0
    keep_days: Annotated[float, Field(gt=0, le=3650)] = 30.0
    secret_key_env: str = "DIALER_WEBHOOK_KEY"  # noqa: S105 - the name of a variable, not a secret
    secret_key_file: Path | None = None

    @pydantic.field_validator("allow_networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            try:
                ipaddress.ip_network(one)
            except ValueError as error:
                raise ValueError(f"is not a network such as 10.1.0.0/16: {error}") from None
        return value
