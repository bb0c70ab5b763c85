"""Whom an INVITE calls and who it says is calling: its URIs, From, and the headers of identity.

Everything goes through builders that escape or refuse what would break out of its place, so that no
number, caller ID or name can become a header or a parameter.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

from dialer.sip.message import check_text, name_addr, sip_uri

if TYPE_CHECKING:
    from dialer.ua.call import CallRequest, Trunk

_DIGITS = re.compile(r"\+?[0-9]+")
# RFC 3323 §4.1.1.3: what From says of one who wants to stay unknown.
_ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>'


@dataclasses.dataclass(frozen=True, slots=True)
class Invitation:
    """The called and the calling party as an INVITE names them."""

    request_uri: str
    to: str
    from_: str
    headers: tuple[tuple[str, str], ...]


def invitation(request: CallRequest) -> Invitation:
    """Return how a request is worded for its trunk.

    Raises ValueError for a number, caller ID or name that cannot stand where it belongs.
    """
    trunk = request.trunk
    if not request.number or not request.caller_id:
        raise ValueError("a number or caller ID is empty")
    uri = called_uri(trunk, request.number)
    caller = name_addr(_caller_uri(trunk, request.caller_id), request.display_name)
    from_ = caller
    if trunk.from_user is not None:
        from_ = name_addr(_caller_uri(trunk, trunk.from_user), request.display_name)
    if trunk.privacy:
        from_ = _ANONYMOUS
    for name, value in request.headers:
        check_text(name, value)
    return Invitation(
        request_uri=uri,
        to=name_addr(uri),
        from_=from_,
        headers=(*_asserting(trunk, caller), *request.headers),
    )


def called_uri(trunk: Trunk, number: str) -> str:
    """Return the URI of a called number in the trunk's form; raises ValueError."""
    if trunk.number_form == "tel" and _DIGITS.fullmatch(number):
        # RFC 3966 §5.1.4: a number that is not global needs its context.
        return (
            f"tel:{number}"
            if number.startswith("+")
            else f"tel:{number};phone-context={trunk.host}"
        )
    uri = sip_uri(number, trunk.host, trunk.port)
    if trunk.number_form == "phone" and _DIGITS.fullmatch(number):
        uri += ";user=phone"
    if trunk.transport in {"tcp", "tls"}:
        uri += f";transport={trunk.transport}"
    return uri


def _caller_uri(trunk: Trunk, user: str) -> str:
    domain, _, port = (trunk.from_domain or trunk.host).partition(":")
    if ":" in port:  # an IPv6 literal
        domain, port = trunk.from_domain or trunk.host, ""
    uri = sip_uri(user, domain, int(port) if port else None)
    if trunk.number_form != "sip" and _DIGITS.fullmatch(user):
        uri += ";user=phone"
    return uri


def _asserting(trunk: Trunk, caller: str) -> list[tuple[str, str]]:
    """Return the headers that say who calls, to a trunk that trusts us (RFC 3325)."""
    headers: list[tuple[str, str]] = [
        (name, caller)
        for name in ("P-Asserted-Identity", "P-Preferred-Identity")
        if name in trunk.asserted_by
    ]
    if "Remote-Party-ID" in trunk.asserted_by:
        privacy = "full" if trunk.privacy else "off"
        headers.append(("Remote-Party-ID", f"{caller};party=calling;screen=yes;privacy={privacy}"))
    if trunk.privacy:
        headers.append(("Privacy", "id"))
    return headers
