"""Asks one trunk by OPTIONS whether it is there: each target in turn, until one answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialer.sip.message import sip_uri
from dialer.sip.probe import DOWN_AFTER, Probe
from dialer.ua.surroundings import own_route

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from dialer.sip.effects import OptionsAnswered
    from dialer.sip.identity import HostPort
    from dialer.ua.call import Trunk
    from dialer.ua.surroundings import Surroundings

_PATIENCE = 10  # T1 with each target, in which an OPTIONS over UDP is sent four times


class TrunkProbes:
    """The probes of one trunk: it sends what `Probe` wants, and hears what comes of it.

    `begin` runs a coroutine, `on_change` is called after each of them.
    """

    def __init__(
        self,
        trunk: Trunk,
        around: Surroundings,
        begin: Callable[[Coroutine[Any, Any, None]], None],
        on_change: Callable[[], None],
    ) -> None:
        self.call_id = ""  # of the OPTIONS that is out
        self._trunk = trunk
        self._around = around
        self._begin = begin
        self._on_change = on_change
        self._probe = Probe(trunk.options_interval, around.clock.monotonic(), around.fraction())
        self._further: list[HostPort] = []  # the targets that this probe has yet to try

    @property
    def down(self) -> bool:
        """Whether so many probes failed in a row that the trunk counts as gone."""
        return self._probe.down

    @property
    def reason(self) -> str:
        """What is wrong, "" while probes succeed."""
        probe = self._probe
        if probe.down:
            return f"{DOWN_AFTER} probes in a row failed: {probe.reason}"
        left = DOWN_AFTER - probe.failures
        return f"a probe failed: {probe.reason}; down after {left} more" if probe.failures else ""

    def timer_at(self) -> float | None:
        """Return when `handle_timer` is next wanted."""
        return self._probe.timer_at()

    def handle_timer(self, now: float) -> None:
        """Begin a probe if one is due."""
        if self._probe.handle_timer(now):
            self._begin(self._start())

    def answered(self, answer: OptionsAnswered) -> None:
        """Take in what became of our OPTIONS."""
        if answer.code in {None, 503} and self._further:
            self._begin(self._ask_next())
        else:
            now = self._around.clock.monotonic()
            self._probe.answered(answer.code, answer.phrase, now, self._around.fraction())

    async def _start(self) -> None:
        try:
            self._further = list(await self._around.targets(self._trunk))
        except (OSError, ValueError) as error:
            self._failed(error)
        else:
            await self._ask_next()

    async def _ask_next(self) -> None:
        target = self._further.pop(0)
        try:
            driver = await self._around.reach(self._trunk, (target,))
            self.call_id = self._around.token()
            driver.perform(
                driver.endpoint.options(
                    target,
                    sip_uri("", self._trunk.host, self._trunk.port),
                    self._around.clock.monotonic(),
                    call_id=self.call_id,
                    route=own_route(self._trunk),
                    patience=_PATIENCE * self._around.t1,
                )
            )
        except (OSError, ValueError) as error:
            self._failed(error)
        self._on_change()

    def _failed(self, error: Exception) -> None:
        now = self._around.clock.monotonic()
        self._probe.failed(f"cannot probe: {error}", now, self._around.fraction())
        self._on_change()
