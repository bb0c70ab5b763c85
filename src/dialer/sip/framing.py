"""SIP over a stream: bytes in, whole messages and keep-alives out (RFC 3261 §18.3, RFC 5626)."""

from __future__ import annotations

import dataclasses
import enum
import re

from dialer.sip.message import MAX_MESSAGE

_END = b"\r\n\r\n"
_FIRST_LINE = re.compile(
    rb"(?:SIP/\d\.\d \d{3}[ \r]|[A-Za-z0-9.!%*_+`'~-]+ [^\r\n]+ SIP/\d\.\d\r)", re.IGNORECASE
)
_LENGTH = re.compile(
    rb"^(?:content-length|l)[ \t]*:((?:[^\r\n]|\r\n[ \t])*)", re.IGNORECASE | re.MULTILINE
)
_TOKEN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.!%*_+`'~-")


class KeepAlive(enum.Enum):
    """What passes between messages (RFC 5626 §3.5.1); the value is how it looks on the wire."""

    PING = b"\r\n\r\n"
    PONG = b"\r\n"


@dataclasses.dataclass(frozen=True, slots=True)
class Broken:
    """Where the next message begins can no longer be known: the connection has to be closed.

    `head` is the first line and headers of the message at fault, b"" where there are none to be
    read; a request among them deserves `code`.
    """

    reason: str
    head: bytes = b""
    code: int = 400


Framed = bytes | KeepAlive | Broken


class StreamFraming:
    """Cuts one peer's byte stream; never raises, and keeps at most `MAX_MESSAGE` bytes of it.

    A single CRLF counts as a pong after `expect_pong`, else it is half of a ping.
    """

    def __init__(self) -> None:
        self._pong_expected = False
        self._buffer = bytearray()
        self._sought = 0  # where the end of the headers is looked for next: no byte is seen twice
        self._needed = 0  # length of the message in front, 0 while it is not known
        self._half_ping = False
        self._broken = False

    @property
    def pending(self) -> int:
        """How many bytes of an unfinished message are kept."""
        return len(self._buffer)

    def expect_pong(self) -> None:
        """Take the next single CRLF for the answer to a ping."""
        self._pong_expected = True
        self._half_ping = False

    def feed(self, data: bytes) -> list[Framed]:
        """Take in what came next and return what it completes; after a `Broken` nothing more."""
        found: list[Framed] = []
        if self._broken:
            return found
        self._buffer += data
        while self._buffer:
            if not self._needed and not self._sought:
                found += self._line_ends()
            piece = self._message()
            if piece is None:
                break
            found.append(piece)
            if isinstance(piece, Broken):
                self._broken = True
                self._buffer.clear()
        return found

    def _line_ends(self) -> list[KeepAlive]:
        """Take the line ends before a message: keep-alives, or nothing (RFC 3261 §7.5)."""
        count = 0
        while self._buffer.startswith(b"\r\n", 2 * count):
            count += 1
        del self._buffer[: 2 * count]
        count += self._half_ping
        found = [KeepAlive.PING] * (count // 2)
        self._half_ping = False
        if count % 2 and self._pong_expected:
            self._pong_expected = False
            found.append(KeepAlive.PONG)
        elif count % 2:
            # what a message follows was its end, badly counted, or nothing
            self._half_ping = not self._buffer or self._buffer == b"\r"
        return found

    def _message(self) -> bytes | Broken | None:
        """Return the message in front, None while it is not complete."""
        buffer = self._buffer
        if not self._needed:
            if not buffer or buffer == b"\r":
                return None
            if buffer[0] not in _TOKEN:
                return Broken("what came is no SIP message")
            end = buffer.find(_END, self._sought)
            if max(end + len(_END), len(buffer) if end < 0 else 0) > MAX_MESSAGE:
                return Broken(f"the headers are longer than {MAX_MESSAGE} bytes")
            if end < 0:
                self._sought = max(0, len(buffer) - len(_END) + 1)
                return None
            head = bytes(buffer[: end + len(_END)])
            length = _body_length(head)
            if isinstance(length, Broken):
                return length
            self._needed = len(head) + length
        if len(buffer) < self._needed:
            return None
        message = bytes(buffer[: self._needed])
        del buffer[: self._needed]
        self._needed = self._sought = 0
        return message


def _body_length(head: bytes) -> int | Broken:
    """Read the Content-Length, which no message on a stream may lack (RFC 3261 §18.3)."""
    if not _FIRST_LINE.match(head):
        return Broken("what came is no SIP message")
    lengths = {value.strip() for value in _LENGTH.findall(head)}
    if not lengths:
        return Broken("there is no Content-Length", head)
    text = lengths.pop()
    if lengths or not text.isdigit() or len(text) > 20:
        return Broken("Content-Length is not one number", head)
    if len(head) + int(text) > MAX_MESSAGE:
        return Broken(f"Content-Length would make it longer than {MAX_MESSAGE} bytes", head, 413)
    return int(text)
