"""Answered calls, of either side: the requests within their dialogs (RFC 3261 §12.2, §14, §15)."""

from __future__ import annotations

import zlib
from functools import partial
from typing import TYPE_CHECKING

from dialer.sip.bodies import session_of
from dialer.sip.client_requests import ClientRequest, ClientRequests
from dialer.sip.effects import (
    AckMissing,
    AckReceived,
    CallEnded,
    InfoReceived,
    ReferAnswered,
    ReferNotified,
    RefreshDue,
    ReinviteAnswered,
    ReinviteReceived,
)
from dialer.sip.referral import Subscription, SubscriptionState
from dialer.sip.requests import capabilities, refusal
from dialer.sip.server_invite import ServerInvite
from dialer.sip.server_non_invite import ServerNonInvite
from dialer.sip.session import Session, UnacknowledgedAnswer
from dialer.sip.session_timer import Action, Outcome, Start, Stop, Timer, agreed_by
from dialer.sip.transaction import Respond, State
from dialer.sip.transaction_layer import Server, TransactionLayer, server_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from dialer.sip.dialog import Key
    from dialer.sip.message import Request, Response
    from dialer.sip.session_timer import Input

_LINGER = "linger"


class Sessions:
    """The answered calls of an endpoint, by dialog and by Call-ID."""

    def __init__(self, layer: TransactionLayer, token: Callable[[], str]) -> None:
        self._layer = layer
        self._requests = ClientRequests(layer, token)
        self.acknowledge = self._requests.acknowledge
        self.by_key: dict[Key, Session] = {}
        self.by_call: dict[str, Session] = {}

    def add(self, session: Session) -> None:
        """Keep a session; one that is told can be named by its Call-ID."""
        self.by_key[session.dialog.key] = session
        session.on_timer = lambda timer: self.feed_timer(session, Timer(timer))
        if session.told:
            self.by_call[session.dialog.call_id] = session

    def find(self, request: Request) -> Session | None:
        """Return the session that a request is within (RFC 3261 §12.2.2)."""
        return self.by_key.get((request.call_id, request.to_tag, request.from_tag))

    # Our own requests.

    def modify(self, session: Session, method: str, body: bytes, content_type: str) -> None:
        """Send the re-INVITE or UPDATE that the user agent asks for; raises ValueError."""
        if session.ending:
            return
        if session.own is not None:
            # RFC 3261 §14.1: one at a time.
            self._layer.tell(ReinviteAnswered(session.dialog.call_id, 491))
            return
        self._ask(session, method, body, content_type, told=True)

    def _ask(
        self,
        session: Session,
        method: str,
        body: bytes = b"",
        content_type: str = "",
        *,
        told: bool = False,
    ) -> None:
        request = ClientRequest(
            method,
            partial(self._modified, session),
            body=body,
            content_type=content_type,
            told=told,
        )
        if session.pending is not None and request.offers:
            # RFC 3261 §14.1, RFC 3311 §5.1: not while theirs is not answered.
            self._requests.wait(session, request)
        else:
            self._requests.send(session, request)
        session.own = request

    def _modified(self, session: Session, code: int, response: Response | None) -> None:
        """Act on the final response to our re-INVITE or UPDATE."""
        request, session.own = session.own, None
        if request is None:
            return
        dialog = session.dialog
        if response is not None and code < 300:
            dialog.refresh(response)
            given: Input = agreed_by(response)
        else:
            # RFC 3261 §12.2.1.2: these say that the peer has no such dialog.
            given = Outcome.LOST if code in {408, 481} else Outcome.REFUSED
        if request.told:
            answer = session_of(response) if response is not None else (b"", "")
            self._layer.tell(ReinviteAnswered(dialog.call_id, code, *answer))
        if code in {405, 501} and request.method == "UPDATE":
            session.updates = False
            if not request.told:
                self._refresh(session)
                return
        self.feed_timer(session, given)

    def feed_timer(self, session: Session, given: Input) -> None:
        """Give one input to the session timer."""
        for output in session.timer.handle(given):
            if isinstance(output, Start):
                at = self._layer.now + output.seconds
                self._layer.schedule.start(session, output.timer, at)
            elif isinstance(output, Stop):
                session.timers.pop(output.timer, None)
            elif output is Action.REFRESH:
                self._refresh(session)
            else:
                self.bye(session, 'SIP;cause=408;text="Session expired"')

    def _refresh(self, session: Session) -> None:
        """Refresh the session (RFC 4028 §7.4); a request that is out already will do as well."""
        if session.own is not None:
            return
        if session.updates:
            self._ask(session, "UPDATE")
        else:
            self._layer.tell(RefreshDue(session.dialog.call_id))

    def refer(self, session: Session, headers: tuple[tuple[str, str], ...]) -> None:
        """Send the REFER that the user agent asks for; raises ValueError."""
        if session.ending:
            return
        earlier = session.subscription
        if earlier is not None and earlier.state is SubscriptionState.REQUESTED:
            self._layer.tell(ReferAnswered(session.dialog.call_id, 491))
            return
        subscription = Subscription()
        request = ClientRequest(
            "REFER", partial(self._referred, session, subscription), headers=headers
        )
        subscription.numbers = request.numbers
        self._requests.send(session, request)
        session.subscription = subscription

    def _referred(
        self, session: Session, subscription: Subscription, code: int, response: Response | None
    ) -> None:
        """Act on the final response to our REFER."""
        followed = subscription.answered(code, response)
        if session.over:
            self._forget_if_idle(session)
        else:
            phrase = response.phrase if response is not None else ""
            self._layer.tell(ReferAnswered(session.dialog.call_id, code, phrase, followed))

    def _notified(self, session: Session, server: Server, request: Request) -> None:
        subscription = session.subscription
        if subscription is None or not subscription.is_of(request):
            # RFC 6665 §4.1.3: we subscribe to nothing else.
            self.answer(server, 481)
            return
        self.answer(server, 200)
        told = subscription.notified(request)
        if session.over:
            self._forget_if_idle(session)
        else:
            self._layer.tell(ReferNotified(session.dialog.call_id, *told))

    def _forget_if_idle(self, session: Session) -> None:
        """Drop a session that is over once no NOTIFY is waited for (RFC 5057 §4.1)."""
        subscription = session.subscription
        if subscription is not None and subscription.alive:
            return
        if subscription is not None:
            subscription.timers.clear()
        if self.by_key.get(session.dialog.key) is session:
            del self.by_key[session.dialog.key]

    def _linger(self, session: Session) -> None:
        """Answer the NOTIFYs of our REFER for a while after the end of its call."""
        subscription = session.subscription
        if subscription is None or not subscription.alive:
            self._forget_if_idle(session)
            return

        def enough() -> None:
            subscription.end()
            self._forget_if_idle(session)

        subscription.on_timer = enough
        at = self._layer.now + 64 * self._layer.timings.t1
        self._layer.schedule.start(subscription, _LINGER, at)

    def bye(self, session: Session, reason: str | None = None) -> None:
        """Send BYE, unless one is out already.

        The called side waits for the ACK of its answer first (RFC 3261 §15).
        """
        if session.ending:
            return
        if not session.confirmed:
            session.deferred_bye = (reason,)
            return
        headers = (("Reason", reason),) if reason else ()
        # RFC 3261 §15.1.1: whatever the final response, the dialog is over.
        request = ClientRequest("BYE", partial(self._bye_answered, session), headers=headers)
        self._requests.send(session, request)
        session.ending = True
        self._settle(session)

    def _bye_answered(self, session: Session, _code: int, response: Response | None) -> None:
        reasons = response.values("reason") if response is not None else ()
        self._over(session, by_peer=False, reasons=reasons)

    def _settle(self, session: Session) -> None:
        """Let go of what would go on in a session that ends."""
        self.feed_timer(session, Outcome.OVER)
        if session.own is not None:
            session.own.drop()
            session.own = None

    def _over(self, session: Session, *, by_peer: bool, reasons: tuple[str, ...] = ()) -> None:
        """Forget a session, and tell it once."""
        for answer in session.answers.values():
            answer.timers.clear()
        session.answers.clear()
        self._settle(session)
        if session.pending is not None:
            # RFC 3261 §15.1.2: pending requests get 487.
            self.answer(session.pending, 487)
            session.pending = None
        dialog = session.dialog
        if session.over or dialog.key not in self.by_key:
            return
        session.over = session.ending = True
        self._linger(session)
        if not session.told:
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
        elif request.method == "BYE" and not session.over:
            self.answer(server, 200)
            self._over(session, by_peer=True, reasons=request.values("reason"))
        else:
            self._within(session, server, request)

    def _within(self, session: Session, server: Server, request: Request) -> None:
        refused = refusal(request)
        session.learn(request)
        if refused is not None:
            self.answer(server, refused.code, refused.headers)
        elif request.method == "NOTIFY":
            self._notified(session, server, request)
        elif session.ending:
            self.answer(server, 481)
        elif request.method == "OPTIONS":
            self.answer(server, 200, capabilities())
        elif request.method == "INFO":
            self.answer(server, 200)
            self._layer.tell(InfoReceived(request.call_id, request.body, request.content_type))
        elif session.timer.too_small(request):
            self.answer(server, 422, (("Min-SE", str(session.timer.minimum)),))
        elif request.method == "UPDATE" and not session_of(request)[0]:
            # A refresh: there is nothing to decide.
            given, headers = session.timer.answer(request)
            contact = session.contact or self._layer.settings.contact(
                transport=server.source.transport
            )
            self.answer(server, 200, (("Contact", contact), *capabilities(), *headers))
            session.dialog.refresh(request)
            self.feed_timer(session, given)
        else:
            self._offered(session, server, request)

    def _offered(self, session: Session, server: Server, request: Request) -> None:
        """Take in a re-INVITE or UPDATE that wants an answer."""
        if session.own is not None and session.own.offers:
            # RFC 3261 §14.2, RFC 3311 §5.2: ours is on its way.
            self.answer(server, 491)
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
            given, _ = session.timer.answer(server.request)
            self.feed_timer(session, given)
            if server.request.method == "INVITE" and server.machine.state is State.PROCEEDING:
                self.await_ack(session, server, answer)
        self._layer.feed_server(server, answer)
