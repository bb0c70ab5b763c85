"""The calls that come in, and every request outside a dialog (RFC 3261 §8.2, §9.2, §13.3)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from dialer.sip.bodies import session_of
from dialer.sip.dialog import Dialog
from dialer.sip.effects import CancelReceived, InfoReceived, InviteReceived
from dialer.sip.fields import parse_address
from dialer.sip.invite import contact_of
from dialer.sip.message import uri_user
from dialer.sip.requests import SUPPORTED, capabilities, refusal
from dialer.sip.server_invite import ServerInvite
from dialer.sip.server_non_invite import ServerNonInvite
from dialer.sip.session import Session
from dialer.sip.session_timer import SessionTimer
from dialer.sip.settings import ALLOW
from dialer.sip.transaction import Respond, State
from dialer.sip.transaction_layer import Server, TransactionLayer, server_key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dialer.sip.client_call import ClientCall
    from dialer.sip.message import Request
    from dialer.sip.sessions import Sessions
    from dialer.sip.user_agent_client import UserAgentClient


@dataclasses.dataclass(slots=True)
class ServerCall:
    """An INVITE that came in and has no final response yet."""

    server: Server
    local_tag: str


class UserAgentServer:
    """All requests that come in but for those within an answered call."""

    def __init__(
        self,
        layer: TransactionLayer,
        sessions: Sessions,
        client: UserAgentClient,
        token: Callable[[], str],
    ) -> None:
        self._layer = layer
        self._sessions = sessions
        self._client = client
        self._token = token
        self.calls: dict[str, ServerCall] = {}  # by Call-ID

    def receive(self, request: Request) -> None:
        """Act on a request that is no retransmission."""
        if request.method == "CANCEL":
            self._cancel(request)
        elif not request.to_tag:
            self._outside(request)
        elif (session := self._sessions.find(request)) is not None:
            self._sessions.receive(session, request)
        elif (outgoing := self._client.early_call(request)) is not None:
            self._early(request, outgoing)
        elif (incoming := self.calls.get(request.call_id)) is not None and (
            incoming.local_tag == request.to_tag
        ):
            self._early(request, incoming)
        else:
            # RFC 3261 §12.2.2: no such dialog.
            self._layer.reject(request, 481)

    # Requests outside a dialog.

    def _outside(self, request: Request) -> None:
        refused = refusal(request)
        if refused is not None:
            self._layer.reject(request, refused.code, refused.headers)
        elif request.method == "INVITE":
            self._invite(request)
        elif request.method == "OPTIONS":
            # RFC 3261 §11.2: the code is what an INVITE would get, were it not for the call.
            self._layer.reject(request, 200, capabilities())
        else:
            # BYE, INFO, UPDATE and NOTIFY belong into a dialog or subscription.
            self._layer.reject(request, 481)

    def _invite(self, request: Request) -> None:
        timer = SessionTimer()
        if request.first("replaces"):
            # RFC 3891 §3: no dialog of ours is given to another caller.
            self._layer.reject(request, 481)
            return
        if not self._layer.settings.accept_calls:
            self._layer.reject(request, 480)
            return
        known = self.calls.get(request.call_id)
        if known is not None or request.call_id in self._sessions.by_call:
            # RFC 3261 §8.2.2.2: the same request by two ways; one Call-ID names one call here.
            self._layer.reject(request, 482)
            return
        if timer.too_small(request):
            self._layer.reject(request, 422, (("Min-SE", str(timer.minimum)),))
            return
        machine = ServerInvite(self._layer.timings_for(self._layer.source))
        server = self._layer.start_server(server_key(request), machine, request, self._layer.source)
        if server is None:
            self._layer.reject(request, 503, (("Retry-After", "5"),))
            return
        self.calls[request.call_id] = ServerCall(server, self._token())
        self._layer.feed_server(server, Respond(100, self._layer.response(request, 100)))
        self._layer.tell(
            InviteReceived(
                request.call_id,
                server.key,
                uri_user(request.uri),
                uri_user(parse_address(request.first("from")).uri),
                *session_of(request),
                self._layer.source,
                request,
            )
        )

    def _cancel(self, request: Request) -> None:
        server = self._layer.servers.get(server_key(request, "INVITE"))
        if server is None:
            # RFC 3261 §9.2: "481" where nothing matches.
            self._layer.reject(request, 481)
            return
        call = self.calls.get(request.call_id)
        own = call is not None and call.server is server
        # RFC 3261 §9.2: its To tag should be that of the answers to the INVITE.
        self._layer.reject(request, 200, to_tag=call.local_tag if call and own else "")
        if call is not None and own:
            self._end_unanswered(call, request)
        elif server.machine.state is State.PROCEEDING:
            session = self._sessions.find(server.request)
            if session is not None and session.pending is server:
                session.pending = None
            self._sessions.answer(server, 487)

    def _end_unanswered(self, call: ServerCall, request: Request) -> None:
        """Answer 487 to an INVITE that its caller has given up."""
        self._final(call, 487)
        self._layer.tell(CancelReceived(request.call_id, request.values("reason")))

    def _final(self, call: ServerCall, code: int) -> None:
        """Refuse an INVITE by ourselves."""
        server = call.server
        del self.calls[server.request.call_id]
        data = self._layer.response(server.request, code, to_tag=call.local_tag)
        self._layer.feed_server(server, Respond(code, data))

    # Requests within a dialog that is not confirmed yet.

    def _early(self, request: Request, call: ClientCall | ServerCall) -> None:
        refused = refusal(request)
        if refused is not None:
            self._layer.reject(request, refused.code, refused.headers)
        elif request.method == "BYE":
            self._answer_early(request, 200)
            if isinstance(call, ServerCall):
                self._end_unanswered(call, request)
            else:
                self._client.ended_early(call, request)
        elif request.method == "OPTIONS":
            self._layer.reject(request, 200, capabilities())
        elif request.method == "INFO":
            self._answer_early(request, 200)
            self._layer.tell(InfoReceived(request.call_id, request.body, request.content_type))
        elif request.method == "INVITE" or (request.method == "UPDATE" and request.body):
            # RFC 3261 §14.2, RFC 3311 §5.2: the first offer and answer are not done.
            self._layer.reject(request, 491)
        elif request.method == "UPDATE":
            # a target refresh: the Contact stays the one that we gave
            settings = self._layer.settings
            contact = (
                settings.contact(transport=self._layer.source.transport)
                if isinstance(call, ServerCall)
                else contact_of(settings, call.draft, call.branch.target.transport)
            )
            self._layer.reject(request, 200, (("Contact", contact),))
        else:
            self._layer.reject(request, 481)

    def _answer_early(self, request: Request, code: int) -> None:
        """Answer with a transaction, so that a retransmission is not acted upon again."""
        machine = ServerNonInvite(self._layer.timings_for(self._layer.source))
        server = self._layer.start_server(server_key(request), machine, request, self._layer.source)
        if server is None:
            self._layer.reject(request, code)
        else:
            self._sessions.answer(server, code)

    # The user agent's answers.

    def respond(
        self,
        server: Server,
        code: int,
        phrase: str,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        content_type: str,
    ) -> None:
        """Send the user agent's answer to an INVITE, re-INVITE or UPDATE; raises ValueError."""
        request = server.request
        self._layer.source = server.source
        lines = list(headers)
        within = self._sessions.find(request)
        if 100 < code < 300:
            # RFC 3261 §12.1.1: the route set and our target; §13.3.1.4: what we can do.
            if not request.to_tag:
                lines += [("Record-Route", value) for value in request.values("record-route")]
            own = self._layer.settings.contact(transport=server.source.transport)
            lines += [("Contact", (within.contact if within else None) or own)]
        if 200 <= code < 300:
            timer = within.timer if within else SessionTimer()
            lines += [("Allow", ALLOW), ("Supported", SUPPORTED), *timer.answer(request)[1]]
        if body:
            lines.append(("Content-Type", content_type))
        call = self.calls.get(request.call_id)
        if call is None or call.server is not server:
            data = self._layer.response(request, code, phrase, headers=lines, body=body)
            if within is not None:
                self._sessions.respond_within(within, server, Respond(code, data))
            return
        tag = call.local_tag if code > 100 else ""
        answer = Respond(code, self._layer.response(request, code, phrase, tag, lines, body))
        if code < 200:
            self._layer.feed_server(server, answer)
            return
        del self.calls[request.call_id]
        if code < 300:
            session = Session(Dialog.of_called(request, tag, server.source), caller=False)
            session.confirmed = False
            session.learn(request)
            self._sessions.add(session)
            self._sessions.feed_timer(session, session.timer.answer(request)[0])
            self._sessions.await_ack(session, server, answer)
        self._layer.feed_server(server, answer)
