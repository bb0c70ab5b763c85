"""Reading a request: ids, query parameters, JSON bodies and streamed lists, each within limits."""

from __future__ import annotations

import asyncio
import base64
import operator
import re
import typing
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

import pydantic
import pydantic_core
from aiohttp import BodyPartReader, MultipartReader, StreamReader, web
from aiohttp.http_exceptions import HttpProcessingError

from dialer.api.context import context_of
from dialer.api.problem import Problem, explain, invalid

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from dialer.api.settings import ApiSettings

MAX_ID = 2**63 - 1
CHUNK = 8 * 1024  # of a list; a few hundred rows, so that the event loop gets its turn
LONGEST_FILE_NAME = 200  # characters
JSON_TYPES = frozenset({"application/json", "application/merge-patch+json"})


T = TypeVar("T")
Row = TypeVar("Row")
Model = TypeVar("Model", bound=pydantic.BaseModel)

_ESCAPED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def path_id(request: web.Request, noun: str) -> int:
    """Return the id in the path; what cannot be an id is the id of nothing (404)."""
    text = request.match_info["id"]
    if re.fullmatch(r"[0-9]{1,19}", text) and 0 < int(text) <= MAX_ID:
        return int(text)
    raise Problem(404, f"there is no {noun} {text[:40]!r}: its id is a whole number")


def path_uuid(request: web.Request, name: str, noun: str) -> UUID:
    """Return the UUID in the path; what cannot be one is the id of nothing (404)."""
    text = request.match_info[name]
    try:
        return UUID(text)
    except ValueError:
        raise Problem(404, f"there is no {noun} {text[:40]!r}: its id is a UUID") from None


def query(request: web.Request, model: type[Model]) -> Model:
    """Return the query parameters as `model`; one of its lists may be given several times."""
    values: dict[str, str | list[str]] = {}
    for name in request.query:
        given = request.query.getall(name)
        field = model.model_fields.get(name)
        if field is not None and typing.get_origin(field.annotation) in {list, tuple}:
            values[name] = given
        elif len(given) > 1:
            raise invalid([(name, "is given more than once")], "query parameter")
        else:
            values[name] = given[0]
    try:
        return model.model_validate(values)
    except pydantic.ValidationError as error:
        found = [(where.removeprefix("/"), what) for where, what in explain(error, values)]
        raise invalid(found, "query parameter") from None


async def json_body(
    request: web.Request, shape: pydantic.TypeAdapter[T], settings: ApiSettings, *, empty: str = ""
) -> T:
    """Return the JSON body in its shape; `empty` stands for a body that may be left out.

    Raises Problem: 415 for another content type (which is what a simple form of a web page
    would send), 413, 408, 400 for broken JSON and 422 for what does not fit.
    """
    untyped = request.content_type == "application/octet-stream"  # also where nothing is said
    left_out = empty and untyped and not request.body_exists
    if request.content_type not in JSON_TYPES and not left_out:
        raise Problem(
            415,
            f"the body must be application/json, not {request.content_type}",
            headers={"Accept": "application/json"},
        )
    data = await whole_body(request, settings) or empty.encode()
    return parse(data, shape)


def parse(data: bytes, shape: pydantic.TypeAdapter[T]) -> T:
    """Return JSON in its shape; raises Problem, 400 or 422."""
    if _ESCAPED_NUL.search(data):
        raise invalid([("", "the character U+0000 cannot be stored")], "body")
    try:
        return shape.validate_json(data, strict=True)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        if first["type"] == "json_invalid":
            raise Problem(400, f"body: not valid JSON: {first['ctx']['error']}") from None
        raise invalid(explain(error, pydantic_core.from_json(data)), "body") from None


async def whole_body(request: web.Request, settings: ApiSettings) -> bytes:
    """Read a JSON body within its limit of bytes and of time; once read, it is kept."""
    limit = settings.max_body_bytes
    try:
        async with asyncio.timeout(settings.read_timeout):
            return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise Problem(413, f"the body is larger than {limit} bytes; send it in parts") from None
    except TimeoutError:
        raise _too_slow(settings) from None
    except (web.RequestPayloadError, ConnectionError):
        raise _cut_short() from None


async def list_body(
    request: web.Request, settings: ApiSettings, *, told: Callable[[str], None] = lambda _: None
) -> AsyncGenerator[bytes]:
    """Yield the pieces of a list: the body, or the first file of a multipart/form-data one.

    `told` gets that file's name.
    Raises Problem: 413 past `max_upload_bytes`, 408 where we wait for longer than `read_timeout`
    for CHUNK bytes, 400 for a broken upload.
    """
    clock = context_of(request).clock
    waited, came = 0.0, 0
    source: StreamReader | BodyPartReader = request.content
    left = settings.max_upload_bytes
    try:
        if request.content_type == "multipart/form-data":
            source = await asyncio.wait_for(_first_file(request), settings.read_timeout)
            told(source.filename or "")
        while True:
            began = clock.monotonic()
            async with asyncio.timeout(settings.read_timeout - waited):
                piece = await _read(source)
            if not piece:
                return
            waited, came = waited + clock.monotonic() - began, came + len(piece)
            if came >= CHUNK:
                waited, came = 0.0, 0
            left -= len(piece)
            if left < 0:
                raise Problem(
                    413,
                    f"the list is larger than {settings.max_upload_bytes} bytes;"
                    " split it, or raise max_upload_mib",
                )
            yield piece
    except TimeoutError:
        raise Problem(
            408, f"less than {CHUNK} bytes of the list came in {settings.read_timeout:g} s"
        ) from None
    except (web.RequestPayloadError, ConnectionError):
        raise _cut_short() from None
    except (ValueError, AssertionError, HttpProcessingError) as error:
        # aiohttp asserts what a client's broken multipart body does not hold
        reason = " ".join(str(error).split())
        raise Problem(400, f"the upload is not valid multipart/form-data: {reason}") from None


async def _read(source: StreamReader | BodyPartReader) -> bytes:
    """Return the next piece of a body or of a part of one, b"" at its end."""
    if not isinstance(source, BodyPartReader):
        return await source.read(CHUNK)
    piece = await source.read_chunk(CHUNK)
    if not piece and not source.at_eof():
        raise ValueError("the boundary after the file is missing")
    return piece


async def _first_file(request: web.Request) -> BodyPartReader:
    """Return the first part that is a file."""
    parts = await request.multipart()
    while (part := await parts.next()) is not None:
        if isinstance(part, MultipartReader):
            raise Problem(400, "a part of the upload holds parts itself; send the file alone")
        if part.filename is not None:
            return part
    raise Problem(400, "the upload has no file; send one part with a file name")


def _too_slow(settings: ApiSettings) -> Problem:
    return Problem(408, f"nothing more of the body came for {settings.read_timeout:g} s")


def _cut_short() -> Problem:
    return Problem(400, "the connection ended before the body was complete")


def read_cursor(text: str | None) -> int | None:
    """Return the id after which a page goes on; raises Problem for what is no cursor of ours."""
    if text is None:
        return None
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True).decode()
    except ValueError:
        key = ""
    if not re.fullmatch(r"id[0-9]{1,19}", key) or int(key[2:]) > MAX_ID:
        raise invalid([("cursor", "is not one that this list gave")], "query parameter")
    return int(key[2:])


def cut_page(
    found: Sequence[Row], limit: int, key: Callable[[Row], int] = operator.attrgetter("id")
) -> tuple[Sequence[Row], str | None]:
    """Split what was read, one row more than asked for, into a page and the cursor of the next.

    `key` of a row is what the list is ordered by.
    """
    if len(found) <= limit:
        return found, None
    cursor = f"id{key(found[limit - 1])}".encode()
    return found[:limit], base64.urlsafe_b64encode(cursor).decode().rstrip("=")
