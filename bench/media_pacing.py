"""How late do the frames of many RTP streams leave one process, in parts of the 20 ms between them?

A second process receives them and reads the kernel's time of arrival (on loopback, of leaving), so
that the measure is independent of the sender's own clock and of the receiver's pace.
Lateness counts from the grid on which the earliest frame of all left. The first second does not
count: there all streams are opened in one moment, as calls never are.

    python bench/media_pacing.py [--streams 200] [--seconds 10] [--loop asyncio|uvloop]
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import resource
import socket
import struct
import time

import numpy as np
import uvloop

from dialer.clock import SystemClock
from dialer.rtp import packet
from dialer.rtp.frames import Frames
from dialer.sip.sdp import Negotiated
from dialer.ua.media import MediaPlane

FRAME = 0.020
SO_TIMESTAMPNS = 35  # Linux; Python does not name it
TIMESPEC = struct.Struct("@qq")


def receive(sink: socket.socket, results: multiprocessing.connection.Connection) -> None:
    """Note stream, frame number and kernel time of each packet until one is empty."""
    arrivals = []
    firsts: dict[int, int] = {}
    while True:
        data, ancillary, _, _ = sink.recvmsg(2048, 64)
        received = packet.parse(data)
        if not received.payload:
            break
        seconds, nanoseconds = TIMESPEC.unpack(ancillary[0][2])
        first = firsts.setdefault(received.ssrc, received.timestamp)
        number = ((received.timestamp - first) & 0xFFFFFFFF) // 160
        arrivals.append((number, seconds % 100_000 + nanoseconds / 1e9))
    results.send(np.array(arrivals))


async def send(streams: int, seconds: float, port: int) -> float:
    """Play on every stream; returns the share of one processor that it took."""
    plane = MediaPlane(SystemClock(), "127.0.0.1", (30000, 30000 + 4 * streams))
    opened = [plane.open() for _ in range(streams)]
    frames = Frames.silence(seconds, "PCMU")
    for stream in opened:
        stream.connect(Negotiated("127.0.0.1", port, "PCMU", 0))
    before, begun = time.process_time(), time.monotonic()
    await asyncio.gather(*(stream.play(frames) for stream in opened))
    busy = (time.process_time() - before) / (time.monotonic() - begun)
    plane.close()
    return busy


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * 1024 * 1024)
    sink.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    sink.bind(("127.0.0.1", 0))
    ours, theirs = multiprocessing.Pipe()
    receiver = multiprocessing.Process(target=receive, args=(sink, theirs))
    receiver.start()

    factory = uvloop.new_event_loop if options.loop == "uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        busy = runner.run(send(options.streams, options.seconds, sink.getsockname()[1]))
    last = packet.Packet(payload_type=0, sequence=0, timestamp=0, ssrc=0, payload=b"")
    sink.sendto(bytes(last), sink.getsockname())
    arrivals = ours.recv()
    receiver.join()

    seen = len(arrivals)
    arrivals = arrivals[arrivals[:, 0] >= 1 / FRAME]
    late = arrivals[:, 1] - arrivals[:, 0] * FRAME
    late = (late - late.min()) / FRAME
    sent = round(options.seconds / FRAME) * options.streams
    p50, p99 = np.percentile(late, [50, 99])
    print(
        f"{options.streams} streams, {options.seconds:g} s, {options.loop}: frames leave late by "
        f"p50 {p50:.2f}, p99 {p99:.2f}, worst {late.max():.2f} of a frame; "
        f"{seen} of {sent} or more seen; {busy:.0%} of one processor"
    )


if __name__ == "__main__":
    main()
