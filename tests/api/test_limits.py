"""How often one may ask, how slowly, and over how many connections."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re

import pytest
import uvloop
from aiohttp import web
from tests.api.conftest import served
from tests.driven_clock import DrivenClock

from dialer.api import inputs
from dialer.api.door import open_door
from dialer.api.limits import MOST_KEPT, Buckets, Limits, network
from dialer.api.settings import ApiSettings
from dialer.campaign.role import Role
from dialer.store import tokens

TOKEN = "t0ken-with-more-than-16-characters"
FEW = {"requests_per_second": 2.0, "request_burst": 4}


def shown(secret):
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture
def clock():
    return DrivenClock()


async def status(api, headers=None, path="/v1/account"):
    async with api.client.get(path, headers=headers) as response:
        return response.status, response.headers


async def test_who_asks_too_often_has_to_wait(pool, clock):
    async with served(pool, clock, **FEW) as api:
        for left in (3, 2, 1, 0):
            found, headers = await status(api)
            assert found == 200
            assert headers["RateLimit-Policy"] == '"token";q=4;w=2'
            assert headers["RateLimit"] == f'"token";r={left};t={2 - left // 2}'
        problem = await api("GET", "/v1/account", 429)
        assert problem["headers"]["Retry-After"] == "1"
        assert problem["headers"]["RateLimit"] == '"token";r=0;t=2'
        assert "more than 2 requests a second" in problem["detail"]
        clock.advance(0.5)
        assert (await status(api))[0] == 200
        await api("GET", "/v1/account", 429)
        clock.advance(3600)
        assert (await status(api))[1]["RateLimit"] == '"token";r=3;t=1'


async def test_strangers_wait_where_too_many_ask(clock):
    limits = Limits(ApiSettings(), clock)
    for _ in range(200):
        await limits.refuse()  # nobody drives the clock
    waiting = [asyncio.create_task(limits.refuse()) for _ in range(100)]
    await clock.elapse(1.001)
    assert sum(one.done() for one in waiting) == 50
    await clock.elapse(1)
    assert all(one.done() for one in waiting)
    flood = [asyncio.create_task(limits.refuse()) for _ in range(1000)]
    await clock.elapse(5.001)  # the longest that one waits
    assert all(one.done() for one in flood)
    clock.advance(0.1)
    await limits.refuse()  # soon after the flood nobody waits for it


async def test_the_body_of_a_stranger_is_read_slowly_to_its_end(pool):
    taken = 0
    async with served(pool, token=TOKEN) as api:
        reader, writer = await asyncio.open_connection(api.host, api.port)
        writer.write(
            b"POST /v1/campaigns/1/numbers HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: text/csv\r\nContent-Length: 1000000000\r\n\r\n"
        )
        answer = asyncio.create_task(reader.readexactly(12))
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(30):
                while not writer.is_closing():
                    writer.write(bytes(65536))
                    await writer.drain()
                    taken += 65536
        assert await answer == b"HTTP/1.1 401"
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    assert taken < 40_000_000


async def test_each_token_has_a_bucket_of_its_own_and_probes_need_none(pool, clock):
    secrets = [(await tokens.create(pool, 1, "shop", Role.VIEWER))[0] for _ in range(2)]
    async with served(pool, clock, **FEW) as api:
        for secret in secrets:
            assert [(await status(api, shown(secret)))[0] for _ in range(5)] == [200] * 4 + [429]
        for _ in range(10):
            assert (await status(api, path="/healthz"))[0] == 200


async def test_a_request_that_is_refused_for_its_rate_does_nothing(pool, clock):
    async with served(pool, clock, **FEW) as api:
        for _ in range(4):
            await api.campaign()
        headers = {"Idempotency-Key": "a"}
        body = {"name": "X", "trunks": ["pbx"], "caller_ids": ["+4930123456"]}
        await api("POST", "/v1/campaigns", 429, json=body, headers=headers)
        clock.advance(1)
        await api("POST", "/v1/campaigns", 201, json=body, headers=headers)
    assert await pool.fetchval("SELECT count(*) FROM campaigns") == 5


async def test_an_address_that_tries_too_many_tokens_has_to_wait(pool, clock):
    works, _ = await tokens.create(pool, 1, "shop", Role.VIEWER)
    new, _ = await tokens.create(pool, 1, "desk", Role.VIEWER)
    async with served(pool, clock, token=TOKEN, failed_logins_per_minute=3) as api:
        for secret in (works, TOKEN):
            assert (await status(api, shown(secret)))[0] == 200
        for number in range(3):
            assert (await status(api, shown(f"dialer_{number:043}")))[0] == 401
        for secret in ("dialer_" + "x" * 43, new):
            problem = await api("GET", "/v1/account", 429, headers=shown(secret))
            assert problem["headers"]["Retry-After"] == "20"
        clock.advance(10)
        for secret in (works, TOKEN):  # whose token has worked is not shut out by a neighbour
            assert (await status(api, shown(secret)))[0] == 200
        clock.advance(10)
        assert (await status(api, shown(new)))[0] == 200
        assert (await status(api, shown("x")))[0] == 401
        assert (await status(api, shown("x")))[0] == 429


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        (None, ""),
        ("a socket", "a socket"),
    ],
)
def test_addresses_of_one_caller_are_one(address, expected):
    assert network(address) == expected


def test_few_buckets_are_kept_in_mind(clock):
    buckets = Buckets(clock, 1, 5)
    for key in range(MOST_KEPT + 10):
        buckets.take(key)
    assert len(buckets._found) == MOST_KEPT
    assert buckets.left(0) == 5
    assert buckets.left(MOST_KEPT) == 4


async def test_heads_that_come_too_slowly_are_cut_off_and_others_are_served(serve):
    async with serve(None, read_timeout=0.3) as api:

        async def dribble():
            reader, writer = await asyncio.open_connection(api.host, api.port)
            ended = asyncio.create_task(reader.read())
            writer.write(b"GET /healthz HTTP/1.1\r\n")
            while not ended.done():
                writer.write(b"X-a: b\r\n")
                await asyncio.wait({ended}, timeout=0.02)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            with contextlib.suppress(ConnectionError):  # it was cut off while we wrote
                assert await ended == b""

        slow = [asyncio.create_task(dribble()) for _ in range(50)]
        await api("GET", "/healthz")
        async with asyncio.timeout(20):
            await asyncio.gather(*slow)
        await api("GET", "/healthz")


async def test_a_list_that_dribbles_is_cut_off(pool, serve):
    async with serve(pool, read_timeout=0.3) as api:
        path = await api.campaign()
        reader, writer = await asyncio.open_connection(api.host, api.port)
        writer.write(
            f"POST {path}/numbers HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\n"
            "Content-Length: 1000000\r\n\r\nphone\n".encode()
        )
        answer = asyncio.create_task(reader.readuntil(b"\r\n"))
        place = 0
        async with asyncio.timeout(20):
            while not answer.done():
                place += 1
                writer.write(f"+4930{1_000_000 + place}\n".encode())
                await asyncio.wait({answer}, timeout=0.02)
        assert (await answer).startswith(b"HTTP/1.1 408 ")
        assert place * 13 < inputs.CHUNK
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        assert (await api("GET", path))["counts"][0]["calls"] > 0  # what came before is in


async def test_a_list_that_comes_steadily_may_take_as_long_as_it_likes(pool, serve):
    async with serve(pool, read_timeout=0.4) as api:
        path = await api.campaign()
        piece = b"".join(f"+4930{1_000_000 + row}\n".encode() for row in range(700))
        assert len(piece) > inputs.CHUNK

        async def pieces():
            yield b"phone\n"
            for _ in range(8):
                yield piece
                await asyncio.sleep(0.1)  # in all twice the patience for one piece

        headers = {"Content-Type": "text/csv"}
        answer = await api("POST", f"{path}/numbers", data=pieces(), headers=headers)
        assert answer["added"] == 700


async def test_more_connections_than_there_are_places_are_told_and_cost_nothing(pool):
    async with served(pool, max_connections=20) as api:
        await api("GET", "/healthz")  # the client keeps this one
        held = [await asyncio.open_connection(api.host, api.port) for _ in range(19)]

        async def one_too_many():
            reader, writer = await asyncio.open_connection(api.host, api.port)
            with contextlib.suppress(ConnectionError):
                answer = await reader.read()
                assert re.match(rb"HTTP/1.1 503 .*Retry-After: 1\r\n", answer, re.DOTALL)
                assert b"too many connections" in answer
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

        async with asyncio.timeout(60):
            for _ in range(20):
                await asyncio.gather(*(one_too_many() for _ in range(100)))
        refused = api.metrics.registry.get_sample_value("dialer_api_refused_connections_total")
        assert refused == 2000
        await api("GET", "/healthz")  # over its connection
        for _, writer in held:
            writer.close()
            await writer.wait_closed()
        async with asyncio.timeout(20):
            while True:
                reader, writer = await asyncio.open_connection(api.host, api.port)
                writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                head = await reader.readuntil(b"\r\n")
                writer.close()
                if head.startswith(b"HTTP/1.1 200 "):
                    break


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_one_connection_too_many_is_told_and_closed_on_either_loop(loop):
    async def knock():
        runner = web.AppRunner(web.Application())
        await runner.setup()
        refused = []
        settings = ApiSettings(bind_host="127.0.0.1", port=0, max_connections=1)
        listener = await open_door(runner, settings, lambda: refused.append(1))
        _, holder = await asyncio.open_connection(*listener.addresses[0])
        reader, writer = await asyncio.open_connection(*listener.addresses[0])
        answer = await asyncio.wait_for(reader.read(), 10)
        for one in (holder, writer):
            one.close()
            await one.wait_closed()
        await listener.cleanup()
        return answer, refused

    with asyncio.Runner(loop_factory=loop) as runner:
        answer, refused = runner.run(knock())
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert refused == [1]


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", "8190 bytes"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\na: " + b"x" * 9000 + b"\r\n\r\n", "8190 bytes"),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 500 + b"\r\n", ""),
        (b"nonsense\r\n\r\n", ""),
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", ""),
    ],
)
async def test_what_is_no_request_is_told_so_in_our_own_form(bare_api, data, word):
    reader, writer = await asyncio.open_connection(bare_api.host, bare_api.port)
    writer.write(data)
    answer = await reader.read()
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
    assert b"Content-Type: application/problem+json" in head
    assert b"aiohttp" not in answer
    problem = json.loads(body)
    assert problem["status"] == 400
    assert word in problem["detail"]
    assert "\n" not in problem["detail"]
