"""A bot's frames as RFC 6455 has them, and as it does not; and connections that end early."""

import asyncio
import base64
import contextlib
import hashlib
import json
import re
import struct

import pytest
from tests.name_server import name_server
from tests.wire.bots import settings
from tests.wire.test_bot_failures import failure

from dialer.conversation.bot_connection import BotConnection, BotFailure, connect
from dialer.sip.identity import HostPort
from dialer.ua.resolver import Found, Resolver

TEXT, BINARY, CONTINUATION, CLOSE, PING = 1, 2, 0, 8, 9
FIN, RSV1 = 0x80, 0x40


def frame(kind, payload, flags=FIN):
    size = (
        bytes([len(payload)]) if len(payload) < 126 else b"\x7e" + struct.pack("!H", len(payload))
    )
    return bytes([flags | kind]) + size + payload


def raw(bot, *frames):
    bot.socket._req.transport.write(b"".join(frames))


def result(**fields):
    return json.dumps({"event": "result", "fields": fields}).encode()


async def test_a_message_may_come_in_parts_with_a_ping_between(led, bots):
    bot = await bots()
    ending = led(bot)
    await bot.got("start")
    message = result(mood="good", note="x" * 300)
    raw(
        bot,
        frame(TEXT, message[:10], flags=0),
        frame(PING, b"there?"),
        frame(CONTINUATION, message[10:200], flags=0),
        frame(CONTINUATION, message[200:]),
        frame(BINARY, result(age=41)),
    )
    raw(bot, frame(TEXT, b'{"event": "hangup"}'))
    end = await asyncio.wait_for(ending, 10)
    assert end.cause is None
    assert end.report_data == {"mood": "good", "note": "x" * 300, "age": 41}
    assert end.record["bad_messages"] == 0


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ([frame(CONTINUATION, b"x")], "a part of no message"),
        ([frame(TEXT, b"x", 0), frame(TEXT, b"y")], "a message within another"),
        ([frame(TEXT, b"{}", FIN | RSV1)], "reserved bits are set"),
        ([frame(3, b"")], "Received frame with invalid opcode=0x3"),
        ([frame(PING, b"", 0)], "Received fragmented control frame"),
        ([b"\x81\xff" + bytes(12)], "Received masked frame from server"),
        ([frame(TEXT, b"x" * 60_000, 0), *4 * [frame(0, b"y" * 60_000, 0)]], "too long"),
    ],
)
async def test_what_breaks_the_rules_ends_the_stream(led, bots, frames, reason):
    bot = await bots()
    ending = led(bot, limits=settings(buffer_seconds=10))
    await bot.got("start")
    raw(bot, *frames)
    detail = await failure(ending)
    assert detail.startswith("the bot failed: it broke the rules of WebSocket: ")
    assert reason in detail


async def test_what_a_bot_said_before_it_closed_is_heard(led, bots):
    bot = await bots()
    ending = led(bot)
    await bot.got("start")
    raw(bot, frame(TEXT, result(mood="good")), frame(CLOSE, struct.pack("!H", 1000)))
    end = await asyncio.wait_for(ending, 10)
    assert (end.cause, end.report_data) == (None, {"mood": "good"})
    assert end.record["ended_by"] == "bot"


async def test_a_code_of_its_own_is_told(led, bots):
    bot = await bots()
    ending = led(bot)
    await bot.got("start")
    raw(bot, frame(CLOSE, struct.pack("!H", 4001) + b"no such caller"))
    assert (
        await failure(ending)
        == "the bot failed: it closed the stream with code 4001 'no such caller'"
    )


async def test_what_came_with_the_handshake_is_heard_though_a_close_followed(led):
    said = result(mood="good")
    closing = frame(CLOSE, struct.pack("!H", 1000))
    async with accepting(frame(TEXT, said), closing) as (url, _):
        end = await asyncio.wait_for(led(url), 10)
    assert (end.cause, end.report_data) == (None, {"mood": "good"})


# before there is a stream


@contextlib.asynccontextmanager
async def accepting(*frames):
    """A server that takes each handshake and sends frames with its answer.

    Gives its address, and a queue of its connections.
    """
    connections, writers = asyncio.Queue(), []

    async def answer(reader, writer):
        writers.append(writer)
        [key] = re.findall(rb"(?i)sec-websocket-key: (\S+)", await reader.readuntil(b"\r\n\r\n"))
        digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        head += b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
        writer.write(head + b"".join(frames))
        await connections.put((reader, writer))

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/", connections
        for writer in writers:
            writer.transport.abort()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def answered(said, *, then_close=True):
    """Return the address of a server that reads a request and answers so, and its connections."""
    connections = asyncio.Queue()

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        if then_close:
            writer.close()
        await connections.put((reader, writer))

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    return server, f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/", connections


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"", "it closed the connection during the handshake"),
        (b"HTTP/1.1 101 Switching", "it closed the connection during the handshake"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "it answers the WebSocket handshake with what is none: "),
        (
            b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: mine\r\n\r\n",
            "it answers the WebSocket handshake with what is none: ",
        ),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "it answers 404 to the WebSocket handshake"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "it answers 200 to the WebSocket handshake"),
    ],
)
async def test_what_is_no_handshake_is_told(said, reason):
    server, url, _ = await answered(said)
    async with server:
        with pytest.raises(BotFailure) as caught:
            await asyncio.wait_for(connect(url, {}, settings()), 10)
    assert str(caught.value).startswith(reason)


async def test_giving_up_closes_the_connection():
    server, url, connections = await answered(b"", then_close=False)
    async with server:
        connecting = asyncio.create_task(connect(url, {}, settings()))
        reader, writer = await asyncio.wait_for(connections.get(), 10)
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("turns", range(6))
async def test_giving_up_at_the_last_moment_closes_the_connection(turns, monkeypatch):
    loop, opened = asyncio.get_running_loop(), BotConnection.on_ws_connected

    def give_up(after):
        if after:
            loop.call_soon(give_up, after - 1)
        else:
            connecting.cancel()

    def note(connection, transport):
        opened(connection, transport)
        give_up(turns)

    monkeypatch.setattr(BotConnection, "on_ws_connected", note)
    async with accepting() as (url, connections):
        connecting = asyncio.create_task(connect(url, {}, settings()))
        [made] = await asyncio.gather(connecting, return_exceptions=True)
        if isinstance(made, BotConnection):
            await made.abort()
        reader, _ = await asyncio.wait_for(connections.get(), 10)
        with contextlib.suppress(ConnectionError):
            await asyncio.wait_for(reader.read(), 10)
        watching = {task for task in asyncio.all_tasks() if task.get_name() == "bot-connection"}
        if watching:
            _, stay = await asyncio.wait(watching, timeout=10)
            assert not stay


@pytest.mark.parametrize("url", ["ws://b\u00fccher..example/", "ws://ex\\ample/"])
async def test_an_address_that_is_none_is_a_failure_in_one_line(url):
    with pytest.raises(BotFailure, match=r"^its address is none: |^no connection to "):
        await asyncio.wait_for(connect(url, {}, settings()), 10)


class Names:
    """A look-up that gives every name such places."""

    def __init__(self, *places):
        self._found = Found(tuple(HostPort(*place) for place in places))

    async def find(self, _host, _port):
        return self._found


def port_of(bot):
    return int(bot.url.rsplit(":", 1)[1].split("/")[0])


async def test_one_address_that_is_not_allowed_does_not_hide_what_another_answers(bots):
    bot = await bots(refuse=503)
    names = Names(("10.9.9.9", port_of(bot)), ("127.0.0.1", port_of(bot)))
    limits = settings(allows=lambda host: host == "127.0.0.1", resolver=names)
    with pytest.raises(BotFailure, match="it answers 503 to the WebSocket handshake"):
        await connect("ws://bot.example/bot", {}, limits)


async def test_a_name_with_several_addresses_is_tried_at_each(bots):
    bot = await bots()
    names = Names(("127.0.0.9", port_of(bot)), ("127.0.0.1", port_of(bot)))
    connection = await connect("ws://bot.example:8080/bot", {}, settings(resolver=names))
    await connection.close()
    assert bot.headers["Host"] == "bot.example:8080"
    assert bot.headers["User-Agent"].startswith("dialer/")


async def test_a_name_server_that_is_silent_holds_up_only_who_asks_it(bots, clock):
    bot = await bots()
    async with name_server({}, silent=True) as dns:
        limits = settings(resolver=Resolver(clock, [dns.address], 3.0))
        lost = [
            asyncio.create_task(connect(f"ws://bot{n}.example/", {}, limits)) for n in range(50)
        ]
        while len(dns.asked) < 50:  # noqa: ASYNC110 - it has no event for this
            await asyncio.sleep(0)
        for host in ("127.0.0.1", "localhost"):
            url = f"ws://{host}:{port_of(bot)}/bot"
            connection = await asyncio.wait_for(connect(url, {}, limits), 2)
            await connection.close()
        for one in lost:
            one.cancel()
        await asyncio.gather(*lost, return_exceptions=True)
        await limits.resolver.close()
