"""What an attack on the API costs the calls that are placed meanwhile.

    python bench/attacked_api.py [seconds for each attack] [attack ...]

A service, a process of its own, places 20 calls a second to a simulated carrier. Attackers in
another process open 10,000 connections and send their heads a byte a second, send bodies without
end with a good token and without one, and ask as fast as they can. For each attack, and for none:
ms from the carrier's 200 to the ACK, ms between two INVITEs, and how many calls were placed.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

import uvloop

from dialer.client import Client
from dialer.simulator.carrier import Carrier, CarrierSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from dialer.simulator.wire import Message

TOKEN = "a-token-with-more-than-16-characters"
CONNECTIONS = 10_000
PACE = 20  # calls a second
PIECE = b"0" * 65536
CHUNK = b"%x\r\n%s\r\n" % (len(PIECE), PIECE)
SERVICE = """
[api]
port = 0
[engine]
drain_seconds = 1
[sip]
host = "127.0.0.1"
[database]
data = "{folder}/postgres"
[[trunk]]
name = "carrier"
address = "127.0.0.1:{port}"
calls_per_second = {pace}
max_calls = 200
"""


async def slow_heads(host: str, port: int) -> None:
    """Hold as many connections as there may be, and knock for the rest again and again."""

    async def hold() -> None:
        while True:
            with contextlib.suppress(OSError, RuntimeError):  # the latter by uvloop
                _, writer = await asyncio.open_connection(host, port)
                for octet in itertools.chain(b"GET / HTTP/1.1\r\nA: ", itertools.repeat(120)):
                    writer.write(bytes([octet]))
                    await writer.drain()
                    await asyncio.sleep(1)
            await asyncio.sleep(1)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(CONNECTIONS):
            tasks.create_task(hold())


async def endless_bodies(host: str, port: int, *, token: str = "") -> None:
    """Send lists without end, eight at a time, as fast as they are taken."""
    head = (
        "POST /v1/campaigns/1/numbers HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\n"
        f"Authorization: Bearer {token or 'x' * 20}\r\nTransfer-Encoding: chunked\r\n\r\n"
    ).encode()

    async def send() -> None:
        while True:
            with contextlib.suppress(OSError, RuntimeError):
                _, writer = await asyncio.open_connection(host, port)
                writer.write(head)
                while True:
                    writer.write(CHUNK)
                    await writer.drain()
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(8):
            tasks.create_task(send())


async def good_endless_bodies(host: str, port: int) -> None:
    """As `endless_bodies`, by somebody who may add numbers."""
    await endless_bodies(host, port, token=TOKEN)


async def many_requests(host: str, port: int) -> None:
    """Ask for a campaign without a token, over 50 connections, as fast as answers come."""

    async def ask() -> None:
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection(host, port)
                while True:
                    writer.write(b"GET /v1/campaigns/1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    answer = await reader.readuntil(b"\r\n\r\n")
                    length = answer.lower().partition(b"content-length: ")[2].split(b"\r")[0]
                    await reader.readexactly(int(length))

    async with asyncio.TaskGroup() as tasks:
        for _ in range(50):
            tasks.create_task(ask())


ATTACKS: dict[str, Callable[[str, int], Awaitable[None]]] = {
    "slow-heads": slow_heads,
    "endless-bodies": endless_bodies,
    "good-endless-bodies": good_endless_bodies,
    "many-requests": many_requests,
}


class Clock:
    """When the carrier had the INVITE, sent its 200, and had the ACK: seconds, by Call-ID."""

    def __init__(self, carrier: Carrier) -> None:
        self.invited: dict[str, float] = {}
        self.waited: list[float] = []
        self._answered: dict[str, float] = {}
        self._carrier = carrier
        self._received, self._sent = carrier.ledger.received, carrier.ledger.sent
        carrier.ledger.received = self.received  # type: ignore[method-assign]
        carrier.ledger.sent = self.sent  # type: ignore[method-assign]

    def received(self, message: Message, now: float) -> None:
        """Note an INVITE and an ACK."""
        if message.method == "INVITE":
            self.invited.setdefault(message.call_id, now)
        elif message.method == "ACK" and message.call_id in self._answered:
            self.waited.append(now - self._answered.pop(message.call_id))
        self._received(message, now)

    def sent(self, message: Message, now: float) -> None:
        """Note an answer."""
        if message.method == "INVITE" and message.code == 200:
            self._answered.setdefault(message.call_id, now)
        self._sent(message, now)

    def clear(self) -> None:
        """Forget what was noted, and whoever is answered now."""
        self.invited.clear()
        self.waited.clear()
        self._answered.clear()


@contextlib.asynccontextmanager
async def serving(folder: Path, carrier: Carrier) -> AsyncIterator[tuple[str, int]]:
    """Start the service; give the address of its API and its process."""
    path = folder / "dialer.toml"
    path.write_text(SERVICE.format(folder=folder, port=carrier.address.port, pace=PACE))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dialer", "serve", "--config", str(path),
        env={**os.environ, "DATABASE_URL": "", "DIALER_API_TOKEN": TOKEN},
        stderr=asyncio.subprocess.PIPE, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stderr is not None
    while True:
        record = json.loads(await process.stderr.readline())
        if record["event"] == "dialer is up":
            break
    draining = asyncio.create_task(_drain(process.stderr))
    try:
        yield record["api"], process.pid
    finally:
        process.terminate()
        await process.wait()
        await draining


async def _drain(stream: asyncio.StreamReader) -> None:
    said: collections.Counter[str] = collections.Counter()
    while line := await stream.readline():
        record = json.loads(line)
        if record["level"] not in {"info", "debug"}:
            said[record["event"]] += 1
            if said[record["event"]] == 1:
                print(f"  the service says: {record}")


def cpu_seconds(pid: int) -> float:
    """CPU time of a process, seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def spread(values: list[float]) -> str:
    """Median, 99th percentile and maximum of seconds, as ms."""
    if len(values) < 2:
        return "none"
    ordered = sorted(values)
    found = (statistics.median(ordered), ordered[int(0.99 * len(ordered))], ordered[-1])
    return "  ".join(f"{1000 * one:8.1f}" for one in found)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="dialer-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # started by root, Postgres runs as somebody else
        yield folder


async def measure(names: list[str], seconds: float) -> None:
    """Print a row for each attack."""
    with _folder() as folder:
        carrier = Carrier(CarrierSettings(as_if="+15552000100"))
        await carrier.start()
        clock = Clock(carrier)
        async with serving(folder, carrier) as (api, pid), Client(api, TOKEN) as client:
            campaign = await client.create_campaign(
                {
                    "name": "b",
                    "trunks": ["carrier"],
                    "caller_ids": ["+15550001000"],
                    "max_simultaneous_calls": 200,
                }
            )
            count = int(PACE * (seconds + 4) * len(names))
            await client.add_numbers(campaign.id, [f"+15552{n:06}" for n in range(count)])
            await client.start(campaign.id)
            print(f"{'':20} ms from 200 to ACK: median, 99 %, most   ms between INVITEs")
            for attack in names:
                await _row(attack, urlsplit(api), pid, clock, seconds)
        await carrier.close()


async def _row(attack: str, api: SplitResult, pid: int, clock: Clock, seconds: float) -> None:
    attackers = None
    if attack != "none":
        attackers = await asyncio.create_subprocess_exec(
            sys.executable, __file__, "--attack", attack, str(api.hostname), str(api.port)
        )
    try:
        await asyncio.sleep(3)  # until the attack is in full swing
        clock.clear()
        cpu = cpu_seconds(pid)
        await asyncio.sleep(seconds)
        used = (cpu_seconds(pid) - cpu) / seconds
        between = [b - a for a, b in itertools.pairwise(sorted(clock.invited.values()))]
        print(
            f"{attack:20} {spread(clock.waited)}   {spread(between)}"
            f"   {len(clock.invited)} calls, {used:.0%} of a core",
            flush=True,
        )
    finally:
        if attackers is not None:
            if attackers.returncode is None:
                attackers.terminate()
            await attackers.wait()
    await asyncio.sleep(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--attack", nargs=3, metavar=("NAME", "HOST", "PORT"))
    parser.add_argument("seconds", nargs="?", type=float, default=20.0)
    parser.add_argument("attacks", nargs="*", default=["none", *ATTACKS])
    given = parser.parse_args()
    if given.attack:
        name, host, port = given.attack
        uvloop.run(ATTACKS[name](host, int(port)))  # type: ignore[arg-type]
        return
    uvloop.run(measure(given.attacks, given.seconds))


if __name__ == "__main__":
    main()
