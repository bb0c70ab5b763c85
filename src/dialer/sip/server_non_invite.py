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
        # §17.2.2: a non-INVITE server transaction begins in Trying.
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
        # §17.2.2: a retransmission is discarded while there is nothing to answer it with.
        return self._failed() if given is TRANSPORT_ERROR else []

    def _proceeding(self, given: ServerInput) -> list[Output]:
        if isinstance(given, Respond):
            return self._responds(given)
        if isinstance(given, Request):
            # §17.2.2: a retransmission gets the last provisional response again.
            return [Send(self._last)]
        return self._failed() if given is TRANSPORT_ERROR else []

    def _responds(self, given: Respond) -> list[Output]:
        self._last = given.data
        if given.code < 200:
            # §17.2.2: a provisional response is sent and moves to Proceeding.
            self.state = State.PROCEEDING
            return [Send(given.data)]
        # §17.2.2: a final response is sent and moves to Completed; timer J is 64*T1 on unreliable
        # transports, zero on reliable ones.
        self.state = State.COMPLETED
        linger = 0.0 if self._timings.reliable else 64 * self._timings.t1
        return [Send(given.data), Start(Timer.J, linger)]

    def _completed(self, given: ServerInput) -> list[Output]:
        if isinstance(given, Request):
            # §17.2.2: a retransmission gets the final response again.
            return [Send(self._last)]
        if given is Timer.J:
            # §17.2.2: timer J ends the wait for retransmissions.
            self.state = State.TERMINATED
            return []
        # §17.2.2: further final responses of the TU are discarded in Completed.
        return self._failed() if given is TRANSPORT_ERROR else []

    def _failed(self) -> list[Output]:
        # §17.2.4: a transport failure is told to the TU and ends the transaction.
        self.state = State.TERMINATED
        return [Failure.TRANSPORT]
