"""A campaign over two trunks, one of which is in trouble: service, Postgres and SIPp far ends."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from dialer import config
from dialer.campaign.status import CallStatus
from dialer.client import Client
from dialer.service import Service


@pytest.fixture
def serve(database_url, tmp_path, monkeypatch):
    """`serve(first, second)` runs a whole service with two trunks, and gives its API."""

    @contextlib.asynccontextmanager
    async def running(first, second):
        monkeypatch.setenv("DATABASE_URL", database_url)
        settings = config.Config(
            folder=tmp_path,
            api=config.Api(port=0),
            sip=config.Sip(host="127.0.0.1"),
            trunk=tuple(
                config.Trunk(name=name, address=f"127.0.0.1:{far.port}", calls_per_second=50)
                for name, far in (("first", first), ("second", second))
            ),
        )
        service = Service(settings)
        await service.start()
        try:
            async with Client(service.api_url) as client:
                yield client
        finally:
            await service.stop()

    return running


async def dialled(client, *numbers):
    """Call numbers over both trunks, the first first; return the calls once they are over."""
    campaign = await client.create_campaign(
        {"name": "Two trunks", "trunks": ["first", "second"], "caller_ids": ["+15550100"]}
    )
    await client.add_numbers(campaign.id, list(numbers))
    await client.start(campaign.id)
    over = {CallStatus.ANSWERED, CallStatus.COMPLETED_WITHOUT_ANSWER, CallStatus.RETRY_SCHEDULED}
    async with asyncio.timeout(30):
        while True:
            page = await client.calls(campaign.id)
            if all(call.status in over for call in page.items):
                break
            await asyncio.sleep(0.05)
    return [await client.call(call.id) for call in reversed(page.items)]


async def held(client, name):
    """Return how a trunk stands once its node has told that it is down."""
    async with asyncio.timeout(10):
        while True:
            (node,) = (await client.trunk(name)).nodes
            if node.health.trouble == "retry_after":
                return node.health
            await asyncio.sleep(0.05)


async def test_a_503_with_retry_after_sends_the_call_over_the_second_trunk(
    serve, far_end, pool, audit
):
    first = await far_end("final", status="503 Service Unavailable", header="Retry-After: 60")
    second = await far_end("progress", calls=2)
    async with serve(first, second) as client:
        (call,) = await dialled(client, "+15552000001")
        (another,) = await dialled(client, "+15552000002")
        standing = await held(client, "first")
    await first.finished()
    await second.finished()
    (attempt,) = call.attempts
    assert call.status is CallStatus.ANSWERED
    assert [(leg.trunk, leg.evidence.code) for leg in attempt.legs] == [
        ("first", 503),
        ("second", 200),
    ]
    assert len({leg.sip_call_id for leg in attempt.legs}) == 2
    # it asked for a minute: the next call does not come near it
    assert [leg.trunk for leg in another.attempts[0].legs] == ["second"]
    assert len(first.received("INVITE")) == 1
    assert "Retry-After" in standing.reason
    assert await audit(pool) == []


async def test_nobody_who_is_busy_is_rung_over_the_second_trunk(serve, far_end):
    first = await far_end("final", status="486 Busy Here", header="Server: far")
    second = await far_end("progress")
    async with serve(first, second) as client:
        (call,) = await dialled(client, "+15552000001")
    await first.finished()
    assert call.last_outcome == "busy"
    assert [leg.trunk for leg in call.attempts[0].legs] == ["first"]
    assert second.received("INVITE") == []
