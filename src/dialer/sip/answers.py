"""The answers to our INVITEs: an ACK for each 2xx, one dialog of a call (RFC 3261 §13.2.2.4)."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from dialer.sip.bodies import session_of
from dialer.sip.cancellation import send_cancel
from dialer.sip.client_call import MAX_FORKS
from dialer.sip.dialog import Dialog
from dialer.sip.effects import AnswerReceived, CallEnded
from dialer.sip.fields import parse_address
from dialer.sip.invite import contact_of
from dialer.sip.sessions import Session, Sessions

if TYPE_CHECKING:
    from dialer.sip.client_call import Branch, ClientCall
    from dialer.sip.identity import HostPort
    from dialer.sip.message import Response
    from dialer.sip.transaction_layer import TransactionLayer

MAX_RECENT = 10_000
# The Reason (RFC 3326) of a CANCEL or BYE.
ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'
_NOT_WANTED = 'SIP;cause=487;text="Request Terminated"'


class Answers:
    """Takes the 2xx of all calls that an endpoint makes, also those that come too late."""

    def __init__(self, layer: TransactionLayer, sessions: Sessions) -> None:
        self._layer = layer
        self._sessions = sessions
        # Local tag and target of calls that are over: a 2xx may still come for them.
        self._recent: OrderedDict[str, tuple[str, HostPort]] = OrderedDict()

    def remember(self, call: ClientCall) -> None:
        """Keep of a call that is over what a late 2xx needs."""
        self._recent[call.call_id] = (call.local_tag, call.branch.target)
        if len(self._recent) > MAX_RECENT:
            self._recent.popitem(last=False)

    def take(self, call: ClientCall, branch: Branch, response: Response) -> None:
        """Acknowledge every 2xx; keep the first dialog, end every other (RFC 3261 §13.2.2.4).

        The first one is kept even if its target had been given up: somebody has picked up.
        """
        tag, leg = response.to_tag, branch.leg
        if tag in call.acks:
            self._layer.effects.append(call.acks[tag])
            return
        if len(call.acks) >= MAX_FORKS:
            return
        dialog = Dialog.of_caller(response, leg.from_header, leg.request_uri, branch.target)
        early = branch.early.get(tag)
        # The PRACKs of its early dialog have been counted there.
        dialog.local_cseq = max(leg.cseq, early.dialog.local_cseq if early else 0)
        ack = self._sessions.acknowledge(dialog, leg.cseq, branch.credentials)
        call.acks[tag] = ack
        self._layer.effects.append(ack)
        fork, silent = call.answered, call.over and not call.answered
        late = call.cancel_wanted and not fork
        keep = not (fork or late or silent)
        contact = contact_of(self._layer.settings, call.draft, branch.target.transport)
        session = Session(dialog, call.authenticator, ack, told=keep, contact=contact)
        if not silent and not fork:
            self._settle(call, branch)
        if not silent:
            self._tell_answer(response, dialog, late=late, fork=fork)
        if tag in call.ended_early:
            if keep:
                self._layer.tell(
                    CallEnded(response.call_id, by_peer=True, reasons=call.ended_early[tag])
                )
            return
        self._sessions.add(session)
        if fork:
            self._sessions.bye(session, ELSEWHERE)
        elif not keep:
            self._sessions.bye(session, _NOT_WANTED)

    def _settle(self, call: ClientCall, branch: Branch) -> None:
        """Take `branch` as the one that was answered, and cancel every other."""
        call.branch = branch
        call.answered = call.over = True
        for other in call.branches:
            if other is branch:
                continue
            other.hush()
            if other.provisional:
                send_cancel(self._layer, other, ELSEWHERE)
        branch.timers.clear()

    def _tell_answer(self, response: Response, dialog: Dialog, *, late: bool, fork: bool) -> None:
        self._layer.tell(
            AnswerReceived(
                response.call_id,
                response.code,
                response.phrase,
                response.values("reason"),
                *session_of(response),
                dialog.state(),
                late,
                fork,
            )
        )

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
