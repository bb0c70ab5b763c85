"""What an endpoint is told: about itself, and about an INVITE to send."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from dialer.sip.fields import bracketed
from dialer.sip.message import check_text
from dialer.sip.transaction import Timings

if TYPE_CHECKING:
    from dialer.sip.identity import Credentials, HostPort, LegState, Transport

# The host of a Contact and its port, None for the one that we listen on.
ContactAddress = tuple[str, int | None]

# What we answer with a meaning of its own; anything else gets 405 or 501.
ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, NOTIFY"
ALLOWED = frozenset(ALLOW.split(", "))


@dataclasses.dataclass(frozen=True, slots=True)
class EndpointSettings:
    """How an endpoint shows itself: the address in Via and Contact, its name, its timers.

    `host` and `port` are what the peer can reach us at, IPv6 without brackets; `tcp_port` and
    `tls_port` where we listen for connections, None where we do not. `t1`, `t2`, `t4`
    in seconds (RFC 3261 §17.1.1.1). With `accept_calls` an INVITE outside a dialog is told as
    `InviteReceived`, without it gets 480.
    """

    host: str
    port: int
    user_agent: str = "dialer"
    contact_user: str = "dialer"
    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0
    accept_calls: bool = False
    tcp_port: int | None = None
    tls_port: int | None = None

    def __post_init__(self) -> None:
        check_text(self.host, self.user_agent, self.contact_user)

    def timings(self, transport: Transport = "udp") -> Timings:
        """Return the timers of transactions over a transport."""
        return Timings(self.t1, self.t2, self.t4, reliable=transport != "udp")

    def port_of(self, transport: Transport) -> int:
        """Return the port that we name for a transport."""
        named = {"tcp": self.tcp_port, "tls": self.tls_port}.get(transport)
        return self.port if named is None else named

    def via(self, branch: str, transport: Transport = "udp") -> str:
        """Return our Via value; `rport` asks for answers to where we send from (RFC 3581)."""
        sent_by = f"{bracketed(self.host)}:{self.port_of(transport)}"
        return f"SIP/2.0/{transport.upper()} {sent_by};rport;branch={branch}"

    def contact(
        self,
        user: str | None = None,
        transport: Transport = "udp",
        address: ContactAddress | None = None,
    ) -> str:
        """Return our Contact value; `address` is where the peer sees us, if not at our own."""
        host, port = address or (self.host, None)
        shown = f"{bracketed(host)}:{port or self.port_of(transport)}"
        parameter = "" if transport == "udp" else f";transport={transport}"
        return f"<sip:{user or self.contact_user}@{shown}{parameter}>"


@dataclasses.dataclass(frozen=True, slots=True)
class InviteDraft:
    """An INVITE to be: all but what the endpoint makes itself (tags, branch, Call-ID, CSeq).

    `request_uri` is a URI; `to` and `from_` are header values without tag, such as
    `"Ann" <sip:100@example.org>`; `dialer.sip.message.sip_uri` and `name_addr` build them safely.
    `target` is where the datagram goes. `headers` are further headers, `body` is SDP.
    `contact_user` replaces that of the settings, `contact_address` host and port of our Contact.

    `alternatives` are further targets, tried in their order with a new branch where the one before
    gives 503, cannot be reached, or says nothing within 10*T1 (RFC 3263 §4.3), until one has said
    180: nobody is rung twice. With `large_by_tcp` a request over 1,300 bytes goes by TCP, and by
    UDP where that fails (RFC 3261 §18.1.1). `reliable_provisionals` offers 100rel (RFC 3262);
    `session_expires` in seconds asks for session timers (RFC 4028), 0 for none, and refuses less
    than `min_session_expires`.
    """

    request_uri: str
    to: str
    from_: str
    target: HostPort
    body: bytes = b""
    content_type: str = "application/sdp"
    contact_user: str | None = None
    contact_address: ContactAddress | None = None
    route: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    credentials: Credentials | None = None
    alternatives: tuple[HostPort, ...] = ()
    large_by_tcp: bool = False
    reliable_provisionals: bool = False
    session_expires: int = 0
    min_session_expires: int = 90


@dataclasses.dataclass(frozen=True, slots=True)
class PreparedInvite:
    """An INVITE with its identifiers, not sent yet; `identity` is what a CANCEL would need."""

    call_id: str
    identity: LegState
    draft: InviteDraft
    data: bytes  # as it goes on the wire
