"""The running service while it makes calls, under every message that is hard to read."""

from __future__ import annotations

import asyncio
import itertools
import random
import resource
import socket
import time

import pytest
from tests.engine.scene import numbers_of
from tests.torture import CORPUS, VIA, message

SECONDS = 3.0  # of noise
CALLS = 60
WITH_RPORT = VIA + ";rport"
MESSAGES = [data for _, data in CORPUS.values()]


def resident():
    """Return the memory that this process holds, in bytes."""
    with open("/proc/self/statm") as file:  # noqa: PTH123 - not a file of anybody's
        return int(file.read().split()[1]) * resource.getpagesize()


def mutation(chance):
    """Change a message of the corpus in a few places, or in none."""
    data = bytearray(chance.choice(MESSAGES))
    for _ in range(chance.randrange(5)):
        at, size = chance.randrange(len(data) + 1), chance.randrange(40)
        match chance.randrange(3):
            case 0:
                del data[at : at + size]
            case 1:
                data[at:at] = data[at : at + size] * chance.randrange(20)
            case _:
                data[at : at + size] = chance.randbytes(chance.randrange(8))
    return bytes(data[:65_000])


def question(number):
    """An OPTIONS whose answer says that all before it was read."""
    return message(f"alive-{number}", "OPTIONS sip:dialer@192.0.2.9 SIP/2.0", via=WITH_RPORT)


async def noise_over_udp(address, chance, until):
    """Send messages from ever other ports; after some, wait for an answer."""
    loop = asyncio.get_running_loop()
    for number in itertools.count():
        if time.monotonic() > until:
            return number
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.settimeout(0)
            stranger.connect(address[:2])
            for _ in range(20):
                stranger.send(mutation(chance))
            async with asyncio.timeout(10):
                stranger.send(question(number))
                while f"alive-{number}".encode() not in await loop.sock_recv(stranger, 65_536):
                    pass
    return None


NOISES = {"udp": noise_over_udp}


@pytest.mark.parametrize("transport", NOISES)
async def test_no_call_is_disturbed_and_nothing_is_logged(scene, logged, transport):
    node = await scene.node("one", scene.trunk(calls_per_second=20.0))
    address = node.agent.local_address
    chance = random.Random(4475)
    # a first round, so that what is allocated once does not count
    await NOISES[transport](address, chance, time.monotonic() + SECONDS / 4)
    before = resident()
    campaign = await scene.campaign(numbers_of("2000", CALLS), ring_timeout_seconds=30)
    rounds = await NOISES[transport](address, chance, time.monotonic() + SECONDS)
    await scene.tried(campaign)
    assert await scene.statuses(campaign) == {"answered": CALLS}
    assert rounds > 10
    assert [entry for entry in logged if entry["log_level"] in {"error", "critical"}] == []
    assert resident() - before < 30 * 1024 * 1024
    await scene.wire_agrees()
