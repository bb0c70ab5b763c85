"""The one timer by which the packets of all calls leave."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Protocol

from dialer.rtp import g711
from dialer.rtp.pacing import Pacer
from dialer.ua.guard import guarded
from dialer.ua.reminders import Reminders

if TYPE_CHECKING:
    from dialer.clock import Clock, Timer
    from dialer.rtp.pacing import Due
    from dialer.ua.reminders import Reminded

PHASES = 5  # of the 20 ms: the calls are spread over them, so that none waits for all others
_APART = g711.FRAME_SECONDS / PHASES


class Sender(Protocol):
    """A stream that sends a frame every 20 ms."""

    def prepare(self, due: Due) -> None:
        """Make the packets of the frames that are due."""

    def send(self) -> None:
        """Send them."""


@dataclasses.dataclass(slots=True, eq=False)
class _Phase:
    """The streams whose frames leave at the same instants."""

    pacer: Pacer
    streams: set[Sender] = dataclasses.field(default_factory=set)


class Ticker:
    """Serves each stream every 20 ms, from the next phase on; rests while there is none.

    What is sent at the same instant leaves in one go, once it is all there: whoever reads it then
    wakes up once, and so does what of the host does the sending.

    Whoever has something to do more seldom is reminded by the same timer.
    """

    def __init__(self, clock: Clock) -> None:
        self.late_frames = 0  # that left, or would have left, more than one frame after their time
        self._clock = clock
        self._origin = 0.0
        self._phases: list[_Phase] = []
        self._reminders = Reminders()
        self._timer: Timer | None = None
        self._tick_at = math.inf  # on the monotonic clock

    def serve(self, stream: Sender) -> None:
        """Let a stream send, from now on; one that is served already stays where it is."""
        if any(stream in phase.streams for phase in self._phases):
            return
        now = self._clock.monotonic()
        if not any(phase.streams for phase in self._phases):
            self._origin = now
            self._phases = [_Phase(Pacer(now)) for _ in range(PHASES)]
        place = math.ceil((now - self._origin) / _APART - 1e-6)
        phase = self._phases[place % PHASES]
        if not phase.streams:
            start = self._origin + place * _APART
            phase.pacer = Pacer(start, interval=g711.FRAME_SECONDS)
        phase.streams.add(stream)
        self._wind_up()

    def drop(self, stream: Sender) -> None:
        """Serve a stream no longer."""
        for phase in self._phases:
            phase.streams.discard(stream)

    def remind(self, one: Reminded, at: float) -> None:
        """Remind one at `at` on the monotonic clock, once, instead of any other time."""
        self._reminders.set(one, at)
        self._wind_up()

    def remind_no_more(self, one: Reminded) -> None:
        """Forget the moment that one wanted to be reminded at."""
        self._reminders.drop(one)

    def keep_pace(self, now: float) -> None:
        """Tick where it is time, so that no crowd of packets received keeps others waiting."""
        if now >= self._tick_at and self._timer is not None:
            self._timer.cancel()
            self._tick()

    def _tick(self) -> None:
        self._timer, self._tick_at = None, math.inf
        now = self._clock.monotonic()
        for phase in self._phases:
            if phase.streams:
                due = phase.pacer.take(now)
                if due.send:
                    self.late_frames += (due.send + due.skip - 1) * len(phase.streams)
                    streams = tuple(phase.streams)
                    for stream in streams:
                        stream.prepare(due)
                    for stream in streams:
                        stream.send()
        for one in self._reminders.take(now):
            guarded(one.remind, now)
        self._wind_up()

    def _wind_up(self) -> None:
        """Set the timer to the next instant that is somebody's."""
        instants = [phase.pacer.next_at() for phase in self._phases if phase.streams]
        next_at = min(*instants, self._reminders.next_at(), math.inf)
        if next_at < self._tick_at:
            if self._timer is not None:
                self._timer.cancel()
            self._tick_at = next_at
            self._timer = self._clock.call_at(next_at, self._tick)
