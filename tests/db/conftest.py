from __future__ import annotations

import pytest


@pytest.fixture
async def pool(pool, audit):
    """A pool on a fresh database, which must be sound after the test."""
    yield pool
    assert await audit(pool) == []
