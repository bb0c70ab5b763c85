"""Session timers: who refreshes a session, when, and when it is given up (RFC 4028)."""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING

from dialer.sip.fields import delta_seconds, parameters

if TYPE_CHECKING:
    from dialer.sip.message import Message, Request

LEAST_INTERVAL = 90  # RFC 4028 §5: what Min-SE is where nobody names it

_SHORTEST_WAIT = 1.0  # s until a refused refresh is sent again


class State(enum.Enum):
    """Whose refresh a session waits for."""

    OFF = enum.auto()  # nobody's: no timer was agreed
    WAITING = enum.auto()  # ours, which is not due yet
    REFRESHING = enum.auto()  # ours, which is out
    WATCHING = enum.auto()  # the peer's
    ENDED = enum.auto()


class Timer(enum.StrEnum):
    """Input: a timer is due."""

    REFRESH = "refresh"  # half of the interval has passed
    EXPIRE = "expire"  # the interval is about to pass


@dataclasses.dataclass(frozen=True, slots=True)
class Agreed:
    """Input: a 2xx, theirs or ours, says `interval` in seconds; `ours`: we refresh."""

    interval: int
    ours: bool


@dataclasses.dataclass(frozen=True, slots=True)
class TooSmall:
    """Input: a 422 says that no interval below `minimum` seconds is taken."""

    minimum: int


class Outcome(enum.Enum):
    """Input: what else came of a request that could have refreshed the session."""

    NOT_AGREED = enum.auto()  # its 2xx says nothing of a timer
    REFUSED = enum.auto()
    LOST = enum.auto()  # 408, 481, or no answer
    OVER = enum.auto()  # the session ends for some other reason


@dataclasses.dataclass(frozen=True, slots=True)
class Start:
    """Output: start, or move, a timer."""

    timer: Timer
    seconds: float


@dataclasses.dataclass(frozen=True, slots=True)
class Stop:
    """Output: stop a timer."""

    timer: Timer


class Action(enum.Enum):
    """Output: refresh the session, or end it by BYE."""

    REFRESH = enum.auto()
    END = enum.auto()


Input = Agreed | TooSmall | Outcome | Timer
Output = Start | Stop | Action
Headers = list[tuple[str, str]]

_BOTH_STOP: tuple[Output, ...] = (Stop(Timer.REFRESH), Stop(Timer.EXPIRE))


@dataclasses.dataclass(frozen=True, slots=True)
class Terms:
    """What a message says of session timers; `interval` 0 and `refresher` "" where nothing."""

    interval: int
    refresher: str
    supported: bool


def terms_of(message: Message) -> Terms:
    """Read Session-Expires and Supported (RFC 4028 §4)."""
    value, _, rest = message.first("session-expires").partition(";")
    refresher = parameters(rest).get("refresher", "").lower()
    supported = {tag.lower() for tag in message.values("supported")}
    return Terms(
        interval=delta_seconds(value) or 0,
        refresher=refresher if refresher in {"uac", "uas"} else "",
        supported="timer" in supported,
    )


def minimum_of(message: Message) -> int | None:
    """Read Min-SE in seconds, None where there is none (RFC 4028 §5)."""
    return delta_seconds(message.first("min-se"))


def agreed_by(answer: Message) -> Agreed | Outcome:
    """Return what their 2xx to a request of ours makes of the timer (RFC 4028 §7.2)."""
    terms = terms_of(answer)
    if not terms.interval:
        return Outcome.NOT_AGREED
    # The 2xx has to name the refresher; where it does not, a refresh of ours does no harm.
    return Agreed(terms.interval, ours=terms.refresher != "uas")


class SessionTimer:
    """The timer of one session.

    `minimum` is the shortest interval in seconds that we take; `handle` takes one input and
    returns what is to be done, as the transactions do.
    """

    def __init__(self, minimum: int = LEAST_INTERVAL) -> None:
        self.state = State.OFF
        self.minimum = max(minimum, LEAST_INTERVAL)
        self.interval = 0

    @property
    def ours(self) -> bool:
        """Whether we are the refresher."""
        return self.state in {State.WAITING, State.REFRESHING}

    def handle(self, given: Input) -> list[Output]:
        """Take one input, return what is to be done."""
        if self.state is State.ENDED:
            return []
        match given:
            case Agreed():
                return self._agreed(given)
            case TooSmall():
                # RFC 4028 §7.4: the largest Min-SE that was seen goes into every refresh.
                self.minimum = max(self.minimum, given.minimum)
                self.interval = max(self.interval, given.minimum) if self.interval else 0
                return []
            case Timer():
                return self._due(given)
            case Outcome():
                return self._came_of_it(given)

    def _agreed(self, terms: Agreed) -> list[Output]:
        self.interval = terms.interval
        # RFC 4028 §10: BYE goes out a little before the end, §7.4: a refresh at half the interval.
        expire = Start(Timer.EXPIRE, terms.interval - self._margin)
        if not terms.ours:
            self.state = State.WATCHING
            return [Stop(Timer.REFRESH), expire]
        self.state = State.WAITING
        return [Start(Timer.REFRESH, terms.interval / 2), expire]

    @property
    def _margin(self) -> float:
        return min(32.0, self.interval / 3)

    def _due(self, timer: Timer) -> list[Output]:
        if timer is Timer.REFRESH and self.state is State.WAITING:
            self.state = State.REFRESHING
            return [Action.REFRESH]
        if timer is Timer.EXPIRE and self.state is not State.OFF:
            self.state = State.ENDED
            return [*_BOTH_STOP, Action.END]
        return []

    def _came_of_it(self, outcome: Outcome) -> list[Output]:
        if outcome is Outcome.LOST:
            # RFC 4028 §10, RFC 3261 §12.2.1.2: the peer knows nothing of the dialog any more.
            self.state = State.ENDED
            return [*_BOTH_STOP, Action.END]
        if outcome is Outcome.OVER:
            self.state = State.ENDED
            return [*_BOTH_STOP]
        if outcome is Outcome.REFUSED:
            if self.state is not State.REFRESHING:
                return []
            # What is left until the session would end allows for a few more attempts.
            self.state = State.WAITING
            left = self.interval / 2 - self._margin
            return [Start(Timer.REFRESH, max(left / 3, _SHORTEST_WAIT))]
        if self.ours:
            # A refresh that the peer did not ask for does no harm, a missing one may.
            return self._agreed(Agreed(self.interval, ours=True))
        stops = [*_BOTH_STOP] if self.state is State.WATCHING else []
        self.state = State.OFF
        return stops

    # What messages say of it.

    def too_small(self, request: Request) -> bool:
        """Say whether a request asks for less than we take, and understands 422 (RFC 4028 §9)."""
        terms = terms_of(request)
        return terms.supported and 0 < terms.interval < self.minimum

    def request_headers(self) -> Headers:
        """Return the headers of a re-INVITE or UPDATE of ours (RFC 4028 §7.4)."""
        headers = [("Supported", "timer")]
        if self.interval and self.state is not State.OFF:
            refresher = "uac" if self.ours else "uas"
            headers.append(("Session-Expires", f"{self.interval};refresher={refresher}"))
        if self.minimum > LEAST_INTERVAL:
            headers.append(("Min-SE", str(self.minimum)))
        return headers

    def answer(self, request: Request) -> tuple[Agreed | Outcome, Headers]:
        """Return what our 2xx to a request makes of the timer, and its headers (RFC 4028 §9)."""
        terms = terms_of(request)
        interval = terms.interval
        if not interval and terms.supported and self.state is not State.OFF:
            interval = self.interval
        if not interval:
            return Outcome.NOT_AGREED, []
        # RFC 4028 table 2: one who knows no timers cannot be the refresher; else he says who is.
        ours = not terms.supported or (terms.refresher == "uas" if terms.refresher else self.ours)
        headers = [("Session-Expires", f"{interval};refresher={'uas' if ours else 'uac'}")]
        if terms.supported:
            headers.append(("Require", "timer"))
        return Agreed(interval, ours), headers
