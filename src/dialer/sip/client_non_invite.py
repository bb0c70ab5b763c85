"""The non-INVITE client transaction (RFC 3261 §17.1.2)."""

from __future__ import annotations

from dialer.sip.message import Response
from dialer.sip.transaction import (
    TRANSPORT_ERROR,
    ClientInput,
    Deliver,
    Failure,
    Output,
    Send,
    Start,
    State,
    Stop,
    Timer,
    Timings,
)


class ClientNonInvite:
    """Sends a request other than INVITE and ACK until its final response comes."""

    def __init__(self, request: bytes, timings: Timings) -> None:
        self.state = State.TRYING
        self._request = request
        self._timings = timings
        self._interval = timings.t1

    def start(self) -> list[Output]:
        """Send the request for the first time."""
        # §17.1.2.2: "the client transaction [...] SHOULD set timer F to fire in 64*T1 seconds";
        # "if an unreliable transport is in use, [...] timer E to fire in T1 seconds".
        outputs: list[Output] = [Send(self._request), Start(Timer.F, 64 * self._timings.t1)]
        if not self._timings.reliable:
            outputs.append(Start(Timer.E, self._interval))
        return outputs

    def handle(self, given: ClientInput) -> list[Output]:
        """Take one input, return what is to be done."""
        match self.state:
            case State.TRYING:
                return self._trying(given)
            case State.PROCEEDING:
                return self._proceeding(given)
            case State.COMPLETED:
                return self._completed(given)
            case _:
                return []

    def _trying(self, given: ClientInput) -> list[Output]:
        if given is Timer.E:
            # §17.1.2.2: "If timer E fires while still in this state, the timer is reset, but this
            # time with a value of MIN(2*T1, T2)", and the request is retransmitted.
            self._interval = min(2 * self._interval, self._timings.t2)
            return [Send(self._request), Start(Timer.E, self._interval)]
        return self._waiting(given)

    def _proceeding(self, given: ClientInput) -> list[Output]:
        if given is Timer.E:
            # §17.1.2.2: "If Timer E fires while in the 'Proceeding' state, the request MUST be
            # passed to the transport layer for retransmission, and Timer E MUST be reset with a
            # value of T2 seconds."
            return [Send(self._request), Start(Timer.E, self._timings.t2)]
        return self._waiting(given)

    def _waiting(self, given: ClientInput) -> list[Output]:
        """Act on what means the same in "Trying" and "Proceeding"."""
        if isinstance(given, Response):
            if given.code < 200:
                # §17.1.2.2: "If a provisional response is received while in the 'Trying' state,
                # the response MUST be passed to the TU, and [...] 'Proceeding'."
                self.state = State.PROCEEDING
                return [Deliver(given)]
            # §17.1.2.2: a final response is passed up and moves to "Completed"; "Timer K MUST be
            # set to fire in T4 seconds for unreliable transports, and zero seconds for reliable".
            self.state = State.COMPLETED
            linger = 0.0 if self._timings.reliable else self._timings.t4
            return [Stop(Timer.E), Stop(Timer.F), Start(Timer.K, linger), Deliver(given)]
        if given is Timer.F:
            # §17.1.2.2: "If Timer F fires [...], the client transaction SHOULD inform the TU about
            # the timeout, and then it SHOULD enter the 'Terminated' state."
            self.state = State.TERMINATED
            return [Failure.TIMEOUT]
        if given is TRANSPORT_ERROR:
            # §17.1.4: inform the TU, terminate.
            self.state = State.TERMINATED
            return [Failure.TRANSPORT]
        return []

    def _completed(self, given: ClientInput) -> list[Output]:
        # §17.1.2.2: this state "exists to buffer any additional response retransmissions".
        if given is Timer.K:
            # §17.1.2.2: "If Timer K fires [...], the client transaction MUST transition to the
            # 'Terminated' state."
            self.state = State.TERMINATED
        return []
