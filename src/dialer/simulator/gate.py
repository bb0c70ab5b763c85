"""Digest authentication as the far end does it (RFC 3261 §22, RFC 7616, RFC 8760)."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dialer.simulator.behaviours import Challenge
    from dialer.sip.message import Request

_REALM = "carrier.example"
_HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}
_PARAMETER = re.compile(r'([\w-]+)\s*=\s*(?:"([^"]*)"|([^\s,"]+))')


def nonce_of(call_id: str) -> str:
    """Return the nonce of a call: the same each time, so that nothing need be remembered."""
    return hashlib.sha256(call_id.encode()).hexdigest()[:32]


def demand(challenge: Challenge, nonce: str) -> tuple[str, str]:
    """Return the header that asks for credentials."""
    name = "Proxy-Authenticate" if challenge.code == 407 else "WWW-Authenticate"
    value = f'Digest realm="{_REALM}", nonce="{nonce}", algorithm={challenge.algorithm}'
    return name, f'{value}, qop="auth"'


def admits(challenge: Challenge, invite: Request, nonce: str, username: str, password: str) -> bool:
    """Say whether an INVITE carries the right answer to our nonce."""
    name = "proxy-authorization" if challenge.code == 407 else "authorization"
    given = {
        key.lower(): quoted or plain
        for key, quoted, plain in _PARAMETER.findall(invite.first(name).partition(" ")[2])
    }

    def digest(text: str) -> str:
        return _HASHES[challenge.algorithm](text.encode()).hexdigest()

    secret = digest(f"{username}:{_REALM}:{password}")
    action = digest(f"INVITE:{given.get('uri', '')}")
    fresh = ":".join(given.get(key, "") for key in ("nonce", "nc", "cnonce", "qop"))
    return (
        not challenge.endless
        and given.get("nonce") == nonce
        and given.get("username") == username
        and given.get("response") == digest(f"{secret}:{fresh}:{action}")
    )
