"""What passed of each call: its SIP messages and the first of its RTP, kept while it is up."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, NamedTuple

from dialer.sip.identity import HostPort
from dialer.ua.redaction import redacted

if TYPE_CHECKING:
    import datetime as dt

    from dialer.clock import Clock
    from dialer.ua.media import MediaStream
    from dialer.ua.transport import Direction, Passed

MAX_BYTES = 512 * 1024  # of one call's messages, whatever a peer sends

_CALL_ID = re.compile(
    rb"^(?:Call-ID|i)[ \t]*:[ \t]*([^\r\n]+?)[ \t]*\r$", re.IGNORECASE | re.MULTILINE
)


class TracedMessage(NamedTuple):
    """A SIP message of a call, without its secrets, and when it passed."""

    at: dt.datetime
    direction: Direction
    local: HostPort
    peer: HostPort
    data: bytes


class TracedPacket(NamedTuple):
    """An RTP packet of a call, and when it passed."""

    at: dt.datetime
    direction: Direction
    local: HostPort
    peer: HostPort
    data: bytes


@dataclasses.dataclass(slots=True)
class CallTrace:
    """The trace of one call; it takes no more once it is full."""

    messages: list[TracedMessage] = dataclasses.field(default_factory=list)
    packets: list[TracedPacket] = dataclasses.field(default_factory=list)
    size: int = 0  # bytes of its messages


class CallTraces:
    """A hook for `UserAgentSettings.on_message` that sorts messages by the calls that are traced.

    `messages` is how many are kept of one call, at the most.
    """

    def __init__(self, clock: Clock, messages: int = 200) -> None:
        self._clock = clock
        self._limit = messages
        self._traces: dict[bytes, CallTrace] = {}

    def begin(self, call_id: str) -> CallTrace:
        """Trace the call with a Call-ID from now on."""
        trace = self._traces[call_id.encode()] = CallTrace()
        return trace

    def end(self, call_id: str) -> None:
        """Trace it no longer."""
        self._traces.pop(call_id.encode(), None)

    def __call__(self, passed: Passed) -> None:
        """Keep a message, if its call is traced."""
        found = _CALL_ID.search(passed.data)
        trace = self._traces.get(found[1]) if found else None
        if trace is None or len(trace.messages) >= self._limit:
            return
        trace.size += len(passed.data)
        if trace.size <= MAX_BYTES:
            trace.messages.append(
                TracedMessage(
                    self._clock.now(),
                    passed.direction,
                    passed.local,
                    passed.peer,
                    redacted(passed.data),
                )
            )


class MediaTrace:
    """A hook for `MediaStream.on_packet` that keeps the first packets of a call, each way.

    `packets` is how many each way. Without `audio` the sound is replaced by silence, so that only
    the headers tell anything.
    """

    def __init__(
        self, trace: CallTrace, stream: MediaStream, clock: Clock, packets: int, *, audio: bool
    ) -> None:
        self._trace = trace
        self._stream = stream
        self._clock = clock
        self._left: dict[Direction, int] = {"sent": packets, "received": packets}
        self._audio = audio

    def __call__(self, direction: Direction, packet: bytes, peer: tuple[str, int]) -> None:
        """Keep a packet, as long as there is room for its direction."""
        if not self._left[direction]:
            return
        self._left[direction] -= 1
        if not any(self._left.values()):
            self._stream.on_packet = None
        self._trace.packets.append(
            TracedPacket(
                self._clock.now(),
                direction,
                HostPort(self._stream.local_host, self._stream.local_port),
                HostPort(*peer),
                packet if self._audio else silenced(packet),
            )
        )


def silenced(packet: bytes) -> bytes:
    """Return an RTP packet with silence for its sound (RFC 3550 §5.1), as long as before.

    What is no packet of G.711 has none of its payload left.
    """
    head = 12 + 4 * (packet[0] & 0x0F)
    if packet[0] & 0x10:
        head += 4 + 4 * int.from_bytes(packet[head + 2 : head + 4], "big")
    a_law = packet[1] & 0x7F == 8
    return packet[:head] + (b"\xd5" if a_law else b"\xff") * max(0, len(packet) - head)
