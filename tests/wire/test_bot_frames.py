"""A bot's frames as RFC 6455 has them, and as it does not; and connections that end early."""

import asyncio
import json
import socket
import struct

import pytest
from tests.wire.bots import settings
from tests.wire.test_bot_failures import failure

from dialer.conversation.bot_connection import BotFailure, connect

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


# before there is a stream


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


async def test_a_name_with_several_addresses_is_tried_at_each(bots, monkeypatch):
    bot = await bots()
    port = int(bot.url.rsplit(":", 1)[1].split("/")[0])
    stream = (socket.AF_INET, socket.SOCK_STREAM, 0, "")
    loop = asyncio.get_running_loop()
    look_up = loop.getaddrinfo

    async def addresses(host, *arguments, **options):
        if host != "bot.example":
            return await look_up(host, *arguments, **options)
        return [(*stream, ("127.0.0.9", port)), (*stream, ("127.0.0.1", port))]

    monkeypatch.setattr(loop, "getaddrinfo", addresses)
    connection = await connect(f"ws://bot.example:{port}/bot", {}, settings())
    await connection.close()
    assert bot.headers["Host"] == f"bot.example:{port}"
    assert bot.headers["User-Agent"].startswith("dialer/")
