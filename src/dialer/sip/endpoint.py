"""One SIP endpoint without I/O: datagrams and times go in, effects come out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialer.sip.dialog import Dialog
from dialer.sip.digest import Authenticator
from dialer.sip.message import (
    MessageError,
    Request,
    Response,
    check_text,
    check_uri,
    name_addr,
    parse,
)
from dialer.sip.options_client import OptionsClient
from dialer.sip.register_client import RegisterClient
from dialer.sip.session import Session
from dialer.sip.sessions import Sessions
from dialer.sip.settings import EndpointSettings, InviteDraft, PreparedInvite
from dialer.sip.transaction import State
from dialer.sip.transaction_layer import TransactionLayer, server_key
from dialer.sip.user_agent_client import UserAgentClient
from dialer.sip.user_agent_server import UserAgentServer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dialer.sip.effects import Effect
    from dialer.sip.identity import Credentials, DialogState, HostPort, LegState
    from dialer.sip.register_client import RegisterDraft

_UNSEEN_REQUESTS = 1_000  # more than one process sends within a dialog

__all__ = ["Endpoint", "EndpointSettings", "InviteDraft", "PreparedInvite"]


class Endpoint:
    """SIP transactions, dialogs and calls of one UDP socket (RFC 3261).

    `token` gives fresh random text of letters and digits, at least 64 bits' worth. `now` is in
    seconds on any clock that never steps. Nothing that a peer sends raises; only what our own side
    asks for with control characters in it raises ValueError, before anything is changed.
    """

    def __init__(self, settings: EndpointSettings, token: Callable[[], str]) -> None:
        self.settings = settings
        self._layer = TransactionLayer(settings)
        self._token = token
        self._sessions = Sessions(self._layer, token)
        self._client = UserAgentClient(self._layer, self._sessions, token)
        self._options = OptionsClient(self._layer, token)
        self._registrations = RegisterClient(self._layer, token)
        self._server = UserAgentServer(self._layer, self._sessions, self._client, token)
        self._layer.deliver = self._server.receive

    def _begin(self, now: float) -> list[Effect]:
        """Begin a step; the list returned fills while it goes on."""
        self._layer.now = now
        self._layer.effects = []
        return self._layer.effects

    # The caller's side.

    def prepare_invite(self, draft: InviteDraft) -> PreparedInvite:
        """Make the identifiers of an INVITE; nothing is kept.

        Raises ValueError where the draft holds a control character.
        """
        return self._client.prepare(draft)

    def invite(self, prepared: PreparedInvite, now: float) -> list[Effect]:
        """Send a prepared INVITE."""
        effects = self._begin(now)
        self._client.invite(prepared)
        return effects

    def cancel(self, call_id: str, now: float, reason: str | None = None) -> list[Effect]:
        """Send CANCEL, at once or when the first provisional response comes (RFC 3261 §9.1).

        Does nothing for a call that has its final response, or is unknown. `reason` is a Reason
        header value (RFC 3326).
        """
        effects = self._begin(now)
        self._client.cancel(call_id, reason)
        return effects

    def bye(self, call_id: str, now: float, reason: str | None = None) -> list[Effect]:
        """End an answered call, our own or one that we answered; `CallEnded` follows."""
        effects = self._begin(now)
        check_text(reason or "")
        session = self._sessions.by_call.get(call_id)
        if session is not None:
            self._sessions.bye(session, reason)
        return effects

    def reinvite(
        self, call_id: str, body: bytes, now: float, content_type: str = "application/sdp"
    ) -> list[Effect]:
        """Send a re-INVITE within an answered call (RFC 3261 §14.1); `ReinviteAnswered` follows.

        Nothing follows where the call ends first, or is unknown.
        """
        return self._modify("INVITE", call_id, body, now, content_type)

    def update(
        self, call_id: str, body: bytes, now: float, content_type: str = "application/sdp"
    ) -> list[Effect]:
        """Send an UPDATE within an answered call (RFC 3311 §5.1), as `reinvite` does."""
        return self._modify("UPDATE", call_id, body, now, content_type)

    def refer(self, call_id: str, refer_to: str, now: float, referred_by: str = "") -> list[Effect]:
        """Send a REFER within an answered call (RFC 3515); `ReferAnswered` follows.

        `refer_to` is the URI that the peer shall call, `referred_by` one that says who asks, "" for
        none (RFC 3892). Nothing follows where the call ends first, or is unknown.
        """
        effects = self._begin(now)
        check_uri(refer_to)
        headers = [("Refer-To", name_addr(refer_to))]
        if referred_by:
            check_uri(referred_by)
            headers.append(("Referred-By", name_addr(referred_by)))
        session = self._sessions.by_call.get(call_id)
        if session is not None:
            self._sessions.refer(session, tuple(headers))
        return effects

    def _modify(
        self, method: str, call_id: str, body: bytes, now: float, content_type: str
    ) -> list[Effect]:
        effects = self._begin(now)
        check_text(content_type)
        session = self._sessions.by_call.get(call_id)
        if session is not None:
            self._sessions.modify(session, method, body, content_type)
        return effects

    def cancel_leg(
        self, leg: LegState, now: float, credentials: Credentials | None = None
    ) -> list[Effect]:
        """Cancel an INVITE that another process sent; its responses are looked after too."""
        effects = self._begin(now)
        self._client.cancel_leg(leg, credentials)
        return effects

    def bye_dialog(
        self, dialog: DialogState, now: float, credentials: Credentials | None = None
    ) -> list[Effect]:
        """End a call that another process had set up; `CallEnded` follows."""
        effects = self._begin(now)
        own = self._sessions.by_call.get(dialog.call_id)
        if own is not None:
            self._sessions.bye(own)
            return effects
        authenticator = Authenticator(credentials, self._token) if credentials else None
        session = Session(Dialog.of_state(dialog), authenticator)
        # Requests of the other process, such as refreshes, may have come after the state was
        # stored; RFC 3261 §12.2.2 allows for gaps, not for a number that was used.
        session.dialog.local_cseq += _UNSEEN_REQUESTS
        self._sessions.bye(session)
        self._sessions.add(session)
        return effects

    def options(
        self,
        target: HostPort,
        request_uri: str,
        now: float,
        *,
        call_id: str | None = None,
        route: tuple[str, ...] = (),
        patience: float | None = None,
    ) -> list[Effect]:
        """Ask whether `target` is alive; `OptionsAnswered` follows.

        A `call_id` of the caller's own names the question in it. `patience` in seconds is how long
        to wait, by default 64*T1.
        """
        effects = self._begin(now)
        self._options.ask(target, request_uri, call_id=call_id, route=route, patience=patience)
        return effects

    def register(self, draft: RegisterDraft, now: float) -> list[Effect]:
        """Send a REGISTER (RFC 3261 §10.2); `RegisterAnswered` follows."""
        effects = self._begin(now)
        self._registrations.register(draft)
        return effects

    # The called side.

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
        effects = self._begin(now)
        server = self._layer.servers.get(transaction)
        if server is not None and server.machine.state in {State.TRYING, State.PROCEEDING}:
            self._server.respond(server, code, phrase, headers, body, content_type)
        return effects

    # The driver's side.

    def receive(self, data: bytes, source: HostPort, now: float) -> list[Effect]:
        """Take in one datagram; never raises."""
        effects = self._begin(now)
        self._layer.source = source
        try:
            message = parse(data)
        except MessageError as error:
            if error.request is not None:
                self._layer.reject(error.request, error.code)
            return effects
        if isinstance(message, Response):
            if not self._layer.receive_response(message):
                self._client.stray(message)
        else:
            self._request(message)
        return effects

    def _request(self, request: Request) -> None:
        server = self._layer.servers.get(server_key(request))
        if server is not None:
            self._layer.feed_server(server, request)
        else:
            self._server.receive(request)

    def refuse(self, head: bytes, code: int, source: HostPort, now: float) -> list[Effect]:
        """Answer a request of which only the headers can be read (RFC 3261 §18.3)."""
        effects = self._begin(now)
        self._layer.source = source
        message: Request | Response | None
        try:
            message = parse(head)
        except MessageError as error:
            message = error.request
        if isinstance(message, Request):
            self._layer.reject(message, code)
        return effects

    def transport_failed(self, destination: HostPort, now: float) -> list[Effect]:
        """Take in that a datagram to `destination` could not be delivered (ICMP, no route)."""
        effects = self._begin(now)
        self._layer.fail_clients(destination)
        return effects

    def timer_at(self) -> float | None:
        """Return when `handle_timer` is next wanted, None where nothing waits."""
        return self._layer.schedule.next_at()

    def handle_timer(self, now: float) -> list[Effect]:
        """Do what is due at `now`."""
        effects = self._begin(now)
        self._layer.schedule.run_due(now)
        return effects

    @property
    def idle(self) -> bool:
        """Whether no transaction, call or timer is left."""
        layer = self._layer
        tables = (layer.clients, layer.servers, self._client.calls, self._server.calls)
        return not any((*tables, self._sessions.by_key)) and self.timer_at() is None
