from __future__ import annotations

import pytest
import structlog
from tests.engine.scene import T1, running

from dialer.simulator.carrier import Carrier, CarrierSettings

SECOND = 0.1  # of a behaviour, in real seconds


@pytest.fixture
async def pool(pool, audit):
    """A pool on a fresh database, which must be sound after the test."""
    yield pool
    assert await audit(pool) == []


@pytest.fixture
async def scene(pool):
    """Engines and a carrier; see scene.py."""
    carrier = Carrier(CarrierSettings(second=SECOND, t1=T1, t2=8 * T1, t4=4 * T1))
    async with running(pool, carrier) as made:
        yield made


@pytest.fixture(autouse=True)
def logged():
    """What is logged in this process, as structlog's event dictionaries."""
    with structlog.testing.capture_logs() as entries:
        yield entries
