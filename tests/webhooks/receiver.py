"""A receiver of webhooks on loopback, that answers as it is told and keeps what it got."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json

from aiohttp import web


@dataclasses.dataclass
class Got:
    """A request as it came."""

    path: str
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def id(self):
        return self.headers["webhook-id"]


@dataclasses.dataclass
class Receiver:
    """`answers` are given in turn, then `otherwise`; each a status, or (status, headers, text).

    While `held` is set no request is answered before `release` is. `came` tells of each.
    """

    url: str = ""
    port: int = 0
    otherwise: object = 200
    answers: list = dataclasses.field(default_factory=list)
    got: list = dataclasses.field(default_factory=list)
    held: bool = False
    release: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    came: asyncio.Condition = dataclasses.field(default_factory=asyncio.Condition)
    at_once: int = 0
    most_at_once: int = 0

    async def handle(self, request):
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            headers = {name.lower(): value for name, value in request.headers.items()}
            self.got.append(Got(request.path, headers, await request.read()))
            async with self.came:
                self.came.notify_all()
            if self.held:
                await self.release.wait()
            answer = self.answers.pop(0) if self.answers else self.otherwise
            status, headers, text = answer if isinstance(answer, tuple) else (answer, {}, "thanks")
            return web.Response(status=status, headers=headers, text=text)
        finally:
            self.at_once -= 1

    async def has(self, count):
        """Wait until so many requests have come."""
        async with asyncio.timeout(20), self.came:
            await self.came.wait_for(lambda: len(self.got) >= count)

    @property
    def ids(self):
        return [one.id for one in self.got]

    @property
    def kinds(self):
        return [one.json["type"] for one in self.got]


@contextlib.asynccontextmanager
async def receiving(**how):
    """Serve a receiver on a free port of loopback."""
    tls = how.pop("tls", None)
    receiver = Receiver(**how)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        receiver.port = runner.addresses[0][1]
        receiver.url = f"http://127.0.0.1:{receiver.port}/hook"
        yield receiver
    finally:
        receiver.release.set()
        await runner.cleanup()
