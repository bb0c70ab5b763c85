"""Messages on their way to a bot that reads, does not read, or is gone."""

import asyncio

import pytest

from dialer.conversation.bot_link import BotLink


class Connection:
    """Takes messages; while `paused` each waits for its turn, and is sent once it has come."""

    def __init__(self):
        self.sent = []
        self.paused = None
        self.gone = False

    async def send(self, text):
        if self.gone:
            raise ConnectionResetError
        if self.paused is not None:
            await self.paused
        self.sent.append(text)

    def pause(self):
        self.paused = asyncio.get_running_loop().create_future()

    def resume(self):
        self.paused.set_result(None)
        self.paused = None


@pytest.fixture
def connection():
    return Connection()


@pytest.fixture
async def link(connection):
    link = BotLink(connection.send, most=3)
    task = asyncio.create_task(link.run())
    yield link
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_message_to_a_bot_that_reads_is_sent_at_once(link, connection):
    link.send("one")
    link.send("two")
    assert connection.sent == ["one", "two"]
    assert link.empty.is_set()


async def test_messages_wait_in_order_while_a_bot_does_not_read(link, connection):
    link.send("one")
    connection.pause()
    for text in ("two", "three", "four"):
        link.send(text)
    await asyncio.sleep(0)
    assert connection.sent == ["one"]
    assert not link.empty.is_set()
    connection.resume()
    await asyncio.wait_for(link.empty.wait(), 5)
    assert connection.sent == ["one", "two", "three", "four"]
    link.send("five")
    assert connection.sent[-1] == "five"


async def test_a_bot_may_stop_reading_again_and_again(link, connection):
    for turn in range(3):
        connection.pause()
        link.send(f"{turn}a")
        link.send(f"{turn}b")
        connection.resume()
        await asyncio.wait_for(link.empty.wait(), 5)
    assert connection.sent == ["0a", "0b", "1a", "1b", "2a", "2b"]


async def test_more_than_may_wait_is_an_overflow(link, connection):
    connection.pause()
    for text in ("under way", "one", "two", "three"):
        link.send(text)
    assert not link.overflow.is_set()
    link.send("four")
    assert link.overflow.is_set()
    link.send("five")
    connection.resume()
    await asyncio.wait_for(link.empty.wait(), 5)
    assert connection.sent == ["under way", "one", "two", "three"]


async def test_nothing_is_raised_where_the_connection_is_gone(link, connection):
    connection.gone = True
    link.send("one")
    connection.gone = False
    link.send("two")
    assert connection.sent == []


async def test_a_connection_may_go_while_messages_wait(connection):
    link = BotLink(connection.send, most=3)
    running = asyncio.create_task(link.run())
    connection.pause()
    link.send("one")
    link.send("two")
    connection.paused.set_exception(ConnectionResetError())
    await asyncio.wait_for(running, 5)
    link.send("three")
    assert connection.sent == []


async def test_cancelling_lets_a_waiting_message_go(connection):
    link = BotLink(connection.send, most=3)
    running = asyncio.create_task(link.run())
    connection.pause()
    link.send("one")
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert connection.sent == []
