"""The RTP of one call, both ways."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import TYPE_CHECKING

from dialer.rtp import g711, packet
from dialer.rtp.key_presses import KeyPresses
from dialer.rtp.latch import Latch
from dialer.rtp.reception import Reception
from dialer.rtp.telephone_event import TelephoneEvent
from dialer.sip.sdp import TELEPHONE_EVENT_PAYLOAD_TYPE, SdpError
from dialer.ua.guard import guarded, tell_fault
from dialer.ua.media_control import MediaControl
from dialer.ua.playback import Playback
from dialer.ua.silence_watch import SilenceWatch
from dialer.ua.srtp import SecureRtp, SrtpError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dialer.rtp.frames import Frames
    from dialer.rtp.pacing import Due
    from dialer.sip.sdp import Negotiated
    from dialer.ua.media import MediaPlane
    from dialer.ua.media_ports import Pair
    from dialer.ua.silence_watch import SilenceLimits
    from dialer.ua.transport import Direction

_DATAGRAM = 2048  # octets; G.711 packets have 172 at 20 ms and 492 at 60 ms
_MOST_WAITING = 100  # datagrams taken when a stream is closed: two seconds of a call's
_FRAME_MS = round(1000 * g711.FRAME_SECONDS)


class MediaStream:
    """The RTP of one call, both ways, on one port.

    It listens from the start (early media). Once connected it sends a packet every 20, 40 or 60 ms:
    what `play` was given, else what `source` gives, else silence, so that NAT bindings and PBX
    timeouts stay content. `source`, where set, is asked for each frame of 20 ms when its time has
    come: 160 octets in `codec`, or None. Each of `listeners` hears every packet of the peer, each
    of `sent_listeners` every one that leaves, in octets; `on_packet(direction, packet, peer)`,
    where set, every one sent and received; all as they are unencrypted.
    """

    __slots__ = (
        "__weakref__",
        "_bundle",
        "_closed",
        "_frames_per_packet",
        "_keys",
        "_loop",
        "_numbering",
        "_plane",
        "_playback",
        "_ready",
        "_relayed",
        "_silence",
        "_silent_since",
        "_socket",
        "_watch",
        "codec",
        "control",
        "latch",
        "listeners",
        "local_host",
        "local_port",
        "octets_sent",
        "on_packet",
        "packets_dropped",
        "packets_of_noise",
        "packets_sent",
        "packets_unsent",
        "receiving",
        "reception",
        "secure_only",
        "sends",
        "sent_listeners",
        "source",
        "srtp",
        "suppressing",
        "telephone_event",
    )

    def __init__(self, plane: MediaPlane, bound: Pair) -> None:
        self.local_host = plane.ports.host
        self.local_port = bound.port
        self.codec: str | None = None  # None until connected
        self.telephone_event: int | None = None  # the payload type, where the peer takes DTMF
        self.receiving = False  # whether the agreed direction lets the peer send
        self.packets_sent = 0
        self.octets_sent = 0  # of payload
        self.packets_unsent = 0  # the host refused them: its buffer was full, or it has no route
        self.packets_dropped = 0  # received, but not RTP, not from the peer, or not authentic
        self.packets_of_noise = 0  # received, comfort noise (RFC 3389)
        self.suppressing = False  # the last packet was comfort noise: none need follow
        self.secure_only = False  # nothing is received before keys are agreed
        self.latch = Latch()
        self.srtp = SecureRtp()
        self.reception = Reception(g711.SAMPLE_RATE)
        self.source: Callable[[], bytes | None] | None = None
        self.listeners: list[Callable[[packet.Packet], None]] = []
        self.sent_listeners: list[Callable[[bytes], None]] = []
        self.on_packet: Callable[[Direction, bytes, tuple[str, int]], None] | None = None
        self._plane = plane
        self._socket = bound.rtp
        self._loop = asyncio.get_running_loop()
        self._numbering = packet.Numbering(
            payload_type=0,
            samples=g711.FRAME_SAMPLES,
            ssrc=plane.random_bits(32),
            sequence=plane.random_bits(15),  # RFC 3711 §3.3.1: far from the wrap that SRTP counts
            timestamp=plane.random_bits(32),
        )
        self._silence = b""
        self._frames_per_packet = 1
        self._bundle: list[bytes] = []  # frames of the next packet
        self._ready: list[bytes] = []  # packets whose time has come
        self._playback: Playback | None = None
        self._keys = KeyPresses()
        self._silent_since: float | None = None  # on hold since then
        self.sends = False  # connected, and not on hold
        self._relayed = False  # packets of another stream leave, and the ticker is not asked
        self._closed = False
        self._watch: SilenceWatch | None = None
        self.control = MediaControl(plane, self, bound.rtcp, self._loop)
        self._loop.add_reader(bound.rtp, self._receive)

    @property
    def telephone_event_types(self) -> frozenset[int]:
        """Payload types under which DTMF may come: the one offered, and the peer's own."""
        ours = frozenset({TELEPHONE_EVENT_PAYLOAD_TYPE})
        return ours if self.telephone_event is None else ours | {self.telephone_event}

    @property
    def ssrc(self) -> int:
        """The SSRC that we send with."""
        return self._numbering.ssrc

    @property
    def timestamp(self) -> int:
        """The RTP timestamp of the packet that is sent next."""
        return self._numbering.timestamp

    @property
    def packet_seconds(self) -> float:
        """How much audio a packet holds that we send."""
        return self._frames_per_packet * g711.FRAME_SECONDS

    @property
    def packets_received(self) -> int:
        """RTP packets that came from the peer."""
        return self.reception.received

    def connect(self, media: Negotiated) -> None:
        """Send to where offer and answer say, in the codec agreed; again after each new answer.

        Nothing is sent while the direction forbids it (hold). Raises `SdpError` where the peer
        speaks IPv4 and we IPv6, or the other way round.
        """
        if self._closed:
            return
        address = ipaddress.ip_address(media.host)
        if address.version != self._plane.ports.ip_version:
            ours = f"IPv{self._plane.ports.ip_version}"
            raise SdpError(f"the peer's media address {address} is not {ours}, as ours is")
        self._pack()  # what is in the old codec, to be sent under the old key
        self.send()
        if not address.is_unspecified:
            self.latch.expect((media.host, media.port))
            self.control.agree(media.rtcp or (media.host, media.port + 1))
        self.srtp.use(media.keys)
        self._frames_per_packet = media.ptime // _FRAME_MS
        self.codec = media.codec
        self.telephone_event = media.telephone_event
        self._numbering.payload_type = media.payload_type
        self._silence = g711.silence(g711.FRAME_SAMPLES, media.codec)
        if self._playback is not None:
            self._playback.frames = self._playback.frames.coded_as(media.codec)
        self._set_sending(sending=media.direction.sends and not address.is_unspecified)
        self._set_receiving(receiving=media.direction.receives and not address.is_unspecified)

    def watch(self, limits: SilenceLimits, on_silent: Callable[[float], None]) -> None:
        """Call `on_silent(seconds)` once when nothing has come for too long, from now on."""
        if not self._closed:
            self._watch = SilenceWatch(self, self._plane.ticker, limits, on_silent)
            self._watch.begin(self._plane.clock.monotonic())

    def play(self, frames: Frames) -> asyncio.Future[bool]:
        """Send `frames` from now on, instead of whatever was playing.

        The future becomes True when the last frame has left, False when something stopped it:
        `stop_playing`, another `play`, `close`. Cancelling it stops the playing too.
        """
        self.stop_playing()
        done: asyncio.Future[bool] = self._loop.create_future()
        if self._closed or not frames.data:
            done.set_result(not self._closed)
            return done
        self._playback = Playback(frames.coded_as(self.codec or frames.codec), done)
        self._numbering.begin_talkspurt()
        return done

    def stop_playing(self) -> None:
        """Go back to silence."""
        if self._playback is not None:
            self._playback.finish(whole=False)
            self._playback = None

    def press(self, keys: str) -> None:
        """Press keys, in the place of what plays meanwhile; raises ValueError for what is none.

        They go as telephone events (RFC 4733), as tones where the peer takes none.
        """
        self._keys.add(keys, events=self.telephone_event is not None)

    @property
    def seconds_of_keys(self) -> float:
        """How long it takes to send the keys that wait."""
        return len(self._keys.waiting) * g711.FRAME_SECONDS

    def begin_relay(self) -> tuple[int, int, int]:
        """Send from now on what `relay` is given; return our next numbers, and our SSRC."""
        self._pack()
        self.send()
        self._relayed = True
        self._plane.ticker.drop(self)
        return self._numbering.next()

    def relay(self, received: packet.Packet) -> None:
        """Send a packet of another stream, which has our numbers."""
        if not self._closed:
            self._numbering.timestamp = received.timestamp  # which sender reports tell
            self._send_packet(bytes(received))

    def end_relay(self, sequence: int, timestamp: int) -> None:
        """Go back to what `play` and `source` give, in packets from these numbers on."""
        self._numbering.go_on(sequence, timestamp)
        self._relayed = False
        if not self._closed and self.sends:
            self._plane.ticker.serve(self)

    def close(self) -> None:
        """Stop sending and receiving, and give the port back; closing twice is harmless.

        What waits in the socket is taken first: it may have come before the word of the end did.
        """
        for _ in range(_MOST_WAITING):
            if self._closed or not self._receive():
                break
        self._plane.inbox.take()
        if self._closed:
            return
        self._closed = True
        self.stop_playing()
        self.reception.end_gap(self._plane.clock.monotonic())
        if self._watch is not None:
            self._watch.close()
        self.control.close()
        self._ready.clear()
        self._loop.remove_reader(self._socket)
        self._socket.close()
        self._plane.forget(self)

    def prepare(self, due: Due) -> None:
        """Make the packets of the frames that are due; for the ticker."""
        if due.skip:
            self._pack()
            self._numbering.skip(due.skip)
        for _ in range(due.send):
            pressed = self._keys.next(self.codec or "PCMU") if self._keys.waiting else None
            if isinstance(pressed, TelephoneEvent):
                self._report(pressed)
            elif self._frames_per_packet == 1 and not self._bundle and self.latch.destination:
                self._ready.append(self._numbering.packet(pressed or self._next_payload()))
            else:
                self._bundle.append(pressed or self._next_payload())
                if len(self._bundle) >= self._frames_per_packet:
                    self._pack()

    def send(self) -> None:
        """Send the packets that were made; for the ticker."""
        for plain in self._ready:
            self._send_packet(plain)
        self._ready.clear()
        if self._playback is not None and self._playback.taken and not self._bundle:
            self._playback.finish(whole=True)

    def _report(self, report: TelephoneEvent) -> None:
        """Report a key in the place of a frame; lost where the peer takes none by now."""
        self._pack()
        if self.telephone_event is None:
            self._numbering.skip(1)
            return
        plain = self._numbering.event(bytes(report), self.telephone_event, begins=report.begins)
        self._ready.append(plain)

    def _pack(self) -> None:
        """Make a packet of the frames gathered."""
        if self.latch.destination is None or not self._bundle:
            return
        self._ready.append(self._numbering.packet(b"".join(self._bundle), len(self._bundle)))
        self._bundle.clear()

    def _send_packet(self, plain: bytes) -> None:
        destination = self.latch.destination
        if destination is None:
            return
        try:
            datagram = self.srtp.protect(plain) if self.srtp.agreed else plain
            self._socket.sendto(datagram, destination)
        except (OSError, SrtpError):
            self.packets_unsent += 1
        else:
            self.packets_sent += 1
            self.octets_sent += len(plain) - packet.HEADER_SIZE
            if self.on_packet is not None:
                guarded(self.on_packet, "sent", plain, destination)
            for listener in self.sent_listeners:
                guarded(listener, plain)

    def _next_payload(self) -> bytes:
        """Return the next frame of what plays, else silence."""
        playback = self._playback
        if playback is not None:
            if not playback.taken and not playback.done.done():
                return playback.next_frame()
            if playback.done.done():
                self._playback = None  # it has ended, or nobody wants it any more
        if self.source is not None:
            try:
                return self.source() or self._silence
            except Exception as error:  # noqa: BLE001 - the packets go on, whoever is at fault
                tell_fault(error)
        return self._silence

    def _set_sending(self, *, sending: bool) -> None:
        """Join or leave the ticker; timestamps go on while the stream is on hold."""
        now = self._plane.clock.monotonic()
        self.sends = sending
        if sending and self._silent_since is not None:
            self._numbering.skip(round((now - self._silent_since) / g711.FRAME_SECONDS))
            self._silent_since = None
        elif not sending and self._silent_since is None:
            self._silent_since = now
        if sending and not self._relayed:
            self._plane.ticker.serve(self)
        else:
            self._plane.ticker.drop(self)

    def _set_receiving(self, *, receiving: bool) -> None:
        """Expect packets, or no more; the time on hold is no gap."""
        if receiving == self.receiving:
            return
        self.receiving = receiving
        now = self._plane.clock.monotonic()
        if not receiving:
            self.reception.end_gap(now)
            self.reception.pause()
        if self._watch is not None:
            self._watch.begin(now)

    def _unprotected(self, datagram: bytes) -> bytes:
        """Return the RTP packet of a datagram; raises `SrtpError` for one that may be anybody's."""
        if self.srtp.agreed:
            return self.srtp.unprotect(datagram)
        if self.secure_only:
            raise SrtpError("no keys are agreed yet")
        return datagram

    def _receive(self) -> bool:
        """Read one datagram, if there is one; the event loop calls again while there are more."""
        try:
            data, source = self._socket.recvfrom(_DATAGRAM)
        except OSError:
            return False  # nothing there after all, or word that an earlier packet was refused
        address = source[:2]
        if address == self.latch.source or self.latch.allows(address):
            self._plane.inbox.put(self, data, address)
        else:
            self.packets_dropped += 1
        return True

    def take(self, data: bytes, address: tuple[str, int], at: float) -> None:
        """Take a datagram that came at `at`; for the inbox. Fifty a second come for each call."""
        latch = self.latch
        latched = address == latch.source
        if not latched and not latch.allows(address):
            self.packets_dropped += 1
            return
        try:
            if self.srtp.agreed or self.secure_only:
                data = self._unprotected(data)
            received = packet.parse(data)
        except (packet.PacketError, SrtpError):
            self.packets_dropped += 1
            return
        if not latched and not latch.heard(address, received.ssrc, received.sequence):
            self.packets_dropped += 1
            return
        self._plane.ticker.keep_pace(self._plane.clock.monotonic())
        self.reception.add(received.sequence, received.timestamp, received.ssrc, at)
        self.suppressing = received.payload_type == packet.COMFORT_NOISE
        if self.suppressing:
            self.packets_of_noise += 1
            self.reception.pause()
        if self.on_packet is not None:
            guarded(self.on_packet, "received", data, address)
        for listener in tuple(self.listeners):
            try:
                listener(received)
            except Exception as error:  # noqa: BLE001 - the others shall hear it too
                tell_fault(error)
