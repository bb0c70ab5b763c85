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
        # §17.2.1: an INVITE server transaction begins in Proceeding. The TU sends the 100.
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
            # §17.2.1: a retransmitted INVITE gets the last provisional response again. An ACK has
            # nothing to acknowledge here.
            return [Send(self._last)] if self._last and given.method == "INVITE" else []
        if given is TRANSPORT_ERROR:
            # RFC 6026 §7.1: a transport failure is told to the TU and changes nothing.
            return [Failure.TRANSPORT]
        return []

    def _responds(self, given: Respond) -> list[Output]:
        if given.code < 200:
            # §17.2.1: each provisional response of the TU is sent; there may be any number.
            self._last = given.data
            return [Send(given.data)]
        if given.code < 300:
            # RFC 6026 §7.1: a 2xx is sent and moves to Accepted; timer L is 64*T1.
            self.state = State.ACCEPTED
            return [Send(given.data), Start(Timer.L, 64 * self._timings.t1)]
        # §17.2.1: a 3xx to 6xx is sent and moves to Completed; timer H of 64*T1 on every transport,
        # timer G of T1 on unreliable ones only.
        self.state = State.COMPLETED
        self._last = given.data
        outputs: list[Output] = [Send(given.data), Start(Timer.H, 64 * self._timings.t1)]
        if not self._timings.reliable:
            outputs.append(Start(Timer.G, self._interval))
        return outputs

    def _accepted(self, given: ServerInput) -> list[Output]:
        if isinstance(given, Respond):
            # RFC 6026 §7.1: the TU repeats its 2xx through the transaction; nothing else can follow
            # a 2xx.
            return [Send(given.data)] if 200 <= given.code < 300 else []
        if isinstance(given, Request):
            # RFC 6026 §7.1: a retransmitted INVITE is absorbed, an ACK goes to the TU.
            return [Deliver(given)] if given.method == "ACK" else []
        if given is Timer.L:
            # RFC 6026 §7.1: timer L ends the wait for retransmitted INVITEs.
            self.state = State.TERMINATED
        elif given is TRANSPORT_ERROR:
            # RFC 6026 §7.1: a transport failure is told to the TU and changes nothing.
            return [Failure.TRANSPORT]
        return []

    def _completed(self, given: ServerInput) -> list[Output]:
        if isinstance(given, Request):
            if given.method != "ACK":
                # §17.2.1: a retransmitted INVITE gets the final response again.
                return [Send(self._last)]
            # §17.2.1: the ACK moves to Confirmed and ends the retransmissions; timer I is T4 on
            # unreliable transports, zero on reliable ones.
            self.state = State.CONFIRMED
            linger = 0.0 if self._timings.reliable else self._timings.t4
            return [Stop(Timer.G), Stop(Timer.H), Start(Timer.I, linger)]
        if given is Timer.G:
            # §17.2.1: timer G sends the final response again, after twice the wait each time, at
            # most T2.
            self._interval = min(2 * self._interval, self._timings.t2)
            return [Send(self._last), Start(Timer.G, self._interval)]
        if given is Timer.H:
            # §17.2.1: timer H means that the ACK never came; the TU is told.
            self.state = State.TERMINATED
            return [Failure.TIMEOUT]
        if given is TRANSPORT_ERROR:
            # §17.2.4: a transport failure is told to the TU and ends the transaction.
            self.state = State.TERMINATED
            return [Failure.TRANSPORT]
        return []

    def _confirmed(self, given: ServerInput) -> list[Output]:
        # §17.2.1: Confirmed is there to swallow further ACKs.
        if given is Timer.I:
            # §17.2.1: timer I ends the wait for them.
            self.state = State.TERMINATED
        return []
