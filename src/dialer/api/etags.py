"""Conditional requests (RFC 9110, 13): If-None-Match for what is read, If-Match for changes.

An entity tag is a hash of the answer, before which campaigns and webhooks have their version:
`"7-5f3a…"`. If-Match looks at the version alone, since the counts of a campaign change all the
time, and what a person changes does not.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.typedefs import Handler, Middleware

    from dialer.api.route import Route

_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_VERSIONED = re.compile(r'"(?P<version>[0-9]{1,18})(?:-[0-9a-f]+)?"')


def conditional(routes: Mapping[tuple[str, str], Route]) -> Middleware:
    """Return the middleware that gives answers their entity tags, and 304 where nothing changed."""

    @web.middleware
    async def run(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        resource = request.match_info.route.resource
        route = routes.get((request.method, resource.canonical)) if resource else None
        if (
            route is None
            or not route.tagged
            or response.status != 200
            or not isinstance(response, web.Response)
            or not isinstance(response.body, bytes)
        ):
            return response
        digest = hashlib.sha256(response.body).hexdigest()[:16]
        version = response.headers.get("ETag", "").strip('"')
        tag = f'"{version}-{digest}"' if version else f'"{digest}"'
        if matches(request.headers.getall("If-None-Match", []), tag):
            return web.Response(status=304, headers={"ETag": tag})
        response.headers["ETag"] = tag
        return response

    return run


def versions(request: web.Request) -> frozenset[int] | None:
    """Return the versions that If-Match allows, None where any will do."""
    given = request.headers.getall("If-Match", [])
    if not given or "*" in (value.strip() for value in given):
        return None
    found = (_VERSIONED.fullmatch(tag) for value in given for tag in _TAG.findall(value))
    return frozenset(int(match["version"]) for match in found if match is not None)


def of_version(version: int) -> str:
    """Return the entity tag of an answer that is not hashed."""
    return f'"{version}"'


def matches(given: list[str], tag: str) -> bool:
    """Whether one of the tags is `tag`, or is `*`; weak comparison (RFC 9110, 13.1.2)."""
    return any(
        value.strip() == "*" or tag in (one.removeprefix("W/") for one in _TAG.findall(value))
        for value in given
    )
