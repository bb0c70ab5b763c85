"""A simulated carrier, engines on one database, and short words for campaigns and their calls."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import inspect
import pathlib
import time

from dialer.campaign.moves import CampaignAction
from dialer.campaign.outcome_table import OutcomeTable
from dialer.campaign.routing import TrunkRule
from dialer.clock import SystemClock
from dialer.engine.conversations import Conversations
from dialer.engine.engine import Engine
from dialer.engine.trunk_definition import TrunkDefinition
from dialer.engine.trunk_set import TrunkSet, TrunkState
from dialer.metrics import Metrics
from dialer.simulator import wire
from dialer.simulator.carrier import Carrier, CarrierSettings
from dialer.store import calls, campaigns, numbers
from dialer.store.records import DEFAULT_ACCOUNT, CampaignSettings, NewCall
from dialer.ua.agent import UserAgent, UserAgentSettings
from dialer.ua.call import Trunk

TRUNK = "carrier"
T1 = 0.05  # seconds: Timer B ends a silent call after 3.2
SECOND = 0.1  # of a behaviour, in real seconds
HANG_UP = {"kind": "hang_up", "after_seconds": 0}


def new_carrier(**settings):
    return Carrier(CarrierSettings(second=SECOND, t1=T1, t2=8 * T1, t4=4 * T1, **settings))


async def eventually(condition, patience=30.0, every=0.02):
    """Wait until `condition()`, plain or awaitable, is true, and return what it gave."""
    end = time.monotonic() + patience
    while True:
        found = condition()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return found
        if time.monotonic() > end:
            said = inspect.getsource(condition).strip()
            raise AssertionError(f"not within {patience:.0f} s: {said}")
        await asyncio.sleep(every)


def numbers_of(prefix, count):
    """`count` numbers of one behaviour: digits are put behind +1555 and the prefix."""
    width = 7 - len(prefix)
    return [f"+1555{prefix}{n:0{width}}" for n in range(count)]


async def free_even_port():
    """A port of this host that nobody has at the moment."""
    loop = asyncio.get_running_loop()
    while True:
        transport, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
        )
        port = transport.get_extra_info("sockname")[1]
        transport.close()
        if port % 2 == 0:
            return port


@dataclasses.dataclass
class Node:
    """An engine of this process, and its user agent."""

    engine: Engine
    agent: UserAgent
    trunks: TrunkSet
    stopped: bool = False

    async def stop(self):
        if not self.stopped:
            self.stopped = True
            await self.engine.stop()
            await self.agent.close()


class Scene:
    """Engines of this process that call one carrier; `exits` undoes what was started."""

    def __init__(self, pool, carrier, exits):
        self.pool = pool
        self.carrier = carrier
        self.exits = exits
        self.clock = SystemClock()
        self.invites_left = {}  # by Call-ID: when the first INVITE was handed to the network

    @property
    def ledger(self):
        return self.carrier.ledger

    def trunk(self, name=TRUNK, *, max_calls=400, calls_per_second=400.0, routing=None, **changes):
        """A trunk's state; by default the carrier's, with the right credentials."""
        settings = self.carrier.settings
        address = {"host": self.carrier.address.host, "port": self.carrier.address.port}
        credentials = {"username": settings.username, "password": settings.password}
        definition = TrunkDefinition(
            trunk=Trunk(name, **(address | credentials | changes)),
            caller_id="+15550001000",
            max_calls=max_calls,
            calls_per_second=calls_per_second,
            rule=routing or TrunkRule(name),
        )
        return TrunkState.of(definition, self.clock.monotonic())

    def trunk_of(self, carrier, name, **more):
        """A trunk to another carrier than the scene's."""
        return self.trunk(name, host=carrier.address.host, port=carrier.address.port, **more)

    async def carrier_like(self, number):
        """A second carrier, which treats every number as this one."""
        other = new_carrier(as_if=number)
        await other.start()
        self.exits.push_async_callback(other.close)
        return other

    def _message(self, passed):
        if passed.direction == "sent" and passed.data.startswith(b"INVITE "):
            self.invites_left.setdefault(wire.read(passed.data).call_id, self.clock.monotonic())

    async def node(
        self,
        name="one",
        *trunks,
        pool=None,
        lease=4.0,
        batch=50,
        t1=T1,
        pauses=None,
        keep=None,
        bots=None,
        speech=None,
        keep_audit=None,
        recordings=None,
        call_recordings=None,
        recording_delivery=None,
        **agent,
    ):
        """Start an engine; without trunks with the carrier's."""
        user_agent = UserAgent(
            UserAgentSettings(
                bind_host="127.0.0.1",
                t1=t1,
                t2=8 * t1,
                t4=4 * t1,
                on_message=self._message,
                **agent,
            ),
            self.clock,
        )
        await user_agent.start()
        chosen = TrunkSet({state.trunk.name: state for state in trunks or (self.trunk(),)})
        conversations = Conversations(
            pathlib.Path("no-prompts-here"),
            self.clock,
            bots,
            speech,
            pool or self.pool,
            call_recordings,
        )
        engine = Engine(
            pool=pool or self.pool,
            clock=self.clock,
            agent=user_agent,
            trunks=chosen,
            table=OutcomeTable.default(),
            metrics=Metrics(),
            converse=conversations,
            node=name,
            lease_seconds=lease,
            batch=batch,
            pauses=pauses,
            keep_calls=keep,
            keep_audit=keep_audit,
            recordings=recordings,
            call_recordings=call_recordings,
            recording_delivery=recording_delivery,
        )
        conversations.second_legs = engine.second_legs
        node = Node(engine, user_agent, chosen)
        self.exits.push_async_callback(node.stop)
        await engine.start()
        return node

    # campaigns and their calls, straight from the store

    async def campaign(self, listed=(), *, start=True, **settings):
        """A campaign with numbers (text, or NewCall), in progress; return its id."""
        defaults = {
            "name": "Spring",
            "trunks": (TRUNK,),
            "max_simultaneous_calls": 400,
            "max_attempts": 1,
            "retry_jitter_percent": 0,
            "ring_timeout_seconds": 60,
            "on_answer": HANG_UP,
        }
        made = await campaigns.create(
            self.pool, DEFAULT_ACCOUNT, CampaignSettings(**(defaults | settings))
        )
        new = [NewCall(one) if isinstance(one, str) else one for one in listed]
        await numbers.add(self.pool, DEFAULT_ACCOUNT, made.id, new)
        if start:
            await self.act(made.id, CampaignAction.START)
        return made.id

    async def act(self, campaign_id, action, **more):
        return await campaigns.act(self.pool, DEFAULT_ACCOUNT, campaign_id, action, **more)

    async def statuses(self, campaign_id):
        """How many calls have each status, those with none left out."""
        found = (await campaigns.counts(self.pool, [campaign_id]))[campaign_id]
        return {status.value: count for status, count in found.items() if count}

    async def calls(self, campaign_id):
        """Every call of a campaign with its attempts, by number."""
        rows = await self.pool.fetch(
            "SELECT id FROM calls WHERE campaign_id = $1 ORDER BY id", campaign_id
        )
        found = [await calls.get(self.pool, DEFAULT_ACCOUNT, row["id"]) for row in rows]
        return {one.call.number: one for one in found}

    async def phases(self, campaign_id):
        """How many calls are in each phase."""
        rows = await self.pool.fetch(
            "SELECT phase, count(*) FROM calls WHERE campaign_id = $1 AND phase IS NOT NULL"
            " GROUP BY phase",
            campaign_id,
        )
        return {row["phase"]: row["count"] for row in rows}

    async def outcomes(self, campaign_id):
        """How many attempts ended in each outcome."""
        rows = await self.pool.fetch(
            "SELECT outcome, count(*) FROM attempts WHERE campaign_id = $1 GROUP BY outcome",
            campaign_id,
        )
        return {row["outcome"]: row["count"] for row in rows}

    async def tried(self, campaign_id, patience=60.0):
        """Wait until no call is planned or under way."""

        async def nothing_open():
            found = await self.statuses(campaign_id)
            return not found.keys() & {"planned", "in_progress"}

        await eventually(nothing_open, patience)

    async def wire_agrees(self, trunk=None, carrier=None):
        """Hold every leg in the database against the ledger: one Call-ID each, no dialog left.

        With a trunk, its legs against the ledger of its carrier.
        """
        ledger = (carrier or self.carrier).ledger
        await asyncio.wait_for(ledger.until(lambda ledger: not ledger.live_dialogs()), 10)
        legs = await self.pool.fetch(
            "SELECT sip_call_id, number FROM legs"
            " WHERE sent_at IS NOT NULL AND trunk = coalesce($1, trunk)",
            trunk,
        )
        ours = collections.Counter(row["number"] for row in legs)
        assert ledger.calls_per_number() == ours
        assert ledger.calls.keys() == {row["sip_call_id"] for row in legs}


@contextlib.asynccontextmanager
async def running(pool, carrier):
    """A scene, whose engines are stopped and whose carrier is closed in the end."""
    async with contextlib.AsyncExitStack() as exits:
        await carrier.start()
        exits.push_async_callback(carrier.close)
        yield Scene(pool, carrier, exits)
