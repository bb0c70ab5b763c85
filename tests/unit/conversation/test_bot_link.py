"""Messages on their way to a bot that reads, or does not."""

import pytest

from dialer.conversation.bot_link import BotLink


class Connection:
    """Notes what it is given; it asks the link to pause after each that `full` names."""

    def __init__(self):
        self.sent = []
        self.full = set()
        self.link = BotLink(self.send, most=3)

    def send(self, text):
        self.sent.append(text)
        if text in self.full:
            self.link.pause()


@pytest.fixture
async def connection():
    return Connection()


@pytest.fixture
def link(connection):
    return connection.link


async def test_a_message_to_a_bot_that_reads_is_sent_at_once(link, connection):
    link.send("one")
    link.send("two")
    assert connection.sent == ["one", "two"]
    assert link.empty.is_set()


async def test_messages_wait_in_order_while_a_bot_does_not_read(link, connection):
    connection.full = {"one"}
    for text in ("one", "two", "three", "four"):
        link.send(text)
    assert connection.sent == ["one"]
    assert not link.empty.is_set()
    link.resume()
    assert connection.sent == ["one", "two", "three", "four"]
    assert link.empty.is_set()
    link.send("five")
    assert connection.sent[-1] == "five"


async def test_a_bot_may_stop_reading_again_while_it_catches_up(link, connection):
    connection.full = {"one", "three"}
    for text in ("one", "two", "three", "four"):
        link.send(text)
    link.resume()
    assert connection.sent == ["one", "two", "three"]
    assert not link.empty.is_set()
    link.resume()
    assert connection.sent == ["one", "two", "three", "four"]
    assert link.empty.is_set()


async def test_more_than_may_wait_is_an_overflow(link, connection):
    link.pause()
    for text in ("one", "two", "three"):
        link.send(text)
    assert not link.overflow.is_set()
    link.send("four")
    assert link.overflow.is_set()
    link.resume()
    link.pause()
    link.send("five")
    link.resume()
    assert connection.sent == ["one", "two", "three"]


async def test_pausing_twice_is_pausing(link, connection):
    link.pause()
    link.pause()
    link.send("one")
    link.resume()
    assert connection.sent == ["one"]
