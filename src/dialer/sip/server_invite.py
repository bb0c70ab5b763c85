"""The INVITE server transaction (RFC 3261 §17.2.1 as changed by RFC 6026 §7.1)."""

from __future__ import annotations

from dialer.sip.message import Request
from dialer.sip.transaction import (
    TRANSPORT_ERROR,
    Deliver,
    Failure,
    Output,
    Respond,
    Send,
    ServerInput,
    Start,
    State,
    Stop,
    Timer,
    Timings,
)


class ServerInvite:
    """Carries the responses to an INVITE: repeats a 3xx to 6xx until its ACK comes.

    A 2xx is repeated by the transaction user (RFC 3261 §13.3.1.4).
    """

    def __init__(self, timings: Timings) -> None:
        # §17.2.1: "When a server transaction is constructed for a request, it enters the
        # 'Proceeding' state." The TU sends the 100.
        self.state = State.PROCEEDING
        self._timings = timings
        self._interval = timings.t1
        self._last = b""

    def handle(self, given: ServerInput) -> list[Output]:
        """Take one input, return what is to be done."""
        match self.state:
            case State.PROCEEDING:
                return self._proceeding(given)
            case State.ACCEPTED:
                return self._accepted(given)
            case State.COMPLETED:
                return self._completed(given)
            case State.CONFIRMED:
                return self._confirmed(given)
            case _:
                return []

    def _proceeding(self, given: ServerInput) -> list[Output]:
        if isinstance(given, Respond):
            return self._responds(given)
        if isinstance(given, Request):
            # §17.2.1: "If a request retransmission is received while in the 'Proceeding' state,
            # the most recent provisional response that was received from the TU MUST be passed to
            # the transport layer for retransmission." An ACK has nothing to acknowledge here.
            return [Send(self._last)] if self._last and given.method == "INVITE" else []
        if given is TRANSPORT_ERROR:
            # RFC 6026 §7.1, figure 7: inform the TU, stay.
            return [Failure.TRANSPORT]
        return []

    def _responds(self, given: Respond) -> list[Output]:
        if given.code < 200:
            # §17.2.1: "The TU passes any number of provisional responses to the server
            # transaction"; each is sent.
            self._last = given.data
            return [Send(given.data)]
        if given.code < 300:
            # RFC 6026 §7.1: a 2xx is sent and moves to "Accepted"; timer L runs for 64*T1.
            self.state = State.ACCEPTED
            return [Send(given.data), Start(Timer.L, 64 * self._timings.t1)]
        # §17.2.1: a 300-699 is sent and moves to "Completed"; "For unreliable transports, timer G
        # is set to fire in T1 seconds"; timer H in 64*T1 "for all transports".
        self.state = State.COMPLETED
        self._last = given.data
        outputs: list[Output] = [Send(given.data), Start(Timer.H, 64 * self._timings.t1)]
        if not self._timings.reliable:
            outputs.append(Start(Timer.G, self._interval))
        return outputs

    def _accepted(self, given: ServerInput) -> list[Output]:
        if isinstance(given, Respond):
            # RFC 6026 §7.1: the TU retransmits its 2xx through the transaction; anything else
            # cannot follow a 2xx.
            return [Send(given.data)] if 200 <= given.code < 300 else []
        if isinstance(given, Request):
            # RFC 6026 §7.1: a retransmitted INVITE is absorbed, an ACK is passed to the TU.
            return [Deliver(given)] if given.method == "ACK" else []
        if given is Timer.L:
            # RFC 6026 §7.1: "When Timer L fires, the transaction MUST transition to Terminated".
            self.state = State.TERMINATED
        elif given is TRANSPORT_ERROR:
            # RFC 6026 §7.1, figure 7: inform the TU, stay.
            return [Failure.TRANSPORT]
        return []

    def _completed(self, given: ServerInput) -> list[Output]:
        if isinstance(given, Request):
            if given.method != "ACK":
                # §17.2.1: "if a retransmission of the request is received [...], the server SHOULD
                # pass the response to the transport for retransmission."
                return [Send(self._last)]
            # §17.2.1: "If an ACK is received [...], the server transaction MUST transition to the
            # 'Confirmed' state"; timer G is ignored there; timer I is T4, zero where reliable.
            self.state = State.CONFIRMED
            linger = 0.0 if self._timings.reliable else self._timings.t4
            return [Stop(Timer.G), Stop(Timer.H), Start(Timer.I, linger)]
        if given is Timer.G:
            # §17.2.1: "If timer G fires, the response is passed to the transport layer once more,
            # and timer G is set to fire in MIN(2*T1, T2) seconds", doubled each time.
            self._interval = min(2 * self._interval, self._timings.t2)
            return [Send(self._last), Start(Timer.G, self._interval)]
        if given is Timer.H:
            # §17.2.1: "If timer H fires while in the 'Completed' state, it implies that the ACK
            # was never received": terminate, "and MUST indicate to the TU that a transaction
            # failure has occurred".
            self.state = State.TERMINATED
            return [Failure.TIMEOUT]
        if given is TRANSPORT_ERROR:
            # §17.2.4: inform the TU, terminate.
            self.state = State.TERMINATED
            return [Failure.TRANSPORT]
        return []

    def _confirmed(self, given: ServerInput) -> list[Output]:
        # §17.2.1: this state absorbs "any additional ACK messages that arrive".
        if given is Timer.I:
            # §17.2.1: "Once timer I fires, the server MUST transition to the 'Terminated' state."
            self.state = State.TERMINATED
        return []
