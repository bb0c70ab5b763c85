"""Answered calls, of either side: the requests within their dialogs (RFC 3261 §12.2, §14, §15)."""

from __future__ import annotations

import zlib
from functools import partial
from typing import TYPE_CHECKING

from dialer.sip.bodies import session_of
from dialer.sip.client_non_invite import ClientNonInvite
from dialer.sip.digest import Attempts
from dialer.sip.effects import (
    AckMissing,
    AckReceived,
    CallEnded,
    InfoReceived,
    ReinviteReceived,
    SendDatagram,
)
from dialer.sip.message import Request, Response, serialise
from dialer.sip.requests import capabilities, refusal
from dialer.sip.server_invite import ServerInvite
from dialer.sip.server_non_invite import ServerNonInvite
from dialer.sip.transaction import Respond, State
from dialer.sip.transaction_layer import MAGIC, Server, TransactionLayer, server_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from dialer.sip.dialog import Dialog, Key
    from dialer.sip.digest import Authenticator
    from dialer.sip.transaction import Failure

_RETRANSMIT, _GIVE_UP = "retransmit", "give up"


class Session:
    """One answered call: its dialog, and what is under way within it.

    `told` is False for one that the user agent never hears of: an extra fork, a late answer.
    `contact` is the Contact value that its INVITE carried, None for the endpoint's own.
    """

    def __init__(
        self,
        dialog: Dialog,
        authenticator: Authenticator | None = None,
        ack: SendDatagram | None = None,
        *,
        told: bool = True,
        contact: str | None = None,
    ) -> None:
        self.dialog = dialog
        self.contact = contact
        self.authenticator = authenticator
        self.ack = ack
        self.told = told
        self.ending = False
        self.confirmed = True  # False: we answered, and the ACK is yet to come
        self.deferred_bye: tuple[str | None] | None = None  # its reason; it waits for an ACK
        self.pending: Server | None = None  # their re-INVITE or UPDATE, not answered yet
        self.answers: dict[int, UnacknowledgedAnswer] = {}  # our 2xx by CSeq number


class UnacknowledgedAnswer:
    """A 2xx to INVITE that is repeated until its ACK comes (RFC 3261 §13.3.1.4)."""

    def __init__(
        self, layer: TransactionLayer, server: Server, answer: Respond, missing: Callable[[], None]
    ) -> None:
        self.timers: dict[str, float] = {}
        self._layer = layer
        self._server = server
        self._answer = answer
        self._missing = missing
        self._interval = layer.timings.t1
        layer.schedule.start(self, _RETRANSMIT, layer.now + self._interval)
        layer.schedule.start(self, _GIVE_UP, layer.now + 64 * layer.timings.t1)

    def fire(self, timer: str) -> None:
        """Repeat the 2xx, or give up."""
        if timer == _GIVE_UP:
            self.timers.clear()
            self._missing()
            return
        self._interval = min(2 * self._interval, self._layer.timings.t2)
        self._layer.feed_server(self._server, self._answer)
        self._layer.schedule.start(self, _RETRANSMIT, self._layer.now + self._interval)


class Sessions:
    """The answered calls of an endpoint, by dialog and by Call-ID."""

    def __init__(self, layer: TransactionLayer, token: Callable[[], str]) -> None:
        self._layer = layer
        self._token = token
        self.by_key: dict[Key, Session] = {}
        self.by_call: dict[str, Session] = {}

    def add(self, session: Session) -> None:
        """Keep a session; one that is told can be named by its Call-ID."""
        self.by_key[session.dialog.key] = session
        if session.told:
            self.by_call[session.dialog.call_id] = session

    def find(self, request: Request) -> Session | None:
        """Return the session that a request is within (RFC 3261 §12.2.2)."""
        return self.by_key.get((request.call_id, request.to_tag, request.from_tag))

    # Our own requests.

    def acknowledge(
        self, dialog: Dialog, cseq: int, headers: list[tuple[str, str]]
    ) -> SendDatagram:
        """Return the ACK of a 2xx (RFC 3261 §13.2.2.4); `headers` are the INVITE's credentials."""
        uri, route, destination = dialog.addressing()
        via = self._layer.settings.via(MAGIC + self._token(), destination.transport)
        lines = dialog.headers("ACK", via, route, cseq) + headers
        return SendDatagram(serialise(f"ACK {uri} SIP/2.0", lines), destination)

    def bye(self, session: Session, reason: str | None = None) -> None:
        """Send BYE, unless one is out already.

        The called side waits for the ACK of its answer first (RFC 3261 §15).
        """
        if session.ending:
            return
        if not session.confirmed:
            session.deferred_bye = (reason,)
            return
        extra = [("Reason", reason)] if reason else []
        self._send_bye(session, extra, Attempts())
        session.ending = True

    def _send_bye(self, session: Session, extra: list[tuple[str, str]], attempts: Attempts) -> None:
        dialog, settings = session.dialog, self._layer.settings
        uri, route, destination = dialog.addressing()
        branch = MAGIC + self._token()
        cseq = dialog.local_cseq + 1
        headers = dialog.headers("BYE", settings.via(branch, destination.transport), route, cseq)
        if session.authenticator is not None:
            headers += session.authenticator.headers("BYE", uri)
        headers += [*extra, ("User-Agent", settings.user_agent)]
        data = serialise(f"BYE {uri} SIP/2.0", headers)
        dialog.local_cseq = cseq
        self._layer.start_client(
            branch,
            "BYE",
            ClientNonInvite(data, self._layer.timings_for(destination)),
            destination,
            partial(self._bye_answered, session, extra, attempts, destination.host),
            partial(self._bye_failed, session),
        )

    def _bye_answered(
        self,
        session: Session,
        extra: list[tuple[str, str]],
        attempts: Attempts,
        target: str,
        response: Response,
    ) -> None:
        if response.code < 200:
            return
        authenticator = session.authenticator
        challenged = response.code in {401, 407} and self._layer.source.host == target
        if challenged and authenticator is not None and authenticator.accept(response, attempts):
            self._send_bye(session, extra, attempts)
            return
        # RFC 3261 §15.1.1: whatever the final response, the dialog is over.
        self._over(session, by_peer=False, reasons=response.values("reason"))

    def _bye_failed(self, session: Session, _failure: Failure) -> None:
        self._over(session, by_peer=False)

    def _over(self, session: Session, *, by_peer: bool, reasons: tuple[str, ...] = ()) -> None:
        """Forget a session, and tell it once."""
        for answer in session.answers.values():
            answer.timers.clear()
        session.answers.clear()
        if session.pending is not None:
            # RFC 3261 §15.1.2: pending requests get 487.
            self.answer(session.pending, 487)
            session.pending = None
        dialog = session.dialog
        if self.by_key.pop(dialog.key, None) is None or not session.told:
            return
        if self.by_call.get(dialog.call_id) is session:
            del self.by_call[dialog.call_id]
        self._layer.tell(CallEnded(dialog.call_id, by_peer, reasons))

    # Their requests.

    def receive(self, session: Session, request: Request) -> None:
        """Act on a request within a session that is no retransmission."""
        if request.method == "ACK":
            self._acknowledged(session, request)
            return
        is_invite = request.method == "INVITE"
        timings = self._layer.timings_for(self._layer.source)
        machine = ServerInvite(timings) if is_invite else ServerNonInvite(timings)
        server = self._layer.start_server(server_key(request), machine, request, self._layer.source)
        if server is None:
            self._layer.reject(request, 503, (("Retry-After", "5"),))
        elif not session.dialog.in_order(request):
            # RFC 3261 §12.2.2: a lower CSeq number is out of order.
            self.answer(server, 500)
        elif request.method == "BYE":
            self.answer(server, 200)
            self._over(session, by_peer=True, reasons=request.values("reason"))
        else:
            self._within(session, server, request)

    def _within(self, session: Session, server: Server, request: Request) -> None:
        refused = refusal(request)
        if refused is not None:
            self.answer(server, refused.code, refused.headers)
        elif session.ending or request.method == "NOTIFY":
            # RFC 6665 §4.1.3: we subscribe to nothing.
            self.answer(server, 481)
        elif request.method == "OPTIONS":
            self.answer(server, 200, capabilities())
        elif request.method == "INFO":
            self.answer(server, 200)
            self._layer.tell(InfoReceived(request.call_id, request.body, request.content_type))
        elif session.pending is not None:
            # RFC 3261 §14.2, RFC 3311 §5.2: one at a time; come again within 10 s.
            wait = zlib.crc32(request.via.branch.encode()) % 11
            self.answer(server, 500, (("Retry-After", str(wait)),))
        else:
            session.pending = server
            if request.method == "INVITE":
                self.answer(server, 100)
            self._layer.tell(
                ReinviteReceived(request.call_id, server.key, request.method, *session_of(request))
            )

    def answer(self, server: Server, code: int, headers: tuple[tuple[str, str], ...] = ()) -> None:
        """Answer by ourselves a request that has its To tag."""
        data = self._layer.response(server.request, code, headers=headers)
        self._layer.feed_server(server, Respond(code, data))

    def _acknowledged(self, session: Session, request: Request) -> None:
        answer = session.answers.pop(request.cseq, None)
        if answer is not None:
            answer.timers.clear()
            session.confirmed = True
            self._layer.tell(AckReceived(request.call_id, *session_of(request)))
            if session.deferred_bye is not None:
                self.bye(session, *session.deferred_bye)

    def await_ack(self, session: Session, server: Server, answer: Respond) -> None:
        """Repeat a 2xx to INVITE until its ACK comes."""
        cseq = server.request.cseq
        missing = partial(self._ack_missing, session, cseq)
        session.answers[cseq] = UnacknowledgedAnswer(self._layer, server, answer, missing)

    def _ack_missing(self, session: Session, cseq: int) -> None:
        # RFC 3261 §13.3.1.4: the dialog is confirmed, but the session should be ended by a BYE.
        session.answers.pop(cseq, None)
        session.confirmed = True
        self._layer.tell(AckMissing(session.dialog.call_id))
        self.bye(session, 'SIP;cause=408;text="ACK not received"')

    def respond_within(self, session: Session, server: Server, answer: Respond) -> None:
        """Carry the user agent's answer to a re-INVITE or UPDATE."""
        if answer.code >= 200 and session.pending is server:
            session.pending = None
        if 200 <= answer.code < 300:
            session.dialog.refresh(server.request)
            if server.request.method == "INVITE" and server.machine.state is State.PROCEEDING:
                self.await_ack(session, server, answer)
        self._layer.feed_server(server, answer)
