"""The SIP ladder of a call that is over, drawn from the messages that were kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialer.ua import ladder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dialer.api import trace_models


def drawn(call: trace_models.CallMessages, *, whole: bool = False) -> Iterator[str]:
    """Yield the lines of a ladder, one leg after the other; with `whole` each message as text."""
    if not call.legs:
        yield f"nothing is kept of call {call.call_id}: it is too old, or has not been over"
    for leg in call.legs:
        yield from _leg(leg, whole=whole)


def _leg(leg: trace_models.LegMessages, *, whole: bool) -> Iterator[str]:
    began, peer = leg.messages[0].at, None
    for message in leg.messages:
        if message.peer != peer:
            peer = message.peer
            yield ladder.heading(f"{peer} ({message.transport})")
        seconds = (message.at - began).total_seconds()
        yield ladder.line(seconds, message.direction, message.text.encode())
        if whole:
            yield ""
            yield from (f"    {printable(line)}" for line in message.text.splitlines())
            yield ""
    if leg.rtp_packets:
        yield f"{'':10}{leg.rtp_packets} RTP packets kept"


def printable(text: str) -> str:
    """Keep a peer's control characters away from the terminal."""
    return "".join(char if char.isprintable() else "�" for char in text)
