"""The far end's own record of every call, read off the wire and not out of the core.

It is the oracle that tests and the demo hold against the database.
"""

from __future__ import annotations

import asyncio
import bisect
import dataclasses
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from dialer.ua.reason import q850_cause

if TYPE_CHECKING:
    from collections.abc import Callable

    from dialer.simulator.wire import Message


@dataclasses.dataclass(frozen=True, slots=True)
class Facts:
    """What the far end knows of a call to a number, to be compared with what the dialer says.

    `code` is the final response that it gave to the INVITE (after any challenge), None for none;
    `cause` the Q.850 cause in it, or in its BYE.
    """

    code: int | None
    rang: bool
    answered: bool
    cause: int | None = None


@dataclasses.dataclass(slots=True)
class CallRecord:
    """One Call-ID. Times are seconds on the monotonic clock of the process that keeps the ledger.

    `invites` counts distinct INVITE transactions, 2 after a challenge; `retransmissions` the
    INVITEs that came again. `live` holds our tags of the dialogs that are up.
    """

    call_id: str
    number: str
    began_at: float
    last_invite_at: float = 0.0
    invites: int = 0
    retransmissions: int = 0
    provisionals: list[int] = dataclasses.field(default_factory=list)
    finals: list[int] = dataclasses.field(default_factory=list)
    reasons: list[str] = dataclasses.field(default_factory=list)
    answered_at: float | None = None
    answered_tags: set[str] = dataclasses.field(default_factory=set)
    acks: int = 0
    cancels: int = 0
    byes_received: int = 0
    byes_sent: int = 0
    live: set[str] = dataclasses.field(default_factory=set)
    cancelled_at: float | None = None
    ended_at: float | None = None
    rtp_packets_received: int = 0
    cseqs: set[int] = dataclasses.field(default_factory=set)
    seen: set[tuple[str, int, int, str]] = dataclasses.field(default_factory=set)

    @property
    def over_at(self) -> float | None:
        """When it ended; without a final response, when it was cancelled or last heard of."""
        if self.finals:
            return self.ended_at
        return self.cancelled_at or (None if self.provisionals else self.last_invite_at)

    @property
    def facts(self) -> Facts:
        """The call in the terms of a comparison."""
        return Facts(
            code=self.finals[-1] if self.finals else None,
            rang=180 in self.provisionals,
            answered=self.answered_at is not None,
            cause=q850_cause(self.reasons),
        )


class Ledger:
    """Calls by Call-ID, in the order in which they came."""

    def __init__(self) -> None:
        self.calls: dict[str, CallRecord] = {}
        self._waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    async def until(self, condition: Callable[[Ledger], bool]) -> None:
        """Wait until `condition` holds; it is looked at whenever something was noted."""
        if not condition(self):
            reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((lambda: condition(self), reached))
            await reached

    def received(self, message: Message, now: float) -> None:
        """Note a message that reached the far end."""
        self._received(message, now)
        self._changed()

    def sent(self, message: Message, now: float) -> None:
        """Note a message that the far end sent."""
        self._sent(message, now)
        self._changed()

    def rtp_received(self, call_id: str) -> None:
        """Note an RTP packet from the party that made a call."""
        self.calls[call_id].rtp_packets_received += 1
        self._changed()

    def _changed(self) -> None:
        for waiting in tuple(self._waiting):
            condition, reached = waiting
            if reached.done() or condition():
                self._waiting.remove(waiting)
                if not reached.done():
                    reached.set_result(None)

    def _received(self, message: Message, now: float) -> None:
        call = self.calls.get(message.call_id)
        if message.code:
            if call is not None and message.method == "BYE" and message.code >= 200:
                self._closed(call, message.from_tag, now)
            return
        if message.method == "INVITE" and not message.to_tag:
            self._invited(call, message, now)
        elif call is not None:
            self._requested(call, message, now)

    def _sent(self, message: Message, now: float) -> None:
        call = self.calls.get(message.call_id)
        if call is None:
            return
        key = (message.method, message.cseq, message.code, message.to_tag)
        again = key in call.seen
        call.seen.add(key)
        if message.code == 0:
            if message.method == "BYE" and not again:
                call.byes_sent += 1
                call.reasons += message.all("reason")
        elif message.method == "INVITE" and message.cseq in call.cseqs:
            self._responded(call, message, now, again=again)

    def _invited(self, call: CallRecord | None, message: Message, now: float) -> None:
        if call is None:
            call = CallRecord(message.call_id, message.number, now)
            self.calls[message.call_id] = call
        call.last_invite_at = now
        if message.cseq in call.cseqs:
            call.retransmissions += 1
            return
        call.cseqs.add(message.cseq)
        call.invites += 1
        call.ended_at = None  # a challenge had ended it

    def _requested(self, call: CallRecord, message: Message, now: float) -> None:
        key = (message.method, message.cseq, 0, message.to_tag)
        if key in call.seen:
            return
        call.seen.add(key)
        if message.method == "ACK":
            call.acks += 1
        elif message.method == "CANCEL":
            call.cancels += 1
            call.cancelled_at = now
        elif message.method == "BYE":
            call.byes_received += 1
            self._closed(call, message.to_tag, now)

    def _responded(self, call: CallRecord, message: Message, now: float, *, again: bool) -> None:
        if again:
            return
        if message.code < 200:
            call.provisionals.append(message.code)
            return
        call.finals.append(message.code)
        call.reasons += message.all("reason")
        if message.code < 300:
            call.answered_at = call.answered_at or now
            call.answered_tags.add(message.to_tag)
            call.live.add(message.to_tag)
        else:
            call.ended_at = now

    def _closed(self, call: CallRecord, tag: str, now: float) -> None:
        call.live.discard(tag)
        if not call.live and call.finals:
            call.ended_at = now

    # what a test or the demo asks

    def of_number(self, number: str) -> list[CallRecord]:
        """Return the calls to a number, oldest first."""
        return [call for call in self.calls.values() if call.number == number]

    def calls_per_number(self) -> Counter[str]:
        """Return how many distinct Call-IDs each number got."""
        return Counter(call.number for call in self.calls.values())

    def live_dialogs(self) -> list[CallRecord]:
        """Return the calls with a dialog that was answered and not closed."""
        return [call for call in self.calls.values() if call.live]

    def unfinished(self) -> list[CallRecord]:
        """Return the calls that neither failed nor were closed."""
        return [call for call in self.calls.values() if call.ended_at is None]

    def max_simultaneous(self) -> int:
        """Return the largest number of calls that were under way at one moment."""
        ends = sorted(end for c in self.calls.values() if (end := c.over_at) is not None)
        starts = sorted(c.began_at for c in self.calls.values())
        return max(
            (n - bisect.bisect_right(ends, at) for n, at in enumerate(starts, start=1)), default=0
        )

    def peak_invites(self, seconds: float = 1.0) -> int:
        """Return the largest number of calls begun within any span of `seconds`."""
        starts = sorted(call.began_at for call in self.calls.values())
        return max(
            (n - bisect.bisect_right(starts, at - seconds) for n, at in enumerate(starts, 1)),
            default=0,
        )

    def to_json(self) -> str:
        """Return the ledger as a JSON list of calls."""
        hidden = ("cseqs", "seen")
        rows: list[dict[str, Any]] = []
        for call in self.calls.values():
            row = {k: v for k, v in dataclasses.asdict(call).items() if k not in hidden}
            rows.append(row | {"live": sorted(call.live), "answered_tags": len(call.answered_tags)})
        return json.dumps(rows, indent=1)
