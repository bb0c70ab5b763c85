"""A user agent on loopback with a driven clock, and a far end for its trunks, by script."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses

from tests.driven_clock import DrivenClock
from tests.unit.sip.sample_messages import answer_bytes, as_request

from dialer.sip.identity import HostPort
from dialer.ua.agent import UserAgent, UserAgentSettings
from dialer.ua.call import CallRequest, RegistrationSettings, Trunk
from dialer.ua.trunk_status import Availability

UP, DEGRADED, DOWN = Availability
PATIENCE = 10  # seconds of real time for a datagram on loopback
NAT = HostPort("203.0.113.7", 40000)


class FarEnd(asyncio.DatagramProtocol):
    """Answers REGISTER and OPTIONS by `answers[method]`: (code, headers), None for silence."""

    def __init__(self):
        self.answers = {"REGISTER": (200, {"expires": "100"}), "OPTIONS": (200, {})}
        self.seen_at = None  # where answers say that a request came from
        self.requests = []
        self.crlf = 0
        self._news = asyncio.Event()

    def connection_made(self, transport):
        self.transport = transport
        self.address = HostPort(*transport.get_extra_info("sockname")[:2])

    def datagram_received(self, data, source):
        self._news.set()
        if data == b"\r\n\r\n":
            self.crlf += 1
            return
        request = as_request(data)
        self.requests.append(request)
        answer = self.answers.get(request.method)
        if answer is None:
            return
        code, headers = answer(request) if callable(answer) else answer
        host, port = (self.seen_at or source)[:2]
        via = request.first("via").replace(";rport", f";rport={port};received={host}")
        fields = {"contact": None, "via": via, **headers}
        self.transport.sendto(answer_bytes(data, code, "Said", **fields), source)

    def of(self, method):
        return [request for request in self.requests if request.method == method]

    async def until(self, condition):
        async with asyncio.timeout(PATIENCE):
            while not condition(self):
                self._news.clear()
                await self._news.wait()

    async def received(self, method, count):
        """Wait for the request of that number; return it."""
        await self.until(lambda far: len(far.of(method)) >= count)
        return self.of(method)[count - 1]


class Told:
    """The changes that the user agent told of."""

    def __init__(self):
        self.changes = []
        self._read = 0
        self._news = asyncio.Event()

    def __call__(self, name, before, after):
        self.changes.append((name, before, after))
        self._news.set()

    async def until(self, condition):
        """Wait for the next status that meets a condition, or is of an availability."""
        async with asyncio.timeout(PATIENCE):
            while True:
                while self._read < len(self.changes):
                    _, _, status = self.changes[self._read]
                    self._read += 1
                    if condition is status.availability or (
                        callable(condition) and condition(status)
                    ):
                        return status
                self._news.clear()
                await self._news.wait()


@dataclasses.dataclass
class Scene:
    clock: DrivenClock
    far: FarEnd
    told: Told
    agent: UserAgent
    sent: list[bytes]

    @property
    def registers(self):
        """How many REGISTER have left, retransmissions aside."""
        return len({data for data in self.sent if data.startswith(b"REGISTER ")})

    def trunk(self, **fields):
        return Trunk("carrier", *self.far.address[:2], **fields)

    def registering(self, **fields):
        settings = RegistrationSettings(expires=100)
        account = {"username": "dialer", "password": "secret", "keep_alive": 0.0}
        return self.trunk(**{"registration": settings, **account, **fields})

    async def registered(self, **fields):
        """Watch a trunk that registers, and wait until it is up."""
        trunk = self.registering(**fields)
        self.agent.watch([trunk])
        await self.clock.elapse(0.0)
        await self.told.until(UP)
        return trunk

    async def next_register(self):
        """Let time pass until the next REGISTER leaves; return it as it arrived."""
        count = self.registers
        while self.registers == count:
            await self.clock.elapse(self.clock.next_at() - self.clock.monotonic())
        return await self.far.received("REGISTER", count + 1)

    async def invite(self, trunk):
        """Send an INVITE; return it as it arrived."""
        request = CallRequest(trunk, "15550100", "15550199")
        call = self.agent.place(await self.agent.prepare(request), lambda _: None)
        invite = await self.far.received("INVITE", 1)
        call.abandon()
        return invite


@contextlib.asynccontextmanager
async def far_end(host="127.0.0.1"):
    loop = asyncio.get_running_loop()
    transport, far = await loop.create_datagram_endpoint(FarEnd, local_addr=(host, 0))
    yield far
    transport.close()


@contextlib.asynccontextmanager
async def watching(host="127.0.0.1"):
    """A user agent that tells of its trunks, and a far end for them."""
    clock, told, sent = DrivenClock(), Told(), []
    settings = UserAgentSettings(
        host,
        rtp_ports=(20000, 39999),
        on_message=lambda passed: sent.append(passed.data) if passed.direction == "sent" else None,
        on_status=told,
    )
    agent = UserAgent(settings, clock, fraction=lambda: 0.0)
    await agent.start()
    async with far_end(host) as far:
        yield Scene(clock, far, told, agent, sent)
        await close(agent, clock)


async def close(agent, clock):
    """Close with time going on, so that nothing waits for ever."""
    closing = asyncio.create_task(agent.close())
    while not closing.done():
        await clock.elapse(0.5)
    await closing
