"""A bot that is away, refuses or breaks off is a failure that is told, and the call goes on."""

import asyncio
import socket
import ssl

import pytest
from tests.authority import Authority, address
from tests.name_server import name_server
from tests.wire.bots import settings, sound

from dialer.clock import SystemClock
from dialer.conversation.ending import Cause
from dialer.ua.resolver import Resolver


async def failure(ending):
    end = await asyncio.wait_for(ending, 10)
    assert end.cause is Cause.BOT_FAILED
    assert end.record["ended_by"] == "failure"
    return end.detail


async def test_a_bot_that_is_away(call, led):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    detail = await failure(led(f"ws://127.0.0.1:{port}/bot"))
    assert detail == f"the bot failed: no connection to 127.0.0.1:{port}: Connection refused"
    assert call.result.done()


async def test_a_bot_whose_name_has_no_address(led):
    async with name_server({}) as dns:
        limits = settings(resolver=Resolver(SystemClock(), [dns.address]))
        detail = await failure(led("ws://bot.invalid/", limits=limits))
    assert (
        detail
        == "the bot failed: the name bot.invalid has no address: AAAA bot.invalid: no such name"
    )


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (403, "it answers 403 to the WebSocket handshake"),
        (500, "it answers 500 to the WebSocket handshake"),
        (302, "it answers with a redirect (302), which is not followed"),
    ],
)
async def test_a_bot_that_refuses(led, bots, status, said):
    assert await failure(led(await bots(refuse=status))) == f"the bot failed: {said}"


async def test_a_bot_that_takes_too_long(led):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"ws://127.0.0.1:{mute.getsockname()[1]}/"
        detail = await failure(led(url, connect_timeout=0.2))
    assert detail == "the bot failed: no connection within 0.2 s"


async def test_a_bot_that_is_where_none_may_be(led, bots):
    bot = await bots()
    detail = await failure(led(bot, limits=settings(allows=lambda _: False)))
    assert detail == (
        "the bot failed: its address 127.0.0.1 is not in bots.allow_networks of the configuration"
    )
    assert bot.socket is None


def tls_of(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.issue("bot.pem", address("127.0.0.1")))
    return context


async def test_a_bot_whose_certificate_nobody_vouches_for(led, bots, tmp_path):
    bot = await bots(ssl=tls_of(Authority(tmp_path)))
    detail = await failure(led(bot))
    assert detail.startswith("the bot failed: its certificate is not trusted: ")


async def test_an_authority_of_the_configuration_vouches_for_a_bot(led, bots, tmp_path):
    authority = Authority(tmp_path)
    bot = await bots(ssl=tls_of(authority))
    trusted = ssl.create_default_context(cafile=authority.file)
    led(bot, limits=settings(tls=trusted))
    await bot.got("media")


async def test_a_bot_that_drops_midway(led, bots):
    bot = await bots()
    ending = led(bot)
    await bot.got("media")
    bot.socket._req.transport.abort()
    assert await failure(ending) == "the bot failed: the connection to it broke off"


async def test_a_bot_that_closes_as_broken(led, bots):
    bot = await bots()
    ending = led(bot)
    await bot.got("start")
    await bot.socket.close(code=1011, message=b"out of memory")
    detail = await failure(ending)
    assert detail == "the bot failed: it closed the stream with code 1011 'out of memory'"


async def test_a_bot_that_sends_nothing_but_nonsense(led, bots):
    bot = await bots()
    ending = led(bot)
    await bot.got("start")
    for _ in range(20):
        await bot.socket.send_str("{}")
    assert await failure(ending) == (
        "the bot failed: it sent 20 messages that are none of the protocol;"
        " the first: without an event: '{}'"
    )


async def test_a_bot_that_sends_more_at_once_than_may_wait(led, bots):
    bot = await bots()
    ending = led(bot, limits=settings(buffer_seconds=1.0))
    await bot.got("start")
    await bot.say(b"\x10" * 200_000)
    assert (await failure(ending)).startswith("the bot failed: it broke the rules of WebSocket: ")


async def test_a_bot_that_answers_no_ping(led, bots):
    bot = await bots(deaf=True)
    ending = led(bot, limits=settings(heartbeat_seconds=0.2))
    detail = await failure(ending)
    assert detail == "the bot failed: it has not answered a ping within 0.1 s"


async def test_a_bot_that_is_silent_and_lives_is_no_failure(call, led, bots):
    bot = await bots()
    ending = led(bot, limits=settings(heartbeat_seconds=0.1))
    await bot.got("media", 30)  # six times as long
    call.end()
    assert (await ending).cause is None


async def test_a_bot_may_ask_whether_we_live(call, led, bots):
    bot = await bots(heartbeat=0.1)
    ending = led(bot)
    await bot.got("media", 30)
    assert not bot.closed
    call.end()
    assert (await ending).cause is None


async def test_a_bot_that_does_not_read_holds_nobody_up(call, far_end, led, bots):
    bot = await bots(deaf=True)
    ending = led(bot, limits=settings(unread_seconds=0.5))
    await far_end.until(lambda: call.media.source is not None)
    # what a minute and more brings, faster than its time: the buffers of both sides fill up
    held = led.latest
    before = len(far_end.packets)
    async with asyncio.timeout(20):
        while not held._link.overflow.is_set():
            held._link.send(held._writer.media(b"\x10" * 160, 0))
            if len(held._link._waiting) > 20:
                await asyncio.sleep(0)
    await far_end.until(lambda: len(far_end.packets) > before)  # the ticker went on meanwhile
    assert await failure(ending) == "the bot failed: it has not read for 0.5 s"


async def test_the_fallback_takes_the_call_over(call, far_end, led, bots):
    sorry = sound(5, first=50)

    async def fall_back():
        assert await call.media.play(sorry)
        call.hang_up()
        return "and its fallback: was short"

    bot = await bots()
    ending = led(bot, fallback=fall_back)
    await bot.got("start")
    await bot.say(sound(50).data)
    await far_end.until(lambda: sound(5).data in far_end.heard)
    await bot.socket.close(code=1011)
    assert await failure(ending) == (
        "the bot failed: it closed the stream with code 1011; and its fallback: was short"
    )
    await far_end.until(lambda: sorry.data in far_end.heard)


# the call ends first


async def test_the_person_may_hang_up_while_the_bot_is_called(call, led):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        ending = led(f"ws://127.0.0.1:{mute.getsockname()[1]}/", connect_timeout=30)
        accepted, _ = await asyncio.get_running_loop().run_in_executor(None, mute.accept)
        with accepted:
            call.end()
            end = await asyncio.wait_for(ending, 5)
    assert (end.cause, end.record["connect_ms"], end.record["ended_by"]) == (None, None, "caller")


async def test_a_bot_that_fails_once_the_person_has_gone_is_no_failure(call, led, bots):
    async def crash(bot, message):
        if message["event"] == "stop":
            await bot.socket.close(code=1011)

    bot = await bots(crash)
    ending = led(bot)
    await bot.got("start")
    call.end()
    assert (await ending).cause is None


async def test_cancelling_hangs_up_and_lets_the_bot_go(call, led, bots):
    bot = await bots()
    ending = led(bot)
    await bot.got("start")
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    assert call.result.done()
    await bot.until(lambda: bot.closed)
