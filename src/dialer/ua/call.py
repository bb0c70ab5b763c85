"""What the user agent is asked for, and what it answers: the vocabulary of an outbound call."""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import datetime as dt

    from dialer.rtp.early_media import EarlyMedia
    from dialer.sip.identity import Transport
    from dialer.ua.media_figures import MediaFigures


class LocalCause(enum.StrEnum):
    """Why a call ended, where the reason is ours and not a response of the far end."""

    RING_TIMEOUT = "ring_timeout"  # our ring timeout passed; CANCEL was sent
    TIMER_B = "timer_b"  # no response at all to the INVITE within 64*T1
    TRANSPORT = "transport"  # the socket refused the datagram (ICMP, no route, closed)
    DNS = "dns"  # the trunk's host name has no address
    CANCELLED = "cancelled"  # the caller of the user agent asked to end it
    AUTHENTICATION = "authentication"  # challenged; no credentials, or these were refused
    NO_MEDIA = "no_media"  # a 2xx without an SDP answer that we can speak
    ANSWERED_LATE = "answered_late"  # a 2xx crossed our CANCEL; it got ACK and BYE


class HungUpBy(enum.StrEnum):
    """Who ended an answered call."""

    US = "us"
    THEM = "them"


@dataclasses.dataclass(frozen=True, slots=True)
class TlsSettings:
    """How a TLS trunk is verified, and how we prove who we are; files are PEM.

    `server_name` is what the certificate must say, default: the trunk's configured domain, never
    the target that SRV gave (RFC 5922 §4). `ca_file` replaces the system's authorities.
    """

    server_name: str | None = None
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    verify: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class RegistrationSettings:
    """How we register with a trunk (RFC 3261 §10).

    `user` is that of the address of record, default: the trunk's username; `domain` the
    registrar's, default: the trunk's host; `expires` in seconds is what we ask for.
    """

    user: str | None = None
    domain: str | None = None
    expires: int = 300


@dataclasses.dataclass(frozen=True, slots=True)
class Trunk:
    """Where an INVITE goes and how we present ourselves there.

    `host` is a name or an address literal (IPv6 without brackets). Without a `port` a name is
    looked up by SRV, without a `transport` by NAPTR too (RFC 3263). `family` limits its addresses
    to "ipv4" or "ipv6". `proxy` is an outbound proxy's URI: the next hop, and a preloaded Route.

    `codecs` in order of preference, of "PCMU" and "PCMA"; `ptime` in milliseconds. `srtp` is
    "off", "optional" or "required" (RFC 4568).

    `rtp_timeout` ends a call after so many seconds without RTP, `rtp_hold_timeout` while none need
    come; 0 for never.

    `from_domain` and `from_user` replace the trunk's host and the caller ID in From.
    `number_form` is how the Request-URI and To carry the number: "sip", "phone" (`user=phone`) or
    "tel". `asserted_by` names the headers that carry the caller ID besides From: of
    "P-Asserted-Identity", "P-Preferred-Identity" and "Remote-Party-ID"; `privacy` hides it from
    the called person (RFC 3323, RFC 3325).

    `large_by_tcp` lets a request over 1,300 bytes go by TCP (RFC 3261 §18.1.1). `keep_alive` in
    seconds, 0 for none: CRLF over connections (RFC 5626 §3.5.1) and towards a registrar over UDP.
    `external_address` stands in Contact and SDP towards this trunk; `learn_address` takes it from
    `received` and `rport` of its answers. `reliable_provisionals` offers 100rel (RFC 3262),
    `session_expires` is what session timers ask for in seconds (RFC 4028), 0 for none.
    """

    name: str
    host: str
    port: int | None = None
    transport: Transport | None = None
    family: Literal["any", "ipv4", "ipv6"] = "any"
    proxy: str | None = None
    username: str | None = None
    password: str | None = dataclasses.field(default=None, repr=False)
    md5_allowed: bool = True
    tls: TlsSettings | None = None
    registration: RegistrationSettings | None = None
    options_interval: float = 0.0  # seconds, 0 for no probes
    from_domain: str | None = None
    from_user: str | None = None
    number_form: Literal["sip", "phone", "tel"] = "sip"
    asserted_by: frozenset[str] = frozenset()
    privacy: bool = False
    codecs: tuple[str, ...] = ("PCMU", "PCMA")
    ptime: int = 20
    srtp: Literal["off", "optional", "required"] = "off"
    large_by_tcp: bool = False
    keep_alive: float = 30.0
    external_address: str | None = None
    learn_address: bool = False
    rtp_timeout: float = 60.0
    rtp_hold_timeout: float = 1800.0
    reliable_provisionals: bool = True
    session_expires: int = 1800
    min_session_expires: int = 90

    @property
    def learns_address(self) -> bool:
        """Whether what the trunk says about where we are counts."""
        return self.learn_address and self.external_address is None


@dataclasses.dataclass(frozen=True, slots=True)
class CallRequest:
    """One outbound call: `number` and `caller_id` are the user parts of To and From.

    `headers` are further headers of the INVITE, with their values as they stand on the wire.
    """

    trunk: Trunk
    number: str
    caller_id: str
    display_name: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    ring_timeout: float = 40.0  # seconds from the INVITE
    max_talk: float = 3600.0  # seconds from the answer


@dataclasses.dataclass(frozen=True, slots=True)
class LegIdentity:
    """What a CANCEL of an INVITE needs, known before the INVITE leaves (RFC 3261 §9.1).

    `target` is the address of the next hop, `via` the whole top Via value, `route` the Route
    header values. All are text, so that they can be stored and used by another process.
    """

    call_id: str
    from_header: str
    to_header: str
    request_uri: str
    via: str
    cseq: int
    route: tuple[str, ...]
    target_host: str
    target_port: int
    target_transport: Transport = "udp"


@dataclasses.dataclass(frozen=True, slots=True)
class DialogIdentity:
    """What a BYE of an answered call needs (RFC 3261 §12.2.1.1): the state of a dialog, as text."""

    call_id: str
    local: str  # our From header value, with tag
    remote: str  # the To header value of the 2xx, with tag
    local_cseq: int
    remote_target: str
    route: tuple[str, ...]
    target_host: str
    target_port: int
    target_transport: Transport = "udp"


@dataclasses.dataclass(frozen=True, slots=True)
class Provisional:
    """A 1xx that came: code, phrase, when."""

    code: int
    phrase: str
    at: dt.datetime


@dataclasses.dataclass(frozen=True, slots=True)
class InviteSent:
    """The INVITE left, or left again (with credentials, to the next target).

    `identity` is the one now in force.
    """

    identity: LegIdentity
    at: dt.datetime


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """A 1xx arrived; `rings` says that it is a 180."""

    provisional: Provisional
    rings: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Answered:
    """A 2xx with usable media arrived and was ACKed; the call is up."""

    dialog: DialogIdentity
    at: dt.datetime


CallEvent = InviteSent | Progress | Answered


@dataclasses.dataclass(frozen=True, slots=True)
class CallResult:
    """All that is known of a call that is over: the evidence that decides its outcome.

    `code` and `phrase` are those of the final response, None and "" where none came.
    `reasons` holds every Reason header value seen, oldest first (RFC 3326), also those of a 1xx
    and of the BYE; `q850_cause` is the last Q.850 cause among them that came before or with the
    final response. `answered` says that a 2xx with usable media came in time. Times are
    wall-clock; `talk_seconds` is measured on the monotonic clock. `media` is None where no RTP
    was ever agreed; `early_media` what was heard before the answer, None where there was nothing;
    `rtp_timeout` the seconds of silence for which we ended the call.
    """

    call_id: str
    code: int | None = None
    phrase: str = ""
    reasons: tuple[str, ...] = ()
    q850_cause: int | None = None
    retry_after: int | None = None  # seconds
    provisionals: tuple[Provisional, ...] = ()
    local_cause: LocalCause | None = None
    rang: bool = False
    answered: bool = False
    answered_late: bool = False
    extra_forks: int = 0
    hung_up_by: HungUpBy | None = None
    sent_at: dt.datetime | None = None
    first_provisional_at: dt.datetime | None = None
    ringing_at: dt.datetime | None = None
    answered_at: dt.datetime | None = None
    ended_at: dt.datetime | None = None
    talk_seconds: float = 0.0
    rtp_packets_sent: int = 0
    rtp_packets_received: int = 0
    media: MediaFigures | None = None
    early_media: EarlyMedia | None = None
    rtp_timeout: float | None = None
