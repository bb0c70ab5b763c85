"""What a person hears while the one rings whom the call is transferred to."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from tests.wire.simulation import placed, simulation

from dialer.clock import SystemClock
from dialer.conversation.menu import Prompt
from dialer.conversation.transfer import Target, TransferRefusedError, Transfers
from dialer.rtp import g711
from dialer.rtp.frames import Frames
from dialer.ua.audio import AudioError
from dialer.ua.call import Answered

PATIENCE = 10.0
MUSIC = Prompt(file="music.wav")
NOTES = [bytes([note]) * g711.FRAME_SAMPLES for note in (0x10, 0x11, 0x12)]


class Lines:
    """Second calls to the same carrier, without limits."""

    def __init__(self, s):
        self.s = s

    def looked_up(self, target):
        return target

    async def number(self, target):
        return target.number

    async def dial(self, target, on_event):
        request = self.s.request(target.number, ring_timeout=target.ring_seconds)
        return self.s.agent.place(await self.s.agent.prepare(request), on_event)


class Heard:
    """The speech that the person gets, packet by packet, as PCMU."""

    def __init__(self, media):
        self.packets = []
        self._media = media
        self._news = asyncio.Event()
        media.on_packet = self._passed

    def _passed(self, direction, data, _peer):
        if direction == "sent":
            self.packets.append(g711.recode(data[12:], self._media.codec, "PCMU"))
            self._news.set()

    async def until(self, condition):
        async with asyncio.timeout(PATIENCE):
            while not condition(self.packets):
                self._news.clear()
                await self._news.wait()


async def music(_prompt, codec):
    return Frames("PCMU", b"".join(NOTES)).coded_as(codec)


async def no_music(prompt, _codec):
    raise AudioError(f"no prompt {prompt.file!r}")


@contextlib.asynccontextmanager
async def transferred(sound=music, **target):
    """A call that is transferred: how, what its person hears, and what is told of it."""
    async with simulation() as s:
        call, watch = await placed(s, "+15552000000", max_talk=60)
        await watch.until(Answered)
        heard, told = Heard(call.media), []
        target = Target("sales", **({"waiting": MUSIC} | target))
        made = Transfers(call, {"sales": target}, Lines(s), SystemClock(), sound)
        made.tell = told.append
        call.media.source = made.waiting_frame
        assert made.begin("sales") is None
        try:
            yield made, heard, told
        finally:
            call.hang_up()
            await made.close()
            await call.result


def music_twice(packets):
    """Whether the music was heard, and then from its beginning again."""
    notes = [NOTES.index(one) for one in packets if one in NOTES]
    return notes[:6] == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize("by", ["bridge", "refer"])
async def test_a_prompt_is_heard_over_and_over_while_the_target_rings(by):
    async with transferred(number="+15551800000", by=by, ring_seconds=60) as (made, heard, told):
        await heard.until(music_twice)
        assert made.under_way
    assert [one["status"] for one in told if one["status"] != "failed"] == ["ringing"]


async def test_the_prompt_stops_when_the_target_answers():
    async with transferred(number="+15552001000") as (made, heard, told):
        async with asyncio.timeout(PATIENCE):
            await made.handed_over.wait()
        heard.packets.clear()
        await heard.until(lambda packets: len(packets) >= 3)  # of the target
        assert not set(heard.packets) & set(NOTES)
    assert [one["status"] for one in told] == ["ringing", "answered"]


async def test_the_prompt_is_heard_and_not_what_the_network_plays():
    async with transferred(number="+15551830000", ring_seconds=60) as (made, heard, _):
        await heard.until(music_twice)
        await heard.until(lambda packets: len(packets) > 20)  # the network has played 10
        first = next(place for place, one in enumerate(heard.packets) if one in NOTES)
        assert set(heard.packets[first:]) == set(NOTES)
        assert made.under_way


async def test_what_the_network_plays_is_heard_where_there_is_no_prompt():
    waiting = {"waiting": "silence", "number": "+15551830000", "ring_seconds": 60}
    async with transferred(no_music, **waiting) as (made, heard, _):
        await heard.until(lambda packets: len(packets) > 5)
        assert made.under_way
        assert not set(heard.packets) & set(NOTES)


async def test_ringing_is_heard_where_the_prompt_cannot_be_played():
    async with transferred(no_music, number="+15552009000", ring_seconds=60) as (made, heard, _):
        await heard.until(lambda packets: any(len(set(one)) > 20 for one in packets))  # a tone
        async with asyncio.timeout(PATIENCE):
            await made.handed_over.wait()
    (record,) = made.records
    assert (record["status"], record["waiting_failed"]) == ("bridged", "no prompt 'music.wav'")


async def test_the_call_goes_on_in_silence_where_nobody_answers():
    async with transferred(number="+15551800000", ring_seconds=0.2) as (made, heard, _):
        async with asyncio.timeout(PATIENCE):
            assert not await made.settled()
        assert made.waiting_frame() is None
        assert any(one in NOTES for one in heard.packets)


class RingingLines:
    """A target that rings until it is told to fail."""

    def __init__(self):
        self.rings, self.fails = asyncio.Event(), asyncio.Event()

    def looked_up(self, target):
        return target

    async def dial(self, _target, _on_event):
        self.rings.set()
        await self.fails.wait()
        raise TransferRefusedError("no_room", "there is none")


@pytest.mark.parametrize("code", [1000, 1011])
async def test_the_prompt_goes_on_when_the_bot_leaves_meanwhile(call, far_end, led, bots, code):
    lines = RingingLines()
    target = Target("sales", number="+15550001000", waiting=MUSIC)
    transfers = Transfers(call, {"sales": target}, lines, SystemClock(), music)
    bot = await bots()
    ending = led(bot, transfers=transfers)
    await bot.got("start")
    await bot.send("transfer", transfer={"to": "sales"})
    async with asyncio.timeout(PATIENCE):
        await lines.rings.wait()
    await bot.socket.close(code=code)
    far_end.packets.clear()
    await far_end.until(lambda: len(far_end.packets) >= 60)
    assert {one.payload for one in far_end.packets[-30:]} == set(NOTES)
    lines.fails.set()
    assert (await ending).record["ended_by"] == ("bot" if code == 1000 else "failure")
    assert [one["reason"] for one in transfers.records] == ["no_room"]
