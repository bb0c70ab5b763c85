"""How fast calls are claimed, alone and with what slows a plain queue.

Prints milliseconds of a claim of 10 calls (median, 99th percentile), and ratios to the quiet case:
with a million due calls of a paused campaign in front, and under a snapshot that is held open
while calls go through. Usage: python bench/claim.py [rows in front] [seconds per measurement]
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime as dt
import os
import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from dialer.campaign.moves import CampaignAction
from dialer.campaign.status import CallStatus
from dialer.store import attempts, campaigns, migrate, nodes, numbers, promotion, queue
from dialer.store import pool as store_pool
from dialer.store.attempt_records import AttemptResult, NewLeg, Verdict
from dialer.store.embedded import EmbeddedPostgres
from dialer.store.records import (
    DEFAULT_ACCOUNT,
    CampaignSettings,
    LegEvidence,
    LegIdentity,
    NewCall,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from dialer.store.pool import Pool
    from dialer.store.records import Campaign

SETTINGS = CampaignSettings(name="bench", trunks=("lab",), max_simultaneous_calls=1000)
BATCH = 10
LATER = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)
BUSY = Verdict(
    outcome="busy",
    rule="busy",
    status=CallStatus.RETRY_SCHEDULED,
    final_status=CallStatus.COMPLETED_WITHOUT_ANSWER,
    counted=True,
    next_attempt_at=LATER,
    technical_in_a_row=0,
    declined=0,
)


async def campaign(pool: Pool, count: int) -> Campaign:
    made = await campaigns.create(pool, DEFAULT_ACCOUNT, SETTINGS)
    began = time.perf_counter()
    for first in range(0, count, numbers.BATCH):
        batch = [
            NewCall(f"+49{made.id:03}{number:07}", payload={"name": f"Customer {number}"})
            for number in range(first, min(count, first + numbers.BATCH))
        ]
        await numbers.add(pool, DEFAULT_ACCOUNT, made.id, batch)
    if count >= 100_000:
        print(f"added {count} numbers in {time.perf_counter() - began:.1f} s")
    return await campaigns.act(pool, DEFAULT_ACCOUNT, made.id, CampaignAction.START)


def identity() -> LegIdentity:
    made = LegIdentity(
        "", "<sip:a@b>;tag=1", "<sip:c@d>", "sip:c@d", "SIP/2.0/UDP", 1, (), "h", 5060
    )
    return dataclasses.replace(made, call_id=str(uuid.uuid4()))


async def run(pool: Pool, which: Campaign, seconds: float) -> list[float]:
    """Claim, dial and end calls one batch after the other; return milliseconds of each claim."""
    epoch = await nodes.join(pool, "bench", dt.timedelta(hours=1))
    took = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        claimed = await queue.claim(pool, which.id, "bench", epoch, BATCH, {"lab": 1000})
        if not claimed:
            if not await promotion.promote(pool):
                break
            continue
        took.append((time.perf_counter() - began) * 1000)
        legs = [NewLeg(c.id, uuid.uuid4(), c.trunk, c.number, "", identity()) for c in claimed]
        await attempts.dial(pool, "bench", epoch, legs)
        ended = [
            AttemptResult(leg.call_id, leg.attempt_id, BUSY, LegEvidence(code=486)) for leg in legs
        ]
        await attempts.record_results(pool, "bench", epoch, ended)
    await nodes.leave(pool, "bench", epoch)
    return took


@contextlib.asynccontextmanager
async def held_snapshot(url: str) -> AsyncIterator[None]:
    """What a pg_dump or a long report does to everybody else."""
    connection = await store_pool.connect(url)
    async with connection.transaction(isolation="repeatable_read"):
        await connection.fetchval("SELECT count(*) FROM accounts")
        yield
    await connection.close()


def told(name: str, took: list[float], quiet: float | None = None) -> float:
    cut = statistics.quantiles(took, n=100)
    line = f"{name:42} {len(took) * BATCH:7} calls  median {cut[49]:6.2f} ms  p99 {cut[98]:6.2f} ms"
    print(line + (f"  ratio of medians {cut[49] / quiet:.2f}" if quiet else ""))
    return cut[49]


async def main(in_front: int = 1_000_000, seconds: float = 15.0) -> None:
    with tempfile.TemporaryDirectory(prefix="dialer-bench-") as name:
        os.chmod(name, 0o755)  # noqa: PTH101 - as root, the server runs as somebody else
        server = EmbeddedPostgres(Path(name) / "postgres")
        url = await server.start()
        try:
            await migrate.upgrade(url)
            pool = await store_pool.open_pool(url, command_timeout=600)
            quiet = told("quiet", await run(pool, await campaign(pool, 30_000), seconds))
            paused = await campaign(pool, in_front)
            await promotion.promote(pool)
            await campaigns.act(pool, DEFAULT_ACCOUNT, paused.id, CampaignAction.PAUSE)
            behind = await campaign(pool, 30_000)
            told(
                f"{in_front} due calls of a paused one in front",
                await run(pool, behind, seconds),
                quiet,
            )
            last = await campaign(pool, 60_000)
            async with held_snapshot(url):
                took = await run(pool, last, seconds * 2)
            told("under a held snapshot, first half", took[: len(took) // 2], quiet)
            told("under a held snapshot, second half", took[len(took) // 2 :], quiet)
            await store_pool.close_pool(pool)
        finally:
            await server.stop()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
