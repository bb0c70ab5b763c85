"""Session descriptions as they are written (SDP, RFC 8866): their words and their parser.

The parser reads what a call needs, skips what it does not know, and raises nothing but `SdpError`,
whatever a peer sends.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum

from dialer.sip import security_description
from dialer.sip.security_description import Crypto, CryptoError

CONTENT_TYPE = "application/sdp"
CLOCK_RATE = 8000  # Hz, of G.711 and its telephone-event
STATIC_PAYLOAD_TYPES = {"PCMU": 0, "PCMA": 8}  # RFC 3551 §6

_STATIC_NAMES = {number: name for name, number in STATIC_PAYLOAD_TYPES.items()}
_MAX_BYTES = 32 * 1024
_MAX_MEDIA = 32
_MAX_FORMATS = 64
_MAX_CRYPTOS = 16  # of one section; what stands behind them is not read


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
    clock_rate: int = CLOCK_RATE


@dataclasses.dataclass(frozen=True, slots=True)
class Media:
    """One m= section. `formats` are as written; `codecs` those of them whose meaning is known.

    `connection` is the value of the c= line that applies, "" where there is none; `ptime` and
    `max_ptime` in ms, None where not stated; `cryptos` those a=crypto that we can use; `rtcp` the
    value of a=rtcp (RFC 3605), "" without one.
    """

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    codecs: tuple[Codec, ...]
    connection: str
    direction: Direction
    ptime: int | None = None
    max_ptime: int | None = None
    cryptos: tuple[Crypto, ...] = ()
    rtcp: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Session:
    """A session description; `origin` and `timing` are the values of o= and t=."""

    origin: str
    timing: str
    media: tuple[Media, ...]


@dataclasses.dataclass(slots=True)
class _Level:
    """What the lines of the session, or of one m= section, have said so far."""

    connection: str = ""
    direction: Direction = Direction.SENDRECV
    origin: str = ""
    timing: str = "0 0"
    ptime: int | None = None
    max_ptime: int | None = None
    rtcp: str = ""
    cryptos: list[Crypto] = dataclasses.field(default_factory=list)
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
            else:
                self._read_other(name, rest)

    def _read_other(self, name: str, rest: str) -> None:
        if name == "ptime":
            self.ptime = _number(rest.strip(), 1000) or None
        elif name == "maxptime":
            self.max_ptime = _number(rest.strip(), 1000) or None
        elif name == "rtcp":
            self.rtcp = rest
        elif name == "crypto" and len(self.cryptos) < _MAX_CRYPTOS:
            with contextlib.suppress(CryptoError):
                self.cryptos.append(security_description.parse(rest))

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
            max_ptime=level.max_ptime,
            cryptos=tuple(level.cryptos),
            rtcp=level.rtcp,
        )


def parse(body: bytes, content_type: str = CONTENT_TYPE) -> Session:
    """Read a session description; raises `SdpError` saying what is wrong and in which line."""
    if not body:
        raise SdpError("there is no session description")
    if content_type.partition(";")[0].strip().lower() != CONTENT_TYPE:
        raise SdpError(f"the body is {content_type[:80]!r}, not {CONTENT_TYPE}")
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
    """Split at LF or CRLF; what is not UTF-8 stands in text that nobody reads."""
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
