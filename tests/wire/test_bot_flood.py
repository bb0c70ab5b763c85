"""A bot that sends as fast as it can costs itself, and no other bot and no packet."""

import asyncio
import json

import pytest
from tests.wire.bots import Happenings, settings
from tests.wire.test_bot_frames import TEXT, accepting, frame

from dialer.conversation.bot_connection import connect

MANY = 20_000
SPEECH = json.dumps({"event": "media", "media": {"payload": "/w==" * 60}}).encode()


class Reader(Happenings):
    """Whoever hears the messages of a bot."""

    def __init__(self):
        super().__init__()
        self.heard = []

    def take(self, message):
        self.heard.append(message)
        self.changed()

    def pause(self):
        """It sends nothing."""

    def resume(self):
        """It sends nothing."""


@pytest.mark.parametrize("in_parts", [False, True])
async def test_what_a_bot_sends_waits_unread_until_it_is_dealt_with(in_parts):
    parts = [(TEXT, SPEECH[:50], 0), (0, SPEECH[50:])] if in_parts else [(TEXT, SPEECH)]
    limits = settings()
    waiting = limits.exchange._came
    reader = Reader()
    async with accepting(*MANY * [frame(*part) for part in parts]) as (url, _):
        connection = await asyncio.wait_for(connect(url, {}, limits), 10)
        connection.listen(reader.take, reader)
        most = 0
        async with asyncio.timeout(60):
            while len(reader.heard) < MANY:
                await asyncio.sleep(0)
                most = max(most, len(waiting))
        await connection.abort()
    assert reader.heard == MANY * [SPEECH]
    assert most < 2000  # what waits in the system's buffer, read at once


async def test_a_bot_that_floods_keeps_no_other_from_being_heard():
    limits = settings()
    flood = accepting(*MANY * [frame(TEXT, SPEECH)])
    async with flood as (flooding, _), accepting() as (calling, connections):
        loud = await asyncio.wait_for(connect(flooding, {}, limits), 10)
        quiet = await asyncio.wait_for(connect(calling, {}, limits), 10)
        _, writer = await asyncio.wait_for(connections.get(), 10)
        many, few = Reader(), Reader()
        loud.listen(many.take, many)
        quiet.listen(few.take, few)
        for count in range(1, 6):
            before = len(many.heard)
            writer.write(frame(TEXT, b"there?"))
            await few.until(lambda count=count: len(few.heard) == count)
            assert len(many.heard) - before < 2000
        assert len(many.heard) < MANY
        await loud.abort()
        await quiet.abort()
