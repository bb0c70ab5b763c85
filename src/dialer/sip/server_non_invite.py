"""The non-INVITE server transaction (RFC 3261 §17.2.2)."""

from __future__ import annotations

from dialer.sip.message import Request
from dialer.sip.transaction import (
    TRANSPORT_ERROR,
    Failure,
    Output,
    Respond,
    Send,
    ServerInput,
    Start,
    State,
    Timer,
    Timings,
)


class ServerNonInvite:
    """Carries the responses to a request other than INVITE and ACK."""

    def __init__(self, timings: Timings) -> None:
        # §17.2.2: "The state machine is initialized in the 'Trying' state".
        self.state = State.TRYING
        self._timings = timings
        self._last = b""

    def handle(self, given: ServerInput) -> list[Output]:
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

    def _trying(self, given: ServerInput) -> list[Output]:
        if isinstance(given, Respond):
            return self._responds(given)
        # §17.2.2: "Once in the 'Trying' state, any further request retransmissions are discarded."
        return self._failed() if given is TRANSPORT_ERROR else []

    def _proceeding(self, given: ServerInput) -> list[Output]:
        if isinstance(given, Respond):
            return self._responds(given)
        if isinstance(given, Request):
            # §17.2.2: "If a retransmission of the request is received while in the 'Proceeding'
            # state, the most recently sent provisional response MUST be passed to the transport".
            return [Send(self._last)]
        return self._failed() if given is TRANSPORT_ERROR else []

    def _responds(self, given: Respond) -> list[Output]:
        self._last = given.data
        if given.code < 200:
            # §17.2.2: a provisional response is sent and moves to "Proceeding".
            self.state = State.PROCEEDING
            return [Send(given.data)]
        # §17.2.2: a final response is sent and moves to "Completed"; "Timer J to fire in 64*T1
        # seconds for unreliable transports, and zero seconds for reliable transports".
        self.state = State.COMPLETED
        linger = 0.0 if self._timings.reliable else 64 * self._timings.t1
        return [Send(given.data), Start(Timer.J, linger)]

    def _completed(self, given: ServerInput) -> list[Output]:
        if isinstance(given, Request):
            # §17.2.2: "the server transaction MUST pass the final response to the transport layer
            # for retransmission whenever a retransmission of the request is received."
            return [Send(self._last)]
        if given is Timer.J:
            # §17.2.2: "The server transaction remains in this state until Timer J fires, at which
            # point it MUST transition to the 'Terminated' state."
            self.state = State.TERMINATED
            return []
        # §17.2.2: "Any other final responses passed by the TU to the server transaction MUST be
        # discarded while in the 'Completed' state."
        return self._failed() if given is TRANSPORT_ERROR else []

    def _failed(self) -> list[Output]:
        # §17.2.4: a transport error informs the TU and terminates the transaction.
        self.state = State.TERMINATED
        return [Failure.TRANSPORT]
