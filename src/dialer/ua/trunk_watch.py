"""Watches over one trunk: what registration and probes come to together."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from dialer.ua.guard import guarded
from dialer.ua.trunk_probes import TrunkProbes
from dialer.ua.trunk_registration import TrunkRegistration
from dialer.ua.trunk_status import Availability, TrunkStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from dialer.clock import Timer
    from dialer.sip.effects import OptionsAnswered, RegisterAnswered
    from dialer.sip.identity import HostPort
    from dialer.ua.call import Trunk
    from dialer.ua.surroundings import Surroundings

LEAVE_PATIENCE = 2.0  # seconds for the answer to our last REGISTER


class TrunkWatch:
    """The registration and the probes of one trunk, on one timer.

    `on_status(name, before, after)` hears each change; what it raises is logged and goes no
    further. `gone` is set once the watch has left.
    """

    def __init__(
        self,
        trunk: Trunk,
        around: Surroundings,
        on_status: Callable[[str, TrunkStatus, TrunkStatus], None],
    ) -> None:
        self.trunk = trunk
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._clock = around.clock
        self._on_status = on_status
        self._timer: Timer | None = None
        self._patience: Timer | None = None  # with a registrar that we are leaving
        self._tasks: set[asyncio.Task[None]] = set()
        self._leaving = False
        self._learned: HostPort | None = None
        settings = trunk.registration
        self._registration = (
            None
            if settings is None
            else TrunkRegistration(trunk, settings, around, self._begin, self._turn_over)
        )
        self._probes = (
            TrunkProbes(trunk, around, self._begin, self._turn_over)
            if trunk.options_interval > 0
            else None
        )
        self.status = TrunkStatus(since=around.clock.now())
        self.status = self._judge()

    @property
    def contact_user(self) -> str | None:
        """The user part of the Contact that we register, None where we do not."""
        return None if self._registration is None else self._registration.contact_user

    def start(self) -> None:
        """Begin; the first REGISTER and OPTIONS wait for a random moment."""
        self._set_timer()

    def leave(self) -> None:
        """Probe no more and remove our binding; `gone` is set once that is done, or soon."""
        self._leaving = True
        self._probes = None
        if self._registration is None:
            self.close()
            return
        self._patience = self._clock.call_at(self._clock.monotonic() + LEAVE_PATIENCE, self.close)
        self._registration.leave()
        self._turn_over()

    def close(self) -> None:
        """Stop at once."""
        for timer in (self._timer, self._patience):
            if timer is not None:
                timer.cancel()
        self._timer = self._patience = None
        for task in self._tasks:
            task.cancel()
        if not self.gone.done():
            self.gone.set_result(None)

    # what comes

    def registered(self, answer: RegisterAnswered) -> bool:
        """Take in what became of a REGISTER; False says that it was not ours."""
        registration = self._registration
        if registration is None or answer.call_id != registration.call_id:
            return False
        registration.answered(answer)
        self._learn(answer.seen)
        self._turn_over()
        return True

    def probed(self, answer: OptionsAnswered) -> bool:
        """Take in what became of an OPTIONS; False says that it was not ours."""
        if self._probes is None or answer.call_id != self._probes.call_id:
            return False
        self._probes.answered(answer)
        self._learn(answer.seen)
        self._turn_over()
        return True

    def _learn(self, seen: HostPort | None) -> None:
        if seen is not None and self.trunk.learns_address:
            self._learned = seen
            if self._registration is not None:
                self._registration.learn(seen)

    def _due(self) -> None:
        self._timer = None
        now = self._clock.monotonic()
        if self._registration is not None:
            self._registration.handle_timer(now)
        if self._probes is not None:
            self._probes.handle_timer(now)
        self._turn_over()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=f"watch trunk {self.trunk.name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # what follows

    def _turn_over(self) -> None:
        """After whatever happened: judge anew, tell of a change, set the timer."""
        if self._registration is not None and self._registration.ended:
            self.close()
        before, self.status = self.status, self._judge()
        self._set_timer()
        if before != self.status and not self._leaving:
            guarded(self._on_status, self.trunk.name, before, self.status)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        wanted = [part.timer_at() for part in (self._registration, self._probes) if part]
        due = [at for at in wanted if at is not None]
        if due and not self.gone.done():
            self._timer = self._clock.call_at(min(due), self._due)

    def _judge(self) -> TrunkStatus:
        availability, reason = self._judgement()
        registration = self._registration
        changed = availability is not self.status.availability
        return TrunkStatus(
            availability=availability,
            reason=reason,
            since=self._clock.now() if changed else self.status.since,
            registered_until=registration.until if registration else None,
            service_route=registration.service_route if registration else (),
            learned_address=self._learned,
        )

    def _judgement(self) -> tuple[Availability, str]:
        registration, probes = self._registration, self._probes
        if registration is not None and not registration.registered:
            return Availability.DOWN, registration.reason
        if probes is not None and probes.down:
            return Availability.DOWN, probes.reason
        if registration is not None and registration.reason:
            return Availability.DEGRADED, f"not refreshed: {registration.reason}"
        if probes is not None and probes.reason:
            return Availability.DEGRADED, probes.reason
        return Availability.UP, ""
