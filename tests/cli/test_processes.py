"""The commands that run for a while, as processes of their own."""

from __future__ import annotations

import asyncio
import json
import os
import pkgutil
import signal
import sys

import httpx
import pytest

from dialer import config
from dialer.service import Service


async def started(*arguments, **environment):
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dialer", *map(str, arguments),
        env={**os.environ, "COLUMNS": "80", **environment},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


HERE = '[api]\nport = 0\n[sip]\nhost = "127.0.0.1"\n'
TRUNK = '[[trunk]]\nname = "{}"\naddress = "127.0.0.1:9"\nmax_calls = {}\n'


async def logged_until(process, event):
    """Return what a service logs up to an event."""
    records = []
    while not records or records[-1]["event"] != event:
        line = await process.stderr.readline()
        assert line, records
        records.append(json.loads(line))
    return records


async def test_serve_reads_its_configuration_again_at_sighup(configured, database_url):
    path = configured(HERE, TRUNK.format("one", 1) + TRUNK.format("two", 1))
    process = await started("serve", "--config", path, DATABASE_URL=database_url)
    api = (await logged_until(process, "dialer is up"))[-1]["api"]

    async def reloaded(text, event):
        path.write_text(text)
        process.send_signal(signal.SIGHUP)
        return (await logged_until(process, event))[-1]

    mistake = HERE + TRUNK.format("one", 0)
    told = await reloaded(mistake, "the configuration stays as it was")
    assert told["reason"].startswith(f"{path}:8: trunk[0].max_calls: ")
    third = TRUNK.format("three", 1)
    told = await reloaded(HERE + TRUNK.format("one", 5) + third, "configuration read again")
    assert (told["added"], told["changed"], told["removed"]) == (["three"], ["one"], ["two"])
    for trunk, status in (("three", 201), ("two", 422)):
        settings = {"name": "Spring", "trunks": [trunk], "caller_ids": ["+4930123456"]}
        async with httpx.AsyncClient(base_url=api, trust_env=False) as client:
            assert (await client.post("/v1/campaigns", json=settings)).status_code == status
    told = await reloaded(
        HERE + "[engine]\nbatch = 3\n" + third, "a change takes effect at the next start only"
    )
    assert told["setting"] == "engine"
    process.send_signal(signal.SIGTERM)
    await process.communicate()
    assert process.returncode == 0


@pytest.mark.parametrize("step", ["dialer.service.upgrade", "dialer.engine.lease.NodeLease.join"])
async def test_what_is_read_again_while_the_service_starts_is_what_it_runs_with(
    configured, database_url, monkeypatch, step
):
    path = configured(HERE, TRUNK.format("one", 1) + TRUNK.format("two", 1))
    monkeypatch.setenv("DATABASE_URL", database_url)
    service = Service(config.load(path))
    original = pkgutil.resolve_name(step)

    async def meanwhile(*arguments):
        path.write_text(HERE + TRUNK.format("two", 5) + TRUNK.format("three", 1))
        service.reload()
        return await original(*arguments)

    monkeypatch.setattr(step, meanwhile)
    await service.start()
    try:
        trunks = service.engine._trunks
        assert {name: one.definition.max_calls for name, one in trunks.items()} == {
            "two": 5,
            "three": 1,
        }
        assert service.engine._watched == {"two", "three"}
    finally:
        await service.stop()


async def test_serve_logs_json_and_leaves_at_sigterm(configured, database_url):
    process = await started("serve", "--config", configured(HERE), DATABASE_URL=database_url)
    records = await logged_until(process, "dialer is up")
    assert records[-1]["api"].startswith("http://127.0.0.1:")
    assert records[-1]["trunks"] == ["pbx"]
    process.send_signal(signal.SIGTERM)
    out, error = await process.communicate()
    assert (process.returncode, out) == (0, b"")
    records += map(json.loads, error.splitlines())
    assert all(record["logger"].startswith("dialer.") for record in records), records
    assert all(record["level"] == "info" for record in records), records


async def test_the_demonstration_fits_80_columns_and_agrees():
    process = await started("demo", "--exit", "--numbers", 2)
    out, error = await process.communicate()
    text = out.decode()
    assert (process.returncode, error) == (0, b""), text
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert "busy-486" in text
    assert "2 numbers, 2 calls in the carrier's ledger: both records agree" in text
