"""A service that is killed amid a request: sent again with its key, it is done once."""

from __future__ import annotations

import asyncio
import json
import os
import sys

import httpx
import pytest

from dialer.store import pool as store_pool

HERE = "[api]\nport = 0\n"
KEYED = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
SETTINGS = {"name": "Spring", "trunks": ["pbx"], "caller_ids": ["+4930123456"]}
LOCK = 4711
# Whoever inserts such a row waits until the test lets go of a lock.
WAIT = """
CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF {when} THEN PERFORM pg_advisory_xact_lock(4711); END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER waits BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION wait();
"""
WAITING = """
    SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database
    WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted AND datname = current_database()
"""


async def started(path, database_url):
    """Start a service that serves the API alone; return its process and a client of it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dialer", "serve", "--no-engine", "--config", str(path),
        env={**os.environ, "DATABASE_URL": database_url},
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    while True:
        line = await process.stderr.readline()
        assert line
        record = json.loads(line)
        if record["event"] == "dialer is up":
            return process, httpx.AsyncClient(
                base_url=record["api"], trust_env=False, headers=KEYED, timeout=30
            )


@pytest.fixture
async def killed(configured, database_url):
    """`await killed(table, when, request)` kills a service that waits to insert such a row."""
    path = configured(HERE)
    processes = []

    async def run(table, when, send):
        holder = await store_pool.connect(database_url)
        await holder.execute("SELECT pg_advisory_lock($1)", LOCK)
        await holder.execute(WAIT.format(table=table, when=when))
        process, client = await started(path, database_url)
        processes.append(process)
        async with client:
            request = asyncio.create_task(send(client))
            async with asyncio.timeout(30):
                while not await holder.fetchval(WAITING):
                    assert not request.done(), request.result().text
                    await asyncio.sleep(0.01)
            process.kill()
            await process.wait()
            with pytest.raises(httpx.HTTPError):
                await request
        await holder.execute("SELECT pg_advisory_unlock($1)", LOCK)
        await holder.close()
        process, client = await started(path, database_url)
        processes.append(process)
        return client

    yield run
    for process in processes:
        if process.returncode is None:
            process.terminate()
            await process.wait()


@pytest.mark.parametrize("table", ["campaigns", "events", "audit_log", "idempotency_keys"])
async def test_a_campaign_is_made_once_wherever_the_service_is_killed(killed, pool, table):
    def create(client):
        return client.post("/v1/campaigns", json=SETTINGS)

    async with await killed(table, "true", create) as client:
        first, again = await create(client), await create(client)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert again.headers["Idempotent-Replayed"] == "true"
    assert await pool.fetchval("SELECT count(*) FROM campaigns") == 1


async def test_a_list_goes_on_where_the_service_was_killed(killed, pool, configured, database_url):
    process, client = await started(configured(HERE), database_url)
    async with client:
        made = await client.post("/v1/campaigns", json=SETTINGS, headers={"Idempotency-Key": "1"})
    process.terminate()
    await process.wait()
    where = f"/v1/campaigns/{made.json()['id']}/numbers"
    rows = "".join(f"+4930{1_000_000 + place}\n" for place in range(12_000))

    def send(client):
        headers = {"Content-Type": "text/csv"}
        return client.post(where, content=f"phone\n{rows}", headers=headers)

    async with await killed("calls", "NEW.number = '+49301009999'", send) as client:
        before = await pool.fetchval("SELECT count(*) FROM calls")
        assert 0 < before < 10_000
        await pool.execute("DELETE FROM calls WHERE number = '+49301000000'")
        first, again = await send(client), await send(client)
    assert first.json()["added"] == 12_000
    assert first.json()["duplicates"] == 0
    assert first.content == again.content
    assert await pool.fetchval("SELECT count(*) FROM calls") == 11_999
    assert await pool.fetchval("SELECT count(*) FROM imports") == 1
