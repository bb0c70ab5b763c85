"""The calls that we make: INVITE with its re-sends, CANCEL, forks (RFC 3261 §9.1, §13.2, §22.2)."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING

from dialer.sip.client_invite import ClientInvite
from dialer.sip.client_non_invite import ClientNonInvite
from dialer.sip.dialog import Dialog
from dialer.sip.digest import Attempts, Authenticator
from dialer.sip.effects import (
    AnswerReceived,
    CallEnded,
    CancelTimedOut,
    FinalReceived,
    InviteResent,
    InviteTimedOut,
    ProvisionalReceived,
    SendDatagram,
    TransportFailed,
)
from dialer.sip.fields import parse_address, parse_via, retry_after
from dialer.sip.identity import HostPort, LegState
from dialer.sip.message import Response, check_text, check_uri, serialise
from dialer.sip.sessions import Session, Sessions
from dialer.sip.settings import ALLOW, InviteDraft, PreparedInvite
from dialer.sip.transaction import Failure
from dialer.sip.transaction_layer import MAGIC, Client, TransactionLayer

if TYPE_CHECKING:
    from collections.abc import Callable

    from dialer.sip.identity import Credentials, Transport
    from dialer.sip.message import Request

MAX_RECENT = 10_000
MAX_FORKS = 20
_CANCEL_GIVE_UP = "cancel"
_NOT_WANTED = 'SIP;cause=487;text="Request Terminated"'  # the Reason of a BYE (RFC 3326)


class ClientCall:
    """A call that we make, from its INVITE until no further answer can come."""

    def __init__(
        self, leg: LegState, draft: InviteDraft, authenticator: Authenticator | None
    ) -> None:
        self.leg = leg
        self.draft = draft
        self.authenticator = authenticator
        self.attempts = Attempts()
        self.credentials: list[tuple[str, str]] = []  # of the INVITE now in force, for its ACK
        self.client: Client | None = None
        self.provisional = False
        self.cancel_wanted = False
        self.cancel_reason: str | None = None
        self.cancel_sent = False
        self.answered = False
        self.over = False  # a final response or a failure was told, or nobody waits any more
        self.acks: dict[str, SendDatagram] = {}  # by To tag of the 2xx
        self.ended_early: dict[str, tuple[str, ...]] = {}  # reasons of a BYE, by its From tag
        self.timers: dict[str, float] = {}
        self.give_up: Callable[[], None] | None = None

    @property
    def target(self) -> HostPort:
        """Where the INVITE went."""
        leg = self.leg
        return HostPort(leg.target_host, leg.target_port, leg.target_transport)

    def fire(self, _timer: str) -> None:
        """Give up waiting for the final response of a cancelled INVITE."""
        if self.give_up is not None:
            self.give_up()


class UserAgentClient:
    """All calls that an endpoint makes, by Call-ID."""

    def __init__(
        self, layer: TransactionLayer, sessions: Sessions, token: Callable[[], str]
    ) -> None:
        self._layer = layer
        self._settings = layer.settings
        self._sessions = sessions
        self._token = token
        self.calls: dict[str, ClientCall] = {}
        # Local tag and target of calls that are over: a 2xx may still come for them.
        self._recent: OrderedDict[str, tuple[str, HostPort]] = OrderedDict()

    # INVITE.

    def prepare(self, draft: InviteDraft) -> PreparedInvite:
        """Make identifiers and message of an INVITE; raises ValueError."""
        check_uri(draft.request_uri)
        check_text(draft.to, draft.from_, draft.content_type, *draft.route)
        check_text(*(text for header in draft.headers for text in header))
        check_text(draft.contact_user or "", (draft.contact_address or ("", None))[0])
        leg = LegState(
            call_id=self._token(),
            from_header=f"{draft.from_};tag={self._token()}",
            to_header=draft.to,
            request_uri=draft.request_uri,
            via=self._settings.via(MAGIC + self._token(), draft.target.transport),
            cseq=1,
            route=draft.route,
            target_host=draft.target.host,
            target_port=draft.target.port,
            target_transport=draft.target.transport,
        )
        return PreparedInvite(leg.call_id, leg, draft, self._invite(leg, draft, []))

    def _invite(
        self, leg: LegState, draft: InviteDraft, credentials: list[tuple[str, str]]
    ) -> bytes:
        headers = [
            *_leg_headers(leg, "INVITE", leg.to_header),
            ("Contact", self._contact(draft, leg.target_transport)),
            *credentials,
            ("Allow", ALLOW),
            ("Supported", ""),
            ("User-Agent", self._settings.user_agent),
            *draft.headers,
        ]
        if draft.body:
            headers.append(("Content-Type", draft.content_type))
        return serialise(f"INVITE {leg.request_uri} SIP/2.0", headers, draft.body)

    def _contact(self, draft: InviteDraft, transport: Transport) -> str:
        address = draft.contact_address
        if address is not None and transport != draft.target.transport:
            address = (address[0], None)  # the port is one of the other transport
        return self._settings.contact(draft.contact_user, transport, address)

    def invite(self, prepared: PreparedInvite) -> None:
        """Send a prepared INVITE."""
        draft = prepared.draft
        authenticator = Authenticator(draft.credentials, self._token) if draft.credentials else None
        call = ClientCall(prepared.identity, draft, authenticator)
        self.calls[prepared.call_id] = call
        self._start(
            call,
            ClientInvite(
                prepared.data, self._ack_of(call.leg), self._layer.timings_for(call.target)
            ),
        )

    def _start(self, call: ClientCall, machine: ClientInvite, *, started: bool = False) -> None:
        leg = call.leg
        call.client = self._layer.start_client(
            parse_via(leg.via).branch,
            "INVITE",
            machine,
            call.target,
            partial(self._responded, call, leg),
            partial(self._failed, call, leg),
            partial(self._ended, call, leg),
            started=started,
        )

    def _ack_of(self, leg: LegState) -> Callable[[Response], bytes]:
        def build(response: Response) -> bytes:
            # RFC 3261 §17.1.1.3: the INVITE's top Via, Route and CSeq number, the response's To.
            headers = _leg_headers(leg, "ACK", response.first("to"))
            return serialise(f"ACK {leg.request_uri} SIP/2.0", headers)

        return build

    def _resend(self, call: ClientCall, code: int) -> None:
        """Send the INVITE again with credentials (RFC 3261 §22.2): new branch, next CSeq."""
        old = call.leg
        via = self._settings.via(MAGIC + self._token(), old.target_transport)
        leg = dataclasses.replace(old, via=via, cseq=old.cseq + 1)
        assert call.authenticator is not None
        call.leg = leg
        call.provisional = False
        call.credentials = call.authenticator.headers("INVITE", leg.request_uri)
        data = self._invite(leg, call.draft, call.credentials)
        self._layer.tell(InviteResent(leg.call_id, leg, code))
        self._start(
            call, ClientInvite(data, self._ack_of(leg), self._layer.timings_for(call.target))
        )

    # Responses to it.

    def _responded(self, call: ClientCall, leg: LegState, response: Response) -> None:
        if 200 <= response.code < 300:
            self._answered(call, response)
        elif call.over or leg is not call.leg:
            return
        elif response.code < 200:
            self._progressed(call, response)
        elif response.code in {401, 407}:
            self._challenged(call, response)
        else:
            self._refused(call, response)

    def _progressed(self, call: ClientCall, response: Response) -> None:
        call.provisional = True
        self._layer.tell(
            ProvisionalReceived(
                response.call_id,
                response.code,
                response.phrase,
                response.values("reason"),
                response.body,
                response.content_type,
                response.to_tag,
                "rseq" in response.headers,
            )
        )
        if call.cancel_wanted:
            self._send_cancel(call)

    def _challenged(self, call: ClientCall, response: Response) -> None:
        authenticator = call.authenticator
        if (
            authenticator is not None
            and not call.cancel_wanted
            and self._layer.source.host == call.leg.target_host
            and authenticator.accept(response, call.attempts)
        ):
            self._resend(call, response.code)
        else:
            self._refused(call, response, challenged=True)

    def _refused(self, call: ClientCall, response: Response, *, challenged: bool = False) -> None:
        contacts = response.values("contact") if response.code < 400 else ()
        self._finish(call)
        self._layer.tell(
            FinalReceived(
                response.call_id,
                response.code,
                response.phrase,
                response.values("reason"),
                retry_after(response.first("retry-after")),
                challenged,
                tuple(parse_address(contact).uri for contact in contacts),
            )
        )

    def _answered(self, call: ClientCall, response: Response) -> None:
        """Acknowledge every 2xx; keep the first dialog, end every other (RFC 3261 §13.2.2.4)."""
        tag = response.to_tag
        if tag in call.acks:
            self._layer.effects.append(call.acks[tag])
            return
        if len(call.acks) >= MAX_FORKS:
            return
        dialog = Dialog.of_caller(response, call.leg.from_header, call.leg.request_uri, call.target)
        dialog.local_cseq = max(dialog.local_cseq, call.leg.cseq)
        ack = self._sessions.acknowledge(dialog, response.cseq, call.credentials)
        call.acks[tag] = ack
        self._layer.effects.append(ack)
        fork, silent = call.answered, call.over and not call.answered
        late = call.cancel_wanted and not fork
        keep = not (fork or late or silent)
        contact = self._contact(call.draft, call.target.transport)
        session = Session(dialog, call.authenticator, ack, told=keep, contact=contact)
        if not silent:
            call.answered = call.over = True
            call.timers.clear()
            self._tell_answer(response, dialog, late=late, fork=fork)
        if tag in call.ended_early:
            if keep:
                self._layer.tell(
                    CallEnded(response.call_id, by_peer=True, reasons=call.ended_early[tag])
                )
            return
        self._sessions.add(session)
        if fork:
            self._sessions.bye(session, 'SIP;cause=200;text="Call completed elsewhere"')
        elif not keep:
            self._sessions.bye(session, _NOT_WANTED)

    def _tell_answer(self, response: Response, dialog: Dialog, *, late: bool, fork: bool) -> None:
        self._layer.tell(
            AnswerReceived(
                response.call_id,
                response.code,
                response.phrase,
                response.values("reason"),
                response.body,
                response.content_type,
                dialog.state(),
                late,
                fork,
            )
        )

    def _failed(self, call: ClientCall, leg: LegState, failure: Failure) -> None:
        if call.over or leg is not call.leg:
            return
        self._finish(call)
        timed_out = failure is Failure.TIMEOUT
        self._tell_no_final(call, InviteTimedOut if timed_out else TransportFailed)

    def _tell_no_final(
        self, call: ClientCall, what: type[InviteTimedOut | TransportFailed | CancelTimedOut]
    ) -> None:
        """Tell that no final response came; a BYE says that a 2xx was sent, and lost."""
        # RFC 3261 §15: a callee sends no BYE on an early dialog.
        call_id, reasons = call.leg.call_id, next(iter(call.ended_early.values()), None)
        ended = None if reasons is None else CallEnded(call_id, by_peer=True, reasons=reasons)
        self._layer.tell(ended or what(call_id))

    def _ended(self, call: ClientCall, leg: LegState) -> None:
        """Forget a call whose INVITE transaction is over, unless it was sent again."""
        if leg is call.leg:
            self._finish(call)

    def _finish(self, call: ClientCall) -> None:
        """Let go of a call: nothing more is told of it."""
        call.over = True
        call.timers.clear()
        call_id = call.leg.call_id
        if self.calls.get(call_id) is call:
            del self.calls[call_id]
        local_tag = parse_address(call.leg.from_header).parameters.get("tag", "")
        self._recent[call_id] = (local_tag, call.target)
        if len(self._recent) > MAX_RECENT:
            self._recent.popitem(last=False)

    def stray(self, response: Response) -> None:
        """Act on a response that no transaction waits for: only a 2xx to INVITE matters."""
        if not 200 <= response.code < 300 or response.cseq_method != "INVITE":
            return
        session = self._sessions.by_key.get((response.call_id, response.from_tag, response.to_tag))
        if session is not None:
            if session.ack is not None:
                self._layer.effects.append(session.ack)
            return
        local_tag, target = self._recent.get(response.call_id, ("", None))
        if target is None or local_tag != response.from_tag:
            return
        # Nobody has that call any more, but somebody at the far end has picked up.
        dialog = Dialog.of_caller(
            response, response.first("from"), parse_address(response.first("to")).uri, target
        )
        ack = self._sessions.acknowledge(dialog, response.cseq, [])
        session = Session(dialog, None, ack, told=False)
        self._layer.effects.append(ack)
        self._sessions.add(session)
        self._sessions.bye(session, _NOT_WANTED)

    # CANCEL.

    def cancel(self, call_id: str, reason: str | None) -> None:
        """Cancel a call that has no final response."""
        call = self.calls.get(call_id)
        if call is None or call.over:
            return
        check_text(reason or "")
        call.cancel_reason = call.cancel_reason or reason
        call.cancel_wanted = True
        if call.provisional:
            self._send_cancel(call)

    def cancel_leg(self, leg: LegState, credentials: Credentials | None) -> None:
        """Take up an INVITE that another process sent, and cancel it."""
        if leg.call_id in self.calls:
            self.cancel(leg.call_id, None)
            return
        # Refuse a damaged leg before anything is kept.
        parse_via(leg.via)
        _cancel_message(leg, None)
        target = HostPort(leg.target_host, leg.target_port, leg.target_transport)
        draft = InviteDraft(leg.request_uri, leg.to_header, leg.from_header, target)
        authenticator = Authenticator(credentials, self._token) if credentials else None
        call = ClientCall(leg, draft, authenticator)
        call.cancel_wanted = call.provisional = True
        self.calls[leg.call_id] = call
        machine = ClientInvite(
            b"", self._ack_of(leg), self._layer.timings_for(call.target), proceeding=True
        )
        self._start(call, machine, started=True)
        self._send_cancel(call)

    def _send_cancel(self, call: ClientCall) -> None:
        if call.cancel_sent:
            return
        call.cancel_sent = True
        self._layer.start_client(
            parse_via(call.leg.via).branch,
            "CANCEL",
            ClientNonInvite(
                _cancel_message(call.leg, call.cancel_reason),
                self._layer.timings_for(call.target),
            ),
            call.target,
            lambda _response: None,
            lambda _failure: None,
        )
        # RFC 3261 §9.1: without a final response in 64*T1, the INVITE counts as cancelled.
        call.give_up = partial(self._cancel_timed_out, call)
        at = self._layer.now + 64 * self._layer.timings.t1
        self._layer.schedule.start(call, _CANCEL_GIVE_UP, at)

    def _cancel_timed_out(self, call: ClientCall) -> None:
        self._finish(call)
        self._tell_no_final(call, CancelTimedOut)
        if call.client is not None:
            self._layer.end_client(call.client)

    # Requests of a callee that has not answered yet.

    def early_call(self, request: Request) -> ClientCall | None:
        """Return the unanswered call that a request's To tag and Call-ID name."""
        call = self.calls.get(request.call_id)
        if call is None or call.answered:
            return None
        local_tag = parse_address(call.leg.from_header).parameters.get("tag", "")
        return call if local_tag == request.to_tag else None

    def ended_early(self, call: ClientCall, request: Request) -> None:
        """Take a BYE that came before the answer: cancel, unless that answer is on its way."""
        if len(call.ended_early) < MAX_FORKS:
            call.ended_early[request.from_tag] = request.values("reason")
        if call.provisional:
            self._send_cancel(call)


def _leg_headers(leg: LegState, method: str, to: str) -> list[tuple[str, str]]:
    """Return the headers that INVITE, its CANCEL and the ACK of its failure share."""
    return [
        ("Via", leg.via),
        ("Max-Forwards", "70"),
        *(("Route", value) for value in leg.route),
        ("From", leg.from_header),
        ("To", to),
        ("Call-ID", leg.call_id),
        ("CSeq", f"{leg.cseq} {method}"),
    ]


def _cancel_message(leg: LegState, reason: str | None) -> bytes:
    """Build a CANCEL (RFC 3261 §9.1): all as in the INVITE, with its branch."""
    headers = _leg_headers(leg, "CANCEL", leg.to_header)
    if reason:
        headers.append(("Reason", reason))
    return serialise(f"CANCEL {leg.request_uri} SIP/2.0", headers)
