"""Session descriptions for a call of one audio stream: G.711 with DTMF as telephone-event.

SDP is RFC 8866, offer and answer RFC 3264, telephone-event RFC 4733. The parser reads what a call
needs, skips what it does not know, and raises nothing but `SdpError`, whatever a peer sends.
"""

from __future__ import annotations

import dataclasses
import enum
import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

CONTENT_TYPE = "application/sdp"
TELEPHONE_EVENT = "TELEPHONE-EVENT"
TELEPHONE_EVENT_PAYLOAD_TYPE = 101  # the dynamic number that we offer; a peer may choose its own
PACKET_MS = 20

_STATIC_PAYLOAD_TYPES = {"PCMU": 0, "PCMA": 8}  # RFC 3551 §6
_STATIC_NAMES = {number: name for name, number in _STATIC_PAYLOAD_TYPES.items()}
_PROTOCOL = "RTP/AVP"
_CLOCK_RATE = 8000  # Hz, of both codecs and their telephone-event

_MAX_BYTES = 32 * 1024
_MAX_MEDIA = 32
_MAX_FORMATS = 64


class SdpError(ValueError):
    """A session description that cannot be read, or that leaves no audio that both sides speak."""


class Direction(enum.StrEnum):
    """Who sends, seen from the side that wrote the description (RFC 8866 §6.7)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def sends(self) -> bool:
        """Whether the writer sends."""
        return self in (Direction.SENDRECV, Direction.SENDONLY)

    @property
    def receives(self) -> bool:
        """Whether the writer receives."""
        return self in (Direction.SENDRECV, Direction.RECVONLY)

    @classmethod
    def of(cls, *, sends: bool, receives: bool) -> Direction:
        """Return the direction of a writer who does, or does not, send and receive."""
        if sends:
            return cls.SENDRECV if receives else cls.SENDONLY
        return cls.RECVONLY if receives else cls.INACTIVE

    def answering(self, peer: Direction) -> Direction:
        """Return as much of this wish as `peer`'s direction leaves (RFC 3264 §6.1)."""
        return Direction.of(
            sends=self.sends and peer.receives, receives=self.receives and peer.sends
        )


_DIRECTIONS = {direction.value: direction for direction in Direction}


@dataclasses.dataclass(frozen=True, slots=True)
class Codec:
    """A payload type and what it stands for; `name` in capitals, `clock_rate` in Hz."""

    payload_type: int
    name: str
    clock_rate: int = _CLOCK_RATE


@dataclasses.dataclass(frozen=True, slots=True)
class Media:
    """One m= section. `formats` are as written; `codecs` those of them whose meaning is known.

    `connection` is the value of the c= line that applies, "" where there is none; `ptime` in ms.
    """

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    codecs: tuple[Codec, ...]
    connection: str
    direction: Direction
    ptime: int


@dataclasses.dataclass(frozen=True, slots=True)
class Session:
    """A session description; `origin` and `timing` are the values of o= and t=."""

    origin: str
    timing: str
    media: tuple[Media, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Negotiated:
    """What offer and answer agreed, seen from our side.

    `host` is an address literal and `port` where the peer listens. `payload_type` and
    `telephone_event` are the numbers to send with, the latter None if the peer takes no DTMF.
    `direction` is ours. `ptime` is the packet time the peer prefers, in ms.
    """

    host: str
    port: int
    codec: str
    payload_type: int
    telephone_event: int | None = None
    direction: Direction = Direction.SENDRECV
    ptime: int = PACKET_MS


@dataclasses.dataclass(slots=True)
class _Level:
    """What the lines of the session, or of one m= section, have said so far."""

    connection: str = ""
    direction: Direction = Direction.SENDRECV
    origin: str = ""
    timing: str = "0 0"
    ptime: int = PACKET_MS
    rtpmap: dict[int, Codec] = dataclasses.field(default_factory=dict)

    def read(self, kind: str, value: str) -> None:
        """Take a line; one that we do not need, or cannot read, is as good as none."""
        if kind == "c":
            self.connection = value
        elif kind == "o":
            self.origin = value
        elif kind == "t" and value.isascii() and all(map(str.isdigit, value.split())):
            self.timing = " ".join(value.split())
        elif kind == "a":
            name, _, rest = value.strip().partition(":")
            if name in _DIRECTIONS:
                self.direction = _DIRECTIONS[name]
            elif name == "rtpmap":
                self._read_rtpmap(rest)
            elif name == "ptime":
                self.ptime = _number(rest.strip(), 1000) or PACKET_MS

    def _read_rtpmap(self, value: str) -> None:
        """Take "101 telephone-event/8000"; a number of channels may follow."""
        payload_text, _, encoding = value.strip().partition(" ")
        name, _, parameters = encoding.strip().partition("/")
        payload_type = _number(payload_text, 127)
        clock_rate = _number(parameters.partition("/")[0], 1_000_000)
        if payload_type is not None and clock_rate is not None and name:
            self.rtpmap[payload_type] = Codec(payload_type, name.upper(), clock_rate)

    def codec(self, text: str) -> Codec | None:
        """Return the meaning of a format of the m= line, None for one that is not known."""
        number = _number(text, 127)
        if number is None:
            return None
        name = _STATIC_NAMES.get(number)
        return self.rtpmap.get(number) or (Codec(number, name) if name else None)


@dataclasses.dataclass(frozen=True, slots=True)
class _Head:
    """The value of an m= line: media, port[/count], protocol, formats (RFC 8866 §5.14)."""

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]

    @classmethod
    def parse(cls, value: str, line: int) -> _Head:
        words = value.split()
        if len(words) < 4:
            raise SdpError(f"SDP line {line}: m= needs media, port, protocol and a format")
        kind, port_text, protocol, *formats = words
        port = _number(port_text.partition("/")[0], 65535)
        if port is None:
            raise SdpError(f"SDP line {line}: {port_text[:20]!r} is not a port")
        if len(formats) > _MAX_FORMATS:
            raise SdpError(f"SDP line {line}: more than {_MAX_FORMATS} formats")
        return cls(kind, port, protocol, tuple(formats))

    def media(self, level: _Level) -> Media:
        codecs = (level.codec(text) for text in self.formats)
        return Media(
            kind=self.kind,
            port=self.port,
            protocol=self.protocol,
            formats=self.formats,
            codecs=tuple(codec for codec in codecs if codec is not None),
            connection=level.connection,
            direction=level.direction,
            ptime=level.ptime,
        )


def parse(body: bytes, content_type: str = CONTENT_TYPE) -> Session:
    """Read a session description; raises `SdpError` saying what is wrong and in which line."""
    if content_type.partition(";")[0].strip().lower() != CONTENT_TYPE:
        raise SdpError(f"the body is {content_type[:80]!r}, not {CONTENT_TYPE}")
    if not body:
        raise SdpError("there is no session description")
    if len(body) > _MAX_BYTES:
        raise SdpError(f"the session description has {len(body)} bytes, over {_MAX_BYTES}")
    session = level = _Level()
    sections: list[tuple[_Head, _Level]] = []
    for number, line in enumerate(_lines(body), start=1):
        kind, equals, value = line.partition("=")
        if number == 1 and line.rstrip() != "v=0":
            raise SdpError("SDP line 1: it must be v=0")
        if len(kind) != 1 or not equals:
            raise SdpError(f"SDP line {number}: not of the form x=value")
        if kind == "m":
            if len(sections) == _MAX_MEDIA:
                raise SdpError(f"SDP line {number}: more than {_MAX_MEDIA} m= sections")
            level = _Level(connection=session.connection, direction=session.direction)
            sections.append((_Head.parse(value, number), level))
        else:
            level.read(kind, value)
    media = tuple(head.media(level) for head, level in sections)
    return Session(session.origin, session.timing, media)


def _lines(body: bytes) -> list[str]:
    """Split at LF or CRLF; an octet that is not UTF-8 can only stand in text that we skip."""
    lines = body.decode("utf-8", "replace").rstrip("\r\n").split("\n")
    lines = [line.removesuffix("\r") for line in lines]
    for number, line in enumerate(lines, start=1):
        # Parts of an offer come back in our answer: nothing may hide a line end there.
        if "\r" in line or "\0" in line:
            raise SdpError(f"SDP line {number}: a control character")
    return lines


def _number(text: str, limit: int) -> int | None:
    """Return `text` as a number from 0 to `limit`, or None where it is anything else."""
    if len(text) > 9 or not (text.isascii() and text.isdigit()):
        return None
    number = int(text)
    return number if number <= limit else None


@dataclasses.dataclass(frozen=True, slots=True)
class _Audio:
    """The section of a description that we take, with the codecs that both sides have."""

    index: int
    media: Media
    codecs: tuple[Codec, ...]  # in the peer's order, which rules (RFC 3264 §6.1 and §7)
    telephone_event: Codec | None
    host: str

    @property
    def direction(self) -> Direction:
        """The peer's direction; with 0.0.0.0 it hears nothing (hold as of RFC 2543 §B.5)."""
        if ipaddress.ip_address(self.host).is_unspecified:
            return Direction.of(sends=self.media.direction.sends, receives=False)
        return self.media.direction


def _audio(session: Session, codecs: Sequence[str]) -> _Audio:
    """Find the first audio section that both sides can speak, or raise the last reason why not."""
    problem = SdpError("the session description has no audio")
    for index, media in enumerate(session.media):
        if media.kind.lower() != "audio":
            continue
        common = tuple(
            codec
            for codec in media.codecs
            if codec.name in codecs and codec.clock_rate == _CLOCK_RATE
        )
        events = (codec for codec in media.codecs if codec == _event(codec.payload_type))
        if media.port == 0:
            problem = SdpError("the audio was refused: its port is 0")
        elif media.protocol.upper() != _PROTOCOL:
            problem = SdpError(f"the audio is {media.protocol[:40]}, not {_PROTOCOL}")
        elif not common:
            offered = " ".join(media.formats)[:80]
            problem = SdpError(f"no codec in common: {offered!r} holds none of {' '.join(codecs)}")
        else:
            return _Audio(index, media, common, next(events, None), _host(media.connection))
    raise problem


def _event(payload_type: int) -> Codec:
    return Codec(payload_type, TELEPHONE_EVENT)


def _host(connection: str) -> str:
    """Return the unicast address of a c= value such as "IN IP4 192.0.2.1", in canonical form."""
    words = connection.split()
    if len(words) != 3 or words[0].upper() != "IN":
        raise SdpError(f"the audio has no usable c= line: {connection[:80]!r}")
    text = words[2]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise SdpError(f"c= gives {text[:80]!r}, which is not an address") from None
    if address.is_multicast or "%" in text or text == "255.255.255.255":
        raise SdpError(f"c= gives {text[:80]!r}, which is not the address of one host")
    return str(address)


def negotiate(
    codecs: Sequence[str], remote: Session, direction: Direction = Direction.SENDRECV
) -> Negotiated:
    """Conclude from the peer's description what to send and where to.

    Serves both for an answer to our offer of `codecs` and for an offer that `answer` answers with
    the same arguments. Raises `SdpError` where no usable audio is left.
    """
    audio = _audio(remote, codecs)
    codec, event = audio.codecs[0], audio.telephone_event
    return Negotiated(
        host=audio.host,
        port=audio.media.port,
        codec=codec.name,
        payload_type=codec.payload_type,
        telephone_event=event.payload_type if event else None,
        direction=direction.answering(audio.direction),
        ptime=audio.media.ptime,
    )


def offer(
    address: str,
    port: int,
    codecs: Sequence[str],
    *,
    session_id: int,
    version: int,
    direction: Direction = Direction.SENDRECV,
) -> bytes:
    """Write an offer: audio of `codecs` ("PCMU", "PCMA") with telephone-event, received at `port`.

    `address` is a literal. `version` is the caller's to raise when anything but it has changed
    (RFC 3264 §8).
    """
    formats = [Codec(_STATIC_PAYLOAD_TYPES[name], name) for name in codecs]
    formats.append(_event(TELEPHONE_EVENT_PAYLOAD_TYPE))
    lines = _session_lines(address, session_id, version, "0 0")
    return _bytes(lines + _audio_lines(port, formats, direction))


def answer(
    remote: Session,
    address: str,
    port: int,
    codecs: Sequence[str],
    *,
    session_id: int,
    version: int,
    direction: Direction = Direction.SENDRECV,
) -> bytes:
    """Answer an offer section by section: the audio we speak, the rest refused with port 0.

    Formats keep the offer's order and numbers (RFC 3264 §6.1). Raises `SdpError` where the offer
    has no audio for us; the INVITE then deserves a 488.
    """
    audio = _audio(remote, codecs)
    formats = list(audio.codecs)
    if audio.telephone_event is not None:
        formats.append(audio.telephone_event)
    lines = _session_lines(address, session_id, version, remote.timing)
    for index, media in enumerate(remote.media):
        if index == audio.index:
            lines += _audio_lines(port, formats, direction.answering(audio.direction))
        else:
            lines.append(f"m={media.kind} 0 {media.protocol} {' '.join(media.formats)}")
    return _bytes(lines)


def _session_lines(address: str, session_id: int, version: int, timing: str) -> list[str]:
    family = "IP6" if ":" in address else "IP4"
    return [
        "v=0",
        f"o=- {session_id} {version} IN {family} {address}",
        "s=-",
        f"c=IN {family} {address}",
        f"t={timing}",
    ]


def _audio_lines(port: int, codecs: Sequence[Codec], direction: Direction) -> list[str]:
    numbers = " ".join(str(codec.payload_type) for codec in codecs)
    lines = [f"m=audio {port} {_PROTOCOL} {numbers}"]
    for codec in codecs:
        name = codec.name.lower() if codec.name == TELEPHONE_EVENT else codec.name
        lines.append(f"a=rtpmap:{codec.payload_type} {name}/{codec.clock_rate}")
        if codec.name == TELEPHONE_EVENT:
            lines.append(f"a=fmtp:{codec.payload_type} 0-15")
    return [*lines, f"a=ptime:{PACKET_MS}", f"a={direction}"]


def _bytes(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode()
