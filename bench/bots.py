"""Calls led by bots: how punctual speech leaves, and how fast what is heard reaches the bot.

`python bench/bots.py [--calls 200] [--seconds 20] [--apart] [--record FOLDER]`. This process holds
the dialer's side of every call: RTP both ways and a WebSocket each. A second one plays all far ends
and all bots; it sends RTP, and speech by WebSocket, every 20 ms for each call, spread as real ones
are.
Punctual is what leaves within 5 ms of its time; what is heard counts from when the far end has sent
it, until it is forwarded here, and until the other process has read it.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import gc
import json
import math
import os
import resource
import struct
import sys
import time
import uuid
from array import array
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import uvloop
from aiohttp import web

from dialer.clock import SystemClock
from dialer.conversation.bot import BotConversation, BotRequest
from dialer.conversation.bot_connection import BotSettings
from dialer.engine.call_recordings import CallRecordings, SpoolSettings
from dialer.metrics import Metrics
from dialer.recordings.keys import RecordingKeys
from dialer.rtp.packet import Numbering
from dialer.sip.sdp import TELEPHONE_EVENT_PAYLOAD_TYPE, Negotiated
from dialer.ua.call import CallResult
from dialer.ua.media import MediaPlane

if TYPE_CHECKING:
    from collections.abc import Callable

    from dialer.ua.media import MediaStream

FRAME = 0.020
SLICES = 10  # of the 20 ms, over which the far ends are spread
LIMIT = 0.005  # seconds
RECORDED = SimpleNamespace(  # what is read of a claimed call
    id=1, account_id=1, campaign_id=1, on_answer={"recording": {"consent": "given"}}
)
TIMESTAMP = struct.Struct("!I")  # of an RTP packet, at its fifth octet
STAMP = struct.Struct("!dx")  # nine octets, which are twelve of base64
SETTLE = 3.0  # seconds that are not measured
SPEECH = base64.b64encode(b"\x21" * 160).decode()


class FarEnds(asyncio.DatagramProtocol):
    """All far ends and all bots of the second process."""

    def __init__(self) -> None:
        self.calls: list[tuple[Numbering, tuple[str, int], web.WebSocketResponse, str]] = []
        self.delays: list[float] = []
        self.measuring = False
        self.received = 0
        self.transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, _data: bytes, _address: object) -> None:
        self.received += 1

    async def bot(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        async for message in socket:
            text = message.data
            if text.startswith('{"event":"media"'):
                at = text.index('"payload":"') + len('"payload":"')
                (sent,) = STAMP.unpack(base64.b64decode(text[at : at + 12]))
                if self.measuring:
                    self.delays.append(time.monotonic() - sent)
            elif '"start"' in text:
                start = json.loads(text)["start"]
                port = int(start["customParameters"]["rtp_port"])
                numbering = Numbering(
                    payload_type=0, samples=160, ssrc=port, sequence=1, timestamp=1
                )
                said = json.dumps(
                    {
                        "event": "media",
                        "streamSid": start["streamSid"],
                        "media": {"payload": SPEECH},
                    }
                )
                self.calls.append((numbering, ("127.0.0.1", port), socket, said))
        return socket

    async def talk(self) -> None:
        """Send, slice by slice."""
        loop, piece = asyncio.get_running_loop(), 0
        at = loop.time()
        while True:
            for numbering, address, socket, said in self.calls[piece % SLICES :: SLICES]:
                stamp = STAMP.pack(time.monotonic())
                self.transport.sendto(numbering.packet(stamp + b"\x21" * 151), address)
                with contextlib.suppress(ConnectionError):
                    await socket.send_str(said)
            piece += 1
            at += FRAME / SLICES
            await asyncio.sleep(max(0.0, at - loop.time()))


def _used() -> tuple[float, float]:
    """Return the seconds of processor that this process has used, and the time."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime, time.monotonic()


def _machine() -> float:
    """Return the seconds of processor that all processes of the machine have used."""
    with Path("/proc/stat").open(encoding="ascii") as file:
        user, nice, system, _idle, _waiting, hard, soft, stolen, *_ = map(
            int, file.readline().split()[1:]
        )
    ticks = user + nice + system + hard + soft + stolen
    return ticks / os.sysconf("SC_CLK_TCK")


def _busy(begun: tuple[float, float], ended: tuple[float, float]) -> float:
    return (ended[0] - begun[0]) / (ended[1] - begun[1])


async def far_ends() -> None:
    loop = asyncio.get_running_loop()
    ends = FarEnds()
    await loop.create_datagram_endpoint(lambda: ends, local_addr=("127.0.0.1", 0))
    app = web.Application()
    app.router.add_get("/", ends.bot)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    talking = asyncio.create_task(ends.talk())
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    gc.freeze()
    await reader.readline()
    ends.measuring, begun = True, _used()
    await reader.readline()
    ends.measuring = False
    delays = sorted(ends.delays)
    print(
        json.dumps(
            {
                "quick": sum(delay <= LIMIT for delay in delays) / len(delays),
                "median": delays[len(delays) // 2],
                "99": delays[len(delays) * 99 // 100],
                "heard": len(delays),
                "busy": _busy(begun, _used()),
            }
        ),
        flush=True,
    )
    talking.cancel()
    await runner.cleanup()


class Call:
    """A call whose media is real and whose signalling is not there."""

    def __init__(self, media: MediaStream) -> None:
        self.media = media
        self.call_id = "bench"
        self.digit_listeners: list[Callable[[str], None]] = []
        self.result = asyncio.get_running_loop().create_future()

    def hang_up(self) -> None:
        if not self.result.done():
            self.media.close()
            self.result.set_result(CallResult("bench"))


class Tally:
    """When frames left and came, against their time; in seconds."""

    def __init__(self) -> None:
        self.measuring = False
        self.sent = array("d")
        self.forwarded = array("d")

    @property
    def punctual(self) -> float:
        return sum(abs(late) <= LIMIT for late in self.sent) / len(self.sent)

    @property
    def quick(self) -> float:
        return sum(late <= LIMIT for late in self.forwarded) / len(self.forwarded)


class Punctuality:
    """When the packets of a stream left, against the grid of its plane, and came, against theirs.

    It does little for each packet: what it costs counts as the dialer's.
    """

    def __init__(self, plane: MediaPlane, stream: MediaStream, tally: Tally) -> None:
        # their grid is nobody's business but ours here
        phases = plane.ticker._phases  # noqa: SLF001
        [mine] = [phase for phase in phases if stream in phase.streams]
        self._start = mine.pacer._start  # noqa: SLF001
        self._tally = tally
        self._first = 0  # timestamp
        self._began = math.inf  # when the packet of that timestamp was to leave
        stream.on_packet = self.passed

    def passed(self, direction: str, packet: bytes, _peer: object) -> None:
        now = time.monotonic()
        tally = self._tally
        if direction != "sent":
            if tally.measuring:
                tally.forwarded.append(now - STAMP.unpack_from(packet, 12)[0])
            return
        (timestamp,) = TIMESTAMP.unpack_from(packet, 4)
        if tally.measuring:
            tally.sent.append(now - self._began - (timestamp - self._first) % 2**32 / 8000)
            return
        if self._began == math.inf:
            self._first = timestamp
        # before the measuring the least late packet tells where on the grid the stream is
        at = self._start + int((now + 0.002 - self._start) / FRAME) * FRAME
        self._began = min(self._began, at - (timestamp - self._first) % 2**32 / 8000)


class Recorded:
    """The recordings of all calls, sealed in a folder; of none without a folder."""

    def __init__(self, folder: Path | None, clock: SystemClock) -> None:
        self._folder = folder
        self._writing: asyncio.Task[None] | None = None
        if folder is not None:
            keys = RecordingKeys(base64.urlsafe_b64encode(bytes(32)).decode())
            self._calls = CallRecordings(SpoolSettings(folder, keys, "bench", 30), clock, Metrics())
            self._writing = asyncio.create_task(self._write())

    def begin(self, media: MediaStream) -> None:
        if self._writing is not None:
            self._calls.begin(media, RECORDED, uuid.uuid4(), "")

    async def _write(self) -> None:
        while True:
            pause = await self._calls.run_once()
            await asyncio.sleep(pause)

    async def end(self) -> None:
        if self._folder is not None and self._writing is not None:
            self._writing.cancel()
            await self._calls.close()
            sizes = [path.stat().st_size for path in self._folder.glob("*.spool")]
            print(f"{len(sizes)} recordings, {sum(sizes) / 1e6:.0f} MB")


async def measure(
    calls: int, seconds: float, keys: int | None, *, apart: bool, record: Path | None
) -> dict[str, float]:
    """Print what was measured, and return the figures that `--json` gives."""
    other = await asyncio.create_subprocess_exec(
        sys.executable,
        __file__,
        "--far-ends",
        *(["--apart"] if apart else []),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert other.stdin is not None
    assert other.stdout is not None
    port = int(await other.stdout.readline())
    clock, tally = SystemClock(), Tally()
    plane = MediaPlane(clock, "127.0.0.1", (30000, 39998))
    settings = BotSettings(allows=lambda _: True, after_call_seconds=0.1)
    conversations, lines = [], []
    recorded = Recorded(record, clock)

    async def hang_up() -> str:
        return ""

    for _ in range(calls):
        call = Call(plane.open())
        call.media.connect(Negotiated("127.0.0.1", 9, "PCMU", 0, telephone_event=keys))
        Punctuality(plane, call.media, tally)
        wanted = BotRequest(
            f"ws://127.0.0.1:{port}/", "AC", "CA", {"rtp_port": str(call.media.local_port)}
        )
        led = BotConversation(call, wanted, settings, clock, fallback=hang_up)
        conversations.append(asyncio.create_task(led.hold()))
        lines.append(call)
        recorded.begin(call.media)
        await asyncio.sleep(0.01)
    gc.collect()
    gc.freeze()
    await asyncio.sleep(SETTLE)
    tally.measuring = True
    other.stdin.write(b"begin\n")
    begun, all_begun = _used(), _machine()
    await asyncio.sleep(seconds)
    ended = _used()
    busy, everything = _busy(begun, ended), (_machine() - all_begun) / (ended[1] - begun[1])
    tally.measuring = False
    other.stdin.write(b"end\n")
    heard = json.loads(await other.stdout.readline())
    for call in lines:
        call.hang_up()
    ends = await asyncio.gather(*conversations)
    await other.wait()
    await recorded.end()
    failed = sum(end.cause is not None for end in ends)
    print(
        f"{calls} calls for {seconds:.0f} s, {failed} failed;"
        f" load of the machine {os.getloadavg()[0]:.1f}"
    )
    print(f"frames sent within 5 ms of their time: {tally.punctual:.2%} of {len(tally.sent)}")
    print(f"frames forwarded within 5 ms of their RTP: {tally.quick:.2%} of {len(tally.forwarded)}")
    print(
        f"frames at the bot within 5 ms of their RTP: {heard['quick']:.2%} of {heard['heard']}"
        f" (median {heard['median'] * 1000:.1f} ms, 99 % {heard['99'] * 1000:.1f} ms)"
    )
    print(f"this process used {busy:.0%} of a core, the other one {heard['busy']:.0%}")
    late = Counter(min(20, int(seconds * 1000)) for seconds in tally.sent)
    print("ms late:", dict(sorted(late.items())))
    others = max(0.0, everything - busy - heard["busy"])
    print(f"others used {others:.0%} of a core meanwhile, of {os.cpu_count()} cores")
    plane.close()
    return {
        "calls": calls,
        "failed": failed,
        "punctual": tally.punctual,
        "sent": len(tally.sent),
        "forwarded": tally.quick,
        "at_bot": heard["quick"],
        "busy": busy,
        "others": others,
        "load": os.getloadavg()[0],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument(
        "--in-band", action="store_true", help="far ends without telephone events: find their keys"
    )
    parser.add_argument("--record", type=Path, help="record every call, sealed, in this folder")
    parser.add_argument("--far-ends", action="store_true")
    parser.add_argument("--json", action="store_true", help="the figures once more, as last line")
    parser.add_argument(
        "--apart", action="store_true", help="this process on one core, the other on another one"
    )
    options = parser.parse_args()
    if options.apart:
        os.sched_setaffinity(0, [1 if options.far_ends else 0])
    if options.far_ends:
        uvloop.run(far_ends())
    else:
        keys = None if options.in_band else TELEPHONE_EVENT_PAYLOAD_TYPE
        figures = uvloop.run(
            measure(
                options.calls,
                options.seconds,
                keys,
                apart=options.apart,
                record=options.record,
            )
        )
        if options.json:
            print(json.dumps(figures))


if __name__ == "__main__":
    main()
