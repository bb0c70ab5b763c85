"""What does a packet that is dropped cost, in parts of one that is taken?

A stream is fed packets of its peer, then as many of a stranger, of the peer cut short, and (with
SRTP) of the peer with a wrong tag; the datagrams wait in the socket's buffer before the clock is
read.

    python bench/media_flood.py [--packets 20000]
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import time

from dialer.clock import SystemClock
from dialer.rtp.packet import Packet
from dialer.sip.sdp import Keys, Negotiated
from dialer.ua.media import MediaPlane, MediaStream
from dialer.ua.srtp import SecureRtp

BATCH = 100  # datagrams that surely fit the buffer
KEYS = Keys("AES_CM_128_HMAC_SHA1_80", bytes(30), bytes([1]) * 30)


def cost(
    plane: MediaPlane, stream: MediaStream, sender: socket.socket, datagrams: list[bytes]
) -> float:
    """Return the microseconds of processor time that one datagram takes."""
    spent = 0.0
    for start in range(0, len(datagrams), BATCH):
        batch = datagrams[start : start + BATCH]
        for data in batch:
            sender.sendto(data, ("127.0.0.1", stream.local_port))
        before = time.process_time()
        for _ in batch:
            stream._receive()  # noqa: SLF001 - what the event loop calls, without the loop
        plane.inbox.take()
        spent += time.process_time() - before
    return 1e6 * spent / len(datagrams)


async def measure(packets: int, keys: Keys | None) -> None:
    """Print the ratios of one kind of stream."""
    plane = MediaPlane(SystemClock(), "127.0.0.1", (30000, 30998))
    stream = plane.open()
    peer, stranger = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    peer.bind(("127.0.0.1", 0))
    stream.connect(Negotiated(*peer.getsockname(), "PCMU", 0, keys=keys))
    plain = [bytes(Packet(0, n & 0xFFFF, 160 * n, 9, bytes(160))) for n in range(packets)]
    theirs = plain
    if keys is not None:
        secure = SecureRtp()
        secure.use(Keys(keys.suite, keys.theirs, keys.ours))
        theirs = [secure.protect(one) for one in plain]
    taken = cost(plane, stream, peer, theirs)
    assert stream.packets_received == packets, stream.packets_dropped
    kinds = [
        ("of a stranger", stranger, theirs),
        ("cut short", peer, [one[:10] for one in theirs]),
    ]
    if keys is not None:
        kinds.append(("with a wrong tag", peer, [one[:-1] + b"x" for one in theirs]))
    print(f"{'SRTP' if keys else 'RTP '}  taken: {taken:.1f} us")
    for what, sender, datagrams in kinds:
        print(
            f"      dropped, {what}: {cost(plane, stream, sender, datagrams) / taken:.2f} of that"
        )
    plane.close()


async def main() -> None:
    """Measure streams in clear and encrypted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packets", type=int, default=20_000)
    packets = parser.parse_args().packets
    for keys in (None, KEYS):
        await measure(packets, keys)


if __name__ == "__main__":
    asyncio.run(main())
