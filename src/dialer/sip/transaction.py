"""What the four transaction machines share: their inputs, outputs, states and timers.

A machine takes one input at a time by `handle` and returns what is to be done. It keeps no clock:
timers are started with a number of seconds and come back as inputs (RFC 3261 §17, RFC 6026).
"""

from __future__ import annotations

import dataclasses
import enum

from dialer.sip.message import Request, Response


class State(enum.Enum):
    """The states of RFC 3261 figures 5 to 8 and RFC 6026 §7."""

    CALLING = enum.auto()
    TRYING = enum.auto()
    PROCEEDING = enum.auto()
    ACCEPTED = enum.auto()
    COMPLETED = enum.auto()
    CONFIRMED = enum.auto()
    TERMINATED = enum.auto()


class Timer(enum.StrEnum):
    """The timers of RFC 3261 table 4 and RFC 6026 §7."""

    A = "A"  # INVITE retransmission
    B = "B"  # INVITE without any response
    D = "D"  # client waits for retransmissions of a final response
    E = "E"  # non-INVITE retransmission
    F = "F"  # non-INVITE without final response
    G = "G"  # retransmission of a final response to INVITE
    H = "H"  # server waits for ACK
    I = "I"  # server waits for retransmissions of ACK  # noqa: E741 - the RFC's name
    J = "J"  # server waits for retransmissions of a non-INVITE request
    K = "K"  # client waits for retransmissions of a response
    L = "L"  # server waits for retransmissions of an INVITE that it accepted
    M = "M"  # client waits for further 2xx


@dataclasses.dataclass(frozen=True, slots=True)
class Timings:
    """T1, T2 and T4 in seconds, and whether the transport delivers by itself (RFC 3261 §17)."""

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0
    reliable: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Respond:
    """Input to a server: the transaction user answers with `code`; `data` is the message."""

    code: int
    data: bytes


class TransportError(enum.Enum):
    """Input: what was sent could not be delivered."""

    TRANSPORT_ERROR = enum.auto()


TRANSPORT_ERROR = TransportError.TRANSPORT_ERROR


@dataclasses.dataclass(frozen=True, slots=True)
class Send:
    """Output: put `data` on the wire."""

    data: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Start:
    """Output: start, or move, a timer."""

    timer: Timer
    seconds: float


@dataclasses.dataclass(frozen=True, slots=True)
class Stop:
    """Output: stop a timer."""

    timer: Timer


@dataclasses.dataclass(frozen=True, slots=True)
class Deliver:
    """Output: pass a message to the transaction user."""

    message: Request | Response


class Failure(enum.Enum):
    """Output: tell the transaction user that the transaction came to nothing."""

    TIMEOUT = enum.auto()
    TRANSPORT = enum.auto()


ClientInput = Response | Timer | TransportError
ServerInput = Request | Respond | Timer | TransportError
Output = Send | Start | Stop | Deliver | Failure
