"""Keys that come in the body of an INFO, as gateways without RFC 4733 send them."""

from __future__ import annotations

_KEYS = "0123456789*#ABCD"  # a key's place is its event code (RFC 4733 §3.2)
_MOST_OCTETS = 256


def parse(body: bytes, content_type: str) -> str | None:
    """Return the key that a body tells of, None where it tells of none.

    `application/dtmf-relay` has a line `Signal=5` (and one of the duration, which is of no matter),
    `application/dtmf` the key alone. * and # may be written as 10 and 11, A to D as 12 to 15.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if len(body) > _MOST_OCTETS:
        return None
    text = body.decode("ascii", "replace")
    if kind == "application/dtmf":
        return _key(text)
    if kind == "application/dtmf-relay":
        for line in text.splitlines():
            name, _, value = line.partition("=")
            if name.strip().lower() == "signal":
                return _key(value)
    return None


def _key(text: str) -> str | None:
    text = text.strip().upper()
    if len(text) == 1 and text in _KEYS:
        return text
    if len(text) == 2 and text.isascii() and text.isdigit() and 10 <= int(text) < len(_KEYS):
        return _KEYS[int(text)]
    return None
