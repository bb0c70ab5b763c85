"""Plays a week: one engine, its carriers, the people who use it, on one clock."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import pathlib
import random
import time

import structlog
from tests.week import database_time
from tests.week.far_end import WeekCarrier
from tests.week.network import Network
from tests.week.people import People
from tests.week.scenario import BEGAN, ENDS, MAX_CALLS, QUIET, TRUNKS
from tests.week.virtual_time import VirtualClock, VirtualLoop

from dialer.campaign.outcome_table import OutcomeTable
from dialer.campaign.routing import TrunkRule
from dialer.campaign.windows import quiet_hours
from dialer.engine import dispatcher as dispatcher_module
from dialer.engine import engine as engine_module
from dialer.engine.conversations import Conversations
from dialer.engine.engine import Engine
from dialer.engine.recorder import Recorder
from dialer.engine.trunk_definition import TrunkDefinition
from dialer.engine.trunk_set import TrunkSet, TrunkState
from dialer.metrics import Metrics
from dialer.store import promotion
from dialer.ua.agent import UserAgent, UserAgentSettings
from dialer.ua.call import Trunk

# The turns of a service are a fraction of a second, so that a person need not wait; the week has
# 600,000 of them, and nobody who looks at it.
BUSY_TURN = 2.0
IDLE_TURN = 4.0
EVERY = 10.0
PROMOTE_EVERY = 5.0
FULL_PASS_EVERY = 600.0
RECORD_EVERY = 2.0
FORGET_EVERY = 21_600.0
LONGEST_REST = 1800.0
LEASE = 7200.0

LATE_SHARE = 0.02  # of the requests to the database
LATEST = 0.3  # seconds


class GatheringRecorder(Recorder):
    """As the recorder, but it waits for more to write: a request takes no time in the week."""

    async def flush(self):
        await self._clock.sleep(RECORD_EVERY)
        await super().flush()


class RestingEngine(Engine):
    """As the engine, but it sleeps while nothing is due: hours of a night pass in one step."""

    async def _dispatch(self):
        self._wake.clear()
        if await self.dispatcher.run_once():
            return BUSY_TURN
        await self._wait(self._free(), await self._patience())
        return BUSY_TURN

    async def _patience(self):
        if len(self.live):
            return IDLE_TURN
        due = await promotion.next_due(self._pool)
        if due is None:
            return LONGEST_REST
        wait = (due - self.lease.database_now()).total_seconds()
        return min(max(wait, IDLE_TURN), LONGEST_REST)

    async def _pause(self):
        await super()._pause()
        return EVERY if len(self.live) else LONGEST_REST

    def stir(self):
        """Let it look at once: a person has done something."""
        self._wake.set()


@dataclasses.dataclass(slots=True)
class Played:
    """What is left of a week, beside the database."""

    carriers: dict
    network: Network
    people: People
    seconds: float  # of real time
    jumps: int
    errors: list[str]  # what the service told of as an error


def play(url, clock_file, plan):
    """Play a scenario on an empty database, and return what is left besides it."""
    errors = []

    def note(_logger, _method, told):
        errors.append(_in_a_line(told))
        raise structlog.DropEvent

    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        processors=[structlog.processors.format_exc_info, note],
    )
    for name in ("BUSY_TURN", "IDLE_TURN"):
        setattr(engine_module, name, globals()[name])
    engine_module.HANG_UP_EVERY = engine_module.PUBLISH_EVERY = EVERY
    engine_module.Recorder = GatheringRecorder
    engine_module.FORGET_CALLS_EVERY = engine_module.CENSUS_EVERY = FORGET_EVERY
    dispatcher_module.PROMOTE_EVERY = PROMOTE_EVERY
    dispatcher_module.FULL_PASS_EVERY = FULL_PASS_EVERY
    loop = VirtualLoop()
    loop.set_exception_handler(lambda _loop, told: errors.append(_in_a_line(told)))
    began = time.monotonic()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        carriers, network, people = runner.run(_week(loop, url, clock_file, plan))
    return Played(carriers, network, people, time.monotonic() - began, loop.jumps, errors)


def _in_a_line(told):
    return " ".join(f"{name}={value}" for name, value in told.items()).replace("\n", " | ")


async def _week(loop, url, clock_file, plan):
    clock = VirtualClock(BEGAN)
    chance = random.Random(plan.seed)
    time_of_database = database_time.DatabaseTime(clock_file, clock)
    loop.on_time = time_of_database.set

    def late():
        return chance.uniform(0.0, LATEST) if chance.random() < LATE_SHARE else 0.0

    async with contextlib.AsyncExitStack() as exits:
        exits.callback(time_of_database.close)
        pool = await database_time.open_pool(url, late)
        carriers = {
            name: WeekCarrier(clock, f"{plan.seed}/{name}", faults)
            for name, faults in zip(TRUNKS, plan.faults, strict=True)
        }
        ports = {}

        def loses(address, now):
            carrier = ports.get(address)
            return 0.0 if carrier is None else carrier.loss(now)

        network = Network(loop, chance, loses)
        for carrier in carriers.values():
            await carrier.start()
            ports[carrier.address[:2]] = carrier
            exits.push_async_callback(carrier.close)
        agent = UserAgent(UserAgentSettings(bind_host="127.0.0.1", rtp_ports=(20000, 39999)), clock)
        await agent.start()
        people = People(pool, clock, plan)
        await people.prepare()
        engine = _engine(pool, clock, agent, carriers)
        people.on_deed = engine.stir
        await engine.start()
        acting = asyncio.create_task(people.act())
        await clock.until(ENDS)
        await engine.drain(300.0)
        await engine.stop()
        await asyncio.wait_for(acting, 1.0)
        await agent.close()
        await clock.sleep(120.0)  # let the last BYE be said again
        loop.in_flight += 1
        await pool.close()
        loop.in_flight -= 1
    return carriers, network, people


def _engine(pool, clock, agent, carriers):
    def state(name, carrier):
        definition = TrunkDefinition(
            trunk=Trunk(
                name,
                carrier.address.host,
                port=carrier.address.port,
                username=carrier.settings.username,
                password=carrier.settings.password,
            ),
            caller_id="+15550001000",
            max_calls=MAX_CALLS,
            calls_per_second=400.0,
            rule=TrunkRule(name),
        )
        return TrunkState.of(definition, clock.monotonic())

    return RestingEngine(
        pool=pool,
        clock=clock,
        agent=agent,
        trunks=TrunkSet({name: state(name, carrier) for name, carrier in carriers.items()}),
        table=OutcomeTable.default(),
        metrics=Metrics(),
        converse=Conversations(pathlib.Path("no-prompts-here"), clock),
        node="week",
        lease_seconds=LEASE,
        batch=100,
        quiet=quiet_hours(QUIET),
    )
