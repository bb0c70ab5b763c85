from __future__ import annotations

import asyncio

import pytest
import structlog
from tests.engine.processes import EngineProcess
from tests.engine.scene import new_carrier, running


@pytest.fixture
async def pool(pool, audit):
    """A pool on a fresh database, which must be sound after the test."""
    yield pool
    assert await audit(pool) == []


@pytest.fixture
async def scene(pool):
    """Engines and a carrier; see scene.py."""
    async with running(pool, new_carrier()) as made:
        yield made


@pytest.fixture(autouse=True)
def logged():
    """What is logged in this process, as structlog's event dictionaries."""
    with structlog.testing.capture_logs() as entries:
        yield entries


@pytest.fixture
async def processes(scene, database_url, tmp_path):
    """`await processes("one", "two")` starts engines, each in a process of its own.

    With `first`, a carrier, they have a trunk of that name to it besides the scene's.
    """
    started = []

    async def start(*names, lease=2.0, drain=10.0, max_calls=400, calls_per_second=400, first=None):
        wanted = [
            EngineProcess(
                scene,
                tmp_path,
                database_url,
                name,
                lease=lease,
                drain=drain,
                max_calls=max_calls,
                calls_per_second=calls_per_second,
                first=first,
            )
            for name in names
        ]
        for one in wanted:
            started.append(one)
            await one.start()
        await asyncio.gather(*(one.joined() for one in wanted))
        return wanted

    yield start
    for one in started:
        await one.end()
