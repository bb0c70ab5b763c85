"""Offer and answer (RFC 3264) for a call of one audio stream: G.711, with DTMF as telephone-event.

This module is all that others need of SDP; telephone-event is RFC 4733.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from typing import TYPE_CHECKING

from dialer.sip.session_description import (
    CLOCK_RATE,
    CONTENT_TYPE,
    PACKET_MS,
    STATIC_PAYLOAD_TYPES,
    Codec,
    Direction,
    Media,
    SdpError,
    Session,
    parse,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "CONTENT_TYPE",
    "Codec",
    "Direction",
    "Media",
    "Negotiated",
    "SdpError",
    "Session",
    "answer",
    "negotiate",
    "offer",
    "parse",
]

TELEPHONE_EVENT = "TELEPHONE-EVENT"
TELEPHONE_EVENT_PAYLOAD_TYPE = 101  # the dynamic number that we offer; a peer may choose its own
_PROTOCOL = "RTP/AVP"


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
            if codec.name in codecs and codec.clock_rate == CLOCK_RATE
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
    formats = [Codec(STATIC_PAYLOAD_TYPES[name], name) for name in codecs]
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
