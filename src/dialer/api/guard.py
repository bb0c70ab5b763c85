"""Who may ask: Host, Origin and token, checked before anything else is done."""

from __future__ import annotations

import hmac
import ipaddress
import re
from typing import TYPE_CHECKING

from aiohttp import web

from dialer.api.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Collection

    from aiohttp.typedefs import Handler, Middleware

    from dialer.api.settings import ApiSettings

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_AUTHORITY = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::(?P<port>\d{1,5}))?"
)
_DEFAULT_PORT = {"http": 80, "https": 443}


def guard(settings: ApiSettings, public: Collection[str]) -> Middleware:
    """Return the middleware that refuses what a stranger or another site's web page sends.

    `public` paths need no token.
    """
    expected = None if settings.token is None else settings.token.encode()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        authority = _checked_host(request, settings)
        _check_origin(request, authority)
        if expected is not None and request.path not in public:
            _check_token(request, expected)
        return await handler(request)

    return check


def _checked_host(request: web.Request, settings: ApiSettings) -> re.Match[str]:
    """Return the parsed Host header; a name that is not ours may be DNS rebinding (421)."""
    hosts = request.headers.getall("Host", [])
    authority = _AUTHORITY.fullmatch(hosts[0]) if len(hosts) == 1 else None
    if authority is None:
        raise Problem(400, "the request needs exactly one valid Host header")
    name = authority["v6"] or authority["name"]
    # nobody can make a name of theirs out of the address that the connection came in on
    arrived_at = request.get_extra_info("sockname")
    if not (settings.answers_to(name) or (arrived_at and _same_address(name, arrived_at[0]))):
        raise Problem(
            421,
            f"Host {name} is not a name of this service; add it to allowed_hosts if it should be",
        )
    return authority


def _same_address(name: str, address: str) -> bool:
    """Whether `name` is `address`, written another way perhaps."""
    try:
        return ipaddress.ip_address(name) == ipaddress.ip_address(address)
    except ValueError:
        return False


def _check_origin(request: web.Request, authority: re.Match[str]) -> None:
    """Refuse what a web page of another origin makes a browser send (403).

    Other clients send neither header. A link that a person follows from elsewhere is let through.
    """
    site = request.headers.get("Sec-Fetch-Site", "none").lower()
    followed_link = (
        request.method in SAFE_METHODS
        and request.headers.get("Sec-Fetch-Mode", "").lower() == "navigate"
    )
    if site not in {"none", "same-origin"} and not followed_link:
        raise Problem(403, "requests of web pages of other sites are refused")
    for origin in request.headers.getall("Origin", []):
        scheme, _, rest = origin.lower().partition("://")
        found = _AUTHORITY.fullmatch(rest)
        default = _DEFAULT_PORT.get(scheme)
        if (
            found is None
            or default is None
            or (found["v6"], found["name"]) != _lower(authority["v6"], authority["name"])
            or int(found["port"] or default) != int(authority["port"] or default)
        ):
            raise Problem(403, "requests of web pages of another origin are refused")


def _lower(*texts: str | None) -> tuple[str | None, ...]:
    return tuple(text.lower() if text else None for text in texts)


def _check_token(request: web.Request, expected: bytes) -> None:
    """Require `Authorization: Bearer <token>` (RFC 6750), compared in constant time."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(
        given.strip().encode("utf-8", "surrogateescape"), expected
    ):
        raise Problem(
            401,
            "the request needs the header Authorization: Bearer <the API's token>",
            headers={"WWW-Authenticate": 'Bearer realm="dialer"'},
        )
