"""One call at the simulated carrier: its behaviour's script, step by step."""

from __future__ import annotations

import functools
import itertools
from typing import TYPE_CHECKING

from dialer.simulator.behaviours import Step
from dialer.simulator.gate import admits, demand, nonce_of
from dialer.simulator.sounds import sound_of
from dialer.sip import sdp

if TYPE_CHECKING:
    from collections.abc import Callable

    from dialer.clock import Timer
    from dialer.simulator.behaviours import Behaviour
    from dialer.simulator.carrier import Carrier
    from dialer.sip.effects import InviteReceived

_CODECS = ("PCMU", "PCMA")
_sessions = itertools.count(1)


class IncomingCall:
    """Answers one INVITE as its behaviour says; forgotten by the carrier when it is over."""

    def __init__(self, carrier: Carrier, invite: InviteReceived, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self._carrier = carrier
        self._invite = invite
        self._steps = iter(behaviour.steps)
        self._timer: Timer | None = None
        self._answer = b""
        self._caller: tuple[str, int] | None = None  # where RTP comes from
        self._telephone_event: int | None = None  # the payload type of keys, where it takes them

    def begin(self) -> None:
        """Ask for credentials where the behaviour wants them, else take the first step."""
        challenge, settings = self.behaviour.challenge, self._carrier.settings
        if challenge is not None:
            nonce = nonce_of(self._invite.call_id)
            request = self._invite.request
            if not admits(challenge, request, nonce, settings.username, settings.password):
                self._respond(challenge.code, headers=[demand(challenge, nonce)])
                self.over()
                return
        self._go_on()

    def answer_now(self) -> None:
        """Answer at once, whatever the script says."""
        self._take(Step(200, media=True))

    def acknowledged(self) -> None:
        """Press keys and hang up in time; never before the ACK (RFC 3261 §15)."""
        if self.behaviour.keys:
            self._after(1, self._press)
        if self.behaviour.hang_up_after is not None:
            self._after(self.behaviour.hang_up_after, self._hang_up)

    def over(self) -> None:
        """Forget the call."""
        self._after(None)
        if self._caller is not None:
            self._carrier.media.forget(self._caller)
        self._carrier.calls.pop(self._invite.call_id, None)

    def _go_on(self) -> None:
        for step in self._steps:
            if step.after:
                self._after(step.after, functools.partial(self._take_and_go_on, step))
                return
            self._take(step)

    def _take_and_go_on(self, step: Step) -> None:
        self._take(step)
        self._go_on()

    def _take(self, step: Step) -> None:
        headers = []
        if step.cause is not None:
            headers.append(_reason(step.cause))
        if step.retry_after is not None:
            headers.append(("Retry-After", str(step.retry_after)))
        if 300 <= step.code < 400:
            headers.append(("Contact", "<sip:elsewhere@192.0.2.1>"))
        try:
            body = self._describe(early=step.code < 200) if step.media else b""
        except sdp.SdpError:
            self._respond(488)
            self.over()
            return
        if step.code != 100:  # the core has sent it
            self._respond(step.code, headers, body)
        if step.code >= 300:
            self.over()

    def _describe(self, *, early: bool) -> bytes:
        """Return our SDP, and begin to send a little RTP."""
        media, settings = self._carrier.media, self._carrier.settings
        session_id = next(_sessions)
        if not self._invite.body:  # an INVITE without an offer gets ours
            return sdp.offer(settings.host, media.port, _CODECS, session_id=session_id, version=1)
        remote = sdp.parse(self._invite.body, self._invite.content_type)
        agreed = sdp.negotiate(_CODECS, remote)
        if not self._answer:
            self._answer = sdp.answer(
                remote,
                settings.host,
                media.port,
                _CODECS,
                session_id=session_id,
                version=1,
                direction=sdp.Direction.SENDRECV if settings.sound else sdp.Direction.INACTIVE,
            )
        if not settings.sound:
            return self._answer
        self._caller = (agreed.host, agreed.port)
        self._telephone_event = agreed.telephone_event
        says = self.behaviour.says_before if early else self.behaviour.says
        media.talk(
            self._invite.call_id,
            self._caller,
            agreed.codec,
            agreed.payload_type,
            None if says is None else sound_of(says, agreed.codec),
        )
        return self._answer

    def _press(self) -> None:
        if self._caller is not None and self._telephone_event is not None:
            self._carrier.media.press(self._caller, self.behaviour.keys, self._telephone_event)

    def _hang_up(self) -> None:
        cause = self.behaviour.hang_up_cause
        reason = None if cause is None else _reason(cause)[1]
        driver = self._carrier.driver
        driver.perform(
            driver.endpoint.bye(self._invite.call_id, self._carrier.clock.monotonic(), reason)
        )

    def _respond(
        self, code: int, headers: list[tuple[str, str]] | None = None, body: bytes = b""
    ) -> None:
        driver = self._carrier.driver
        driver.perform(
            driver.endpoint.respond(
                self._invite.transaction,
                code,
                headers=headers or (),
                body=body,
                content_type=sdp.CONTENT_TYPE if body else "",
                now=self._carrier.clock.monotonic(),
            )
        )

    def _after(self, seconds: float | None, callback: Callable[[], None] | None = None) -> None:
        """Run a callback after some of the behaviour's seconds, instead of any other."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if seconds is not None and callback is not None:
            clock = self._carrier.clock
            when = clock.monotonic() + seconds * self._carrier.settings.second
            self._timer = clock.call_at(when, callback)


def _reason(cause: int) -> tuple[str, str]:
    return "Reason", f"Q.850;cause={cause}"
