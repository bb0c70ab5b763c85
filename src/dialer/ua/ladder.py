"""The SIP ladder: one line of text for each message of a call, as it passes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from dialer.clock import Clock
    from dialer.ua.transport import Direction, Passed

_HEADER = re.compile(
    r"^(?:(CSeq)|(Reason)|(Content-Type|c))[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE
)
_WIDTH = 34


class Ladder:
    """Writes a line per message: seconds since the first, arrow, what it is, CSeq, Reason.

    An instance is a `UserAgentSettings.on_message` hook; `write` gets each line without its end.
    """

    def __init__(self, write: Callable[[str], None], clock: Clock) -> None:
        self._write = write
        self._clock = clock
        self._began: float | None = None

    def __call__(self, passed: Passed) -> None:
        """Write the line of one message."""
        now = self._clock.monotonic()
        if self._began is None:
            self._began = now
            self._write(heading(f"{passed.peer.host}:{passed.peer.port}"))
        self._write(line(now - self._began, passed.direction, passed.data))


def heading(peer: str) -> str:
    """Return the line that names the two parties."""
    return f"{'':10}dialer{'':{_WIDTH - 2}}{peer}"


def line(seconds: float, direction: Direction, data: bytes) -> str:
    """Return the line of one message; what is not SIP is shown by its size alone."""
    what, remarks = _describe(data)
    shaft = "─" * (_WIDTH - len(what))
    arrow = f"├─ {what} {shaft}▶│" if direction == "sent" else f"│◀─ {what} {shaft}┤"
    return f"{seconds:8.3f}  {arrow}  {remarks}".rstrip()


def _describe(data: bytes) -> tuple[str, str]:
    head, _, body = data.partition(b"\r\n\r\n")
    start, _, headers = head.decode("utf-8", "replace").partition("\r\n")
    if start.startswith("SIP/2.0 "):
        what = start[len("SIP/2.0 ") :]
    elif start.endswith(" SIP/2.0"):
        what = start.split(" ", 1)[0]
    else:
        return f"({len(data)} bytes, not SIP)", ""
    remarks = []
    for cseq, reason, content_type, value in _HEADER.findall(headers):
        if cseq:
            remarks.append(f"CSeq {value}")
        elif reason:
            remarks.append(f"Reason {value}")
        elif content_type and body.strip():
            remarks.append("SDP" if "sdp" in value.lower() else value)
    return _printable(what)[:_WIDTH], _printable("  ".join(remarks))


def _printable(text: str) -> str:
    """Keep a peer's control characters away from the terminal."""
    return "".join(c if c.isprintable() else "�" for c in text)
