"""Engines as processes of their own: `python -m dialer serve --no-api`."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys

from tests.engine.scene import TRUNK, eventually

CONFIG = """
[engine]
node = "{node}"
lease_seconds = {lease}
drain_seconds = {drain}

[sip]
host = "127.0.0.1"

[database]
pool_size = 5

[log]
format = "json"

[pause]
technical_attempts = 1000
invalid_calls = 1000

[[trunk]]
name = "{trunk}"
address = "{host}:{port}"
username = "{username}"
password_env = "CARRIER_PASSWORD"
caller_id = "+15550001000"
max_calls = {max_calls}
calls_per_second = {calls_per_second}
"""

FIRST = """
[[trunk]]
name = "first"
address = "{address.host}:{address.port}"
max_calls = 400
calls_per_second = 400
"""


class EngineProcess:
    """One process; its log goes to a file. Whoever starts it awaits `end()`."""

    def __init__(
        self, scene, folder, url, node, *, lease, drain, max_calls, calls_per_second, first=None
    ):
        self.node = node
        self.log_file = folder / f"{node}.log"
        self._scene = scene
        self._url = url
        self._config = folder / f"{node}.toml"
        settings = scene.carrier.settings
        self._config.write_text(
            CONFIG.format(
                node=node,
                lease=lease,
                drain=drain,
                trunk=TRUNK,
                host=scene.carrier.address.host,
                port=scene.carrier.address.port,
                username=settings.username,
                max_calls=max_calls,
                calls_per_second=calls_per_second,
            )
            + (FIRST.format(address=first.address) if first else "")
        )
        self.process = None

    async def start(self):
        environment = os.environ | {
            "DATABASE_URL": self._url,
            "CARRIER_PASSWORD": self._scene.carrier.settings.password,
        }
        with self.log_file.open("wb") as output:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "dialer", "serve", "--no-api", "-c", str(self._config)),
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    async def joined(self):
        """Wait until it has its lease."""
        await eventually(lambda: self.process.returncode is not None or self.leases())
        assert self.process.returncode is None, self.log_file.read_text()

    async def leases(self):
        """How many leases of this node run."""
        return await self._scene.pool.fetchval(
            "SELECT count(*) FROM nodes WHERE name = $1 AND lease_until > now()", self.node
        )

    def signal(self, number):
        self.process.send_signal(number)

    async def gone(self, patience=30.0):
        """Wait for its end, and return the exit code."""
        return await asyncio.wait_for(self.process.wait(), patience)

    async def end(self):
        """End it if it still runs, and release those calls that a test has left up."""
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)
            await self.process.wait()

    def logged(self, event):
        """The records of its log with that event."""
        lines = self.log_file.read_text().splitlines()
        records = (json.loads(line) for line in lines if line.startswith("{"))
        return [record for record in records if record["event"] == event]
