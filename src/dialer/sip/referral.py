"""The implicit subscription that a REFER of ours makes (RFC 3515 §2.4.4, RFC 6665)."""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING, NamedTuple

from dialer.sip.fields import parse_address

if TYPE_CHECKING:
    from collections.abc import Callable

    from dialer.sip.message import Request, Response

_STATUS_LINE = re.compile(rb"SIP/2\.0 +([1-6][0-9][0-9])(?: +([^\r\n]*))?", re.IGNORECASE)


class SubscriptionState(enum.Enum):
    """Where a subscription stands."""

    REQUESTED = "the REFER has no final response yet"
    ACCEPTED = "the REFER was accepted, notifications come"
    OVER = "none comes any more"


class Told(NamedTuple):
    """What a NOTIFY says: the status line of its fragment, None and "" where it holds none."""

    code: int | None
    phrase: str
    terminated: bool
    reason: str  # why it is terminated, "" where that is not said


class Subscription:
    """The subscription of one REFER, from its sending to the last NOTIFY.

    A NOTIFY is known by the event `refer` and, where it carries an id, by that of the REFER: its
    CSeq number, or that of an earlier sending before a challenge (RFC 3515 §2.4.6).
    """

    def __init__(self) -> None:
        self.state = SubscriptionState.REQUESTED
        self.numbers: set[int] = set()  # the CSeq numbers of the REFER and its re-sends
        self.timers: dict[str, float] = {}
        self.on_timer: Callable[[], None] = self.end

    def fire(self, _timer: str) -> None:
        """Act on its timer: it has outlasted its call for long enough."""
        self.on_timer()

    @property
    def alive(self) -> bool:
        """Whether a NOTIFY may come."""
        return self.state is not SubscriptionState.OVER

    def answered(self, code: int, response: Response | None) -> bool:
        """Take the final response to the REFER; return whether there is a subscription.

        A refusal ends it, even where a NOTIFY came before; one that a NOTIFY has ended, which
        overtook the 202, stays over.
        """
        if not 200 <= code < 300:
            self.state = SubscriptionState.OVER
            return False
        if response is not None and _declined(response):
            self.state = SubscriptionState.OVER  # RFC 4488 §4
            return False
        if self.state is SubscriptionState.REQUESTED:
            self.state = SubscriptionState.ACCEPTED
        return True

    def end(self) -> None:
        """Wait for no NOTIFY any more."""
        self.state = SubscriptionState.OVER

    def is_of(self, request: Request) -> bool:
        """Whether a NOTIFY belongs to it."""
        if not self.alive:
            return False
        event = parse_address(request.first("event"))
        if event.uri.lower() != "refer":
            return False
        number = event.parameters.get("id", "")
        return not number or (number.isdecimal() and int(number) in self.numbers)

    def notified(self, request: Request) -> Told:
        """Take a NOTIFY that belongs to it.

        Where it does not say how the subscription stands, a final status ends it: so do older peers
        mean it.
        """
        code, phrase = _status_of(request)
        value = parse_address(request.first("subscription-state"))
        state = value.uri.lower()
        terminated = state == "terminated" or (not state and code is not None and code >= 200)
        if terminated:
            self.state = SubscriptionState.OVER
        reason = value.parameters.get("reason", "") if terminated else ""
        return Told(code, phrase, terminated, reason)


def _declined(response: Response) -> bool:
    value = parse_address(response.first("refer-sub"))
    return value.uri.lower() == "false"


def _status_of(request: Request) -> tuple[int | None, str]:
    """Read the status line that begins a fragment (RFC 3420 §2), whatever comes behind it."""
    if request.content_type != "message/sipfrag":
        return None, ""
    match = _STATUS_LINE.match(request.body.lstrip())
    if match is None:
        return None, ""
    return int(match[1]), (match[2] or b"").decode("utf-8", "replace").strip()
