"""What an endpoint wants done, and what it tells: the results of `Endpoint.receive` and others.

`SendDatagram` is for the transport, everything else is an event for the user agent. Events come
in the order in which they happened. A `call_id` names a call on both the client and server side.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dialer.sip.identity import DialogState, HostPort, LegState
    from dialer.sip.message import Request
    from dialer.sip.settings import ContactAddress


@dataclasses.dataclass(frozen=True, slots=True)
class SendDatagram:
    """Send `data` to `destination` now."""

    data: bytes
    destination: HostPort


# What a client (the caller) hears.


@dataclasses.dataclass(frozen=True, slots=True)
class InviteResent:
    """The INVITE was sent again; `leg` is now in force.

    `code` is what it was refused with: 401 or 407 (it has credentials now), 420 or 421 (it offers
    other extensions), 422 (it asks for a longer session interval), 503 (it went to the next
    target), 482 (the one before it is in force again). None: the target before could not be
    reached, or was silent.
    """

    call_id: str
    leg: LegState
    code: int | None


@dataclasses.dataclass(frozen=True, slots=True)
class ProvisionalReceived:
    """A 1xx to our INVITE; `reliable` says that it asked for a PRACK, and got it (RFC 3262).

    A reliable one that is repeated, or out of order, is not told.
    """

    call_id: str
    code: int
    phrase: str
    reasons: tuple[str, ...]
    body: bytes
    content_type: str
    to_tag: str
    reliable: bool


@dataclasses.dataclass(frozen=True, slots=True)
class AnswerReceived:
    """A 2xx to our INVITE, already ACKed; a retransmission of it is ACKed without an event.

    `late`: our CANCEL was asked for before, so that BYE is sent as well. `fork`: another fork had
    answered before, BYE is sent as well. Neither is followed by `CallEnded`.
    """

    call_id: str
    code: int
    phrase: str
    reasons: tuple[str, ...]
    body: bytes
    content_type: str
    dialog: DialogState
    late: bool = False
    fork: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class FinalReceived:
    """A 3xx to 6xx to our INVITE that stands, already ACKed; the call is over.

    `retry_after` in seconds. `challenged`: a 401 or 407 that our credentials do not satisfy, or
    that we have none for. `contacts` are the Contact URIs of a 3xx.
    """

    call_id: str
    code: int
    phrase: str
    reasons: tuple[str, ...]
    retry_after: int | None = None
    challenged: bool = False
    contacts: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class InviteTimedOut:
    """No response at all to our INVITE within 64*T1 (Timer B) of the last target; it is over."""

    call_id: str


@dataclasses.dataclass(frozen=True, slots=True)
class CancelTimedOut:
    """No final response to our INVITE within 64*T1 of its CANCEL (RFC 3261 §9.1); it is over."""

    call_id: str


@dataclasses.dataclass(frozen=True, slots=True)
class TransportFailed:
    """The INVITE could not be delivered to the last target (RFC 3261 §17.1.4); it is over."""

    call_id: str


@dataclasses.dataclass(frozen=True, slots=True)
class OptionsAnswered:
    """An OPTIONS that we sent is over; `code` is None where no answer came.

    `seen` is where the target saw it come from, None where it does not say (RFC 3581). `software`
    is what its Server or User-Agent header says. `unreachable`: the transport failed.
    """

    target: HostPort
    code: int | None
    phrase: str = ""
    call_id: str = ""
    seen: HostPort | None = None
    software: str = ""
    unreachable: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class RegisterAnswered:
    """A REGISTER is over: its re-sends with credentials and to further targets included.

    `cseq` is the last number used. `code` is None where no answer came. `expires` in seconds is
    what our own Contact was given by a 2xx, `min_expires` what a 423 asks for. `challenged`: a 401
    or 407 that our credentials do not satisfy, or that we have none for. `contact_address` is what
    our Contact held in place of our own address, `seen` where the target saw us (RFC 3581).
    """

    call_id: str
    cseq: int
    target: HostPort
    code: int | None
    phrase: str = ""
    expires: int = 0
    min_expires: int | None = None
    retry_after: int | None = None
    challenged: bool = False
    service_route: tuple[str, ...] = ()
    contact_address: ContactAddress | None = None
    seen: HostPort | None = None


# What both sides of an answered call hear.


@dataclasses.dataclass(frozen=True, slots=True)
class CallEnded:
    """An answered call is over.

    `by_peer`: their BYE came and was answered; without an `AnswerReceived` before, it is all that
    came of their answer. Else our BYE got its final response, or none within 64*T1.
    """

    call_id: str
    by_peer: bool
    reasons: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class ReinviteReceived:
    """A re-INVITE or UPDATE within an answered call; answer it with `Endpoint.respond`.

    `method` is "INVITE" or "UPDATE". An empty `body` of a re-INVITE asks for our offer; an UPDATE
    without a body is a refresh, which is answered already and not told.
    """

    call_id: str
    transaction: str
    method: str
    body: bytes
    content_type: str


@dataclasses.dataclass(frozen=True, slots=True)
class ReinviteAnswered:
    """A re-INVITE or UPDATE that was asked for is over; a 2xx to INVITE is ACKed already.

    `code` is 408 where no answer came (the call is ended by BYE then), 503 where it could not be
    delivered, 491 where another one was under way. A `body` with a 2xx may hold an SDP answer.
    """

    call_id: str
    code: int
    body: bytes = b""
    content_type: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class ReferAnswered:
    """A REFER that was asked for has its final response.

    `code` is 408 where no answer came, 503 where it could not be delivered, 491 where another one
    was under way. `followed`: it was accepted, and `ReferNotified` says how it goes on; without
    it the peer tells no more (RFC 4488).
    """

    call_id: str
    code: int
    phrase: str = ""
    followed: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class ReferNotified:
    """A NOTIFY says what came of our REFER so far (RFC 3515 §2.4.5); it may overtake the answer.

    `code` and `phrase` are those of the status line that it holds, None and "" where it holds
    none. `terminated`: it is the last one, `reason` says why where the peer does.
    """

    call_id: str
    code: int | None
    phrase: str
    terminated: bool
    reason: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class RefreshDue:
    """A session has to be refreshed by re-INVITE (RFC 4028 §7.4); ask for `Endpoint.reinvite`.

    Where the peer takes UPDATE, the endpoint refreshes by itself, and this is not told.
    """

    call_id: str


@dataclasses.dataclass(frozen=True, slots=True)
class InfoReceived:
    """An INFO within a call, answered with 200; DTMF comes so from some phones."""

    call_id: str
    body: bytes
    content_type: str


@dataclasses.dataclass(frozen=True, slots=True)
class AckReceived:
    """The ACK of a 2xx that we sent to an INVITE or re-INVITE; `body` may hold an SDP answer."""

    call_id: str
    body: bytes
    content_type: str


# What a server (the called side) hears.


@dataclasses.dataclass(frozen=True, slots=True)
class InviteReceived:
    """Somebody calls; answer with `Endpoint.respond`. 100 has been sent already.

    `number` is the user part of the Request-URI, `caller` that of From, both percent-decoded.
    """

    call_id: str
    transaction: str
    number: str
    caller: str
    body: bytes
    content_type: str
    source: HostPort
    request: Request


@dataclasses.dataclass(frozen=True, slots=True)
class CancelReceived:
    """The caller gave up: 200 to the CANCEL and 487 to the INVITE are sent; the call is over."""

    call_id: str
    reasons: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class AckMissing:
    """No ACK within 64*T1 of our 2xx (RFC 3261 §13.3.1.4).

    BYE is sent and `CallEnded` follows.
    """

    call_id: str


Event = (
    InviteResent
    | ProvisionalReceived
    | AnswerReceived
    | FinalReceived
    | InviteTimedOut
    | CancelTimedOut
    | TransportFailed
    | OptionsAnswered
    | RegisterAnswered
    | CallEnded
    | ReinviteReceived
    | ReinviteAnswered
    | ReferAnswered
    | ReferNotified
    | RefreshDue
    | InfoReceived
    | AckReceived
    | InviteReceived
    | CancelReceived
    | AckMissing
)
Effect = SendDatagram | Event
