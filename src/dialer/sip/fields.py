"""The text of header fields, taken apart in one linear pass, whatever a peer puts there."""

from __future__ import annotations

import dataclasses
import re

_SPECIAL = re.compile(r'["\\<>,;]')
_QUOTED = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_DELTA_SECONDS = re.compile(r"[0-9]{1,10}(?![0-9])")


def split_outside_quotes(text: str, separator: str) -> list[str]:
    """Split at `separator` ("," or ";") outside of quoted strings and angle brackets.

    Pieces are stripped, empty ones are left out (RFC 3261 §7.3.1).
    """
    if separator not in text:
        return [piece] if (piece := text.strip()) else []
    if '"' not in text and "<" not in text:
        return [piece for part in text.split(separator) if (piece := part.strip())]
    pieces: list[str] = []
    start, escaped = 0, -1
    quoted = bracketed = False
    for match in _SPECIAL.finditer(text):
        index, character = match.start(), match.group()
        if index == escaped:
            continue
        if quoted:
            if character == "\\":
                escaped = index + 1
            elif character == '"':
                quoted = False
        elif bracketed:
            bracketed = character != ">"
        elif character == separator:
            pieces.append(text[start:index].strip())
            start = index + 1
        else:
            quoted, bracketed = character == '"', character == "<"
    pieces.append(text[start:].strip())
    return [piece for piece in pieces if piece]


def split_values(lines: list[str]) -> tuple[str, ...]:
    """Return the single values of a header that may hold several per line, in their order."""
    return tuple(value for line in lines for value in split_outside_quotes(line, ","))


def parameters(text: str) -> dict[str, str]:
    """Return `;name=value` parameters; names in lower case, values unquoted, first one wins."""
    found: dict[str, str] = {}
    if not text:
        return found
    for piece in split_outside_quotes(text, ";"):
        name, _, value = piece.partition("=")
        found.setdefault(name.strip().lower(), unquote(value.strip()))
    return found


def quote(text: str) -> str:
    """Return `text` as a quoted-string (RFC 3261 §25.1)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def unquote(text: str) -> str:
    """Return what a quoted-string says; other text stays as it is."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    return _ESCAPED.sub(r"\1", text[1:-1])


@dataclasses.dataclass(frozen=True, slots=True)
class Address:
    """A name-addr or addr-spec with its header parameters (RFC 3261 §20.10); `uri` verbatim."""

    display: str
    uri: str
    parameters: dict[str, str]


def parse_address(value: str) -> Address:
    """Take a From, To, Contact, Route or Record-Route value apart."""
    display = _QUOTED.match(value)
    opening = value.find("<", display.end() if display else 0)
    if opening < 0:
        # RFC 3261 §20: without angle brackets, parameters belong to the header.
        uri, _, rest = value.partition(";")
        return Address("", uri.strip(), parameters(rest))
    closing = value.find(">", opening)
    if closing < 0:
        closing = len(value)
    return Address(
        unquote(value[:opening].strip()),
        value[opening + 1 : closing].strip(),
        parameters(value[closing + 1 :]),
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Via:
    """A Via value (RFC 3261 §20.42); `text` verbatim, IPv6 `host` without brackets."""

    text: str
    host: str
    port: int | None
    parameters: dict[str, str]

    @property
    def branch(self) -> str:
        """The branch, "" where there is none."""
        return self.parameters.get("branch", "")


def parse_via(value: str) -> Via:
    """Take a Via value apart; raises ValueError where it has no sent-by."""
    sent, _, rest = value.partition(";")
    words = sent.replace("/", " / ").split()
    # A version that is not ours gets 505, by a response that needs the Via all the same.
    if len(words) < 6 or words[0].upper() != "SIP":
        raise ValueError("Via is not SIP/2.0/transport host")
    host, port = split_host_port("".join(words[5:]))
    return Via(value, host, port, parameters(rest))


def split_host_port(text: str) -> tuple[str, int | None]:
    """Split `host:port`, `[::1]:port` or a bare host; raises ValueError."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError("the IPv6 address has no closing bracket")
        port = rest[1:]
    else:
        host, _, port = text.partition(":")
    if not host or not (not port or (port.isascii() and port.isdecimal() and int(port) < 65536)):
        raise ValueError("not a host and port")
    return host.lower(), int(port) if port else None


def bracketed(host: str) -> str:
    """Return a host as it stands in a URI or Via: IPv6 literals in brackets."""
    return f"[{host}]" if ":" in host else host


def delta_seconds(value: str) -> int | None:
    """Return the seconds that a value begins with, None where it begins with none."""
    match = _DELTA_SECONDS.match(value.strip())
    return int(match.group()) if match else None


def retry_after(value: str) -> int | None:
    """Return the seconds of a Retry-After value such as `120 (busy);duration=60`."""
    return delta_seconds(value)
