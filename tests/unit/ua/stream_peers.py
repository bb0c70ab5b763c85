"""Far ends of connections, and what uses our end of them."""

from __future__ import annotations

import asyncio
import contextlib

from dialer.clock import SystemClock
from dialer.sip.identity import HostPort
from dialer.ua.transports import Transports


class Uses:
    """Hooks that keep what they hear."""

    def __init__(self):
        self.messages = asyncio.Queue()
        self.failures = asyncio.Queue()
        self.broken = asyncio.Queue()
        self.answer_to_broken = None
        self.transports = None
        self.held_back = []

    def on_message(self, data, source):
        self.messages.put_nowait((data, source))

    def may_leave(self, data):
        return data not in self.held_back

    def on_broken(self, broken, source):
        self.broken.put_nowait(broken)
        if self.answer_to_broken is not None:
            self.transports.send(self.answer_to_broken, source)

    def on_failure(self, destination):
        self.failures.put_nowait(destination)


@contextlib.asynccontextmanager
async def transports(host="127.0.0.1", *, clock=None, context=None, chance=lambda: 1.0):
    """Our end: `async with transports() as (uses, ours)`."""
    uses = Uses()
    ours = Transports((host, 0), None, uses, clock or SystemClock(), chance=chance)
    uses.transports = ours
    await ours.start()
    if context is not None:
        ours.serve_tls(context)
    try:
        yield uses, ours
    finally:
        await ours.close()


class Stream:
    """A connection as a peer has it, byte by byte."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @property
    def address(self):
        return self.writer.get_extra_info("sockname")[:2]

    def send(self, data):
        self.writer.write(data)

    async def receive(self, count):
        return await self.reader.readexactly(count)

    async def ended(self):
        """Wait for the end, however it comes; return what came before."""
        data = b""
        with contextlib.suppress(ConnectionError):
            while piece := await self.reader.read(65536):
                data += piece
        return data

    def reset(self):
        """Drop it, with RST where anything is unread."""
        self.writer.transport.abort()

    async def close(self):
        self.writer.close()
        with contextlib.suppress(ConnectionError, TimeoutError, OSError):
            await self.writer.wait_closed()


@contextlib.asynccontextmanager
async def listening(host="127.0.0.1", port=0, *, transport="tcp", context=None, **options):
    """A peer that accepts: `async with listening() as (address, streams)`."""
    streams = asyncio.Queue()
    every = []

    def accepted(reader, writer):
        stream = Stream(reader, writer)
        every.append(stream)
        streams.put_nowait(stream)

    server = await asyncio.start_server(accepted, host, port, ssl=context, **options)
    try:
        name = server.sockets[0].getsockname()
        yield HostPort(name[0], name[1], transport), streams
    finally:
        server.close()
        for stream in every:
            stream.reset()
        for stream in every:
            await stream.close()


@contextlib.asynccontextmanager
async def connected(ours, **options):
    """A peer that connects to our TCP port."""
    reader, writer = await asyncio.open_connection(*ours.listens("tcp")[:2], **options)
    stream = Stream(reader, writer)
    try:
        yield stream
    finally:
        await stream.close()
