"""Datagrams that are read in one turn of the loop are taken at its end."""

import asyncio

import pytest
from tests.driven_clock import DrivenClock

from dialer.ua.media_inbox import MediaInbox

HERE = ("192.0.2.1", 4000)


class Stream:
    """Notes what it takes; `then` is done at each."""

    def __init__(self, taken, then=lambda: None):
        self._taken = taken
        self._then = then

    def take(self, datagram, source, at):
        self._taken.append((datagram, source, at))
        self._then()


class Ticker:
    """Notes when it was asked to keep pace."""

    def __init__(self):
        self.asked = []

    def keep_pace(self, now):
        self.asked.append(now)


@pytest.fixture
def clock():
    return DrivenClock()


@pytest.fixture
def ticker():
    return Ticker()


@pytest.fixture
def inbox(clock, ticker):
    return MediaInbox(clock, ticker)


async def test_datagrams_are_taken_in_order_with_the_time_at_which_they_came(clock, inbox, ticker):
    taken, begin = [], clock.monotonic()
    inbox.put(Stream(taken), b"one", HERE)
    clock.advance(0.003)
    inbox.put(Stream(taken), b"two", HERE)
    clock.advance(0.5)
    assert taken == []
    await asyncio.sleep(0)
    assert taken == [(b"one", HERE, begin), (b"two", HERE, begin + 0.003)]
    assert ticker.asked == [begin, begin + 0.003]
    inbox.put(Stream(taken), b"three", HERE)
    await asyncio.sleep(0)
    assert len(taken) == 3


async def test_one_who_is_in_a_hurry_gets_what_waits_at_once(inbox):
    taken = []
    inbox.put(Stream(taken), b"one", HERE)
    inbox.take()
    assert len(taken) == 1
    await asyncio.sleep(0)
    assert len(taken) == 1


async def test_nothing_is_taken_twice_where_taking_leads_to_taking(inbox):
    taken = []
    for name in (b"one", b"two", b"three"):
        inbox.put(Stream(taken, inbox.take), name, HERE)
    await asyncio.sleep(0)
    assert [datagram for datagram, _, _ in taken] == [b"one", b"two", b"three"]
