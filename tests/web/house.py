"""The whole service with simulated carriers, in a thread of its own, for a browser to look at."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import threading
from pathlib import Path

from dialer import config
from dialer.client import Client
from dialer.service import Service
from dialer.simulator.carrier import Carrier, CarrierSettings
from dialer.store import pool as store_pool
from dialer.store.embedded import EmbeddedPostgres

T1 = 0.1  # seconds; a short Timer B
START_PATIENCE = 60.0  # seconds


class House:
    """A service at `url`; `carriers` says by name of the trunk how each carrier runs.

    Without `database_url` it has a Postgres of its own.
    """

    def __init__(self, database_url, carriers, **settings):
        self.database_url = database_url
        self.carriers = {name: Carrier(given) for name, given in carriers.items()}
        self.settings = settings
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="service", daemon=True)
        self.parts = contextlib.AsyncExitStack()
        self.folder = None
        self.url = ""
        self.pool = None

    def __enter__(self):
        temporary = tempfile.TemporaryDirectory(prefix="dialer-web-")
        self.folder = Path(self.parts.enter_context(temporary))
        self.folder.chmod(0o711)  # started by root, Postgres runs as somebody else
        self.thread.start()
        self.run(self._start(), START_PATIENCE)
        return self

    def __exit__(self, *_):
        self.run(self.parts.aclose(), START_PATIENCE)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def run(self, work, patience=30.0):
        """Run a coroutine in the service's loop and return what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(patience)

    def ask(self, work, token=None):
        """Run `work(client)` with a client of the API."""

        async def asked():
            async with Client(self.url, token) as client:
                return await work(client)

        return self.run(asked())

    def execute(self, statement, *values):
        """Run SQL in the service's database and return its rows."""
        return self.run(self.pool.fetch(statement, *values))

    async def _start(self):
        folder = self.folder
        if self.database_url is None:
            server = EmbeddedPostgres(folder / "postgres", durable=False)
            self.database_url = await server.start()
            self.parts.push_async_callback(server.stop)
        trunks = []
        for name, carrier in self.carriers.items():
            await carrier.start()
            self.parts.push_async_callback(carrier.close)
            trunks.append(self._trunk(name, carrier, folder))
        # what a test gives besides, it gives whole
        wanted = {
            "database": config.Database(url=self.database_url),
            "api": config.Api(port=0),
            "sip": config.Sip(host="127.0.0.1"),
            "engine": config.Engine(node="node-1", drain_seconds=1),
            "trunk": tuple(trunks),
        }
        service = Service(config.Config(**{**wanted, **self.settings}), t1=T1)
        await service.start()
        self.parts.push_async_callback(service.stop)
        self.url = service.api_url
        self.pool = await store_pool.open_pool(self.database_url)
        self.parts.push_async_callback(store_pool.close_pool, self.pool)

    @staticmethod
    def _trunk(name, carrier, folder):
        password = folder / f"password of {name}"
        password.write_text(carrier.settings.password)
        return config.Trunk(
            name=name,
            address=f"{carrier.address.host}:{carrier.address.port}",
            username=carrier.settings.username,
            password_file=password,
            caller_id="+15550001000",
            max_calls=60,
            calls_per_second=40,
        )


def carrier(second=0.05, **settings):
    """How a simulated carrier runs: `second` is the length of a behaviour's second."""
    return CarrierSettings(second=second, t1=T1, **settings)
