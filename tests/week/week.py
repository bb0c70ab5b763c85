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
from tests.week.check import check, report
from tests.week.play import play
from tests.week.scenario import BEGAN, MAX_CALLS, QUIET, TRUNKS, scenario
from tests.week.story import Told

from dialer.store.embedded import EmbeddedPostgres
from dialer.store.pool import connect

ERRORS = "an error in the service's log"


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


def seen(url, clock_file, plan):
    """Play a week on an empty database; return what was played, and what is wrong after it."""
    asyncio.run(database_time.prepare(url, clock_file))
    played = play(url, clock_file, plan)
    return played, asyncio.run(_checked(url, played, plan)) | {ERRORS: played.errors}


def told(played, plan):
    """Return what is known of a week besides the tables: what people did, and what left us."""
    people = played.people
    return Told(
        began=BEGAN,
        left={name: at for name, (at, _) in played.network.invites.items()},
        zones=plan.zones,
        quiet_hours=QUIET,
        trunk_limits=dict.fromkeys(TRUNKS, MAX_CALLS),
        minutes=people.limits("minutes"),
        unique_users=people.limits("unique_users"),
        stops=people.stops(),
    )


async def _checked(url, played, plan):
    connection = await connect(url)
    try:
        ledgers = [carrier.ledger for carrier in played.carriers.values()]
        return await check(connection, told(played, plan), ledgers)
    finally:
        await connection.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with database() as (url, folder):
        clock_file = folder / "clock"
        clock_file.write_text("0")
        played, found = seen(url, clock_file, scenario(given.seed, given.calls))
    invites = len(played.network.invites)
    sys.stdout.write(
        f"seed {given.seed}: {given.calls} numbers, {invites} INVITEs in {played.seconds:.0f} s\n"
        f"{report(found)}\n"
    )
    return 1 if any(found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
