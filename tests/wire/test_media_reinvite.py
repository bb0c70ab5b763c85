"""Audio and keys across re-INVITEs of the far party: another address, codec, numbers, hold."""

import asyncio

import numpy as np
from tests.wire.media_peer import peer_ports
from tests.wire.simulation import placed, simulation
from tests.wire.test_simulator_hold import FarParty

from dialer.conversation.keys import Keys
from dialer.rtp import g711
from dialer.rtp.frames import Frames
from dialer.rtp.packet import Packet, parse
from dialer.rtp.telephone_event import TelephoneEvent
from dialer.ua.call import Answered

NAMES = {0: "PCMU", 8: "PCMA"}


class Phone:
    """The far party's media: a socket that notes what it gets."""

    def __init__(self):
        self.received = []
        self._news = asyncio.Event()
        self.port, self._socket, self._reports = peer_ports()
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    def _read(self):
        self.received.append(parse(self._socket.recv(2048)))
        self._news.set()

    async def next(self, wanted, count=1):
        """Wait for so many more packets of a kind."""
        begin = len(self.received)
        async with asyncio.timeout(10):
            while len(found := [one for one in self.received[begin:] if wanted(one)]) < count:
                self._news.clear()
                await self._news.wait()
        return found

    def send(self, call, packet):
        self._socket.sendto(bytes(packet), ("127.0.0.1", call.media.local_port))

    def description(self, payload_type=0, event=101, direction="sendrecv"):
        return (
            "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {self.port} RTP/AVP {payload_type} {event}\r\n"
            f"a=rtpmap:{event} telephone-event/8000\r\na={direction}\r\n"
        ).encode()

    def close(self):
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()
        self._reports.close()


async def heard(call, count):
    async with asyncio.timeout(10):
        while call.media.packets_received < count:  # noqa: ASYNC110 - the stream has no event for this
            await asyncio.sleep(0)


def key(timestamp, duration, sequence, *, payload_type=101, end=False, ssrc=9):
    event = bytes(TelephoneEvent(5, duration, end=end))
    return Packet(payload_type, sequence, timestamp, ssrc, event)


async def test_a_prompt_goes_on_over_changes_of_address_and_codec_and_over_hold():
    far = FarParty()
    async with simulation(agent={"on_message": far}) as s:
        call, watch = await placed(s, "+15552000000", max_talk=60)
        await watch.until(Answered)
        levels = np.repeat(np.arange(1, 400) * 50, 160).astype(np.int16)
        playing = call.media.play(Frames.of(levels, "PCMU"))
        first, second = Phone(), Phone()
        steps = (
            (first, 0, 101, 3), (first, 8, 101, 3), (second, 8, 96, 3), (second, 0, 101, 3),
        )  # fmt: skip
        last = -np.inf
        for cseq, (phone, payload_type, event, packets) in enumerate(steps, start=1):
            answer = await far.ask(s, "INVITE", cseq, phone.description(payload_type, event))
            assert answer.code == 200
            found = await phone.next(
                lambda one, wanted=payload_type: one.payload_type == wanted, packets
            )
            for packet in found:  # the prompt, in order, in the codec agreed
                level = g711.decode(packet.payload, NAMES[payload_type]).mean()
                assert level > last
                last = level
        await far.ask(s, "INVITE", 9, second.description(direction="inactive"))
        sent = call.media.packets_sent
        await far.ask(s, "INVITE", 10, second.description())
        assert call.media.packets_sent - sent <= 1
        (found,) = await second.next(lambda _: True)
        assert g711.decode(found.payload, "PCMU").mean() > last
        assert not playing.done()
        call.hang_up()
        await call.result
        first.close()
        second.close()


async def test_a_key_that_is_down_over_a_reinvite_is_told_once():
    far = FarParty()
    async with simulation(agent={"on_message": far}, sound=False) as s:
        call, watch = await placed(s, "+15552000000", max_talk=60)
        await watch.until(Answered)
        pressed = []
        Keys(call, pressed.append)
        first, second = Phone(), Phone()
        await far.ask(s, "INVITE", 1, first.description())
        first.send(call, key(1000, 160, 1))
        first.send(call, key(1000, 320, 2))
        await heard(call, 2)
        await far.ask(s, "INVITE", 2, second.description(payload_type=8, event=96))
        second.send(call, key(1000, 480, 3, payload_type=96))
        second.send(call, key(1000, 480, 4, payload_type=96, end=True))
        await heard(call, 4)
        assert pressed == ["5"]
        second.send(call, key(9000, 160, 5, payload_type=96))
        await heard(call, 5)
        assert pressed == ["5", "5"]
        first.send(call, key(20000, 160, 1, ssrc=3))
        second.send(call, key(20000, 160, 6, payload_type=96, ssrc=10))  # another stream from here
        await heard(call, 6)
        assert pressed == ["5", "5", "5"]
        call.hang_up()
        result = await call.result
        assert (result.media.streams, result.media.received) == (2, 6)
        first.close()
        second.close()


async def test_early_media_and_the_answers_stream_may_differ_in_ssrc_and_codec():
    far = FarParty()
    async with simulation(agent={"on_message": far}, sound=False) as s:
        call, watch = await placed(s, "+15552000000", max_talk=60)
        await watch.until(Answered)
        phone = Phone()
        await far.ask(s, "INVITE", 1, phone.description())
        for n in range(5):
            phone.send(call, Packet(0, 100 + n, 160 * n, 1, bytes(160)))
        for n in range(5):
            phone.send(call, Packet(8, 40_000 + n, 7 + 160 * n, 2, bytes(160)))
        await heard(call, 10)
        call.hang_up()
        media = (await call.result).media
        assert (media.streams, media.received, media.lost, media.dropped) == (2, 10, 0, 0)
        phone.close()
