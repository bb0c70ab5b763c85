"""Checks a trunk step by step: its names, connections, registration, OPTIONS, a test call."""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import functools
from typing import TYPE_CHECKING

from dialer.clock import SystemClock
from dialer.config import ConfigError
from dialer.our_side import start_user_agent
from dialer.trial_call import number_of, request_over, trunk_named
from dialer.trunk_check_advice import connect_advice, nobody_there_advice, register_advice
from dialer.trunk_check_call import call_step
from dialer.trunk_check_steps import Step, verdict
from dialer.trunk_check_tls import certificate_lines
from dialer.ua.resolver import Found
from dialer.ua.sockets import bind_all, where
from dialer.ua.transport import ListenError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dialer.clock import Clock
    from dialer.config import Config
    from dialer.engine.trunk_definition import TrunkDefinition
    from dialer.sip.effects import OptionsAnswered
    from dialer.sip.identity import HostPort
    from dialer.trunk_check_steps import Status
    from dialer.ua.agent import Connected, UserAgent
    from dialer.ua.call import CallRequest
    from dialer.ua.trunk_status import TrunkStatus

LONGEST = 5.0  # seconds for a look-up, and for a registration
PATIENCE = 4.0  # seconds for an answer to OPTIONS, which over UDP is sent four times until then
RING = 20.0  # seconds that a test call may ring
_DEAD = frozenset({408, 503, 504})  # what a proxy says of somebody whom it does not reach

say = functools.partial(print, flush=True)  # each line as it happens, into a pipe too


async def check_trunk(settings: Config, name: str, *, call: str | None, as_json: bool) -> int:
    """Check a trunk, print what comes of each step, and return the exit code.

    Raises ConfigError for what cannot be checked at all.
    """
    definition = trunk_named(settings, name, "NAME")
    request = None if call is None else _request(settings, definition, call)
    steps: list[Step] = []

    def told(step: Step) -> None:
        steps.append(step)
        say(step.json() if as_json else step.text())

    settings, taken = _at_a_free_port(settings)
    clock = SystemClock()
    statuses: asyncio.Queue[TrunkStatus] = asyncio.Queue()
    agent = await start_user_agent(
        settings,
        clock,
        fraction=lambda: 0.0,  # a registration begins at once
        on_status=lambda _name, _before, after: statuses.put_nowait(after),
    )
    try:
        if taken is not None:
            told(taken)
        check = TrunkCheck(settings, definition, agent, clock, statuses, told)
        await check.run(request)
    finally:
        await agent.close()
    told(verdict(steps))
    return 1 if steps[-1].failed else 0


def _request(settings: Config, definition: TrunkDefinition, text: str) -> CallRequest:
    number = number_of(settings, text, "--call")
    if not number.dialable:
        raise ConfigError(f"--call {text} cannot be dialled: {number.problem}")
    try:
        return request_over(definition, number.text, None, RING)
    except ValueError as error:
        raise ConfigError(f"--call: {error}") from None


def _at_a_free_port(settings: Config) -> tuple[Config, Step | None]:
    """Return the settings with free ports where a service has its own, and a step that says so."""
    sip = settings.sip
    try:
        bind_all(sip.host, sip.port, sip.tls_port).close()
    except ListenError as error:
        cause = error.__cause__
        if not isinstance(cause, OSError) or cause.errno != errno.EADDRINUSE:
            return settings, None  # starting will say it
        free = sip.model_copy(update={"port": 0, "tls_port": None})
        said = f"port {error.port} is taken, by a dialer that runs perhaps: another one is used"
        return settings.model_copy(update={"sip": free}), Step("listen", "warning", said)
    return settings, None


class TrunkCheck:
    """The steps in their order, each told as it is over; those that make no sense are left out."""

    def __init__(
        self,
        settings: Config,
        definition: TrunkDefinition,
        agent: UserAgent,
        clock: Clock,
        statuses: asyncio.Queue[TrunkStatus],
        told: Callable[[Step], None],
    ) -> None:
        self._settings = settings
        self._definition = definition
        self._trunk = definition.trunk
        self._agent = agent
        self._clock = clock
        self._statuses = statuses
        self._told = told

    async def run(self, request: CallRequest | None) -> None:
        """Do it all, a call last where there is one to place."""
        targets = await self._resolve()
        # a target takes its seconds to be dead: all are tried at the same time, told in order
        tries = [asyncio.create_task(self._connect(target)) for target in targets]
        reached = []
        for target, attempt in zip(targets, tries, strict=True):
            step = await attempt
            self._told(step)
            if not step.failed:
                reached.append(target)
        if not reached:
            return
        registered = self._trunk.registration is None or await self._register(targets)
        asked = [asyncio.create_task(self._options(target)) for target in reached]
        for answer in asked:
            self._told(await answer)
        if request is None:
            return
        if not registered:
            self._told(
                Step("call", "skipped", "not tried: without a registration it gets no calls")
            )
            return
        table = self._definition.table
        self._told(await call_step(self._agent, self._clock, request, table))

    def _since(self, start: float) -> float:
        return (self._clock.monotonic() - start) * 1000

    # resolve

    async def _resolve(self) -> tuple[HostPort, ...]:
        start = self._clock.monotonic()
        try:
            async with asyncio.timeout(LONGEST):
                found = await self._agent.find(self._trunk)
        except TimeoutError:
            found = Found(reason=f"no answer from DNS within {LONGEST:.0f} s")
        took = self._since(start)
        targets, steps = found.targets, found.steps
        if not targets:
            advice = "correct `address`, or set sip.nameservers to name servers that know it"
            self._told(Step("resolve", "failed", found.reason, took, details=steps, advice=advice))
            return ()
        shown = [_shown(target) for target in targets]
        host = self._trunk.proxy or self._trunk.host
        self._told(
            Step(
                "resolve",
                "ok",
                f"{host} → {', '.join(shown)}",
                took,
                details=steps,
                facts={"targets": shown},
            )
        )
        return targets

    # connect

    async def _connect(self, target: HostPort) -> Step:
        start = self._clock.monotonic()
        connected = await self._agent.connect(self._trunk, target)
        return self._connected(target, connected, self._since(start))

    def _connected(self, target: HostPort, connected: Connected, took: float) -> Step:
        shown = _shown(target)
        if connected.failure or connected.local is None:
            advice = connect_advice(self._trunk, target, connected.failure)
            return Step("connect", "failed", connected.failure, took, shown, advice=advice)
        local = where(connected.local)
        facts = {"local": local}
        if target.transport == "udp":
            return Step("connect", "ok", f"sent from {local}", took, shown, facts=facts)
        said = f"connected from {local}"
        if connected.session is None:
            return Step("connect", "ok", said, took, shown, facts=facts)
        lines, advice, certificate = certificate_lines(
            connected.session, self._clock.now(), verified=self._trunk_verifies()
        )
        status: Status = "warning" if advice else "ok"
        said += f", {connected.session.version}"
        return Step("connect", status, said, took, shown, tuple(lines), advice, facts | certificate)

    def _trunk_verifies(self) -> bool:
        return self._trunk.tls is None or self._trunk.tls.verify

    # register

    async def _register(self, targets: tuple[HostPort, ...]) -> bool:
        start = self._clock.monotonic()
        self._agent.watch([dataclasses.replace(self._trunk, options_interval=0.0)])
        try:
            async with asyncio.timeout(LONGEST):
                status = await self._statuses.get()
        except TimeoutError:
            said = f"no answer to REGISTER from {_shown(targets[0])} within {LONGEST:.0f} s"
            advice = register_advice(self._settings, self._trunk, said)
            later = ("the next of its targets would be tried half a minute later",)
            details = later if len(targets) > 1 else ()
            took = self._since(start)
            self._told(Step("register", "failed", said, took, details=details, advice=advice))
            return False
        took = self._since(start)
        self._told(self._registered(status, targets, took))
        return status.registered_until is not None

    def _registered(self, status: TrunkStatus, targets: tuple[HostPort, ...], took: float) -> Step:
        until = status.registered_until
        if until is None:
            reason = status.reason
            why_not = next(filter(None, map(self._agent.why_not, targets)), "")
            if why_not and "no answer" in reason:
                reason = f"{reason}: {why_not}"
            advice = register_advice(self._settings, self._trunk, reason)
            return Step("register", "failed", reason, took, advice=advice)
        seconds = (until - self._clock.now()).total_seconds()
        said = f"registered until {until.astimezone():%H:%M:%S}, for {seconds:.0f} s"
        facts = {
            "until": until.isoformat(timespec="seconds"),
            "service_route": status.service_route,
        }
        details = [f"Service-Route {route}" for route in status.service_route]
        if status.learned_address is not None:
            facts["seen_at"] = where(status.learned_address)
            details.append(f"the trunk sees us at {facts['seen_at']}")
        return Step("register", "ok", said, took, details=tuple(details), facts=facts)

    # options

    async def _options(self, target: HostPort) -> Step:
        start = self._clock.monotonic()
        try:
            answer = await self._agent.probe(self._trunk, target, PATIENCE)
        except (OSError, ValueError) as error:
            said, took = f"cannot ask: {error}", self._since(start)
            return Step("options", "failed", said, took, _shown(target))
        took = self._since(start)
        if answer.code is None:
            return self._unanswered(target, took, unreachable=answer.unreachable)
        return self._answered(target, answer, took)

    def _unanswered(self, target: HostPort, took: float, *, unreachable: bool) -> Step:
        shown, transport = where(target), target.transport.upper()
        if unreachable and (said := self._agent.why_not(target)):
            advice = connect_advice(self._trunk, target, said)
        elif unreachable:
            said = f"nothing takes {transport} at {shown}"
            advice = nobody_there_advice(self._trunk, target)
        else:
            said = f"no answer to OPTIONS from {shown} over {transport} within {PATIENCE:.0f} s"
            advice = (
                "the address may be wrong, a firewall may drop it, or the trunk does not answer"
                " OPTIONS: try --call"
            )
        return Step("options", "failed", said, took, _shown(target), advice=advice)

    def _answered(self, target: HostPort, answer: OptionsAnswered, took: float) -> Step:
        said = f"{answer.code} {answer.phrase}".strip()
        details = [f"software: {answer.software}"] if answer.software else []
        facts = {"code": answer.code, "phrase": answer.phrase, "software": answer.software}
        seen = answer.seen
        if seen is not None:
            # over a connection, which comes from any port, only the address says something
            facts["seen_at"] = where(seen) if target.transport == "udp" else seen.host
            details.append(f"sees us at {facts['seen_at']}")
        if answer.code in _DEAD:
            advice = "it is there and takes nothing now: ask who runs it"
            return Step(
                "options", "failed", said, took, _shown(target), tuple(details), advice, facts
            )
        advice = self._address_advice(seen)
        status: Status = "warning" if advice else "ok"
        return Step("options", status, said, took, _shown(target), tuple(details), advice, facts)

    def _address_advice(self, seen: HostPort | None) -> str:
        """Return what to set where a NAT hides the address that we name in Contact and SDP."""
        ours = self._agent.local_address
        trunk, external = self._trunk, self._settings.sip.external_address
        if seen is None or ours is None or trunk.learns_address:
            return ""
        named = trunk.external_address or external or ours.host
        if seen.host == named or (":" in seen.host) != (":" in named):
            return ""
        return (
            f'we name {named} in Contact and SDP: set external_address = "{seen.host}", or'
            " learn_address = true"
        )


def _shown(target: HostPort) -> str:
    return f"{where(target)} {target.transport.upper()}"
