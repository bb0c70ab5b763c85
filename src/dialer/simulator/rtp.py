"""The far end's media, kept cheap: one socket for all calls, a little silence sent, all counted."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING, Any

from dialer.rtp import g711, packet
from dialer.rtp.key_presses import KeyPresses
from dialer.rtp.telephone_event import TelephoneEvent
from dialer.ua.transport import bind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dialer.clock import Clock, Timer
    from dialer.rtp.frames import Frames


_QUIETEST = b"\x7f"  # -127 dBov (RFC 3389 §3.1)


@dataclasses.dataclass(slots=True)
class _Talk:
    """Packets on their way to one caller: what is said, then silence, and reports of keys."""

    numbering: packet.Numbering
    says: Iterator[bytes]
    silence: bytes
    left: int  # packets of silence
    codec: str
    keys: KeyPresses = dataclasses.field(default_factory=KeyPresses)
    telephone_event: int = 0  # their payload type

    def next_packet(self) -> bytes:
        """Return what is sent now."""
        if self.keys.waiting:
            pressed = self.keys.next(self.codec)
            if not isinstance(pressed, TelephoneEvent):
                return self.numbering.packet(pressed or self.silence)
            return self.numbering.event(bytes(pressed), self.telephone_event, begins=pressed.begins)
        frame = next(self.says, None)
        if frame is None:
            self.left -= 1
            if self.left <= 0:
                return self._falls_silent()
        return self.numbering.packet(frame or self.silence)

    def _falls_silent(self) -> bytes:
        """Return comfort noise, by which a far end says that it is there and stops sending."""
        numbering = self.numbering
        speech, numbering.payload_type = numbering.payload_type, packet.COMFORT_NOISE
        noise = numbering.packet(_QUIETEST)
        numbering.payload_type = speech
        return noise


class MediaSink(asyncio.DatagramProtocol):
    """Receives the RTP of every call on one port; `on_packet(call_id)` hears of each packet.

    Packets are told apart by where they come from, which is where the caller wants its own.
    """

    def __init__(self, clock: Clock, on_packet: Callable[[str], None], packets: int) -> None:
        self.port = 0
        self._clock = clock
        self._on_packet = on_packet
        self._packets = packets
        self._callers: dict[tuple[str, int], str] = {}
        self._talks: dict[tuple[str, int], _Talk] = {}
        self._quiet: dict[tuple[str, int], _Talk] = {}  # those that have said all
        self._transport: Any = None
        self._timer: Timer | None = None
        self._next_at = 0.0

    async def start(self, host: str) -> None:
        """Take any free port; raises OSError."""
        bound = bind(host, 0)
        self.port = bound.getsockname()[1]
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, sock=bound)

    def talk(
        self,
        call_id: str,
        caller: tuple[str, int],
        codec: str,
        payload_type: int,
        says: Frames | None = None,
    ) -> None:
        """Expect RTP from `caller`; send what is said and some silence, a packet every 20 ms."""
        self._callers[caller] = call_id
        numbering = packet.Numbering(
            payload_type=payload_type,
            samples=g711.FRAME_SAMPLES,
            ssrc=hash(call_id),
            sequence=0,
            timestamp=0,
        )
        silence = g711.silence(g711.FRAME_SAMPLES, codec)
        self._quiet.pop(caller, None)
        self._talks[caller] = _Talk(numbering, _frames(says), silence, self._packets, codec)
        self._begin()

    def press(self, caller: tuple[str, int], keys: str, payload_type: int) -> None:
        """Press keys on the telephone of a call that was talking, by RFC 4733."""
        talk = self._talks.get(caller) or self._quiet.pop(caller, None)
        if talk is None:
            return
        talk.telephone_event = payload_type
        talk.left = max(talk.left, 1)  # it falls silent after the keys
        talk.keys.add(keys, events=True)
        self._talks[caller] = talk
        self._begin()

    def forget(self, caller: tuple[str, int]) -> None:
        """Expect and send no more."""
        self._callers.pop(caller, None)
        self._talks.pop(caller, None)
        self._quiet.pop(caller, None)

    def _begin(self) -> None:
        if self._timer is None:
            self._next_at = self._clock.monotonic()
            self._tick()

    def _tick(self) -> None:
        self._timer = None
        for caller, talk in tuple(self._talks.items()):
            self._transport.sendto(talk.next_packet(), caller[:2])
            if talk.left <= 0 and not talk.keys.waiting:
                self._quiet[caller] = self._talks.pop(caller)
        if self._talks:
            self._next_at += g711.FRAME_SECONDS
            self._timer = self._clock.call_at(self._next_at, self._tick)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Count a packet of a call that we know."""
        call_id = self._callers.get((addr[0], addr[1]))
        if call_id is not None and data and data[0] >> 6 == packet.VERSION:
            self._on_packet(call_id)

    def error_received(self, exc: Exception) -> None:
        """Pass over a caller that has closed its port."""

    def close(self) -> None:
        """Stop sending and close the socket."""
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.close()


def _frames(says: Frames | None) -> Iterator[bytes]:
    data = b"" if says is None else says.data
    for start in range(0, len(data), g711.FRAME_SAMPLES):
        yield data[start : start + g711.FRAME_SAMPLES]
