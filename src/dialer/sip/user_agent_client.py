"""The calls that we make: INVITE with its re-sends, CANCEL, forks (RFC 3261 §9.1, §13.2, §22.2)."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import TYPE_CHECKING

from dialer.sip.answers import ELSEWHERE, Answers
from dialer.sip.bodies import session_of
from dialer.sip.cancellation import send_cancel
from dialer.sip.client_call import GIVE_UP, MAX_FORKS, NEXT_TARGET, Branch, ClientCall
from dialer.sip.client_invite import ClientInvite
from dialer.sip.digest import Attempts, Authenticator
from dialer.sip.effects import (
    CallEnded,
    CancelTimedOut,
    FinalReceived,
    InviteResent,
    InviteTimedOut,
    ProvisionalReceived,
    TransportFailed,
)
from dialer.sip.extensions import adjusted
from dialer.sip.fields import parse_address, parse_via, retry_after
from dialer.sip.identity import LegState
from dialer.sip.invite import ack_of, cancel_message, invite_message
from dialer.sip.message import check_text, check_uri
from dialer.sip.reliable_provisional import Acknowledger, response_number
from dialer.sip.settings import InviteDraft, PreparedInvite
from dialer.sip.targets import PATIENCE, Targets
from dialer.sip.transaction import Failure, Timer
from dialer.sip.transaction_layer import MAGIC, TransactionLayer

if TYPE_CHECKING:
    from collections.abc import Callable

    from dialer.sip.identity import Credentials
    from dialer.sip.message import Request, Response
    from dialer.sip.sessions import Sessions


class UserAgentClient:
    """All calls that an endpoint makes, by Call-ID."""

    def __init__(
        self, layer: TransactionLayer, sessions: Sessions, token: Callable[[], str]
    ) -> None:
        self._layer = layer
        self._settings = layer.settings
        self._sessions = sessions
        self._token = token
        self._acknowledger = Acknowledger(layer, token)
        self._answers = Answers(layer, sessions)
        self.calls: dict[str, ClientCall] = {}

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
            via="",
            cseq=1,
            route=draft.route,
            target_host=draft.target.host,
            target_port=draft.target.port,
        )
        leg, data = self._compose(leg, draft, Targets(draft), [])
        return PreparedInvite(leg.call_id, leg, draft, data)

    def _compose(
        self,
        leg: LegState,
        draft: InviteDraft,
        targets: Targets,
        credentials: list[tuple[str, str]],
    ) -> tuple[LegState, bytes]:
        """Write the INVITE for the current target, with a new branch (RFC 3263 §4.3)."""
        while True:
            target = targets.current
            leg = dataclasses.replace(
                leg,
                via=self._settings.via(MAGIC + self._token(), target.transport),
                target_host=target.host,
                target_port=target.port,
                target_transport=target.transport,
            )
            data = invite_message(self._settings, leg, draft, credentials)
            if not targets.enlarge(len(data)):
                return leg, data

    def invite(self, prepared: PreparedInvite) -> None:
        """Send a prepared INVITE."""
        draft = prepared.draft
        authenticator = Authenticator(draft.credentials, self._token) if draft.credentials else None
        targets = Targets(draft)
        targets.enlarge(len(prepared.data))  # as `prepare` did; the TCP form is the longer one
        branch = Branch(prepared.identity, [])
        call = ClientCall(branch, draft, targets, authenticator)
        self.calls[prepared.call_id] = call
        self._start(call, self._machine(branch, prepared.data))

    def _machine(self, branch: Branch, request: bytes, *, proceeding: bool = False) -> ClientInvite:
        timings = self._layer.timings_for(branch.target)
        return ClientInvite(request, ack_of(branch.leg), timings, proceeding=proceeding)

    def _start(self, call: ClientCall, machine: ClientInvite, *, started: bool = False) -> None:
        """Begin the transaction of the branch in force."""
        branch = call.branch
        call.branches.append(branch)
        branch.on_timer = partial(self._timer_due, call, branch)
        branch.client = self._layer.start_client(
            parse_via(branch.leg.via).branch,
            "INVITE",
            machine,
            branch.target,
            partial(self._responded, call, branch),
            partial(self._failed, call, branch),
            partial(self._ended, call, branch),
            started=started,
        )
        if call.targets:
            at = self._layer.now + PATIENCE * self._layer.timings.t1
            self._layer.schedule.start(branch, NEXT_TARGET, at)

    def _resend(self, call: ClientCall, code: int, draft: InviteDraft | None = None) -> None:
        """Send the INVITE again because of a response: next CSeq (RFC 3261 §8.1.3.5, §22.2)."""
        call.draft = draft or call.draft
        self._send_again(call, code, call.branch.leg.cseq + 1)

    def _move(self, call: ClientCall, code: int | None) -> bool:
        """Send the INVITE to the next target, False where none is left or nobody wants it.

        RFC 3263 §4.3: it is the same but for its branch. With another CSeq number, a server that
        has the first one as well, by way of a farm's shared state, would take it for a second
        call; with the same one it says 482 (RFC 3261 §8.2.2.2).
        """
        if not call.wanted or not call.targets.advance(refused=code is not None):
            return False
        call.attempts = Attempts()  # another server, which knows nothing of the first one's nonce
        self._send_again(call, code, call.branch.leg.cseq)
        return True

    def _send_again(self, call: ClientCall, code: int | None, cseq: int) -> None:
        leg = dataclasses.replace(call.branch.leg, cseq=cseq)
        credentials: list[tuple[str, str]] = []
        if call.authenticator is not None:
            credentials = call.authenticator.headers("INVITE", leg.request_uri)
        leg, data = self._compose(leg, call.draft, call.targets, credentials)
        call.branch = Branch(leg, credentials)
        self._layer.tell(InviteResent(leg.call_id, leg, code))
        self._start(call, self._machine(call.branch, data))

    def _timer_due(self, call: ClientCall, branch: Branch, timer: str) -> None:
        client = branch.client
        assert client is not None
        if timer == GIVE_UP:
            if branch is call.branch and not call.over:
                self._finish(call)
                self._tell_no_final(call, CancelTimedOut)
            self._layer.end_client(client)
            return
        # After a stall Timer B may be due as well; then it is too late for any target.
        in_time = client.timers.get(Timer.B, 0.0) > self._layer.now
        if branch is call.branch and in_time and self._move(call, None):
            branch.hush()

    # Responses to it.

    def _responded(self, call: ClientCall, branch: Branch, response: Response) -> None:
        if 200 <= response.code < 300:
            self._answers.take(call, branch, response)
        elif response.code < 200:
            self._progressed(call, branch, response)
        elif call.over or branch is not call.branch:
            return
        elif response.code in {401, 407}:
            self._challenged(call, response)
        elif response.code == 482 and self._return(call):
            return
        elif response.code != 503 or not self._move(call, 503):
            self._adjust(call, response)

    def _return(self, call: ClientCall) -> bool:
        """Go back to the target that was silent, since the far end has its INVITE.

        RFC 3261 §8.2.2.2: one server behind both says 482 to the second INVITE.
        """
        for branch in reversed(call.branches):
            if branch is not call.branch and branch.alive and not branch.cancel_sent:
                call.branch = branch
                self._layer.tell(InviteResent(call.call_id, branch.leg, 482))
                if branch.client is not None and branch.target.transport == "udp":
                    # What it has said was lost; the repeated INVITE brings it again.
                    self._layer.feed_client(branch.client, Timer.A)
                return True
        return False

    def _progressed(self, call: ClientCall, branch: Branch, response: Response) -> None:
        branch.provisional = True
        call.rang = call.rang or response.code == 180
        branch.timers.pop(NEXT_TARGET, None)
        number = response_number(response) if call.draft.reliable_provisionals else None
        news = number is None or self._acknowledger.acknowledge(
            branch, call.authenticator, response, number
        )
        in_force = branch is call.branch and not call.over
        if in_force and news:
            self._layer.tell(
                ProvisionalReceived(
                    response.call_id,
                    response.code,
                    response.phrase,
                    response.values("reason"),
                    *session_of(response),
                    response.to_tag,
                    number is not None,
                )
            )
        if call.cancel_wanted or not in_force:
            send_cancel(self._layer, branch, ELSEWHERE if call.answered else call.cancel_reason)

    def _challenged(self, call: ClientCall, response: Response) -> None:
        authenticator = call.authenticator
        if (
            authenticator is not None
            and call.wanted
            and self._layer.source.host == call.branch.target.host
            and authenticator.accept(response, call.attempts)
        ):
            self._resend(call, response.code)
        else:
            self._refused(call, response, challenged=True)

    def _adjust(self, call: ClientCall, response: Response) -> None:
        """Send an INVITE that the far end can take, once for each code; else the refusal stands."""
        code = response.code
        draft = adjusted(call.draft, response)
        if draft is None or not call.wanted or code in call.adjusted:
            self._refused(call, response)
            return
        call.adjusted.add(code)
        self._resend(call, code, draft)

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

    def _failed(self, call: ClientCall, branch: Branch, failure: Failure) -> None:
        if call.over or branch is not call.branch:
            return
        timed_out = failure is Failure.TIMEOUT
        if not timed_out and self._move(call, None):
            return
        self._finish(call)
        self._tell_no_final(call, InviteTimedOut if timed_out else TransportFailed)

    def _tell_no_final(
        self, call: ClientCall, what: type[InviteTimedOut | TransportFailed | CancelTimedOut]
    ) -> None:
        """Tell that no final response came; a BYE says that a 2xx was sent, and lost."""
        # RFC 3261 §15: a callee sends no BYE on an early dialog.
        call_id, reasons = call.call_id, next(iter(call.ended_early.values()), None)
        ended = None if reasons is None else CallEnded(call_id, by_peer=True, reasons=reasons)
        self._layer.tell(ended or what(call_id))

    def _ended(self, call: ClientCall, branch: Branch) -> None:
        """Forget a branch whose transaction is over, with the branch in force its call."""
        call.branches.remove(branch)
        branch.timers.clear()
        if branch is call.branch:
            self._finish(call)

    def _finish(self, call: ClientCall) -> None:
        """Let go of a call: nothing more is told of it."""
        call.over = True
        call.branch.timers.clear()
        call_id = call.call_id
        if self.calls.get(call_id) is call:
            del self.calls[call_id]
        self._answers.remember(call)

    # CANCEL.

    def cancel(self, call_id: str, reason: str | None) -> None:
        """Cancel a call that has no final response: every branch of it that is alive."""
        call = self.calls.get(call_id)
        if call is None or call.over:
            return
        check_text(reason or "")
        call.cancel_reason = call.cancel_reason or reason
        call.cancel_wanted = True
        self._cancel_ringing(call)

    def _cancel_ringing(self, call: ClientCall) -> None:
        # RFC 3261 §9.1: the others, once their first provisional response has come.
        for branch in call.branches:
            if branch.provisional:
                send_cancel(self._layer, branch, call.cancel_reason)

    def cancel_leg(self, leg: LegState, credentials: Credentials | None) -> None:
        """Take up an INVITE that another process sent, and cancel it."""
        if leg.call_id in self.calls:
            self.cancel(leg.call_id, None)
            return
        # Refuse a damaged leg before anything is kept.
        parse_via(leg.via)
        cancel_message(leg, None)
        branch = Branch(leg, [])
        draft = InviteDraft(leg.request_uri, leg.to_header, leg.from_header, branch.target)
        authenticator = Authenticator(credentials, self._token) if credentials else None
        call = ClientCall(branch, draft, Targets(draft), authenticator)
        call.cancel_wanted = branch.provisional = True
        self.calls[leg.call_id] = call
        self._start(call, self._machine(branch, b"", proceeding=True), started=True)
        self._cancel_ringing(call)

    def stray(self, response: Response) -> None:
        """Act on a response that no transaction waits for."""
        self._answers.stray(response)

    # Requests of a callee that has not answered yet.

    def early_call(self, request: Request) -> ClientCall | None:
        """Return the unanswered call that a request's To tag and Call-ID name."""
        call = self.calls.get(request.call_id)
        if call is None or call.answered:
            return None
        return call if call.local_tag == request.to_tag else None

    def ended_early(self, call: ClientCall, request: Request) -> None:
        """Take a BYE that came before the answer: cancel, unless that answer is on its way."""
        if len(call.ended_early) < MAX_FORKS:
            call.ended_early[request.from_tag] = request.values("reason")
        self._cancel_ringing(call)
