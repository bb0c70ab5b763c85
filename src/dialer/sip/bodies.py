"""Where the session description is in a body of several parts (RFC 5621, RFC 2046 §5.1)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dialer.sip.fields import parameters
from dialer.sip.session_description import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dialer.sip.message import Message

_MAX_PARTS = 16
_MAX_DEPTH = 3  # of parts that have parts
_MAX_BOUNDARY = 70  # RFC 2046 §5.1.1
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_AS_IT_IS = {"", "7bit", "8bit", "binary"}  # transfer encodings


def session_of(message: Message) -> tuple[bytes, str]:
    """Return the session description of a message and its media type; see `session_part`."""
    return session_part(message.first("content-type"), message.body)


def session_part(content_type: str, body: bytes) -> tuple[bytes, str]:
    """Return the session description that a body is, or has among its parts, and its media type.

    `content_type` is the header's value. A single body is returned whatever it is, its type in
    lower case without parameters; of several parts only SDP is of use: without any, b"" and "".
    """
    kind = _media_type(content_type)
    if not kind.startswith("multipart/"):
        return body, kind
    found = _find(content_type, body, _MAX_DEPTH)
    return (b"", "") if found is None else (found, CONTENT_TYPE)


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _find(content_type: str, body: bytes, depth: int) -> bytes | None:
    """Return the first session description among the parts, or theirs; None where none is."""
    boundary = parameters(content_type.partition(";")[2]).get("boundary", "")
    if not 0 < len(boundary) <= _MAX_BOUNDARY or depth == 0:
        return None
    for headers, content in _parts(body, boundary.encode()):
        part_type = headers.get("content-type", "")
        disposition = headers.get("content-disposition", "session").partition(";")[0].strip()
        encoding = headers.get("content-transfer-encoding", "").strip().lower()
        if _media_type(part_type).startswith("multipart/"):
            nested = _find(part_type, content, depth - 1)
            if nested is not None:
                return nested
        elif (
            _media_type(part_type) == CONTENT_TYPE
            and disposition.lower() == "session"
            and encoding in _AS_IT_IS
        ):
            return content
    return None


def _parts(body: bytes, boundary: bytes) -> Iterator[tuple[dict[str, str], bytes]]:
    """Yield the headers (names in lower case) and the content of each part."""
    delimiter = re.compile(rb"(?:\A|\r?\n)--" + re.escape(boundary) + rb"(--)?[ \t]*(?=\r?\n|\Z)")
    found = delimiter.search(body)
    for _ in range(_MAX_PARTS):
        if found is None or found[1]:
            return
        begin = found.end()
        found = delimiter.search(body, begin)
        part = body[begin : found.start() if found else len(body)]
        blank = _BLANK_LINE.search(part)
        if blank is not None:
            yield _headers(part[: blank.start()]), part[blank.end() :]


def _headers(block: bytes) -> dict[str, str]:
    lines = _FOLD.sub(b" ", block).decode("utf-8", "replace").splitlines()
    named = (line.partition(":") for line in lines)
    return {name.strip().lower(): value.strip() for name, _, value in named}
