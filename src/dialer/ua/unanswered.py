"""The requests that end a call, kept until they are answered: a connection may lose them."""

from __future__ import annotations

import re
from typing import Final

KEEP: Final = 20.0  # seconds; a connection that delivers nothing is given up by then
_MOST = 1000
_ENDS: Final = (b"BYE ", b"CANCEL ")
_BRANCH = re.compile(rb"\r\nVia:[^\r\n]*?;branch=([^;,\s]+)", re.IGNORECASE)


class Unanswered:
    """What was sent of BYE and CANCEL and may not have arrived, oldest first.

    To send it once more is a retransmission, which whoever has it already absorbs (RFC 3261
    §17.2.2); never to send it would leave the call up.
    """

    def __init__(self) -> None:
        self._sent: dict[bytes, tuple[float, bytes]] = {}

    def sent(self, data: bytes, now: float) -> None:
        """Keep a message, if it ends a call."""
        if not data.startswith(_ENDS):
            return
        branch = _BRANCH.search(data)
        if branch is not None:
            self._sent[branch[1]] = (now, data)
            if len(self._sent) > _MOST:
                del self._sent[next(iter(self._sent))]

    def received(self, data: bytes) -> None:
        """Forget what a response answers."""
        if self._sent and data.startswith(b"SIP/2.0 "):
            branch = _BRANCH.search(data)
            if branch is not None:
                self._sent.pop(branch[1], None)

    def take(self, now: float) -> list[bytes]:
        """Return what is worth sending again, and forget it."""
        fresh = [data for at, data in self._sent.values() if now - at < KEEP]
        self._sent.clear()
        return fresh
