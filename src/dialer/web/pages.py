"""Serves the dashboard: one document for every page's address, and the files that it is made of."""

from __future__ import annotations

import dataclasses
import functools
import gzip
import hashlib
import mimetypes
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import hdrs, web

if TYPE_CHECKING:
    from collections.abc import Iterable

STATIC = Path(__file__).parent / "static"
DOCUMENT = "index.html"
PATHS = (
    "/",
    "/login",
    "/campaigns",
    "/campaigns/new",
    "/campaigns/{id:[0-9]+}",
    "/calls/{id:[0-9]+}",
    "/trunks",
    "/dialogs",
    "/do-not-call",
    "/webhooks",
    "/webhooks/{id:[0-9]+}",
    "/account",
)
"""Addresses of pages; the document's script shows the one that the address names."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; connect-src 'self';"
    " img-src 'self' data:; media-src 'self'; frame-ancestors 'none'; base-uri 'none';"
    " form-action 'self'; require-trusted-types-for 'script'; trusted-types 'none'"
)
REVALIDATE = "no-cache"
FOR_EVER = "public, max-age=31536000, immutable"
_TYPES = {".js": "text/javascript", ".woff2": "font/woff2", ".svg": "image/svg+xml"}
_PACKED = {".woff2"}  # compressed already


@dataclasses.dataclass(frozen=True, slots=True)
class File:
    """A file of the dashboard, as it is sent; `zipped` where that is smaller."""

    content: bytes
    content_type: str
    etag: str
    zipped: bytes | None


@dataclasses.dataclass(frozen=True, slots=True)
class Site:
    """All files by their path below `static`, and the digest of all, which is in their address."""

    version: str
    files: dict[str, File]


@functools.cache
def read_site() -> Site:
    """Read the files into memory, so that a request can name no other."""
    contents = {
        path.relative_to(STATIC).as_posix(): path.read_bytes()
        for path in sorted(STATIC.rglob("*"))
        if path.is_file()
    }
    version = _digest(part for name in contents for part in (name.encode(), contents[name]))
    modules = (name for name in contents if name.endswith(".js"))
    preloads = "\n  ".join(
        f'<link rel="modulepreload" href="/static/{version}/{name}">' for name in modules
    )
    contents[DOCUMENT] = (
        contents[DOCUMENT]
        .replace(b"{{static}}", f"/static/{version}".encode())
        .replace(b"{{modules}}", preloads.encode())
    )
    return Site(version, {name: _file(name, content) for name, content in contents.items()})


def _file(name: str, content: bytes) -> File:
    suffix = Path(name).suffix
    kind = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    zipped = None if suffix in _PACKED else gzip.compress(content, mtime=0)
    return File(content, kind, _digest([content]), zipped)


def _digest(parts: Iterable[bytes]) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(len(part).to_bytes(8, "big") + part)
    return found.hexdigest()[:16]


def add_pages(app: web.Application) -> frozenset[str]:
    """Add the dashboard to an application; return its routes, which anybody may read."""
    added = [app.router.add_get(path, _document) for path in PATHS]
    added.append(app.router.add_get("/static/{version}/{name:.+}", _asset))
    return frozenset(route.resource.canonical for route in added if route.resource is not None)


async def _document(request: web.Request) -> web.Response:
    """Give the document, which shows the page that the address names."""
    response = _answer(request, read_site().files[DOCUMENT], REVALIDATE)
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers["Referrer-Policy"] = "same-origin"
    return response


async def _asset(request: web.Request) -> web.Response:
    """Give a file; one under another version's address is the nearest that there is."""
    site = read_site()
    file = site.files.get(request.match_info["name"])
    if file is None or request.match_info["name"] == DOCUMENT:
        raise web.HTTPNotFound
    current = request.match_info["version"] == site.version
    return _answer(request, file, FOR_EVER if current else REVALIDATE)


def _answer(request: web.Request, file: File, caching: str) -> web.Response:
    known = {tag.value for tag in request.if_none_match or ()}
    headers = {
        hdrs.CACHE_CONTROL: caching,
        hdrs.ETAG: f'"{file.etag}"',
        hdrs.VARY: "Accept-Encoding",
    }
    if file.etag in known or "*" in known:
        return web.Response(status=304, headers=headers)
    body = file.content
    if file.zipped is not None and "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, ""):
        body, headers[hdrs.CONTENT_ENCODING] = file.zipped, "gzip"
    headers[hdrs.CONTENT_TYPE] = (
        f"{file.content_type}; charset=utf-8"
        if file.content_type.startswith("text/")
        else file.content_type
    )
    return web.Response(body=body, headers=headers)
