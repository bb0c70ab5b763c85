"""The commands that run for a while, as processes of their own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys


async def started(*arguments, **environment):
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dialer", *map(str, arguments),
        env={**os.environ, "COLUMNS": "80", **environment},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def test_serve_logs_json_and_leaves_at_sigterm(configured, database_url):
    path = configured('[api]\nport = 0\n[sip]\nhost = "127.0.0.1"\n')
    process = await started("serve", "--config", path, DATABASE_URL=database_url)
    records = []
    while not records or records[-1]["event"] != "dialer is up":
        line = await process.stderr.readline()
        assert line, records
        records.append(json.loads(line))
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
