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
        # §17.1.1.2: timer B of 64*T1 on every transport, timer A of T1 on unreliable ones only.
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
            # §17.1.1.2: any response ends the retransmissions; A and B belong to Calling alone
            # (figure 5).
            stops: list[Output] = [Stop(Timer.A), Stop(Timer.B)]
            return stops + self._responded(given)
        if given is Timer.A:
            # §17.1.1.2: timer A retransmits, each time after twice the wait, without an upper
            # bound.
            self._interval *= 2
            return [Send(self._request), Start(Timer.A, self._interval)]
        if given is Timer.B:
            # §17.1.1.2: timer B in Calling means that nobody answered; the TU is told.
            self.state = State.TERMINATED
            return [Failure.TIMEOUT]
        if given is TRANSPORT_ERROR:
            # §17.1.4: a transport failure is told to the TU and ends the transaction.
            self.state = State.TERMINATED
            return [Failure.TRANSPORT]
        return []

    def _proceeding(self, given: ClientInput) -> list[Output]:
        if isinstance(given, Response):
            return self._responded(given)
        # Figure 5: nothing of ours is on its way in Proceeding, and no timer runs.
        return []

    def _responded(self, response: Response) -> list[Output]:
        """Act on a response in "Calling" or "Proceeding"."""
        if response.code < 200:
            # §17.1.1.2: every provisional response goes to the TU; the first one moves to
            # Proceeding.
            self.state = State.PROCEEDING
            return [Deliver(response)]
        if response.code < 300:
            # RFC 6026 §7.2: a 2xx moves to Accepted, starts timer M of 64*T1 and goes to the TU,
            # whose affair its ACK is.
            self.state = State.ACCEPTED
            return [Start(Timer.M, 64 * self._timings.t1), Deliver(response)]
        # §17.1.1.2: a 3xx to 6xx is acknowledged here, goes to the TU and moves to Completed. Timer
        # D is at least 32 s on unreliable transports (64*T1 with the default T1), zero on reliable
        # ones.
        self.state = State.COMPLETED
        linger = 0.0 if self._timings.reliable else 64 * self._timings.t1
        return [Send(self._build_ack(response)), Start(Timer.D, linger), Deliver(response)]

    def _accepted(self, given: ClientInput) -> list[Output]:
        if isinstance(given, Response):
            # RFC 6026 §7.2: further 2xx (retransmissions and forks) go to the TU; no other response
            # has anything more to say.
            return [Deliver(given)] if 200 <= given.code < 300 else []
        if given is Timer.M:
            # RFC 6026 §7.2: timer M ends the wait for further 2xx.
            self.state = State.TERMINATED
        return []

    def _completed(self, given: ClientInput) -> list[Output]:
        if isinstance(given, Response):
            if given.code >= 300:
                # §17.1.1.2: every retransmission of the final response gets the ACK again; the TU
                # does not see it.
                return [Send(self._build_ack(given))]
            # §16.7 step 5: a proxy forwards every 2xx, also after another final response. The TU
            # has to acknowledge it and to end that dialog.
            return [Deliver(given)] if given.code >= 200 else []
        if given is Timer.D:
            # §17.1.1.2: timer D ends the wait for retransmissions.
            self.state = State.TERMINATED
        elif given is TRANSPORT_ERROR:
            # §17.1.1.2: an ACK that cannot be delivered is told to the TU and ends the transaction.
            self.state = State.TERMINATED
            return [Failure.TRANSPORT]
        return []
