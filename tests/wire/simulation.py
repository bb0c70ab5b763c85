"""A user agent and a simulated carrier on loopback, with timers short enough for tests."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses

from dialer.clock import SystemClock
from dialer.simulator.carrier import Carrier, CarrierSettings
from dialer.ua.agent import UserAgent, UserAgentSettings
from dialer.ua.call import CallRequest, Trunk

TIMERS = {"t1": 0.05, "t2": 0.2, "t4": 0.1}
TRUNK = Trunk("simulator", "127.0.0.1", username="dialer", password="secret")


@dataclasses.dataclass
class Simulation:
    agent: UserAgent
    carrier: Carrier
    trunk: Trunk

    @property
    def ledger(self):
        return self.carrier.ledger

    def request(self, number, **changes):
        settings = {"caller_id": "+15550001111", "ring_timeout": 0.3} | changes
        return CallRequest(settings.pop("trunk", self.trunk), number, **settings)

    async def call(self, number, **changes):
        """Call, wait for the result, and for the far end to have no dialog left."""
        events = []
        result = await self.agent.call(self.request(number, **changes), events.append)
        await self.ledger.until(lambda ledger: not ledger.live_dialogs())
        return result, events

    def record(self, result):
        return self.ledger.calls[result.call_id]


@contextlib.asynccontextmanager
async def simulation(
    host="127.0.0.1", *, second=0.1, trunk=TRUNK, agent=None, timers=TIMERS, **carrier_settings
):
    clock = SystemClock()
    carrier = Carrier(CarrierSettings(host, second=second, **timers, **carrier_settings), clock)
    await carrier.start()
    settings = UserAgentSettings(host, rtp_ports=(20000, 39999), **timers)
    user_agent = UserAgent(dataclasses.replace(settings, **(agent or {})), clock)
    await user_agent.start()
    trunk = dataclasses.replace(trunk, host=host, port=carrier.address.port)
    try:
        yield Simulation(user_agent, carrier, trunk)
    finally:
        await user_agent.close()
        await carrier.close()


class Watch:
    """Keeps a call's events and lets a test wait for one of a kind."""

    def __init__(self):
        self.events = []
        self._news = asyncio.Event()

    def __call__(self, event):
        self.events.append(event)
        self._news.set()

    async def until(self, kind, condition=lambda _: True):
        while not any(isinstance(e, kind) and condition(e) for e in self.events):
            self._news.clear()
            await self._news.wait()
        return next(e for e in self.events if isinstance(e, kind) and condition(e))


async def placed(s, number, **changes):
    watch = Watch()
    return s.agent.place(await s.agent.prepare(s.request(number, **changes)), watch), watch
