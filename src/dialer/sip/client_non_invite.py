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
        # §17.1.2.2: timer F of 64*T1 on every transport, timer E of T1 on unreliable ones only.
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
            # §17.1.2.2: timer E retransmits in Trying, after twice the wait each time, at most T2.
            self._interval = min(2 * self._interval, self._timings.t2)
            return [Send(self._request), Start(Timer.E, self._interval)]
        return self._waiting(given)

    def _proceeding(self, given: ClientInput) -> list[Output]:
        if given is Timer.E:
            # §17.1.2.2: timer E goes on in Proceeding, now always with T2.
            return [Send(self._request), Start(Timer.E, self._timings.t2)]
        return self._waiting(given)

    def _waiting(self, given: ClientInput) -> list[Output]:
        """Act on what means the same in "Trying" and "Proceeding"."""
        if isinstance(given, Response):
            if given.code < 200:
                # §17.1.2.2: a provisional response goes to the TU and moves to Proceeding.
                self.state = State.PROCEEDING
                return [Deliver(given)]
            # §17.1.2.2: a final response goes to the TU and moves to Completed; timer K is T4 on
            # unreliable transports, zero on reliable ones.
            self.state = State.COMPLETED
            linger = 0.0 if self._timings.reliable else self._timings.t4
            return [Stop(Timer.E), Stop(Timer.F), Start(Timer.K, linger), Deliver(given)]
        if given is Timer.F:
            # §17.1.2.2: timer F means that no final response came; the TU is told.
            self.state = State.TERMINATED
            return [Failure.TIMEOUT]
        if given is TRANSPORT_ERROR:
            # §17.1.4: a transport failure is told to the TU and ends the transaction.
            self.state = State.TERMINATED
            return [Failure.TRANSPORT]
        return []

    def _completed(self, given: ClientInput) -> list[Output]:
        # §17.1.2.2: Completed is there to swallow retransmitted responses.
        if given is Timer.K:
            # §17.1.2.2: timer K ends the wait for them.
            self.state = State.TERMINATED
        return []
