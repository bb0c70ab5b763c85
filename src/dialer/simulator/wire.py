"""A small reader of SIP messages, apart from the core, so that the ledger is a second opinion."""

from __future__ import annotations

import dataclasses
import re

_COMPACT = {"i": "call-id", "f": "from", "t": "to", "v": "via", "m": "contact", "c": "content-type"}
_FOLD = re.compile(r"\r\n[ \t]+")
_TAG = re.compile(r";\s*tag\s*=\s*([^;,\s>]+)", re.IGNORECASE)
_USER = re.compile(r"^sips?:([^@;?>]*)@", re.IGNORECASE)


@dataclasses.dataclass(frozen=True, slots=True)
class Message:
    """What the ledger and the carrier need of a message; `code` is 0 for a request."""

    method: str  # of the request, or of the CSeq that a response answers
    code: int
    phrase: str
    number: str  # user part of the Request-URI, "" for a response
    headers: dict[str, list[str]]  # names in lower case, long form
    body: bytes

    def all(self, name: str) -> list[str]:
        """Return the values of a header, in order; `name` in lower case."""
        return self.headers.get(name, [])

    def first(self, name: str) -> str:
        """Return the first value of a header, "" where it is missing."""
        values = self.headers.get(name)
        return values[0] if values else ""

    @property
    def call_id(self) -> str:
        """The Call-ID."""
        return self.first("call-id")

    @property
    def cseq(self) -> int:
        """The number of the CSeq, 0 where it cannot be read."""
        number = self.first("cseq").split(" ")[0]
        return int(number) if number.isascii() and number.isdigit() else 0

    @property
    def to_tag(self) -> str:
        """The tag of the To header, "" before a dialog exists."""
        return _tag(self.first("to"))

    @property
    def from_tag(self) -> str:
        """The tag of the From header."""
        return _tag(self.first("from"))


def _tag(address: str) -> str:
    # a tag parameter stands after the bracket, where there is one
    match = _TAG.search(address[address.rfind(">") + 1 :])
    return match[1] if match else ""


def read(data: bytes) -> Message | None:
    """Read a datagram; None for what is not SIP, or belongs to no call."""
    head, _, body = data.partition(b"\r\n\r\n")
    text = head.decode("utf-8", "replace")
    if "\r\n " in text or "\r\n\t" in text:
        text = _FOLD.sub(" ", text)
    start, *lines = text.split("\r\n")
    words = start.split(" ", 2)
    headers: dict[str, list[str]] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            name = name.strip().lower()
            headers.setdefault(_COMPACT.get(name, name), []).append(value.strip())
    if len(words) != 3 or not any(headers.get("call-id", ())):
        return None
    if words[0] == "SIP/2.0" and words[1].isascii() and words[1].isdigit():
        method = headers.get("cseq", [""])[0].rpartition(" ")[2]
        return Message(method, int(words[1][:3]), words[2], "", headers, body)
    if words[2] != "SIP/2.0":
        return None
    user = _USER.match(words[1])
    return Message(words[0], 0, "", user[1] if user else "", headers, body)


def response(request: Message, code: int, phrase: str) -> bytes:
    """Build a response to `request` that has no body (RFC 3261 §8.2.6)."""
    lines = [f"SIP/2.0 {code} {phrase}"]
    for name in ("via", "from", "to", "call-id", "cseq"):
        lines += [f"{name}: {value}" for value in request.all(name)]
    return "\r\n".join([*lines, "content-length: 0", "", ""]).encode()
