from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress

import pytest
from tests.driven_clock import DrivenClock
from tests.webhooks.receiver import receiving

from dialer.campaign.webhook_url import WebhookRules
from dialer.metrics import Metrics
from dialer.store.secret_box import SecretBox
from dialer.webhooks.limits import Limits
from dialer.webhooks.sender import Sender
from dialer.webhooks.transport import Transport

LOOPBACK = WebhookRules(allow_http=True, allow_networks=(ipaddress.ip_network("127.0.0.0/8"),))


async def nobody(host):
    """A look-up that no test of literal addresses needs."""
    raise AssertionError(f"{host} was looked up")


class Node:
    """A sender whose turns the test takes, on the test's clock."""

    def __init__(self, pool, clock, limits, rules, look_up, tls):
        self.pool = pool
        self.clock = clock
        self.metrics = Metrics()
        self.transport = Transport(clock, look_up, rules, limits.timeout, tls)
        self.sender = Sender(
            pool=pool,
            clock=clock,
            transport=self.transport,
            box=SecretBox(),
            limits=limits,
            metrics=self.metrics,
            now=clock.now,
            chance=lambda: 0.0,
        )

    async def turn(self):
        """Take one turn, and let nothing of it end."""
        await self.sender.run_once()

    async def until_idle(self):
        """Take turns until nothing is due, and all that was sent is written."""
        while True:
            await self.sender.run_once()
            if not self.sender._sending and not self.sender._done and not await self.unread():
                return
            await self.sender.settled()

    async def unread(self):
        """Whether events wait for older transactions, which those of other tests may be."""
        return await self.pool.fetchval("""
            SELECT EXISTS (
                SELECT FROM events AS e, webhook_position AS p WHERE (e.xid, e.id) > (p.xid, p.id))
        """)

    async def play(self, hours, minutes=0.5):
        """Let time pass, with a turn every so many minutes."""
        for _ in range(round(hours * 60 / minutes)):
            await self.until_idle()
            self.clock.advance(minutes * 60)
        await self.until_idle()

    def count(self, result):
        labels = {"result": result}
        name = "dialer_webhook_attempts_total"
        return self.metrics.registry.get_sample_value(name, labels) or 0

    def value(self, name):
        return self.metrics.registry.get_sample_value(name)


@pytest.fixture
async def pool(pool, audit):
    """A pool on a fresh database, which must be sound after the test."""
    yield pool
    assert await audit(pool) == []


@pytest.fixture
def clock():
    """As late as the database's, which writes the times of events."""
    return DrivenClock(dt.datetime.now(dt.UTC))


@pytest.fixture
async def receiver():
    async with receiving() as made:
        yield made


@pytest.fixture
async def make_node(pool, clock):
    """Make nodes: `make_node(timeout=…)`, all on one clock."""
    async with contextlib.AsyncExitStack() as stack:

        def make(rules=LOOPBACK, look_up=nobody, tls=None, **limits):
            node = Node(pool, clock, Limits(**limits), rules, look_up, tls)
            stack.push_async_callback(node.transport.close)
            stack.push_async_callback(node.sender.stop)
            stack.callback(clock.advance, 3600)
            return node

        yield make


@pytest.fixture
def node(make_node):
    return make_node()
