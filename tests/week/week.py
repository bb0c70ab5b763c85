"""`python -m tests.week.week`: a week of the whole service, and what is wrong after it."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import pathlib
import sys
import tempfile
import threading

from tests.conftest import fast_folder
from tests.week import database_time
from tests.week.play import play
from tests.week.scenario import scenario

from dialer.store.embedded import EmbeddedPostgres


@contextlib.contextmanager
def database():
    """A server of its own, in memory where there is room, and a folder beside it; (URL, folder)."""
    with tempfile.TemporaryDirectory(prefix="dialer-week-", dir=fast_folder()) as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)  # started by root, the server runs as somebody else
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="week's database")
        thread.start()

        def run(work):
            return asyncio.run_coroutine_threadsafe(work, loop).result()

        server = EmbeddedPostgres(folder / "postgres", durable=False)
        try:
            yield run(server.start()), folder
        finally:
            run(server.stop())
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    plan = scenario(given.seed, given.calls)
    with database() as (url, folder):
        clock_file = folder / "clock"
        clock_file.write_text("0")
        asyncio.run(database_time.prepare(url, clock_file))
        played = play(url, clock_file, plan)
        print(
            f"{played.seconds:.1f} s, {played.jumps} jumps, {played.network.sent} datagrams,"
            f" {len(played.network.invites)} INVITEs"
        )
        asyncio.run(show(url))
    return 0


async def show(url):
    from dialer.store.pool import connect

    c = await connect(url)
    for q in (
        "select status, count(*) from calls group by 1 order by 2 desc",
        "select status, pause_reason, count(*) from campaigns group by 1,2",
        "select outcome, count(*) from attempts group by 1 order by 2 desc",
        "select date_trunc('day', created_at), count(*) from attempts group by 1 order by 1",
        "select pause_detail, count(*) from campaigns where status='paused' group by 1",
    ):
        print(*[tuple(r) for r in await c.fetch(q)], sep="\n")
    await c.close()


if __name__ == "__main__":
    sys.exit(main())
