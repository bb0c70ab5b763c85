"""Secure media, packets of several frames, and what a capture sees: real sockets on loopback."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from tests.driven_clock import DrivenClock

from dialer.rtp import packet
from dialer.rtp.frames import Frames
from dialer.sip.sdp import Direction, Keys, Negotiated
from dialer.sip.security_description import SUITES
from dialer.ua.media import MediaPlane
from dialer.ua.session import UNUSABLE, MediaSession
from dialer.ua.srtp import SecureRtp

LONG, SHORT = SUITES
ONE, TWO, OTHER = (bytes([n]) * 30 for n in (1, 2, 3))
SDP = "application/sdp"


class Pair:
    """Two streams that speak to each other; what the second hears, and the capture of both."""

    def __init__(self):
        self.clock = DrivenClock()
        self._plane = MediaPlane(self.clock, "127.0.0.1", (24000, 25998))
        self.left, self.right = self._plane.open(), self._plane.open()
        self.heard, self.passed = [], []
        self.right.listeners.append(lambda packet: self.heard.append(packet.payload))
        for stream in (self.left, self.right):
            stream.on_packet = lambda *passed, stream=stream: self.passed.append((stream, *passed))

    def connect(self, keys=None, *, right_keys=None, **agreed):
        """Let the left stream send, and the right one listen."""
        self.left.connect(
            Negotiated("127.0.0.1", self.right.local_port, "PCMU", 0, keys=keys, **agreed)
        )
        self.right.connect(
            Negotiated(
                "127.0.0.1",
                self.left.local_port,
                "PCMU",
                0,
                direction=Direction.RECVONLY,
                keys=right_keys or (keys and Keys(keys.suite, keys.theirs, keys.ours)),
            )
        )

    async def arrive(self, *, heard=0, dropped=0):
        async with asyncio.timeout(10):
            while self.right.packets_received < heard or self.right.packets_dropped < dropped:  # noqa: ASYNC110 - the stream has no event for this
                await asyncio.sleep(0)

    def close(self):
        self._plane.close()


@pytest.fixture
async def pair():
    pair = Pair()
    yield pair
    pair.close()


def loud(frames):
    return Frames.of(np.repeat(np.arange(1, frames + 1) * 100, 160).astype(np.int16), "PCMU")


@pytest.mark.parametrize(("suite", "tag"), [(LONG, 10), (SHORT, 4)])
async def test_secured_audio_arrives_the_same(pair, suite, tag):
    pair.connect(Keys(suite, ONE, TWO))
    wire = []
    unprotect = pair.right.srtp.unprotect
    pair.right.srtp.unprotect = lambda data: (wire.append(data), unprotect(data))[1]
    pair.left.play(loud(10))
    pair.clock.advance(0.19)
    await pair.arrive(heard=10)
    assert b"".join(pair.heard) == loud(10).data
    assert {len(data) for data in wire} == {172 + tag}
    assert not [data for data in wire if data[12:172] in pair.heard]


async def test_a_wrong_key_is_dropped_and_counted(pair):
    pair.connect(Keys(LONG, ONE, TWO), right_keys=Keys(LONG, TWO, OTHER))
    pair.clock.advance(0.05)
    await pair.arrive(dropped=3)
    assert (pair.right.packets_received, pair.heard) == (0, [])


async def test_plain_packets_are_dropped_where_keys_are_agreed(pair):
    pair.connect(None, right_keys=Keys(LONG, TWO, ONE))
    pair.clock.advance(0.05)
    await pair.arrive(dropped=3)
    assert pair.heard == []


async def test_plain_packets_before_the_answer_are_dropped_where_media_must_be_secure(pair):
    pair.right.secure_only = True
    pair.left.connect(Negotiated("127.0.0.1", pair.right.local_port, "PCMU", 0))
    pair.clock.advance(0.05)
    await pair.arrive(dropped=3)
    assert pair.heard == []


async def test_a_packet_that_comes_twice_or_too_long_is_dropped_and_counted(pair):
    pair.connect(Keys(LONG, ONE, TWO))
    pair.clock.advance(0.01)
    await pair.arrive(heard=1)
    sender = SecureRtp()
    sender.use(Keys(LONG, ONE, TWO))
    repeated = sender.protect(bytes(packet.Packet(0, 9, 9, 9, b"x" * 160)))
    there = ("127.0.0.1", pair.right.local_port)
    for data in (repeated, repeated, b"\x80" * 1800, b"", b"\x80"):
        pair.left._socket.sendto(data, there)
    await pair.arrive(heard=2, dropped=4)
    assert pair.heard[1:] == [b"x" * 160]


async def test_a_new_key_takes_over_and_an_old_one_goes_on_counting(pair):
    pair.connect(Keys(LONG, ONE, TWO))
    pair.clock.advance(0.03)
    await pair.arrive(heard=2)
    pair.connect(Keys(LONG, OTHER, TWO))
    pair.clock.advance(0.04)
    await pair.arrive(heard=4)
    pair.connect(Keys(LONG, OTHER, TWO))  # a re-INVITE that changes nothing
    pair.clock.advance(0.04)
    await pair.arrive(heard=6)
    assert pair.right.packets_dropped == 0


async def sessions(pair, ours, theirs):
    """Run offer and answer between two sessions."""
    left = MediaSession(pair.left, "127.0.0.1", ("PCMU",), 1, srtp=ours)
    right = MediaSession(pair.right, "127.0.0.1", ("PCMU",), 2, srtp=theirs)
    left.accept(right.answer(left.offer(), SDP), SDP)
    pair.clock.advance(0.05)
    await pair.arrive(heard=3)
    secured = [stream.srtp.agreed for stream in (pair.left, pair.right)]
    assert secured[0] == secured[1]
    assert pair.right.packets_dropped == 0
    return secured[0]


@pytest.mark.parametrize(
    ("ours", "theirs", "secure"),
    [
        ("off", "off", False),
        ("optional", "off", False),
        ("off", "optional", False),
        ("optional", "optional", True),
        ("optional", "required", True),
        ("required", "optional", True),
        ("required", "required", True),
    ],
)
async def test_optional_falls_back_and_required_insists(pair, ours, theirs, secure):
    assert await sessions(pair, ours, theirs) is secure


@pytest.mark.parametrize(("ours", "theirs"), [("off", "required"), ("required", "off")])
async def test_required_and_off_have_no_media(pair, ours, theirs):
    with pytest.raises(UNUSABLE):
        await sessions(pair, ours, theirs)


# Packets of several frames.


@pytest.mark.parametrize("keys", [None, Keys(LONG, ONE, TWO)], ids=["plain", "secured"])
@pytest.mark.parametrize("ptime", [20, 40, 60])
async def test_a_prompt_leaves_whole_in_packets_of_the_agreed_size(pair, ptime, keys):
    bundled = ptime // 20
    prompt = loud(7)
    pair.connect(keys, ptime=ptime)
    done = pair.left.play(prompt)
    packets = -(-7 // bundled)
    for _ in range(packets * bundled):
        assert not done.done() or pair.left.packets_sent == packets
        pair.clock.advance(0.02)
    assert done.result() is True
    await pair.arrive(heard=packets)
    assert b"".join(pair.heard[:packets])[: len(prompt.data)] == prompt.data
    assert {len(payload) for payload in pair.heard} == {160 * bundled}
    sent = [packet.parse(data) for stream, _, data, _ in pair.passed if stream is pair.left]
    assert [(one.timestamp - sent[0].timestamp) & 0xFFFFFFFF for one in sent] == [
        place * 160 * bundled for place in range(len(sent))
    ]


async def test_another_packet_time_in_the_middle_loses_nothing(pair):
    prompt = loud(12)
    pair.connect(ptime=60)
    pair.left.play(prompt)
    pair.clock.advance(0.07)  # one packet has left, and one frame waits
    pair.connect(ptime=20)
    pair.clock.advance(0.20)
    await pair.arrive(heard=10)
    assert b"".join(pair.heard)[: len(prompt.data)] == prompt.data
    assert [len(payload) // 160 for payload in pair.heard[:4]] == [3, 1, 1, 1]


async def test_a_stall_shows_in_the_timestamps_and_cuts_no_packet_in_two(pair):
    pair.connect(ptime=40)
    pair.clock.advance(0.01)  # one frame waits for the second
    pair.clock.jump(0.5)  # 25 frames are due: 20 of them are lost
    sent = [packet.parse(data) for stream, _, data, _ in pair.passed if stream is pair.left]
    assert [len(one.payload) // 160 for one in sent] == [1, 2, 2]
    assert [(one.timestamp - sent[0].timestamp) & 0xFFFFFFFF for one in sent] == [
        frame * 160 for frame in (0, 21, 23)
    ]


# What a capture sees.


async def test_a_capture_that_fails_stops_nothing(pair):
    for stream in (pair.left, pair.right):
        stream.on_packet = lambda *_: 1 // 0
    pair.connect()
    pair.clock.advance(0.03)
    await pair.arrive(heard=2)
    assert pair.left.packets_sent == len(pair.heard) == 2


async def test_a_capture_sees_plain_packets_of_both_directions(pair):
    pair.connect(Keys(LONG, ONE, TWO))
    pair.left.play(loud(1))
    pair.clock.advance(0.01)
    await pair.arrive(heard=1)
    (sender, sent, data, to), (receiver, received, same, from_) = pair.passed
    assert (sender, sent, to) == (pair.left, "sent", ("127.0.0.1", pair.right.local_port))
    assert (receiver, received, from_) == (
        pair.right,
        "received",
        ("127.0.0.1", pair.left.local_port),
    )
    assert data == same
    assert packet.parse(data).payload == loud(1).data
