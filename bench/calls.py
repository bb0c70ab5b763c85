"""Calls set up and torn down per second: user agent and simulated carrier, a process each.

    python bench/calls.py [calls] [at a time]

The carrier answers at once and the agent hangs up at once, so that a call is eight messages:
INVITE, 100, 200, ACK, BYE, 200 on the wire, with SDP negotiated and an RTP port opened for each.
"""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
import time

import uvloop

from dialer.clock import SystemClock
from dialer.ua.agent import UserAgent, UserAgentSettings
from dialer.ua.call import Answered, CallRequest, Trunk


async def call(agent: UserAgent, request: CallRequest) -> bool:
    placed = None

    def on_event(event: object) -> None:
        if isinstance(event, Answered):
            assert placed is not None
            placed.hang_up()

    placed = agent.place(await agent.prepare(request), on_event)
    return (await placed.result).answered


async def run(port: int, count: int, at_a_time: int) -> None:
    agent = UserAgent(UserAgentSettings("127.0.0.1", rtp_ports=(10000, 60000)), SystemClock())
    await agent.start()
    trunk = Trunk("simulator", "127.0.0.1", port)
    numbers = iter(f"+1555200000{n % 10}" for n in range(count))

    async def caller() -> int:
        answered = 0
        for number in numbers:
            answered += await call(agent, CallRequest(trunk, number, "+15550001111"))
        return answered

    began, cpu = time.perf_counter(), time.process_time()
    answered = sum(await asyncio.gather(*(caller() for _ in range(at_a_time))))
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    await agent.close()
    print(f"calls                {count}, {at_a_time} at a time, {answered} answered")
    print(f"calls per second     {count / seconds:.0f}")
    print(f"agent CPU per call   {cpu / count * 1e6:.0f} us ({cpu / seconds:.0%} of one core)")
    print(f"agent peak memory    {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB")


def main() -> None:
    count, at_a_time = (int(a) for a in [*sys.argv[1:], *("5000", "100")[len(sys.argv) - 1 :]])
    carrier = subprocess.Popen(
        [sys.executable, "-m", "dialer.simulator", "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert carrier.stdout is not None
        port = int(carrier.stdout.readline().split()[-1])
        uvloop.run(run(port, count, at_a_time))
    finally:
        carrier.terminate()
        carrier.wait()


if __name__ == "__main__":
    main()
