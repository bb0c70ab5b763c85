"""The running service while it makes calls, under messages that are hard to read, and floods."""

from __future__ import annotations

import asyncio
import resource
import sys
from pathlib import Path

import pytest
from tests.engine.scene import eventually, numbers_of

SECONDS = 3.0  # of noise
CALLS = 60
NOISE = Path(__file__).with_name("noise.py")


def resident():
    """Return the memory that this process holds, in bytes."""
    with open("/proc/self/statm") as file:  # noqa: PTH123 - not a file of anybody's
        return int(file.read().split()[1]) * resource.getpagesize()


async def noise(kind, address, seconds, seed):
    """Let a stranger make noise, and return how often it was answered meanwhile."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, NOISE, kind, address.host, str(address.port), str(seconds), str(seed),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, error = await process.communicate()
    assert process.returncode == 0, error.decode()[-2000:]
    return int(out)


@pytest.mark.parametrize("kind", ["udp", "tcp", "flood"])
async def test_no_call_is_disturbed_and_nothing_is_logged(scene, logged, kind):
    node = await scene.node("one", scene.trunk(calls_per_second=20.0))
    address = node.agent.local_address
    # a first round, so that what is allocated once does not count
    await noise(kind, address, SECONDS / 3, 5118)
    before = resident()
    campaign = await scene.campaign(numbers_of("2000", CALLS), ring_timeout_seconds=30)
    answers = await noise(kind, address, SECONDS, 4475)
    await scene.tried(campaign)
    assert await scene.statuses(campaign) == {"answered": CALLS}
    assert answers > 5
    assert [entry for entry in logged if entry["log_level"] in {"error", "critical"}] == []
    assert resident() - before < 30 * 1024 * 1024
    (line,) = node.agent._lines.values()
    await eventually(lambda: line.driver.endpoint.idle)  # nobody's request is kept
    await scene.wire_agrees()
