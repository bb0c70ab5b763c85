from __future__ import annotations

import asyncio
import contextlib
import json

import asyncpg
import pytest
from tests.api.conftest import served
from tests.db import scene

from dialer.api import live_events
from dialer.api.event_stream import STREAMS
from dialer.campaign.moves import CampaignAction
from dialer.campaign.role import Role
from dialer.client import ApiProblem, Client
from dialer.store import accounts, events, migrate, tokens
from dialer.store.account_records import AccountSettings
from dialer.store.embedded import EmbeddedPostgres
from dialer.store.pool import close_pool, open_pool

WRITE = "INSERT INTO events (account_id, campaign_id, kind, data) VALUES ($1, $2, $3, $4)"
MANY = 500


async def write(connection, number, *, account=1, campaign=7, kind="call.answered"):
    await connection.execute(WRITE, account, campaign, kind, {"number": number})


async def written(pool, number):
    """Write as soon as the database lets us."""
    while True:
        try:
            return await write(pool, number)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await asyncio.sleep(0.05)


class Stream:
    """A stream that is read message by message."""

    def __init__(self, response):
        self.response = response
        self.last_id = None

    async def next(self):
        """The next message with a name, as (name, data)."""
        while True:
            text = (await self.response.content.readuntil(b"\n\n")).decode()
            fields = dict(line.partition(": ")[::2] for line in text.strip().splitlines())
            if "id" in fields:
                self.last_id = fields["id"]
            if "event" in fields:
                return fields["event"], json.loads(fields["data"])

    async def numbers(self, count):
        """The numbers in the data of so many events, in the order in which they came."""
        return [(await self.next())[1]["data"]["number"] for _ in range(count)]


@contextlib.asynccontextmanager
async def streaming(api, after=None, token=None, **query):
    headers = {} if after is None else {"Last-Event-ID": after}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    async with api.client.get("/v1/events", params=query, headers=headers) as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        yield Stream(response)


@contextlib.asynccontextmanager
async def listening(api, **query):
    """A stream that has been greeted: whatever happens from now on comes on it."""
    async with streaming(api, **query) as stream:
        name, hello = await stream.next()
        assert name == "hello"
        assert hello["id"] == stream.last_id
        yield stream


async def test_a_change_is_told_as_it_happens(pool, api):
    campaign = await scene.campaign(pool, 1)
    async with listening(api, kind="campaign.paused") as stream:
        await scene.act(pool, campaign, CampaignAction.PAUSE)
        kind, event = await stream.next()
    assert kind == "campaign.paused"
    assert event["id"] == stream.last_id
    assert (event["kind"], event["campaign_id"], event["call_id"]) == (kind, campaign.id, None)
    assert event["data"]["to"] == "paused"


async def test_one_hears_of_the_campaigns_and_kinds_that_one_asks_for(pool, api):
    async with (
        listening(api, campaign_id="7") as of_campaign,
        listening(api, kind="call.") as of_calls,
        listening(api, kind="campaign.paused") as pauses,
    ):
        await write(pool, 1, campaign=8)
        await write(pool, 2, kind="campaign.paused")
        await write(pool, 3)
        assert await of_campaign.numbers(2) == [2, 3]
        assert await of_calls.numbers(2) == [1, 3]
        assert await pauses.numbers(1) == [2]


async def test_who_comes_again_misses_nothing_and_hears_nothing_twice(pool, api):
    async with listening(api) as stream:
        await write(pool, 1)
        assert await stream.numbers(1) == [1]
        seen = stream.last_id
    for number in range(2, 2 + 2 * live_events.PAGE):
        await write(pool, number)
    async with streaming(api, after=seen) as stream:
        await write(pool, 0)
        missed = []
        while not missed or missed[-1] != 0:
            name, data = await stream.next()
            if name != "hello":
                missed.append(data["data"]["number"])
    assert missed == [*range(2, 2 + 2 * live_events.PAGE), 0]


async def test_an_event_that_waits_for_an_open_transaction_comes_in_its_order(pool, api):
    async with listening(api) as stream, pool.acquire() as connection:
        slow = connection.transaction()
        await slow.start()
        await write(connection, 1)
        await write(pool, 2)
        async with listening(api) as late:
            await slow.commit()
            assert await stream.numbers(2) == [1, 2]
            assert await late.numbers(2) == [1, 2]


async def test_500_listeners_hear_all_that_concurrent_transactions_write(pool):
    # a transaction that began earlier commits later: ids become visible out of order
    writers, each = 8, 5
    expected = {writer * each + number for writer in range(writers) for number in range(each)}

    async def heard(stream):
        numbers = await stream.numbers(len(expected))
        assert set(numbers) == expected
        return numbers

    async def write_some(writer):
        async with pool.acquire() as connection, connection.transaction():
            for number in range(each):
                await write(connection, writer * each + number)
                await asyncio.sleep(0)

    async def killed_and_resumed(api, begun):
        async with listening(api) as stream:
            begun.set()
            first = await stream.numbers(3)
            stream.response.close()
        async with streaming(api, after=stream.last_id) as again:
            rest = []
            while len(rest) < len(expected) - 3:
                name, data = await again.next()
                if name != "hello":
                    rest.append(data["data"]["number"])
        return first + rest

    async with (
        served(pool, event_streams=MANY + 10, event_streams_per_token=MANY + 10) as api,
        contextlib.AsyncExitStack() as exits,
    ):
        api.client.connector._limit = 0
        streams = [await exits.enter_async_context(listening(api)) for _ in range(MANY)]
        begun = asyncio.Event()
        resumed = asyncio.create_task(killed_and_resumed(api, begun))
        await begun.wait()
        await asyncio.gather(*(write_some(writer) for writer in range(writers)))
        orders = await asyncio.gather(*(heard(stream) for stream in streams))
        assert all(order == orders[0] for order in orders)
        assert await resumed == orders[0]


async def test_a_listener_that_does_not_read_is_sent_away_and_delays_nobody(pool, monkeypatch):
    monkeypatch.setattr(live_events, "BUFFER", 50)
    padding = "x" * 200_000
    async with served(pool) as api, listening(api) as quick:
        reader, writer = await asyncio.open_connection(api.host, api.port, limit=1024)
        writer.write(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b" 200 " in await reader.readline()
        streams = api.runner.app[STREAMS].live
        while len(streams) < 2:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
        number = 0
        while len(streams) > 1:
            await write(pool, f"{number}{padding}")
            assert await quick.numbers(1) == [f"{number}{padding}"]
            number += 1
            assert number < 2000
        writer.transport.abort()


async def test_nobody_hears_of_another_accounts_changes(pool):
    other = (await accounts.create(pool, AccountSettings(name="other"))).id
    secret = (await tokens.create(pool, other, "shop", Role.VIEWER))[0]
    async with served(pool) as api, listening(api, token=secret) as theirs, listening(api) as ours:
        await write(pool, 1)
        await write(pool, 2, account=other)
        await write(pool, 3)
        assert await theirs.numbers(1) == [2]
        assert await ours.numbers(2) == [1, 3]


async def test_a_stream_ends_once_its_token_works_no_more(pool, monkeypatch):
    monkeypatch.setattr(live_events, "HEARTBEAT_SECONDS", 0.05)
    made, found = await tokens.create(pool, 1, "shop", Role.VIEWER)
    async with served(pool) as api, listening(api, token=made) as stream:
        await api("DELETE", f"/v1/tokens/{found.id}", 204)
        assert await stream.response.content.read() is not None
        assert stream.response.content.at_eof()


async def test_streams_go_on_after_the_connection_that_listens_was_cut(pool, api):
    async with listening(api) as stream:
        await write(pool, 1)
        assert await stream.numbers(1) == [1]
        cut = await pool.fetchval(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE query LIKE 'LISTEN%' AND datname = current_database()"
        )
        assert cut
        await write(pool, 2)
        assert await stream.numbers(1) == [2]
        await write(pool, 3)
        assert await stream.numbers(1) == [3]


async def test_who_missed_too_much_is_told_to_read_anew(pool, api, monkeypatch):
    monkeypatch.setattr("dialer.api.event_stream.MOST_MISSED", 3)
    async with listening(api) as stream:
        for number in range(5):
            await write(pool, number)
        await stream.numbers(5)
    for after in ("1-1", "999999999999-1"):
        async with streaming(api, after=after) as stream:
            name, data = await stream.next()
            assert name == "reset"
            assert data["id"] == stream.last_id
            await write(pool, 9)
            assert await stream.numbers(1) == [9]


async def test_who_has_seen_less_than_what_was_forgotten_is_told_to_read_anew(pool, api):
    async with listening(api) as stream:
        for number in range(3):
            await write(pool, number)
        ids = []
        for number in range(3):
            assert await stream.numbers(1) == [number]
            ids.append(stream.last_id)
    await pool.execute("DELETE FROM events WHERE data->>'number' = '1'")
    async with streaming(api, after=ids[0]) as stream:
        name, data = await stream.next()
        assert (name, data["id"]) == ("reset", stream.last_id)
        await write(pool, 3)
        assert await stream.numbers(1) == [3]
    async with streaming(api, after=ids[1]) as stream:
        assert await stream.numbers(2) == [2, 3]


async def test_a_stream_on_which_much_happens_ends_too_once_its_token_works_no_more(
    pool, monkeypatch
):
    monkeypatch.setattr(live_events, "HEARTBEAT_SECONDS", 0.05)
    made, found = await tokens.create(pool, 1, "shop", Role.VIEWER)
    async with served(pool) as api, listening(api, token=made) as stream:
        live = api.runner.app[STREAMS].live
        [listener] = live._listeners
        beat = listener.beat

        def beat_behind_others():
            listener.offer(b": busy\n\n")
            beat()

        # no sign of life is ever needed
        monkeypatch.setattr(listener, "beat", beat_behind_others)
        await api("DELETE", f"/v1/tokens/{found.id}", 204)
        async with asyncio.timeout(5):
            await stream.response.content.read()


async def test_listeners_stay_while_postgres_is_away_and_miss_nothing(short_folder, monkeypatch):
    monkeypatch.setattr(live_events, "HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr("dialer.api.bearers.KEPT_SECONDS", 0.0)
    postgres = EmbeddedPostgres(short_folder / "postgres")
    url = await postgres.start()
    try:
        await migrate.upgrade(url)
        pool = await open_pool(url)
        made, _ = await tokens.create(pool, 1, "shop", Role.VIEWER)
        async with served(pool) as api, listening(api, token=made) as stream:
            await write(pool, 1)
            assert await stream.numbers(1) == [1]
            await postgres.stop()
            for _ in range(5):
                assert await stream.response.content.readuntil(b"\n\n") == live_events.HEARTBEAT
            await postgres.start()
            await written(pool, 2)
            assert await stream.numbers(1) == [2]
        await close_pool(pool)
    finally:
        await postgres.stop()


async def test_a_stream_that_does_not_read_delays_no_shutdown(pool):
    padding = "x" * 20_000
    async with served(pool) as api, listening(api) as quick:
        reader, writer = await asyncio.open_connection(api.host, api.port, limit=1024)
        writer.write(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b" 200 " in await reader.readline()
        live = api.runner.app[STREAMS].live
        while len(live) < 2:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
        number = 0
        while all(listener.idle for listener in live.listeners):
            await write(pool, f"{number}{padding}")
            assert await quick.numbers(1) == [f"{number}{padding}"]
            number += 1
            assert number < 2000
        async with asyncio.timeout(2):
            await api.runner.cleanup()
        writer.transport.abort()


async def test_only_so_many_streams_may_be_open(pool):
    async with served(pool, event_streams_per_token=1) as api, listening(api):
        refused = await api("GET", "/v1/events", 429)
        assert refused["headers"]["Retry-After"]
    async with served(pool, event_streams=1) as api, listening(api):
        await api("GET", "/v1/events", 503)


async def test_an_id_that_is_none_is_refused(api):
    refused = await api("GET", "/v1/events", 400, headers={"Last-Event-ID": "yesterday"})
    assert refused["detail"] == "Last-Event-ID is not the id of an event, such as 4711-23"
    await api("GET", "/v1/events?last_event_id=yesterday", 422)


async def test_streams_end_at_once_when_the_service_does(pool):
    async with served(pool) as api, listening(api) as stream:
        async with asyncio.timeout(2):
            await api.listener.cleanup()
        assert await stream.response.content.read() == b""


async def test_the_client_takes_a_stream_up_where_it_was(pool):
    async with served(pool) as api, Client(f"http://{api.host}:{api.port}") as client:
        first = (await events.newest(pool))[0]
        await write(pool, 1)
        heard = client.events(after=f"{first - 1}-0", kinds=["call."])
        assert (await anext(heard)).data == {"number": 1}
        for transport in tuple(api.runner.server.connections):
            transport.transport.abort()
        await write(pool, 2)
        assert (await anext(heard)).data == {"number": 2}
        await heard.aclose()
        with pytest.raises(ApiProblem, match="Last-Event-ID"):
            await anext(client.events(after="yesterday"))
