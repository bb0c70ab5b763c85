"""Offer and answer (RFC 3264) for a call of one audio stream: G.711, with DTMF as telephone-event.

This module is all that others need of SDP; telephone-event is RFC 4733, secure RTP RFC 4568.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from typing import TYPE_CHECKING

from dialer.sip.security_description import Crypto, Keys, Security
from dialer.sip.session_description import (
    CLOCK_RATE,
    CONTENT_TYPE,
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
    "Keys",
    "Media",
    "Negotiated",
    "SdpError",
    "Sections",
    "Security",
    "Session",
    "Terms",
    "answer",
    "negotiate",
    "offer",
    "parse",
]

TELEPHONE_EVENT = "TELEPHONE-EVENT"
TELEPHONE_EVENT_PAYLOAD_TYPE = 101  # the dynamic number that we offer; a peer may choose its own
PACKET_TIMES = (20, 40, 60)  # ms of audio in a packet that we send
_PROTOCOL = "RTP/AVP"
_SECURE_PROTOCOL = "RTP/SAVP"


@dataclasses.dataclass(frozen=True, slots=True)
class Sections:
    """The m= lines around our audio: what the peer offered and we refused, each with port 0.

    They keep their places for as long as the call lasts (RFC 3264 §8).
    """

    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Terms:
    """How we want our audio: ms in a packet, and secured or not.

    `ptime` is what we like to receive, and what a peer gets that prefers none. `security` that is
    not required is offered beside plain RTP, for the peer to take or to pass over.
    """

    ptime: int = PACKET_TIMES[0]
    security: Security | None = None


_PLAIN = Terms()
_ALONE = Sections()


@dataclasses.dataclass(frozen=True, slots=True)
class Negotiated:
    """What offer and answer agreed, seen from our side.

    `host` is an address literal and `port` where the peer listens. `payload_type` and
    `telephone_event` are the numbers to send with, the latter None if the peer takes no DTMF.
    `direction` is ours. `ptime` is the one of `PACKET_TIMES` that suits the peer. `keys` are those
    of secure RTP, None where it is plain. `others` is what stands beside the audio. `rtcp` is where
    the peer wants reports, None where it is the port above.
    """

    host: str
    port: int
    codec: str
    payload_type: int
    telephone_event: int | None = None
    direction: Direction = Direction.SENDRECV
    ptime: int = PACKET_TIMES[0]
    keys: Keys | None = None
    others: Sections = _ALONE
    rtcp: tuple[str, int] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class _Audio:
    """The section of a description that we take, with the codecs that both sides have."""

    media: Media
    codecs: tuple[Codec, ...]  # in the peer's order, which rules (RFC 3264 §6.1 and §7)
    telephone_event: Codec | None
    host: str
    secured: tuple[Crypto, Keys] | None  # what our answer says, and what is agreed
    others: Sections

    @property
    def direction(self) -> Direction:
        """The peer's direction; with 0.0.0.0 it hears nothing (hold as of RFC 2543 §B.5)."""
        if ipaddress.ip_address(self.host).is_unspecified:
            return Direction.of(sends=self.media.direction.sends, receives=False)
        return self.media.direction

    def packet_time(self, ours: int) -> int:
        """Return the packet time next to the one the peer prefers, below its limit (§6.4)."""
        wanted, most = self.media.ptime or ours, self.media.max_ptime or PACKET_TIMES[-1]
        fitting = [time for time in PACKET_TIMES if time <= most] or PACKET_TIMES[:1]
        return min(fitting, key=lambda time: (abs(time - wanted), time))


def _audio(session: Session, codecs: Sequence[str], security: Security | None) -> _Audio:
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
        elif not common:
            offered = " ".join(media.formats)[:80]
            problem = SdpError(f"no codec in common: {offered!r} holds none of {' '.join(codecs)}")
        else:
            try:
                secured = _secured(media, security)
            except SdpError as error:
                problem = error
                continue
            event = next(events, None)
            others = _around(session, index)
            return _Audio(media, common, event, _host(media.connection), secured, others)
    raise problem


def _secured(media: Media, security: Security | None) -> tuple[Crypto, Keys] | None:
    """Return what secures a section, None for plain RTP; raises `SdpError` where neither is had."""
    protocol = media.protocol.upper()
    secure = protocol == _SECURE_PROTOCOL
    if protocol != _PROTOCOL and not (secure and security):
        raise SdpError(f"the audio is {media.protocol[:40]}, not {_PROTOCOL}")
    if security is None:
        return None
    chosen = security.choose(media.cryptos)
    if chosen is None and (secure or security.required):
        raise SdpError("the audio has no a=crypto that we can use")
    return chosen


def _around(session: Session, index: int) -> Sections:
    """Return the sections around the one at `index`, refused."""
    lines = [f"m={one.kind} 0 {one.protocol} {' '.join(one.formats)}" for one in session.media]
    return Sections(tuple(lines[:index]), tuple(lines[index + 1 :]))


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


def _rtcp(audio: _Audio) -> tuple[str, int] | None:
    """Return where a=rtcp wants reports: a port, or "PORT IN IP4 ADDRESS" (RFC 3605 §2.1).

    One that cannot be read is as good as none, and so is one of the other address family.
    """
    port, _, connection = audio.media.rtcp.strip().partition(" ")
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65536):
        return None
    if not connection:
        return audio.host, int(port)
    try:
        host = _host(connection)
    except SdpError:
        return None
    return (host, int(port)) if (":" in host) == (":" in audio.host) else None


def negotiate(
    codecs: Sequence[str],
    remote: Session,
    direction: Direction = Direction.SENDRECV,
    terms: Terms = _PLAIN,
) -> Negotiated:
    """Conclude from the peer's description what to send and where to.

    Serves both for an answer to our offer of `codecs` and for an offer that `answer` answers with
    the same arguments. Raises `SdpError` where no usable audio is left.
    """
    audio = _audio(remote, codecs, terms.security)
    codec, event = audio.codecs[0], audio.telephone_event
    return Negotiated(
        host=audio.host,
        port=audio.media.port,
        codec=codec.name,
        payload_type=codec.payload_type,
        telephone_event=event.payload_type if event else None,
        direction=direction.answering(audio.direction),
        ptime=audio.packet_time(terms.ptime),
        keys=audio.secured[1] if audio.secured else None,
        others=audio.others,
        rtcp=_rtcp(audio),
    )


def offer(
    address: str,
    port: int,
    codecs: Sequence[str],
    *,
    session_id: int,
    version: int,
    direction: Direction = Direction.SENDRECV,
    terms: Terms = _PLAIN,
    others: Sections = _ALONE,
) -> bytes:
    """Write an offer: audio of `codecs` ("PCMU", "PCMA") with telephone-event, received at `port`.

    `address` is a literal. `version` is the caller's to raise when anything but it has changed
    (RFC 3264 §8). `others` is what the call's last description had beside the audio.
    """
    formats = [Codec(STATIC_PAYLOAD_TYPES[name], name) for name in codecs]
    formats.append(_event(TELEPHONE_EVENT_PAYLOAD_TYPE))
    security = terms.security
    head = f"{port} {_SECURE_PROTOCOL if security and security.required else _PROTOCOL}"
    cryptos = security.offered if security else ()
    lines = [
        *_session_lines(address, session_id, version, "0 0"),
        *others.before,
        *_audio_lines(head, formats, direction, terms.ptime, cryptos),
        *others.after,
    ]
    return _bytes(lines)


def answer(
    remote: Session,
    address: str,
    port: int,
    codecs: Sequence[str],
    *,
    session_id: int,
    version: int,
    direction: Direction = Direction.SENDRECV,
    terms: Terms = _PLAIN,
) -> bytes:
    """Answer an offer section by section: the audio we speak, the rest refused with port 0.

    Formats keep the offer's order and numbers (RFC 3264 §6.1), a=crypto its tag and suite. Raises
    `SdpError` where the offer has no audio for us; the INVITE then deserves a 488.
    """
    audio = _audio(remote, codecs, terms.security)
    formats = list(audio.codecs)
    if audio.telephone_event is not None:
        formats.append(audio.telephone_event)
    head = f"{port} {audio.media.protocol.upper()}"
    cryptos = audio.secured[:1] if audio.secured else ()
    lines = [
        *_session_lines(address, session_id, version, remote.timing),
        *audio.others.before,
        *_audio_lines(head, formats, direction.answering(audio.direction), terms.ptime, cryptos),
        *audio.others.after,
    ]
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


def _audio_lines(
    head: str,  # port and protocol
    codecs: Sequence[Codec],
    direction: Direction,
    ptime: int,
    cryptos: Sequence[Crypto],
) -> list[str]:
    numbers = " ".join(str(codec.payload_type) for codec in codecs)
    lines = [f"m=audio {head} {numbers}", *(f"a=crypto:{crypto}" for crypto in cryptos)]
    for codec in codecs:
        name = codec.name.lower() if codec.name == TELEPHONE_EVENT else codec.name
        lines.append(f"a=rtpmap:{codec.payload_type} {name}/{codec.clock_rate}")
        if codec.name == TELEPHONE_EVENT:
            lines.append(f"a=fmtp:{codec.payload_type} 0-15")
    return [*lines, f"a=ptime:{ptime}", f"a={direction}"]


def _bytes(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode()
