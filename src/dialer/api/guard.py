"""Who may ask: Host, Origin, token or cookie, and role, checked before anything else is done."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from aiohttp import web

from dialer.api import audit
from dialer.api.context import BEARER, COOKIE, RATE, context_of
from dialer.api.door import pace_reading
from dialer.api.problem import Problem
from dialer.api.route import SAFE_METHODS
from dialer.store.errors import NotFound
from dialer.store.records import DEFAULT_ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from aiohttp.typedefs import Handler, Middleware

    from dialer.api.bearers import Bearers
    from dialer.api.limits import Limits
    from dialer.api.route import Route
    from dialer.api.settings import ApiSettings
    from dialer.store.account_records import Bearer

_AUTHORITY = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::(?P<port>\d{1,5}))?"
)
_DEFAULT_PORT = {"http": 80, "https": 443}


def guard(
    settings: ApiSettings,
    routes: Mapping[tuple[str, str], Route],
    bearers: Bearers,
    limits: Limits,
    pages: Collection[str] = (),
) -> Middleware:
    """Return the middleware that refuses what a stranger or another site's web page sends.

    `routes` by method and path say which role a request needs. Who sent it is put on it. `pages`
    are further paths, of files that anybody may read.
    """

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        authority = _checked_host(request, settings)
        _check_origin(request, authority)
        _check_cookie(request)
        path = _path(request)
        route = routes.get((request.method, path))
        if route is None and path in pages:
            return await handler(request)
        if route is None or not route.public or "token" in request.match_info:
            try:
                bearer = await _limited_bearer(request, bearers, limits)
            except (Problem, NotFound):
                pace_reading(request, slowly=True)
                await limits.refuse()
                raise
            pace_reading(request, slowly=False)
            request[RATE] = limits.count(bearer)
            request[BEARER] = bearer
            if route is not None:
                await _check_role(request, route, bearer)
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


def _path(request: web.Request) -> str:
    """Return the path of the request's route as the route table has it."""
    resource = request.match_info.route.resource
    return "" if resource is None else resource.canonical


async def _limited_bearer(request: web.Request, bearers: Bearers, limits: Limits) -> Bearer:
    """Return who sends a request, within the limits of failed logins of an address (429).

    Whose token has worked before is let in from any address.
    """
    given = shown_token(request)
    if given is None or bearers.has_worked(given):
        return await _bearer(request, bearers)
    limits.check_login(request)
    try:
        return await _bearer(request, bearers)
    except (Problem, NotFound):
        limits.login_failed(request)
        raise


async def _bearer(request: web.Request, bearers: Bearers) -> Bearer:
    """Return who shows a token, in a header or a cookie, or none where none must (401).

    Where the path has one, it is a campaign's, and `NotFound` is raised where it is none's.
    """
    if "token" in request.match_info:
        return await bearers.of_campaign(request.match_info["token"])
    found = await bearers.of_request(request)
    if found is None:
        raise Problem(
            401,
            "the request needs the header Authorization: Bearer <token>, with a token that works",
            headers={"WWW-Authenticate": 'Bearer realm="dialer"'},
        )
    return found


def _check_cookie(request: web.Request) -> None:
    """Refuse changes by cookie that no header of the browser says the origin of (403).

    A browser adds the cookie by itself, whoever asks it to. Those that send neither header to us
    cannot tell a page of ours from a stranger's.
    """
    if (
        COOKIE in request.cookies
        and "Authorization" not in request.headers
        and request.method not in SAFE_METHODS
        and not {"Origin", "Sec-Fetch-Site"} & request.headers.keys()
    ):
        raise Problem(
            403,
            "a change by cookie needs the header Origin or Sec-Fetch-Site, which browsers send;"
            " programs send Authorization: Bearer <token>",
        )


def shown_token(request: web.Request) -> str | None:
    """Return the token that a request shows, in its path, its head or its cookie."""
    if "token" in request.match_info:
        return request.match_info["token"]
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return given.strip()
    return request.cookies.get(COOKIE)


async def still_works(request: web.Request, bearers: Bearers) -> bool:
    """Whether the token of a request that is being answered still works. Raises `Unavailable`."""
    try:
        await _bearer(request, bearers)
    except Problem:
        return False
    return True


async def _check_role(request: web.Request, route: Route, bearer: Bearer) -> None:
    """Refuse what the role or the account of the bearer does not suffice for (403)."""
    if route.role is not None and not bearer.role.may(route.role):
        problem = Problem(
            403,
            f"{route.name} needs the role {route.role}; the token {bearer.name!r} has the role"
            f" {bearer.role}",
        )
    elif route.instance and bearer.account_id != DEFAULT_ACCOUNT:
        problem = Problem(
            403,
            f"{route.name} is about the whole instance, which needs a token of the default account",
        )
    else:
        return
    if route.changes or route.in_parts:
        await audit.write(context_of(request).pool, request, route, problem.response())
    raise problem
