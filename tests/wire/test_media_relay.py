"""RTP passed on from one call into another, over real sockets on loopback."""

from __future__ import annotations

import asyncio
import itertools

import numpy as np
import pytest
from tests.driven_clock import DrivenClock
from tests.wire.media_peer import Peer

from dialer.rtp import g711, packet
from dialer.sip.sdp import Direction, Keys
from dialer.sip.security_description import SUITES
from dialer.ua.media import MediaPlane
from dialer.ua.media_relay import MediaRelay
from dialer.ua.srtp import SecureRtp

SPEECH = g711.encode(np.arange(160, dtype=np.int16) * 100, "PCMU")


class Bridge:
    """Two calls of ours joined: `left` and `right` are the far ends."""

    def __init__(self):
        self.clock = DrivenClock()
        self.plane = MediaPlane(self.clock, "127.0.0.1", (26000, 26998))
        self.streams = [self.plane.open(), self.plane.open()]
        self.left, self.right = Peer(), Peer()
        self.relays = []

    def connect(self, left=None, right=None):
        for stream, peer, agreed in zip(
            self.streams, (self.left, self.right), (left or {}, right or {}), strict=True
        ):
            stream.connect(peer.agreed(**agreed))

    def join(self):
        first, second = self.streams
        self.relays = [MediaRelay(first, second), MediaRelay(second, first)]

    async def say(self, *sequences, **changes):
        """Let the left far end send packets, and wait until we have them all."""
        stream = self.streams[0]
        until = stream.packets_received + len(sequences)
        for sequence in sequences:
            self.left.send(stream, sequence, **({"payload": SPEECH} | changes))
        async with asyncio.timeout(10):
            while stream.packets_received < until:  # noqa: ASYNC110 - the stream has no event for this
                await asyncio.sleep(0)

    def close(self):
        for relay in self.relays:
            relay.close()
        self.plane.close()
        self.left.close()
        self.right.close()


@pytest.fixture
async def bridge():
    one = Bridge()
    yield one
    one.close()


async def test_packets_pass_both_ways_in_our_own_numbering(bridge):
    bridge.connect()
    bridge.join()
    await bridge.say(1000, 1001, 1002)
    heard = await bridge.right.wait_for(3)
    assert [one.payload for one in heard] == [SPEECH] * 3
    assert {one.ssrc for one in heard} == {heard[0].ssrc} != {99}
    steps = [(b.sequence - a.sequence) % 65536 for a, b in itertools.pairwise(heard)]
    assert steps == [1, 1]
    assert (heard[2].timestamp - heard[0].timestamp) % 2**32 == 320
    assert [one.marker for one in heard] == [True, False, False]
    bridge.right.send(bridge.streams[1], 7, b"back" * 40)
    assert (await bridge.left.wait_for(1))[0].payload == b"back" * 40


async def test_what_was_lost_and_out_of_order_stays_so(bridge):
    bridge.connect()
    bridge.join()
    await bridge.say(65534, 65535, 2, 1)
    heard = await bridge.right.wait_for(4)
    first = heard[0].sequence
    assert [(one.sequence - first) % 65536 for one in heard] == [0, 1, 4, 3]


@pytest.mark.parametrize(("said", "wanted"), [("PCMU", "PCMA"), ("PCMA", "PCMU")])
async def test_speech_is_recoded_for_the_one_who_listens(bridge, said, wanted):
    types = {"PCMU": 0, "PCMA": 8}
    bridge.connect(
        {"codec": said, "payload_type": types[said]},
        {"codec": wanted, "payload_type": types[wanted]},
    )
    bridge.join()
    spoken = g711.recode(SPEECH, "PCMU", said)
    await bridge.say(1, payload=spoken, payload_type=types[said])
    (heard,) = await bridge.right.wait_for(1)
    assert heard.payload_type == types[wanted]
    assert heard.payload == g711.recode(spoken, said, wanted)


async def test_keys_pass_under_the_listeners_payload_type(bridge):
    bridge.connect({"telephone_event": 96}, {"telephone_event": 110})
    bridge.join()
    await bridge.say(1)
    await bridge.say(2, 3, payload=b"\x05\x0a\x00\xa0", payload_type=96, timestamp=320)
    heard = await bridge.right.wait_for(3)
    assert [one.payload_type for one in heard] == [0, 110, 110]
    assert heard[1].payload == b"\x05\x0a\x00\xa0"
    assert heard[1].timestamp == heard[2].timestamp


async def test_keys_that_the_listener_does_not_take_leave_no_gap(bridge):
    bridge.connect({"telephone_event": 96})
    bridge.join()
    await bridge.say(1)
    await bridge.say(2, payload=b"\x05\x0a\x00\xa0", payload_type=96)
    await bridge.say(3)
    first, second = await bridge.right.wait_for(2)
    assert (second.sequence - first.sequence) % 65536 == 1
    assert (second.timestamp - first.timestamp) % 2**32 == 320


async def test_a_listener_on_hold_hears_nothing_and_goes_on_without_a_gap(bridge):
    bridge.connect()
    bridge.join()
    await bridge.say(1)
    await bridge.right.wait_for(1)
    bridge.connect(right={"direction": Direction.RECVONLY})
    await bridge.say(2, 3)
    bridge.connect()
    await bridge.say(4)
    first, second = await bridge.right.wait_for(2)
    assert (second.sequence - first.sequence) % 65536 == 1
    assert (second.timestamp - first.timestamp) % 2**32 == 480
    assert second.marker


async def test_a_source_that_begins_anew_goes_on_where_the_last_one_was(bridge):
    bridge.connect()
    bridge.join()
    await bridge.say(1)
    await bridge.say(40000, ssrc=5, timestamp=77)
    first, second = await bridge.right.wait_for(2)
    assert (second.sequence - first.sequence) % 65536 == 1
    assert (second.timestamp - first.timestamp) % 2**32 == 160
    assert second.ssrc == first.ssrc


async def test_the_ticker_rests_while_packets_are_passed_on_and_comes_back_after(bridge):
    bridge.connect()
    bridge.join()
    await bridge.say(1)
    (relayed,) = await bridge.right.wait_for(1)
    bridge.clock.advance(0.5)
    bridge.connect()  # a re-INVITE meanwhile wakes nothing
    bridge.clock.advance(0.5)
    assert bridge.streams[1].packets_sent == 1
    for relay in bridge.relays:
        relay.close()
    bridge.relays = []
    bridge.clock.advance(0.1)
    silence = (await bridge.right.wait_for(2))[1]
    assert (silence.sequence - relayed.sequence) % 65536 == 1
    assert silence.ssrc == relayed.ssrc


@pytest.mark.parametrize("suite", SUITES)
async def test_secure_media_of_one_side_passes_to_a_plain_other_side_and_back(bridge, suite):
    ours, theirs = bytes([1]) * 30, bytes([2]) * 30
    bridge.connect(right={"keys": Keys(suite, ours, theirs)})
    bridge.join()
    far = SecureRtp()
    far.use(Keys(suite, theirs, ours))
    await bridge.say(1)
    (secured,) = await bridge.right.wait_for(1)
    assert secured.payload != SPEECH
    assert packet.parse(far.unprotect(bytes(secured))).payload == SPEECH
    plain = bytes(packet.Packet(0, 5, 160, 7, b"back" * 40))
    bridge.right.send_raw(bridge.streams[1], far.protect(plain))
    assert (await bridge.left.wait_for(1))[0].payload == b"back" * 40
