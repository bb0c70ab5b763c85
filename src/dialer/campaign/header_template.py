"""Further headers of an INVITE, filled in from the campaign and the number's payload.

Nothing that a payload holds can become a header of its own, or end one early.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LONGEST_VALUE = 512

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_FIELD = re.compile(r"\{([^{}]*)\}")
_FACTS = frozenset({"campaign_id", "call_id", "number", "caller_id"})
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# What the stack writes itself, or what would change how a request is treated on its way.
_OURS = frozenset({
    "accept", "allow", "authorization", "call-id", "call-info", "contact", "content-disposition",
    "content-encoding", "content-length", "content-type", "cseq", "date", "event", "expires",
    "from", "in-reply-to", "max-forwards", "min-se", "p-asserted-identity",
    "p-preferred-identity", "path", "priority", "privacy", "proxy-authenticate",
    "proxy-authorization", "proxy-require", "rack", "reason", "record-route", "refer-to",
    "referred-by", "remote-party-id", "replaces", "require", "route", "rseq", "server",
    "service-route", "session-expires", "supported", "timestamp", "to", "unsupported",
    "user-agent", "via", "warning", "www-authenticate", "b", "c", "d", "e", "f", "i", "j", "k",
    "l", "m", "o", "r", "s", "t", "u", "v", "x", "y",
})  # fmt: skip


class TemplateError(ValueError):
    """A header that cannot be sent; the message is one line."""


@dataclasses.dataclass(frozen=True, slots=True)
class HeaderTemplate:
    """A header's name, and a value with {campaign_id}, {call_id}, {number} or {payload.NAME}."""

    name: str
    value: str

    @classmethod
    def parse(cls, name: str, value: str) -> HeaderTemplate:
        """Check a header as a person gives it; raises TemplateError."""
        if not _NAME.fullmatch(name):
            raise TemplateError(f"{name!a} is not the name of a header")
        if name.lower() in _OURS:
            raise TemplateError(f"{name} is written by the dialer itself")
        if _CONTROL.search(value):
            raise TemplateError(f"{name}: a control character or line break in its value")
        for field in _FIELD.findall(value):
            if field not in _FACTS and not re.fullmatch(r"payload\..+", field):
                known = ", ".join(sorted(_FACTS))
                raise TemplateError(f"{name}: {{{field}}} is none of {known}, payload.NAME")
        return cls(name, value)

    def fill(self, facts: Mapping[str, str], payload: Mapping[str, str]) -> str:
        """Return the value, "" where it names something that is not there."""
        missing = False

        def found(match: re.Match[str]) -> str:
            nonlocal missing
            field = match[1]
            source = payload if field.startswith("payload.") else facts
            text = source.get(field.removeprefix("payload."), "")
            missing = missing or not text
            return text

        filled = _FIELD.sub(found, self.value)
        return "" if missing else _CONTROL.sub(" ", filled).strip()[:LONGEST_VALUE]


def filled(
    templates: Iterable[HeaderTemplate], facts: Mapping[str, str], payload: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    """Return the headers of one INVITE; one whose payload is missing is left out."""
    headers = ((one.name, one.fill(facts, payload)) for one in templates)
    return tuple((name, value) for name, value in headers if value)
