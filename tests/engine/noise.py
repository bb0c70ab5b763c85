"""A stranger, in a process of its own: `noise.py udp|tcp|flood HOST PORT SECONDS SEED`.

It sends messages that are hard to read, and mutations of them, or floods with good ones that nobody
asked for; and now and then a question whose answer says that all before it was dealt with. At its
end it prints how many answers it got.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.torture import CORPUS, VIA, message

PATIENCE = 10  # seconds for an answer
AT_ONCE = 50  # of each kind of request in a flood, before an answer is waited for
MESSAGES = [data for _, data in CORPUS.values()]


def mutation(chance):
    """Change a message of the corpus in a few places, or in none."""
    data = bytearray(chance.choice(MESSAGES))
    for _ in range(chance.randrange(5)):
        at, size = chance.randrange(len(data) + 1), chance.randrange(40)
        match chance.randrange(3):
            case 0:
                del data[at : at + size]
            case 1:
                data[at:at] = data[at : at + size] * chance.randrange(20)
            case _:
                data[at : at + size] = chance.randbytes(chance.randrange(8))
    return bytes(data[:65_000])


def question(number):
    """An OPTIONS whose answer says that all before it was read."""
    return message(f"alive-{number}", "OPTIONS sip:dialer@192.0.2.9 SIP/2.0", via=VIA + ";rport")


async def over_udp(address, chance, number):
    """Send from a port of its own, then wait for an answer."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.settimeout(0)
        stranger.connect(address)
        for _ in range(20):
            stranger.send(mutation(chance))
        stranger.send(question(number))
        while f"alive-{number}".encode() not in await loop.sock_recv(stranger, 65_536):
            pass


async def flood(address, chance, number):
    """Send new requests from a port of its own, and acknowledge no answer to an INVITE."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.settimeout(0)
        stranger.connect(address)
        for place in range(AT_ONCE):
            for method in ("INVITE", "OPTIONS", "REGISTER"):
                name = f"{method}-{number}-{place}-{chance.random()}"
                start = f"{method} sip:dialer@192.0.2.9 SIP/2.0"
                stranger.send(message(name, start, via=VIA + ";rport"))
        stranger.send(question(number))
        while f"alive-{number}".encode() not in await loop.sock_recv(stranger, 65_536):
            pass


async def over_tcp(address, chance, number):
    """Send over connections of their own, in two pieces each; then wait for an answer."""
    for _ in range(5):
        _, writer = await asyncio.open_connection(*address)
        with contextlib.suppress(OSError):
            for _ in range(4):
                data = mutation(chance)
                cut = chance.randrange(len(data) + 1)
                for piece in (data[:cut], data[cut:]):
                    writer.write(piece)
                    await writer.drain()
        writer.close()
    reader, writer = await asyncio.open_connection(*address)
    writer.write(question(number).replace(b"/UDP", b"/TCP"))
    assert b" 200 OK" in await reader.readuntil(b"\r\n")
    writer.close()


async def main(transport, host, port, seconds, seed):
    chance, until, answers = random.Random(int(seed)), time.monotonic() + float(seconds), 0
    one = {"udp": over_udp, "tcp": over_tcp, "flood": flood}[transport]
    while time.monotonic() < until:
        async with asyncio.timeout(PATIENCE):
            await one((host, int(port)), chance, answers)
        answers += 1
    sys.stdout.write(f"{answers}\n")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
