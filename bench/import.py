"""How fast a list goes in over the API, beside a bare COPY of the same rows.

Prints seconds, the ratio to a COPY into a table of the same shape with its indexes and to one
without any, how far the memory of the process grew, and the longest turn of its event loop.
Usage: python bench/import.py [rows]
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from dialer.api.app import create_app, listen
from dialer.api.settings import ApiSettings
from dialer.clock import SystemClock
from dialer.metrics import Metrics
from dialer.store import migrate
from dialer.store import pool as store_pool
from dialer.store.embedded import EmbeddedPostgres

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from dialer.store.pool import Pool

TICK = 0.005  # seconds
COLUMNS = (
    "account_id", "campaign_id", "position", "number", "dialable", "problem", "payload",
    "priority", "next_number", "due",
)  # fmt: skip
# Sends a list from a process of its own, as a client does, and prints the answer.
SENDER = """
import asyncio, json, sys
from dialer.client import Client

async def main(base, path):
    async def pieces():
        with open(path, "rb") as file:
            while piece := file.read(256 * 1024):
                yield piece
    async with Client(base) as client:
        client._http.timeout = None
        made = await client.create_campaign({"name": "bench", "trunks": ["lab"]})
        added = await client.add_list(made.id, pieces())
        print(json.dumps(added.model_dump(mode="json")))

asyncio.run(main(*sys.argv[1:]))
"""


def lines(count: int) -> Iterator[bytes]:
    yield b"phone,name,amount\n"
    for place in range(count):
        yield b"+4930%07d,Customer %d,%d.50\n" % (1_000_000 + place, place, place % 1000)


async def longest_turn(worst: list[float]) -> None:
    """Note by how much the loop is late at its worst, and how long it computed in between.

    The first has in it what the machine gave to others.
    """
    while True:
        began, computed = time.perf_counter(), time.thread_time()
        await asyncio.sleep(TICK)
        worst[0] = max(worst[0], time.perf_counter() - began - TICK)
        worst[1] = max(worst[1], time.thread_time() - computed)


async def copied(pool: Pool, count: int, *, indexes: bool) -> float:
    """COPY the same calls; return seconds."""
    including = "INCLUDING DEFAULTS INCLUDING IDENTITY" + (" INCLUDING INDEXES" if indexes else "")
    now = time.time()
    due = await pool.fetchval("SELECT to_timestamp($1)", now)
    async with pool.acquire() as connection:
        await connection.execute(f"CREATE TABLE bare (LIKE calls {including})")
        await connection.reset_type_codec("jsonb", schema="pg_catalog")
        records = (
            (
                1, 1, place, f"+4930{1_000_000 + place:07}", True, "",
                json.dumps({"name": f"Customer {place}", "amount": f"{place % 1000}.50"}),
                0, f"+4930{1_000_000 + place:07}", due,
            )
            for place in range(count)
        )  # fmt: skip
        began = time.perf_counter()
        await connection.copy_records_to_table(
            "bare", records=records, columns=COLUMNS, timeout=600
        )
        took = time.perf_counter() - began
        await connection.execute("DROP TABLE bare")
    await pool.expire_connections()
    return took


@contextlib.asynccontextmanager
async def served(pool: Pool) -> AsyncIterator[str]:
    settings = ApiSettings(port=0, known_trunks=frozenset({"lab"}))
    runner = await listen(create_app(pool, settings, SystemClock(), Metrics()))
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def sent(pool: Pool, path: Path) -> tuple[float, list[float], dict[str, object]]:
    """Send the list; return seconds, the longest turns in seconds, and the answer."""
    worst = [0.0, 0.0]
    async with served(pool) as base:
        watch = asyncio.create_task(longest_turn(worst))
        began = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SENDER, base, str(path), stdout=subprocess.PIPE
        )
        answer, _ = await process.communicate()
        took = time.perf_counter() - began
        watch.cancel()
    return took, worst, json.loads(answer)


def megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def main(count: int = 1_000_000) -> None:
    with tempfile.TemporaryDirectory(prefix="dialer-bench-") as name:
        os.chmod(name, 0o755)  # noqa: PTH101 - as root, the server runs as somebody else
        path = Path(name) / "list.csv"
        with path.open("wb") as file:
            file.writelines(lines(count))
        server = EmbeddedPostgres(Path(name) / "postgres")
        url = await server.start()
        try:
            await migrate.upgrade(url)
            pool = await store_pool.open_pool(url)
            gc.collect()
            gc.freeze()  # as dialer serve does
            before = megabytes()
            took, worst, answer = await sent(pool, path)
            grown = megabytes() - before
            bare = await copied(pool, count, indexes=False)
            indexed = await copied(pool, count, indexes=True)
            print(f"{answer['added']} numbers added in {took:.1f} s")
            print(f"ratio to a COPY into the same table {took / indexed:.2f} ({indexed:.1f} s)")
            print(f"ratio to a COPY without indexes {took / bare:.2f} ({bare:.1f} s)")
            print(f"memory grew by {grown:.0f} MB")
            late, computed = (1000 * seconds for seconds in worst)
            print(
                f"the loop was {late:.0f} ms late at its worst, computing {computed:.0f} ms of it"
            )
            await store_pool.close_pool(pool)
        finally:
            await server.stop()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
