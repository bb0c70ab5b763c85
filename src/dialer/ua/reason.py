"""Reason header values: why a call ended, in the words of SIP or of ISDN (RFC 3326)."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# a value ends at a comma, a parameter at a semicolon, where neither stands in a quoted string
_QUOTED = r'"(?:[^"\\]|\\.)*"?'
_VALUE = re.compile(rf'(?:{_QUOTED}|[^",])+')
_PARAMETER = re.compile(rf'(?:{_QUOTED}|[^";])+')


@dataclasses.dataclass(frozen=True, slots=True)
class Reason:
    """One reason-value: `protocol` such as "Q.850" or "SIP", None for a cause that is not given."""

    protocol: str
    cause: int | None = None
    text: str = ""


def parse(value: str) -> list[Reason]:
    """Read a Reason header value, which may hold several reasons; what is malformed is left out."""
    return [reason for part in _VALUE.findall(value) if (reason := _reason(part)) is not None]


def _reason(value: str) -> Reason | None:
    protocol, _, parameters = value.partition(";")
    if not protocol.strip():
        return None
    cause, text = None, ""
    for parameter in _PARAMETER.findall(parameters):
        name, _, content = (piece.strip() for piece in parameter.partition("="))
        if name.lower() == "cause" and content.isascii() and content.isdigit():
            cause = int(content[:9])
        elif name.lower() == "text":
            text = re.sub(r"\\(.)", r"\1", content.strip('"'))
    return Reason(protocol.strip(), cause, text)


def q850_cause(values: Iterable[str]) -> int | None:
    """Return the last Q.850 cause, 0 to 127, of Reason header values given oldest first."""
    causes = [
        reason.cause
        for value in values
        for reason in parse(value)
        if reason.protocol.lower() == "q.850" and reason.cause is not None and reason.cause < 128
    ]
    return causes[-1] if causes else None
