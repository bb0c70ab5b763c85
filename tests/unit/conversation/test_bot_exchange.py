"""What all bots send and are sent in one turn of the loop passes at its end."""

import asyncio
import itertools

import pytest
from picows import WSMsgType

from dialer.conversation.bot_exchange import BotExchange


class Transport:
    """Notes what it is to send."""

    def __init__(self, sent):
        self._sent = sent

    def send(self, kind, text):
        assert kind is WSMsgType.TEXT
        self._sent.append(text)


@pytest.fixture
async def exchange():
    return BotExchange()


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - it is the turns of the loop that count
            await asyncio.sleep(0)


@pytest.mark.parametrize("count", [1, 100, 101, 450])
async def test_messages_pass_in_order_and_the_loop_is_not_held_up(exchange, count):
    came, sent, turns = [], [], []
    numbers = [str(number) for number in range(count)]
    for number in numbers:
        exchange.take(came.append, number)
        exchange.put(Transport(sent), number)
    assert came == sent == []

    async def turn():
        while len(sent) < count or len(came) < count:
            turns.append(len(sent))
            await asyncio.sleep(0)

    await asyncio.wait_for(turn(), 10)
    assert came == sent == numbers
    steps = [later - before for before, later in itertools.pairwise(turns)]
    assert all(step <= 100 for step in steps)


async def test_more_than_may_wait_is_sent_at_once(exchange):
    sent = []
    for number in range(2001):
        exchange.put(Transport(sent), number)
    assert sent == list(range(2000))
    await until(lambda: len(sent) == 2001)


async def test_what_waits_can_be_had_at_once(exchange):
    came, sent = [], []
    exchange.take(came.append, b"heard")
    exchange.put(Transport(sent), "said")
    exchange.hand_over()
    exchange.send()
    assert (came, sent) == ([b"heard"], ["said"])
    await asyncio.sleep(0)
    exchange.take(came.append, b"more")
    exchange.put(Transport(sent), "more")
    await until(lambda: len(came) == len(sent) == 2)


async def test_what_a_message_leads_to_is_sent_in_its_turn(exchange):
    sent = []
    exchange.take(lambda message: exchange.put(Transport(sent), f"{message} echoed"), "mark")
    await until(lambda: sent)
    assert sent == ["mark echoed"]
