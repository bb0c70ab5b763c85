"""Calls whose media is real, between two ends of this machine, and bots that lead them."""

from __future__ import annotations

import asyncio

import pytest
from tests.driven_clock import DrivenClock
from tests.wire import media_peer
from tests.wire.bots import Bot, Call, FarEnd, conversation

from dialer.clock import SystemClock
from dialer.ua.media import MediaPlane

PORTS = (27000, 28998)


@pytest.fixture
async def planes():
    planes = [MediaPlane(SystemClock(), "127.0.0.1", PORTS) for _ in range(2)]
    yield planes
    for plane in planes:
        plane.close()


@pytest.fixture
async def far_end(planes):
    return FarEnd(planes[0].open())


@pytest.fixture
async def call(planes, far_end):
    call = Call(planes[1].open())
    far_end.connect(call)
    return call


@pytest.fixture
async def bots():
    """`await bots(behave, ...)` starts a bot."""
    started = []

    async def start(*args, ssl=None, **options):
        started.append(Bot(*args, **options))
        return await started[-1].start(ssl)

    yield start
    for bot in started:
        await bot.stop()


@pytest.fixture
async def led(call):
    """`led(bot)` begins a conversation; what is left of it ends with the test."""
    tasks = []

    def begin(bot, **options):
        url = bot if isinstance(bot, str) else bot.url
        begin.latest = conversation(call, url, SystemClock(), **options)
        tasks.append(asyncio.create_task(begin.latest.hold()))
        return tasks[-1]

    yield begin
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def clock():
    """A clock that the test drives; where the point is real time, calls have their own."""
    return DrivenClock()


@pytest.fixture
async def plane(clock):
    plane = MediaPlane(clock, "127.0.0.1", media_peer.PORTS)
    yield plane
    plane.close()


@pytest.fixture
async def peer():
    peer = media_peer.Peer()
    yield peer
    peer.close()


@pytest.fixture
async def stranger():
    peer = media_peer.Peer()
    yield peer
    peer.close()


@pytest.fixture
async def stream(plane):
    return plane.open()
