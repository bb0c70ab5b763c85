from __future__ import annotations

import asyncio
import contextlib
import json
import re

import aiohttp
import pytest

from dialer.api.app import create_app, listen
from dialer.api.settings import ApiSettings
from dialer.clock import SystemClock
from dialer.metrics import Metrics

TRUNKS = frozenset({"pbx", "carrier"})
SETTINGS = {"name": "Spring", "caller_ids": ["+4930123456"], "trunks": ["pbx"]}


class Api:
    """The application behind a real socket, and short words for what the tests ask of it."""

    def __init__(self, client, listener, metrics):
        self.client = client
        self.listener = listener
        self.runner = listener.runner
        self.host, self.port = listener.addresses[0][:2]
        self.metrics = metrics

    async def __call__(self, method, path, expect=200, **request):
        """Send a request, check the answer's status, and return its JSON."""
        async with self.client.request(method, path, **request) as response:
            text = await response.text()
            assert response.status == expect, f"{method} {path}: {response.status} {text}"
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Server"] == "dialer"
            if expect >= 400:
                assert response.content_type == "application/problem+json"
                problem = json.loads(text)
                assert problem["status"] == expect
                assert problem["type"] == "about:blank"
                assert problem["title"]
                assert "\n" not in problem["detail"]
                assert "Traceback" not in text
                problem["headers"] = response.headers
                return problem
            return json.loads(text) if text else None

    async def campaign(self, **settings):
        """Create a campaign and return its path."""
        created = await self("POST", "/v1/campaigns", 201, json={**SETTINGS, **settings})
        return f"/v1/campaigns/{created['id']}"

    async def answered(self, method, route, status):
        """Wait until a request has been answered so."""
        labels = {"method": method, "route": route, "status": str(status)}
        name = "dialer_api_requests_total"
        async with asyncio.timeout(20):
            while not self.metrics.registry.get_sample_value(name, labels):  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)

    async def add(self, path, *numbers, expect=200):
        return await self("POST", f"{path}/numbers", expect, json=list(numbers))


@contextlib.asynccontextmanager
async def served(pool, clock=None, **settings):
    """Serve the API over `pool` on a free port of loopback."""
    defaults = {
        "port": 0,
        "known_trunks": TRUNKS,
        "internal_numbers": re.compile("[1-9][0-9]{2,4}"),
    }
    metrics = Metrics()
    app = create_app(pool, ApiSettings(**{**defaults, **settings}), clock or SystemClock(), metrics)
    listener = await listen(app)
    address = listener.addresses[0][:2]
    try:
        async with aiohttp.ClientSession(
            f"http://127.0.0.1:{address[1]}", cookie_jar=aiohttp.DummyCookieJar()
        ) as client:
            yield Api(client, listener, metrics)
    finally:
        await listener.cleanup()


@pytest.fixture
def serve():
    return served


@pytest.fixture
async def api(pool):
    async with served(pool) as found:
        yield found


@pytest.fixture
async def bare_api():
    """The API without a store, for what is decided before one is asked."""
    async with served(None) as found:
        yield found
