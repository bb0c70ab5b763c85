"""One outbound call, from the prepared INVITE to its result."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar

import structlog

from dialer.sip import effects, info_digits, sdp
from dialer.sip.fields import parse_address
from dialer.ua.call import (
    Answered,
    CallResult,
    DialogIdentity,
    HungUpBy,
    InviteSent,
    LegIdentity,
    LocalCause,
    Progress,
    Provisional,
)
from dialer.ua.early_listening import EarlyListening
from dialer.ua.guard import guarded
from dialer.ua.invitation import called_uri
from dialer.ua.media_figures import figures_of
from dialer.ua.reason import q850_cause
from dialer.ua.referral import Referral
from dialer.ua.session import UNUSABLE
from dialer.ua.silence_watch import SilenceLimits

if TYPE_CHECKING:
    from collections.abc import Callable

    from dialer.clock import Clock, Timer
    from dialer.sip.endpoint import PreparedInvite
    from dialer.sip.identity import DialogState, LegState
    from dialer.ua.call import CallEvent, CallRequest
    from dialer.ua.driver import SipDriver
    from dialer.ua.media import MediaStream
    from dialer.ua.session import MediaSession

_log = structlog.get_logger(__name__)

_MAX_NOTED = 50  # provisionals and Reason values kept of one call, whatever a peer sends


@dataclasses.dataclass(frozen=True, slots=True)
class Route:
    """What carries a call: the INVITE that was prepared, its driver and its media."""

    driver: SipDriver
    invite: PreparedInvite
    session: MediaSession


@dataclasses.dataclass(frozen=True, slots=True)
class PreparedCall:
    """A call whose INVITE is made and whose RTP port is taken, but nothing has been sent.

    `identity` can be stored before `UserAgent.place`. Where the trunk could not be found, `route`
    is None and `failure` says why; placing it ends it at once with that cause.
    """

    request: CallRequest
    identity: LegIdentity
    route: Route | None
    failure: LocalCause | None = None

    def release(self) -> None:
        """Give the RTP port back, for a call that is not going to be placed."""
        if self.route is not None:
            self.route.session.stream.close()


class OutboundCall:
    """A call that was placed.

    `result` is always set in the end, never to an exception. `on_event` hears `CallEvent`s in
    order; what it raises is logged and goes no further. `on_over` is called once, after the
    result is set. Each of `digit_listeners` hears every key that comes by INFO.
    """

    def __init__(
        self,
        prepared: PreparedCall,
        clock: Clock,
        on_event: Callable[[CallEvent], None],
        on_over: Callable[[OutboundCall], None],
    ) -> None:
        self.request = prepared.request
        self.call_id = prepared.identity.call_id
        self.answered = False
        self.digit_listeners: list[Callable[[str], None]] = []
        self._result: asyncio.Future[CallResult] = asyncio.get_running_loop().create_future()
        self._prepared = prepared
        self._clock = clock
        self._on_event = on_event
        self._on_over = on_over
        self._known = CallResult(self.call_id)
        self._giving_up: LocalCause | None = None  # why we asked for CANCEL
        self._hung_up = False
        self._no_media = False
        self._early_answers: dict[str, effects.ProvisionalReceived] = {}  # by To tag, last one last
        self._talk_began: float | None = None
        self._talk_ended: float | None = None
        self._timer: Timer | None = None
        self._referral: Referral | None = None
        self._early: EarlyListening | None = None

    @property
    def _route(self) -> Route:
        assert self._prepared.route is not None
        return self._prepared.route

    @property
    def media(self) -> MediaStream:
        """The call's RTP stream; it is connected once the call is answered."""
        return self._route.session.stream

    @property
    def placed_media(self) -> MediaStream | None:
        """The same, None where the trunk could not be reached."""
        return None if self._prepared.route is None else self.media

    @property
    def result(self) -> asyncio.Future[CallResult]:
        """The result to come; one who stops waiting for it takes it from nobody else."""
        return asyncio.shield(self._result)

    # what the owner of the call asks for

    def start(self) -> None:
        """Send the INVITE; called once, by the user agent."""
        if self._prepared.route is None:
            self._finish(self._prepared.failure)
            return
        self._sent(self._prepared.identity)
        self._note(sent_at=self._clock.now())
        self._early = EarlyListening(self.media, self._clock)
        self._set_timer(self.request.ring_timeout, self._ring_timed_out)
        driver = self._route.driver
        driver.perform(driver.endpoint.invite(self._route.invite, self._clock.monotonic()))

    def cancel(self) -> None:
        """Give up a call that is not answered; does nothing to one that is."""
        self._give_up(LocalCause.CANCELLED)

    def hang_up(self) -> None:
        """End the call, whether it is answered or not."""
        if self.answered:
            self._bye()
        else:
            self.cancel()

    def refer(
        self, number: str, patience: float, on_progress: Callable[[int], None] = lambda _: None
    ) -> Referral:
        """Ask the far end to call `number` instead of us (RFC 3515); the call stays up.

        The number is as it is dialled over the call's trunk. Raises ValueError for one that cannot
        stand in a URI.
        """
        trunk, now = self.request.trunk, self._clock.monotonic()
        uri = called_uri(trunk, number)
        caller = parse_address(self._prepared.identity.from_header).uri
        referral = self._referral = Referral(self._clock, patience, on_progress)
        if self._result.done() or self._hung_up or not self.answered:
            referral.call_over(by_peer=False)
        else:
            driver = self._route.driver
            by = "" if trunk.privacy else caller
            driver.perform(driver.endpoint.refer(self.call_id, uri, now, by))
        return referral

    def abandon(self) -> None:
        """Set the result without waiting for the far end any longer."""
        if self.answered:
            self._finish(hung_up_by=HungUpBy.US)
        else:
            self._finish(self._prepared.failure or self._giving_up or LocalCause.CANCELLED)

    # what the endpoint tells

    def on_endpoint_event(self, event: effects.Event) -> None:
        """Take in an event of this call."""
        if self._result.done():
            return
        handler = self._HANDLERS.get(type(event))
        if handler is not None:  # a missing ACK changes nothing of an outbound call
            handler(self, event)

    def _progressed(self, event: effects.ProvisionalReceived) -> None:
        now = self._clock.now()
        provisional = Provisional(event.code, event.phrase, now)
        rings = event.code == 180
        known = self._known
        if len(known.provisionals) >= _MAX_NOTED and (known.rang or not rings):
            return
        self._note_reasons(event.reasons)
        self._note(
            provisionals=(*known.provisionals, provisional),
            first_provisional_at=known.first_provisional_at or now,
            rang=known.rang or rings,
            ringing_at=known.ringing_at or (now if rings else None),
        )
        earlier = self._early_answers.get(event.to_tag)
        if event.body and (event.reliable or earlier is None or not earlier.reliable):
            try:
                self._route.session.accept(event.body, event.content_type)
            except UNUSABLE as error:
                _log.debug("early media is of no use", call_id=self.call_id, reason=str(error))
            else:
                self._early_answers.pop(event.to_tag, None)
                self._early_answers[event.to_tag] = event
        guarded(self._on_event, Progress(provisional, rings))

    def _answered(self, event: effects.AnswerReceived) -> None:
        if event.fork:
            self._note(extra_forks=self._known.extra_forks + 1)
            return
        self._end_early_media()
        self._note_reasons(event.reasons)
        self._note(code=event.code, phrase=event.phrase)
        if event.late:
            self._note(answered_late=True)
            self._finish(LocalCause.ANSWERED_LATE)
            return
        body, content_type = event.body, event.content_type
        if not body and self._early_answers:
            # each fork has an answer of its own
            tag = parse_address(event.dialog.remote).parameters.get("tag", "")
            early = self._early_answers.get(tag) or [*self._early_answers.values()][-1]
            body, content_type = early.body, early.content_type
        self._talk_began = self._clock.monotonic()
        self.answered = True
        try:
            self._route.session.accept(body, content_type)
        except UNUSABLE as error:
            _log.warning("answered without usable media", call_id=self.call_id, reason=str(error))
            self._no_media = True
            self._talk_ended = self._talk_began
            self._bye()
            return
        now = self._clock.now()
        self._note(answered=True, answered_at=now)
        self._set_timer(self.request.max_talk, self._bye)
        trunk = self.request.trunk
        limits = SilenceLimits(trunk.rtp_timeout, trunk.rtp_hold_timeout)
        self.media.watch(limits, self._fell_silent)
        guarded(self._on_event, Answered(dialog_identity(event.dialog), now))

    def _resent(self, event: effects.InviteResent) -> None:
        self.media.latch.signalling_host = event.leg.target_host
        self._sent(leg_identity(event.leg))

    def _refused(self, event: effects.FinalReceived) -> None:
        self._note_reasons(event.reasons)
        self._note(code=event.code, phrase=event.phrase, retry_after=event.retry_after)
        # a final response that came before any CANCEL could be sent is the far end's own
        if self._giving_up is not None and self._known.provisionals:
            self._finish(self._giving_up)
        else:
            self._finish(LocalCause.AUTHENTICATION if event.challenged else None)

    def _ended(self, event: effects.CallEnded) -> None:
        cause = LocalCause.NO_MEDIA if self._no_media else None
        if not self.answered and self._giving_up is not None:
            self._note(answered_late=True)
            cause = LocalCause.ANSWERED_LATE
        self.answered = True  # also where their BYE is all that we saw of their answer
        self._note_reasons(event.reasons)
        by = HungUpBy.THEM if event.by_peer else HungUpBy.US
        self._finish(cause, hung_up_by=by)

    def _timed_out(self, _event: effects.InviteTimedOut) -> None:
        cancelled = self._giving_up is LocalCause.CANCELLED
        self._finish(LocalCause.CANCELLED if cancelled else LocalCause.TIMER_B)

    def _cancel_timed_out(self, _event: effects.CancelTimedOut) -> None:
        self._finish(self._giving_up)

    def _not_delivered(self, _event: effects.TransportFailed) -> None:
        self._finish(LocalCause.TRANSPORT)

    def _reinvited(self, event: effects.ReinviteReceived) -> None:
        code, body = 200, b""
        try:
            if event.body:
                body = self._route.session.answer(event.body, event.content_type)
            else:
                body = self._route.session.offer()
        except UNUSABLE as error:
            _log.debug("re-INVITE refused", call_id=self.call_id, reason=str(error))
            code = 488
        driver = self._route.driver
        driver.perform(
            driver.endpoint.respond(
                event.transaction,
                code,
                body=body,
                content_type=sdp.CONTENT_TYPE if body else "",
                now=self._clock.monotonic(),
            )
        )

    def _acknowledged(self, event: effects.AckReceived) -> None:
        if not event.body:
            return
        try:  # the answer to the offer in our 200 to a re-INVITE without SDP
            self._route.session.accept(event.body, event.content_type)
        except UNUSABLE as error:
            _log.debug("media stays as it was", call_id=self.call_id, reason=str(error))

    def _refresh(self, _event: effects.RefreshDue) -> None:
        driver, now = self._route.driver, self._clock.monotonic()
        driver.perform(driver.endpoint.reinvite(self.call_id, self._route.session.offer(), now))

    def _reinvite_answered(self, event: effects.ReinviteAnswered) -> None:
        if event.code >= 300 or not event.body:
            _log.debug("media stays as it was", call_id=self.call_id, code=event.code)
            return
        try:
            self._route.session.accept(event.body, event.content_type)
        except UNUSABLE as error:
            _log.debug("media stays as it was", call_id=self.call_id, reason=str(error))

    def _informed(self, event: effects.InfoReceived) -> None:
        digit = info_digits.parse(event.body, event.content_type)
        if digit is not None:
            for listener in tuple(self.digit_listeners):
                guarded(listener, digit)

    def _refer_answered(self, event: effects.ReferAnswered) -> None:
        if self._referral is not None:
            self._referral.answered(event)

    def _refer_notified(self, event: effects.ReferNotified) -> None:
        if self._referral is not None:
            self._referral.notified(event)

    # how it ends

    def _ring_timed_out(self) -> None:
        self._timer = None
        self._give_up(LocalCause.RING_TIMEOUT)

    def _give_up(self, why: LocalCause) -> None:
        if self.answered or self._giving_up is not None or self._result.done():
            return
        self._giving_up = why
        driver = self._route.driver
        driver.perform(driver.endpoint.cancel(self.call_id, self._clock.monotonic()))

    def _fell_silent(self, seconds: float) -> None:
        _log.info("no RTP: the call is ended", call_id=self.call_id, seconds=seconds)
        self._note(rtp_timeout=seconds)
        self._bye()

    def _bye(self) -> None:
        if self._hung_up or self._result.done():
            return
        self._hung_up = True
        now = self._clock.monotonic()
        if self._talk_ended is None:
            self._talk_ended = now
        self.media.close()  # RFC 3261 §15.1.1: with its BYE a caller stops sending and listening
        driver = self._route.driver
        driver.perform(driver.endpoint.bye(self.call_id, now))

    def _finish(
        self, cause: LocalCause | None = None, *, hung_up_by: HungUpBy | None = None
    ) -> None:
        if self._result.done():
            return
        if self._timer is not None:
            self._timer.cancel()
        if self._talk_began is not None:
            ended = self._clock.monotonic() if self._talk_ended is None else self._talk_ended
            self._note(talk_seconds=ended - self._talk_began)
        self._note(local_cause=cause, hung_up_by=hung_up_by, ended_at=self._clock.now())
        if self._prepared.route is not None:
            self.media.close()  # it takes what waits there, and counts the last gap
            self._note(
                rtp_packets_sent=self.media.packets_sent,
                rtp_packets_received=self.media.packets_received,
                media=figures_of(self.media),
            )
        self._end_early_media()
        if self._referral is not None:
            self._referral.call_over(by_peer=hung_up_by is HungUpBy.THEM)
        self._result.set_result(self._known)
        self._on_over(self)

    # small parts

    def _end_early_media(self) -> None:
        if self._early is not None:
            self._note(early_media=self._early.end())
            self._early = None

    def _set_timer(self, seconds: float, callback: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._clock.call_at(self._clock.monotonic() + seconds, callback)

    def _sent(self, identity: LegIdentity) -> None:
        guarded(self._on_event, InviteSent(identity, self._clock.now()))

    def _note(self, **facts: Any) -> None:
        self._known = dataclasses.replace(self._known, **facts)

    def _note_reasons(self, reasons: tuple[str, ...]) -> None:
        if reasons:
            self._note(reasons=(*self._known.reasons, *reasons)[:_MAX_NOTED])
            if not self.answered:  # a BYE's cause is not that of the call's outcome
                self._note(q850_cause=q850_cause(self._known.reasons))

    _HANDLERS: ClassVar[dict[type, Callable[[OutboundCall, Any], None]]] = {
        effects.ProvisionalReceived: _progressed,
        effects.AnswerReceived: _answered,
        effects.FinalReceived: _refused,
        effects.InviteResent: _resent,
        effects.CallEnded: _ended,
        effects.ReinviteReceived: _reinvited,
        effects.ReinviteAnswered: _reinvite_answered,
        effects.RefreshDue: _refresh,
        effects.AckReceived: _acknowledged,
        effects.InfoReceived: _informed,
        effects.ReferAnswered: _refer_answered,
        effects.ReferNotified: _refer_notified,
        effects.InviteTimedOut: _timed_out,
        effects.CancelTimedOut: _cancel_timed_out,
        effects.TransportFailed: _not_delivered,
    }


def leg_identity(leg: LegState) -> LegIdentity:
    """Return a leg in the words of the call vocabulary."""
    return LegIdentity(**{f.name: getattr(leg, f.name) for f in dataclasses.fields(LegIdentity)})


def dialog_identity(dialog: DialogState) -> DialogIdentity:
    """Return a dialog in the words of the call vocabulary."""
    names = (field.name for field in dataclasses.fields(DialogIdentity))
    return DialogIdentity(**{name: getattr(dialog, name) for name in names})
