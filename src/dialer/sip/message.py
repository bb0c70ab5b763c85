"""SIP messages: bytes to facts and back (RFC 3261 §7), on the grammar of `sipmessage`.

The library reads the CSeq and the URIs. Framing, folding and the splitting of header values are
done here, since they have to be linear, capped and forgiving on what any peer sends. Header values
of a parsed message hold no CR, LF, NUL or other control character, so they can be echoed.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from http import HTTPStatus
from typing import TYPE_CHECKING

import sipmessage
from sipmessage.message import COMPACT_FORMS

from dialer.sip.fields import Via, bracketed, parse_address, parse_via, quote, split_values
from dialer.sip.identity import HostPort, Transport

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_MESSAGE = 65_536
MAX_HEADERS = 100
MAX_LINE = 8_192
MAX_URI = 1_024

_COMPACT = {short: name.lower() for short, name in COMPACT_FORMS.items()}
_NAME = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+")
_HOST = re.compile(r"[A-Za-z0-9._:-]+")
_NOT_IN_URI = re.compile(r'[<>"\s]')
_FOLD = re.compile(r"\r\n[ \t]+")
_BROKEN_LINE = re.compile(r"\r(?!\n)|(?<!\r)\n|\x00")
_CONTROL = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_CONTROL_OR_BREAK = re.compile(r"[\x00-\x1f\x7f-\x9f]")

PHRASES = {
    100: "Trying",
    180: "Ringing",
    181: "Call Is Being Forwarded",
    182: "Queued",
    183: "Session Progress",
    403: "Forbidden",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    413: "Request Entity Too Large",
    414: "Request-URI Too Long",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    421: "Extension Required",
    422: "Session Interval Too Small",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    484: "Address Incomplete",
    485: "Ambiguous",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    489: "Bad Event",
    491: "Request Pending",
    500: "Server Internal Error",
    504: "Server Time-out",
    505: "Version Not Supported",
    580: "Precondition Failure",
    600: "Busy Everywhere",
    603: "Decline",
    604: "Does Not Exist Anywhere",
    606: "Not Acceptable",
    607: "Unwanted",
    608: "Rejected",
}


@dataclasses.dataclass(slots=True)
class Message:
    """What requests and responses have in common; `headers` by lower-case long name."""

    headers: dict[str, list[str]]
    body: bytes
    via: Via
    call_id: str
    cseq: int
    cseq_method: str
    from_tag: str
    to_tag: str

    def first(self, name: str) -> str:
        """Return the first value line of a header, "" where there is none."""
        lines = self.headers.get(name)
        return lines[0] if lines else ""

    def values(self, name: str) -> tuple[str, ...]:
        """Return all single values of a header, split at commas."""
        lines = self.headers.get(name)
        return split_values(lines) if lines else ()

    @property
    def content_type(self) -> str:
        """The media type in lower case without parameters, "" where there is none."""
        return self.first("content-type").partition(";")[0].strip().lower()

    @property
    def contact(self) -> str:
        """The URI of the first Contact, "" where there is none."""
        contacts = self.values("contact")
        return parse_address(contacts[0]).uri if contacts else ""


@dataclasses.dataclass(slots=True)
class Request(Message):
    """A parsed request; `uri` is the Request-URI verbatim."""

    method: str
    uri: str


@dataclasses.dataclass(slots=True)
class Response(Message):
    """A parsed response."""

    code: int
    phrase: str


class MessageError(ValueError):
    """What came is no SIP message that we can use.

    `request` is set where its headers suffice for an answer with `code`.
    """

    def __init__(self, reason: str, code: int = 400, request: Request | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.request = request


def parse(data: bytes) -> Request | Response:
    """Parse one datagram (RFC 3261 §7, §18.3); raises MessageError and nothing else."""
    start, headers, body = _frame(data)
    words = start.split(" ", 2)
    if words[0].upper() == "SIP/2.0" and len(words) > 1:
        return _response(words, headers, body)
    if len(words) != 3 or not _NAME.fullmatch(words[0]) or not words[2].upper().startswith("SIP/"):
        raise MessageError("the first line is neither a request's nor a response's")
    return _request(words, headers, body)


def _frame(data: bytes) -> tuple[str, dict[str, list[str]], bytes]:
    """Cut a datagram into first line, headers and the rest, within the caps."""
    if len(data) > MAX_MESSAGE:
        raise MessageError(f"longer than {MAX_MESSAGE} bytes")
    # RFC 3261 §7.5: CRLF before the first line is ignored.
    head, end, body = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
    if not end:
        raise MessageError("no empty line ends the headers")
    text = head.decode("utf-8", "replace")
    if _BROKEN_LINE.search(text):
        raise MessageError("a lone CR or LF, or a NUL, among the headers")
    if _CONTROL.search(text):
        text = _CONTROL.sub("\ufffd", text)
    if "\r\n " in text or "\r\n\t" in text:
        # RFC 3261 §7.3.1: a line that begins with white space continues the one before.
        text = _FOLD.sub(" ", text)
    start, *lines = text.split("\r\n")
    return start, _headers(lines), body


def _headers(lines: list[str]) -> dict[str, list[str]]:
    if len(lines) > MAX_HEADERS:
        raise MessageError(f"more than {MAX_HEADERS} headers")
    headers: dict[str, list[str]] = {}
    for line in lines:
        if len(line) > MAX_LINE:
            raise MessageError(f"a header longer than {MAX_LINE} characters")
        name, _, value = line.partition(":")
        key = name.strip().lower()
        # A line that is no header is passed over: it should not cost us the message.
        if _NAME.fullmatch(key):
            headers.setdefault(_COMPACT.get(key, key), []).append(value.strip())
    return headers


def _request(words: list[str], headers: dict[str, list[str]], body: bytes) -> Request:
    method, uri, version = words
    try:
        common = _common(headers)
    except (ValueError, TypeError) as error:
        raise MessageError(str(error)) from error
    request = Request(headers, body, *common, method, uri)
    if version.rstrip().upper() != "SIP/2.0":
        raise MessageError(f"the version is {version}", 505, request)
    if request.cseq_method != method:
        raise MessageError("CSeq names another method", 400, request)
    if not uri or len(uri) > MAX_URI or _NOT_IN_URI.search(uri):
        raise MessageError("the Request-URI is no URI", 400, request)
    try:
        request.body = _cut_body(headers, body)
    except ValueError as error:
        raise MessageError(str(error), 400, request) from error
    return request


def _response(words: list[str], headers: dict[str, list[str]], body: bytes) -> Response:
    code = words[1]
    if not (len(code) == 3 and code.isascii() and code.isdecimal() and "1" <= code[0] <= "6"):
        raise MessageError("the status code is not from 100 to 699")
    try:
        phrase = words[2].strip() if len(words) > 2 else ""
        return Response(
            headers, _cut_body(headers, body), *_common(headers), code=int(code), phrase=phrase
        )
    except (ValueError, TypeError) as error:
        raise MessageError(str(error)) from error


def _common(headers: dict[str, list[str]]) -> tuple[Via, str, int, str, str, str]:
    """Read what every message has (RFC 3261 §8.1.1); raises ValueError."""
    for name in ("from", "to", "call-id", "cseq"):
        if len(headers.get(name, ())) != 1:
            raise ValueError(f"there is not exactly one {name} header")
    vias = split_values(headers.get("via", [])[:1])
    if not vias:
        raise ValueError("there is no Via")
    call_id, cseq_text = headers["call-id"][0], headers["cseq"][0]
    if not call_id or len(cseq_text) > 100:
        raise ValueError("the Call-ID is empty or the CSeq too long")
    cseq = sipmessage.CSeq.parse(cseq_text)
    if cseq.sequence >= 2**31:
        raise ValueError("the CSeq number is not below 2**31")
    from_tag = parse_address(headers["from"][0]).parameters.get("tag", "")
    to_tag = parse_address(headers["to"][0]).parameters.get("tag", "")
    return parse_via(vias[0]), call_id, cseq.sequence, cseq.method, from_tag, to_tag


def _cut_body(headers: dict[str, list[str]], body: bytes) -> bytes:
    """Apply Content-Length to the rest of a datagram (RFC 3261 §18.3); raises ValueError."""
    lengths = set(headers.get("content-length", ()))
    if not lengths:
        return body
    text = lengths.pop()
    if lengths or not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise ValueError("Content-Length is not one number")
    if len(body) < int(text):
        raise ValueError("the body is shorter than Content-Length")
    return body[: int(text)]


def serialise(start: str, headers: Iterable[tuple[str, str]], body: bytes = b"") -> bytes:
    """Write a message; Content-Length is added.

    Raises ValueError where the first line, a name or a value holds CR, LF or NUL, so that no text
    can become a header of its own.
    """
    lines = [start, *(f"{name}: {value}" for name, value in headers)]
    lines.append(f"Content-Length: {len(body)}\r\n\r\n")
    text = "\r\n".join(lines)
    breaks = len(lines) + 1
    if text.count("\r") != breaks or text.count("\n") != breaks or "\x00" in text:
        raise ValueError("CR, LF or NUL in the first line or in a header")
    return text.encode() + body


def default_phrase(code: int) -> str:
    """Return the usual reason phrase of a status code (RFC 3261 §21)."""
    if code in PHRASES:
        return PHRASES[code]
    try:
        return HTTPStatus(code).phrase
    except ValueError:
        return "OK" if code < 300 else "Failure"


def check_text(*texts: str) -> None:
    """Raise ValueError where one of our own texts holds a control character."""
    for text in texts:
        if _CONTROL_OR_BREAK.search(text):
            raise ValueError(f"a control character in {text!r}")


def check_uri(uri: str) -> None:
    """Raise ValueError where one of our own URIs cannot stand in a request line or in <>."""
    check_text(uri)
    if not uri or _NOT_IN_URI.search(uri):
        raise ValueError(f"{uri!r} is no URI")


def sip_uri(user: str, host: str, port: int | None = None) -> str:
    """Return `sip:user@host:port`; what may not stand in a user part is percent-encoded."""
    check_text(user)
    if not _HOST.fullmatch(host):
        raise ValueError(f"{host!r} is neither a host name nor an address")
    return str(sipmessage.URI(scheme="sip", host=bracketed(host), user=user or None, port=port))


def name_addr(uri: str, display: str = "") -> str:
    """Return `"display" <uri>`; raises ValueError for a text that would break out of its place."""
    check_uri(uri)
    check_text(display)
    return f"{quote(display)} <{uri}>" if display else f"<{uri}>"


def parse_uri(text: str) -> sipmessage.URI | None:
    """Return a SIP, SIPS or TEL URI taken apart, None for what the grammar does not know."""
    if len(text) > MAX_URI:
        return None
    try:
        return sipmessage.URI.parse(text.partition("?")[0])
    except (ValueError, TypeError):
        return None


def uri_user(text: str) -> str:
    """Return the user part of a URI, decoded, without parameters and control characters."""
    uri = parse_uri(text)
    user = (uri.user or "") if uri else text.partition(":")[2].partition("@")[0]
    return _CONTROL_OR_BREAK.sub("\ufffd", user.partition(";")[0])


def uri_address(text: str) -> HostPort | None:
    """Return where a URI with an IP address literal points to, None for names and others."""
    uri = parse_uri(text)
    if uri is None:
        return None
    try:
        host = str(ipaddress.ip_address(uri.host.strip("[]")))
    except ValueError:
        return None
    transport = uri_transport(text)
    port = (5061 if transport == "tls" else 5060) if uri.port is None else uri.port
    return HostPort(host, port, transport) if 0 < port < 65536 else None


def uri_transport(uri: str) -> Transport:
    """Return the transport that a SIP URI names, UDP where it names none (RFC 3263 §4.1)."""
    named = (part.partition("=") for part in uri.partition("?")[0].split(";")[1:])
    wanted = {name.strip().lower(): value.strip().lower() for name, _, value in named}
    match wanted.get("transport"):
        case "tcp":
            return "tls" if uri[:5].lower() == "sips:" else "tcp"
        case "tls":
            return "tls"
        case _:
            return "tls" if uri[:5].lower() == "sips:" else "udp"


def is_loose_router(uri: str) -> bool:
    """Say whether a Route's URI carries `lr` (RFC 3261 §16.12.1.1)."""
    return any(part.partition("=")[0].strip().lower() == "lr" for part in uri.split(";")[1:])
