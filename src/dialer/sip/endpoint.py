"""One SIP endpoint without I/O: datagrams and times go in, effects come out."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from dialer.sip.identity import Credentials, DialogState, HostPort, LegState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dialer.sip.effects import Effect


@dataclasses.dataclass(frozen=True, slots=True)
class EndpointSettings:
    """How an endpoint shows itself: the address in Via and Contact, its name, its timers.

    `host` and `port` are what the peer can reach us at, IPv6 without brackets. `t1`, `t2`, `t4`
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


@dataclasses.dataclass(frozen=True, slots=True)
class InviteDraft:
    """An INVITE to be: all but what the endpoint makes itself (tags, branch, Call-ID, CSeq).

    `request_uri` is a URI; `to` and `from_` are header values without tag, such as
    `"Ann" <sip:100@example.org>`; `dialer.sip.message.sip_uri` and `name_addr` build them safely.
    `target` is where the datagram goes. `headers` are further headers, `body` is SDP.
    `contact_user` replaces that of the settings.
    """

    request_uri: str
    to: str
    from_: str
    target: HostPort
    body: bytes = b""
    content_type: str = "application/sdp"
    contact_user: str | None = None
    route: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    credentials: Credentials | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class PreparedInvite:
    """An INVITE with its identifiers, not sent yet; `identity` is what a CANCEL would need."""

    call_id: str
    identity: LegState
    draft: InviteDraft


class Endpoint:
    """SIP transactions, dialogs and calls of one UDP socket (RFC 3261).

    `token` gives fresh random text of letters and digits, at least 64 bits' worth. `now` is in
    seconds on any clock that never steps. Nothing that a peer sends raises; only what our own side
    asks for with control characters in it raises ValueError, before anything is changed.
    """

    def __init__(self, settings: EndpointSettings, token: Callable[[], str]) -> None: ...

    def prepare_invite(self, draft: InviteDraft) -> PreparedInvite:
        """Make the identifiers of an INVITE; nothing is kept.

        Raises ValueError where the draft holds CR, LF or NUL.
        """

    def invite(self, prepared: PreparedInvite, now: float) -> list[Effect]:
        """Send a prepared INVITE."""

    def cancel(self, call_id: str, now: float, reason: str | None = None) -> list[Effect]:
        """Send CANCEL, at once or when the first provisional response comes (RFC 3261 §9.1).

        Does nothing for a call that has its final response, or is unknown. `reason` is a Reason
        header value (RFC 3326).
        """

    def bye(self, call_id: str, now: float, reason: str | None = None) -> list[Effect]:
        """End an answered call, our own or one that we answered; `CallEnded` follows."""

    def cancel_leg(
        self, leg: LegState, now: float, credentials: Credentials | None = None
    ) -> list[Effect]:
        """Cancel an INVITE that another process sent; its responses are looked after too."""

    def bye_dialog(
        self, dialog: DialogState, now: float, credentials: Credentials | None = None
    ) -> list[Effect]:
        """End a call that another process had set up; `CallEnded` follows."""

    def options(self, target: HostPort, request_uri: str, now: float) -> list[Effect]:
        """Ask whether `target` is alive; `OptionsAnswered` follows."""

    def respond(
        self,
        transaction: str,
        code: int,
        phrase: str = "",
        *,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        content_type: str = "",
        now: float,
    ) -> list[Effect]:
        """Answer a request that was told as an event; a default phrase goes with an empty one.

        Does nothing where the transaction has its final response, or is gone.
        """

    def receive(self, data: bytes, source: HostPort, now: float) -> list[Effect]:
        """Take in one datagram; never raises."""

    def transport_failed(self, destination: HostPort, now: float) -> list[Effect]:
        """Take in that a datagram to `destination` could not be delivered (ICMP, no route)."""

    def timer_at(self) -> float | None:
        """Return when `handle_timer` is next wanted, None where nothing waits."""

    def handle_timer(self, now: float) -> list[Effect]:
        """Do what is due at `now`."""
