"""What does it cost to listen to many calls that ring, in parts of what receiving them costs?

A second process sends RTP to every stream, 50 packets a second, each from its own place in the
sound. The streams are received for some seconds without anybody listening, then as long with early
media looked at, and the processor time of the two is compared.

    python bench/early_media.py [--calls 200] [--seconds 20] [--sound ringback|busy|speech]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import multiprocessing
import random
import resource
import socket
import time
from typing import TYPE_CHECKING

import uvloop

from dialer.clock import SystemClock
from dialer.rtp.packet import Numbering
from dialer.simulator.sounds import Sound, sound_of
from dialer.ua.early_listening import EarlyListening
from dialer.ua.media import MediaPlane

if TYPE_CHECKING:
    from multiprocessing.synchronize import Event

FRAME = 0.020
SOUNDS = {"ringback": Sound.RINGBACK, "busy": Sound.BUSY, "speech": Sound.VACANT_NUMBER}


def send(ports: list[int], source: int, sound: str, over: Event) -> None:
    """Send the sound to every port again and again, each in its own phase."""
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.bind(("127.0.0.1", source))
    data = sound_of(SOUNDS[sound], "PCMU").data
    frames = [data[start : start + 160] for start in range(0, len(data), 160)]
    streams = [
        Numbering(payload_type=0, samples=160, ssrc=port, sequence=0, timestamp=0) for port in ports
    ]
    phases = [random.randrange(len(frames)) for _ in ports]
    begun, number = time.monotonic(), 0
    while not over.is_set():
        for place, (port, stream) in enumerate(zip(ports, streams, strict=True)):
            frame = frames[(number + phases[place]) % len(frames)]
            sender.sendto(stream.packet(frame), ("127.0.0.1", port))
        number += 1
        time.sleep(max(0.0, begun + number * FRAME - time.monotonic()))


async def receive(calls: int, seconds: float, sound: str) -> None:
    """Measure, and print."""
    clock = SystemClock()
    plane = MediaPlane(clock, "127.0.0.1", (30000, 30000 + 4 * calls))
    opened = [plane.open() for _ in range(calls)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        source = probe.getsockname()[1]
    for stream in opened:
        stream.latch.expect(("127.0.0.1", source))
    over = multiprocessing.Event()
    ports = [stream.local_port for stream in opened]
    sender = multiprocessing.Process(target=send, args=(ports, source, sound, over), daemon=True)
    sender.start()
    await clock.sleep(2)
    alone = await _spent(clock, seconds)
    listening = [EarlyListening(stream, clock) for stream in opened]
    together = await _spent(clock, seconds)
    before = time.process_time()
    heard = [one.end() for one in listening]
    ending = time.process_time() - before
    over.set()
    sender.join()
    received = sum(stream.packets_received for stream in opened)
    plane.close()
    assert all(heard)
    expected = calls * (2 * seconds + 2) / FRAME
    per_second = 1000 * (together - alone) / seconds / calls
    print(
        f"{calls} calls, {seconds:g} s of {sound}: receiving takes {alone / seconds:.0%} of one"
        f" processor, with listening {together / seconds:.0%}, {together / alone:.1f} times as much"
    )
    print(
        f"  that is {per_second:.2f} ms a second of a call, and {1000 * ending / calls:.2f} ms at"
        f" its end; {received / expected:.0%} of the packets came"
    )
    print("  one of them:", [f"{one.kind} {one.seconds:.1f} s" for one in heard[0].heard][:6])


async def _spent(clock: SystemClock, seconds: float) -> float:
    gc.collect()
    before, begun = time.process_time(), time.monotonic()
    await clock.sleep(seconds)
    return (time.process_time() - before) * seconds / (time.monotonic() - begun)


def main() -> None:
    """Measure one sound or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--sound", choices=SOUNDS)
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for sound in [options.sound] if options.sound else SOUNDS:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(receive(options.calls, options.seconds, sound))


if __name__ == "__main__":
    main()
