"""What the parts of the configuration share: tables, addresses, the error of a mistake."""

from __future__ import annotations

import re

import pydantic


class ConfigError(Exception):
    """The configuration cannot be used; the text says which file, line and key, and why."""


class Section(pydantic.BaseModel):
    """A table of the file; a key that it does not know is an error."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


def split_address(text: str, default_port: int) -> tuple[str, int]:
    """Split `host`, `host:port` or `[v6]:port`; raises ValueError."""
    host, port = host_and_port(text)
    return host, default_port if port is None else port


def host_and_port(text: str) -> tuple[str, int | None]:
    """Split `host`, `host:port` or `[v6]:port`, None where no port is named; raises ValueError."""
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:\[\]/@;]+))(?::(\d{1,5}))?", text)
    if match is None:
        if re.fullmatch(r"[0-9A-Fa-f:.]+", text) and text.count(":") > 1:
            return text, None
        raise ValueError(f"{text!r} is not host, host:port or [IPv6]:port")
    port = int(match[3]) if match[3] else None
    if port is not None and not 0 < port < 65536:
        raise ValueError(f"{port} is not a port number")
    return match[1] or match[2], port
