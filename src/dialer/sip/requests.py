"""What is right and wrong with a request before its method counts (RFC 3261 §8.2)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from dialer.sip.settings import ALLOW, ALLOWED

if TYPE_CHECKING:
    from dialer.sip.message import Request

# Methods of the IANA registry that we know and do not do.
_KNOWN = frozenset({"MESSAGE", "PRACK", "PUBLISH", "REFER", "REGISTER", "SUBSCRIBE"})
SUPPORTED = "timer"  # the one extension that is done in requests of the peer (RFC 4028)
_SCHEMES = frozenset({"sip", "sips", "tel"})


@dataclasses.dataclass(frozen=True, slots=True)
class Refusal:
    """The answer to a request that cannot be taken."""

    code: int
    headers: tuple[tuple[str, str], ...] = ()


def capabilities() -> tuple[tuple[str, str], ...]:
    """Return the headers that say what we do (RFC 3261 §11.2)."""
    return (("Allow", ALLOW), ("Accept", "application/sdp"), ("Supported", SUPPORTED))


def refusal(request: Request) -> Refusal | None:
    """Inspect method, Request-URI and Require in the order of RFC 3261 §8.2; None: all is well."""
    if request.method in {"SUBSCRIBE", "PUBLISH"}:
        # RFC 6665 §4.2.1.1, RFC 3903 §6: no event package is known here.
        return Refusal(489)
    if request.method not in ALLOWED:
        code = 405 if request.method in _KNOWN else 501
        return Refusal(code, (("Allow", ALLOW),))
    if request.uri.partition(":")[0].lower() not in _SCHEMES:
        return Refusal(416)
    unsupported = [tag for tag in request.values("require") if tag.lower() != SUPPORTED]
    if unsupported and request.method != "CANCEL":
        # RFC 3261 §8.2.2.3: it names what is not done.
        return Refusal(420, (("Unsupported", ", ".join(unsupported)),))
    return None
