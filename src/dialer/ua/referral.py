"""The transfer of an answered call by REFER, followed to its end (RFC 3515, RFC 5589 §5)."""

from __future__ import annotations

import asyncio
import dataclasses
import enum
from typing import TYPE_CHECKING

from dialer.ua.guard import guarded

if TYPE_CHECKING:
    from collections.abc import Callable

    from dialer.clock import Clock
    from dialer.sip import effects

_MAX_NOTED = 50  # provisional statuses kept, whatever a peer sends


class ReferralEnd(enum.StrEnum):
    """How a referral ended."""

    COMPLETED = "completed"  # whom it was to call has answered
    FAILED = "failed"  # whom it was to call did not answer, or nobody says so any more
    REFUSED = "refused"  # the REFER itself was refused, or not answered
    ACCEPTED = "accepted"  # it was accepted, and nothing is told of what came of it
    TIMEOUT = "timeout"  # no word of an end came in time
    HUNG_UP = "hung_up"  # the call ended before anything of this


@dataclasses.dataclass(frozen=True, slots=True)
class ReferralResult:
    """What came of a referral.

    `code` and `phrase` are those of the final status that a NOTIFY told, or of the response that
    refused the REFER; `provisionals` are the codes that came before, in order.
    """

    end: ReferralEnd
    code: int | None = None
    phrase: str = ""
    provisionals: tuple[int, ...] = ()


class Referral:
    """A REFER that was sent within a call.

    `result` is always set in the end. `on_progress` hears each provisional code of the new call.
    The far end has `patience` seconds until the end.
    """

    def __init__(
        self, clock: Clock, patience: float, on_progress: Callable[[int], None] = lambda _: None
    ) -> None:
        self.result: asyncio.Future[ReferralResult] = asyncio.get_running_loop().create_future()
        self._on_progress = on_progress
        self._provisionals: list[int] = []
        self._accepted = False
        self._timer = clock.call_at(clock.monotonic() + patience, self._timed_out)

    def answered(self, event: effects.ReferAnswered) -> None:
        """Take the final response to the REFER."""
        if not 200 <= event.code < 300:
            self._finish(ReferralEnd.REFUSED, event.code, event.phrase)
            return
        self._accepted = True
        if not event.followed:
            self._finish(ReferralEnd.ACCEPTED, event.code, event.phrase)

    def notified(self, event: effects.ReferNotified) -> None:
        """Take what a NOTIFY says."""
        code = event.code
        if code is not None and code >= 200:
            completed = code < 300
            end = ReferralEnd.COMPLETED if completed else ReferralEnd.FAILED
            self._finish(end, code, event.phrase)
        elif event.terminated:
            self._finish(ReferralEnd.FAILED, None, event.reason)
        else:
            self._accepted = True
            if code is not None and len(self._provisionals) < _MAX_NOTED:
                self._provisionals.append(code)
                guarded(self._on_progress, code)

    def call_over(self, *, by_peer: bool) -> None:
        """Take in that the call is over; who accepted and hangs up has taken the call away."""
        taken = self._accepted and by_peer
        self._finish(ReferralEnd.ACCEPTED if taken else ReferralEnd.HUNG_UP)

    def _timed_out(self) -> None:
        self._finish(ReferralEnd.TIMEOUT)

    def _finish(self, end: ReferralEnd, code: int | None = None, phrase: str = "") -> None:
        if self.result.done():
            return
        self._timer.cancel()
        self.result.set_result(ReferralResult(end, code, phrase, tuple(self._provisionals)))
