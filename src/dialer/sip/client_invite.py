"""The INVITE client transaction (RFC 3261 §17.1.1 as changed by RFC 6026 §7.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from collections.abc import Callable


class ClientInvite:
    """Sends an INVITE until something answers, and acknowledges a final response but a 2xx.

    `build_ack` makes the ACK of a 3xx to 6xx. An INVITE that another process sent is taken up with
    `proceeding`.
    """

    def __init__(
        self,
        request: bytes,
        build_ack: Callable[[Response], bytes],
        timings: Timings,
        *,
        proceeding: bool = False,
    ) -> None:
        self.state = State.PROCEEDING if proceeding else State.CALLING
        self._request = request
        self._build_ack = build_ack
        self._timings = timings
        self._interval = timings.t1

    def start(self) -> list[Output]:
        """Send the INVITE for the first time."""
        # §17.1.1.2: "the client transaction MUST start timer A with a value of T1" where the
        # transport is unreliable; "for any transport, [...] timer B with a value of 64*T1".
        outputs: list[Output] = [Send(self._request), Start(Timer.B, 64 * self._timings.t1)]
        if not self._timings.reliable:
            outputs.append(Start(Timer.A, self._interval))
        return outputs

    def handle(self, given: ClientInput) -> list[Output]:
        """Take one input, return what is to be done."""
        match self.state:
            case State.CALLING:
                return self._calling(given)
            case State.PROCEEDING:
                return self._proceeding(given)
            case State.ACCEPTED:
                return self._accepted(given)
            case State.COMPLETED:
                return self._completed(given)
            case _:
                return []

    def _calling(self, given: ClientInput) -> list[Output]:
        if isinstance(given, Response):
            # §17.1.1.2: "If the client transaction receives a provisional response while in the
            # 'Calling' state, it transitions to the 'Proceeding' state." Timers A and B belong to
            # "Calling" alone (figure 5).
            stops: list[Output] = [Stop(Timer.A), Stop(Timer.B)]
            return stops + self._responded(given)
        if given is Timer.A:
            # §17.1.1.2: "When timer A fires, the client transaction MUST retransmit the request
            # [...] and MUST reset the timer with a value of 2*T1", doubled each time.
            self._interval *= 2
            return [Send(self._request), Start(Timer.A, self._interval)]
        if given is Timer.B:
            # §17.1.1.2: "If the client transaction is still in the 'Calling' state when timer B
            # fires, the client transaction SHOULD inform the TU that a timeout has occurred."
            self.state = State.TERMINATED
            return [Failure.TIMEOUT]
        if given is TRANSPORT_ERROR:
            # §17.1.4: "the client transaction SHOULD inform the TU that a transport failure has
            # occurred, and [...] transition directly to the 'Terminated' state."
            self.state = State.TERMINATED
            return [Failure.TRANSPORT]
        return []

    def _proceeding(self, given: ClientInput) -> list[Output]:
        if isinstance(given, Response):
            return self._responded(given)
        # Nothing of ours is on its way in this state, and no timer runs.
        return []

    def _responded(self, response: Response) -> list[Output]:
        """Act on a response in "Calling" or "Proceeding"."""
        if response.code < 200:
            # §17.1.1.2: "any further provisional responses MUST be passed up to the TU".
            self.state = State.PROCEEDING
            return [Deliver(response)]
        if response.code < 300:
            # RFC 6026 §7.2: a 2xx moves to "Accepted", starts timer M with 64*T1 and is passed up;
            # its ACK is the affair of the TU.
            self.state = State.ACCEPTED
            return [Start(Timer.M, 64 * self._timings.t1), Deliver(response)]
        # §17.1.1.2: a 300-699 moves to "Completed"; "the client transaction MUST pass the received
        # response up to the TU, and [...] generate an ACK request". Timer D: at least 32 s for
        # unreliable transports (64*T1 with the default T1), zero for reliable ones.
        self.state = State.COMPLETED
        linger = 0.0 if self._timings.reliable else 64 * self._timings.t1
        return [Send(self._build_ack(response)), Start(Timer.D, linger), Deliver(response)]

    def _accepted(self, given: ClientInput) -> list[Output]:
        if isinstance(given, Response):
            # RFC 6026 §7.2: further 2xx are passed to the TU (retransmissions and forks); all
            # other responses have nothing to say any more.
            return [Deliver(given)] if 200 <= given.code < 300 else []
        if given is Timer.M:
            # RFC 6026 §7.2: "When timer M fires, the transaction MUST transition to Terminated".
            self.state = State.TERMINATED
        return []

    def _completed(self, given: ClientInput) -> list[Output]:
        if isinstance(given, Response):
            if given.code >= 300:
                # §17.1.1.2: "Any retransmissions of the final response that are received while in
                # the 'Completed' state MUST cause the ACK to be re-passed to the transport layer".
                return [Send(self._build_ack(given))]
            # §16.7 step 5: a proxy forwards every 2xx, also after another final response. The TU
            # has to acknowledge and end that dialog.
            return [Deliver(given)] if given.code >= 200 else []
        if given is Timer.D:
            # §17.1.1.2: "If timer D fires [...], the client transaction MUST move to the
            # terminated state."
            self.state = State.TERMINATED
        elif given is TRANSPORT_ERROR:
            # §17.1.1.2: a transport error while sending ACK: inform the TU, terminate.
            self.state = State.TERMINATED
            return [Failure.TRANSPORT]
        return []
