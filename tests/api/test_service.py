"""Liveness, readiness, and what clients see while Postgres is away."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import asyncpg
import pytest

from dialer.api import service
from dialer.api.app import create_app, listen
from dialer.api.settings import ApiSettings, SettingsError
from dialer.clock import SystemClock
from dialer.store.pool import close_pool, open_pool

SETTINGS = {"name": "Spring", "caller_ids": ["+4930123456"], "trunks": ["pbx"]}


async def test_ready(api):
    assert await api("GET", "/healthz") == {"status": "ok"}
    assert await api("GET", "/readyz") == {"status": "ok"}


async def test_not_ready_while_the_engine_is_not(pool, serve):
    reason = "this node lost its lease; it takes no calls until Postgres answers again"
    reasons = [reason, None]
    async with serve(pool, engine_ready=lambda: reasons[0]) as api:
        problem = await api("GET", "/readyz", 503)
        assert problem["detail"] == reason
        assert problem["title"] == "Service Unavailable"
        assert int(problem["headers"]["Retry-After"]) > 0
        await api("GET", "/healthz")
        reasons.pop(0)
        await api("GET", "/readyz")


async def test_not_ready_without_a_schema(empty_database_url, serve):
    pool = await open_pool(empty_database_url)
    try:
        async with serve(pool) as api:
            problem = await api("GET", "/readyz", 503)
            assert "dialer db upgrade" in problem["detail"]
    finally:
        await close_pool(pool)


async def test_not_ready_with_another_schema(api, pool):
    await pool.execute("UPDATE alembic_version SET version_num = 'tomorrow'")
    problem = await api("GET", "/readyz", 503)
    assert "schema tomorrow" in problem["detail"]


async def test_not_ready_when_postgres_does_not_answer(serve, monkeypatch):
    monkeypatch.setattr(service, "POSTGRES_SECONDS", 0.1)
    async with silent_server() as port, lazy_pool(port) as pool, serve(pool) as api:
        problem = await api("GET", "/readyz", 503)
        assert problem["detail"] == "Postgres did not answer within 0.1 s"


@contextlib.asynccontextmanager
async def silent_server():
    """Take connections and say nothing."""
    gone = asyncio.Event()

    async def take(_reader, writer):
        await gone.wait()
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        gone.set()
        server.close()


@contextlib.asynccontextmanager
async def lazy_pool(port):
    """Make a pool that connects when it is asked."""
    pool = await asyncpg.create_pool(
        host="127.0.0.1", port=port, user="dialer", database="dialer", min_size=0, ssl=False
    )
    try:
        yield pool
    finally:
        pool.terminate()


EVERYTHING = [
    ("POST", "/v1/campaigns", {"json": SETTINGS}),
    ("GET", "/v1/campaigns", {}),
    ("GET", "/v1/campaigns/1", {}),
    ("PATCH", "/v1/campaigns/1", {"json": {"name": "x"}}),
    ("DELETE", "/v1/campaigns/1", {}),
    ("POST", "/v1/campaigns/1/start", {}),
    ("POST", "/v1/campaigns/1/pause", {}),
    ("POST", "/v1/campaigns/1/resume", {}),
    ("POST", "/v1/campaigns/1/finish", {}),
    ("POST", "/v1/campaigns/1/numbers", {"json": ["+4930123456"]}),
    ("POST", "/v1/campaigns/1/numbers", {"data": b"x", "headers": {"Content-Type": "text/csv"}}),
    ("GET", "/v1/campaigns/1/calls", {}),
    ("GET", "/v1/campaigns/1/report.csv", {}),
    ("GET", "/v1/calls/1", {}),
    ("GET", "/v1/dialogs", {}),
    ("GET", "/readyz", {}),
]


async def check_everything_says_503(api):
    for method, path, request in EVERYTHING:
        problem = await api(method, path, 503, **request)
        assert int(problem["headers"]["Retry-After"]) > 0
        assert "error_id" not in problem
    await api("GET", "/healthz")
    async with api.client.get("/metrics") as response:
        assert response.status == 200


async def test_503_while_postgres_refuses_connections(serve):
    with socket.socket() as reserved:  # bound and not listening: refuses
        reserved.bind(("127.0.0.1", 0))
        async with lazy_pool(reserved.getsockname()[1]) as pool, serve(pool) as api:
            await check_everything_says_503(api)
            counted = api.metrics.registry.get_sample_value(
                "dialer_store_errors_total", {"part": "api"}
            )
            assert counted == len(EVERYTHING) - 1  # the probe of readiness says it itself


async def test_503_once_the_pool_is_closed(serve, database_url):
    pool = await open_pool(database_url)
    async with serve(pool) as api:
        await api("GET", "/v1/campaigns")
        pool.terminate()
        await check_everything_says_503(api)


async def test_comes_back_by_itself_after_connections_were_killed(api, pool, database_url):
    await api.campaign()
    killer = await asyncpg.connect(database_url)
    await killer.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await killer.close()
    # a request may meet a dead connection; it is told so, and the next one finds a new connection
    for _ in range(pool.get_size() + 1):
        async with api.client.get("/v1/campaigns") as response:
            if response.status == 200:
                break
            assert response.status == 503
    assert response.status == 200


async def test_a_port_in_use_is_told_in_one_line():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        app = create_app(None, ApiSettings(port=port), SystemClock())
        with pytest.raises(SettingsError) as caught:
            await listen(app)
    assert str(caught.value) == (
        f"api: cannot listen on 127.0.0.1:{port}: another program listens there;"
        " end it, or set another api.port"
    )


async def test_an_address_that_is_not_ours_is_told_in_one_line():
    token = "t0ken-with-more-than-16-characters"
    settings = ApiSettings(bind_host="192.0.2.1", port=0, token=token)
    with pytest.raises(
        SettingsError, match=r"^api: cannot listen on 192\.0\.2\.1:0: Cannot assign"
    ):
        await listen(create_app(None, settings, SystemClock()))


async def test_a_connection_without_a_request_is_closed(serve):
    async with serve(None, read_timeout=0.1) as api:
        for start in (b"", b"GET /healthz HTTP/1.1\r\nHost: loc"):
            reader, writer = await asyncio.open_connection(api.host, api.port)
            writer.write(start)
            async with asyncio.timeout(10):
                assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()
