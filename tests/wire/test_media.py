"""Media over real sockets on loopback; the clock is driven, or real where that is the point."""

import asyncio
import errno
import socket

import pytest
import uvloop
from tests.wire.media_peer import PORTS, SILENCE, Peer, counted, loud

from dialer.clock import SystemClock
from dialer.rtp.frames import Frames
from dialer.sip.sdp import Direction, Negotiated, SdpError
from dialer.ua.media import MediaPlane


async def test_nothing_leaves_before_the_stream_is_connected(clock, stream):
    clock.advance(1.0)
    assert stream.packets_sent == 0
    assert clock.pending == 0


async def test_silence_leaves_every_20_ms_from_the_moment_it_is_connected(clock, stream, peer):
    stream.connect(peer.agreed(codec="PCMA", payload_type=8))
    clock.advance(0.99)
    received = await peer.wait_for(50)
    assert stream.packets_sent == len(received) == 50
    assert [packet.payload for packet in received] == [SILENCE["PCMA"]] * 50
    assert {packet.payload_type for packet in received} == {8}
    first = received[0]
    for place, packet in enumerate(received):
        assert packet.sequence == (first.sequence + place) & 0xFFFF
        assert packet.timestamp == (first.timestamp + 160 * place) & 0xFFFFFFFF
        assert packet.ssrc == first.ssrc
        assert packet.marker == (place == 0)


async def test_a_prompt_leaves_whole_and_in_order_between_silence(clock, stream, peer):
    prompt = loud(10)
    stream.connect(peer.agreed())
    clock.advance(0.03)
    done = stream.play(prompt)
    clock.advance(0.18)
    assert not done.done()
    clock.advance(0.02)
    assert done.result() is True
    clock.advance(0.06)
    received = await peer.wait_for(15)
    payloads = [packet.payload for packet in received]
    assert payloads[:2] == [SILENCE["PCMU"]] * 2
    assert b"".join(payloads[2:12]) == prompt.data
    assert payloads[12:] == [SILENCE["PCMU"]] * 3
    assert [place for place, packet in enumerate(received) if packet.marker] == [0, 2]
    timestamps = [(packet.timestamp - received[0].timestamp) & 0xFFFFFFFF for packet in received]
    assert timestamps == [160 * place for place in range(15)]


async def test_a_prompt_given_before_the_connection_waits_for_it(clock, stream, peer):
    done = stream.play(loud(3, "PCMU"))
    clock.advance(1.0)
    stream.connect(peer.agreed(codec="PCMA", payload_type=8))
    clock.advance(0.05)
    assert done.result() is True
    received = await peer.wait_for(3)
    assert [packet.payload for packet in received] == [
        loud(3, "PCMU").coded_as("PCMA").data[at : at + 160] for at in (0, 160, 320)
    ]


async def test_stopping_goes_back_to_silence_at_once(clock, stream, peer):
    stream.connect(peer.agreed())
    done = stream.play(loud(50))
    clock.advance(0.05)
    stream.stop_playing()
    assert done.result() is False
    clock.advance(0.04)
    received = await peer.wait_for(5)
    assert [packet.payload == SILENCE["PCMU"] for packet in received] == [False] * 3 + [True] * 2


async def test_playing_again_replaces_what_was_playing(clock, stream, peer):
    stream.connect(peer.agreed())
    first, second = stream.play(loud(50)), stream.play(loud(2))
    assert first.result() is False
    clock.advance(0.02)
    assert second.result() is True


async def test_cancelling_the_one_who_waits_stops_the_playing(clock, stream, peer):
    stream.connect(peer.agreed())
    done = stream.play(loud(50))
    clock.advance(0.0)
    done.cancel()
    clock.advance(0.02)
    received = await peer.wait_for(2)
    assert [packet.payload == SILENCE["PCMU"] for packet in received] == [False, True]


async def test_nothing_to_play_is_played_at_once(stream):
    assert stream.play(Frames("PCMU", b"")).result() is True


async def test_hold_stops_the_packets_and_time_goes_on_meanwhile(clock, stream, peer):
    stream.connect(peer.agreed())
    done = stream.play(loud(4))
    clock.advance(0.03)
    stream.connect(peer.agreed(direction=Direction.RECVONLY))
    clock.advance(1.0)
    assert stream.packets_sent == 2
    assert not done.done()
    stream.connect(peer.agreed())
    clock.advance(0.03)
    assert done.result() is True
    received = await peer.wait_for(4)
    timestamps = [(packet.timestamp - received[0].timestamp) & 0xFFFFFFFF for packet in received]
    assert timestamps[:2] == [0, 160]
    assert timestamps[2] == pytest.approx(160 * 52, abs=160)
    assert timestamps[3] == timestamps[2] + 160
    assert [packet.marker for packet in received] == [True, False, True, False]


async def test_an_address_of_zeros_holds_without_losing_the_peer(clock, stream, peer):
    stream.connect(peer.agreed())
    stream.connect(Negotiated("0.0.0.0", 9, "PCMU", 0))
    clock.advance(0.1)
    assert stream.packets_sent == 0
    peer.send(stream, 1)
    await counted(stream, 1)


async def test_a_new_answer_moves_the_stream_and_changes_the_codec(clock, stream, peer, stranger):
    stream.connect(peer.agreed())
    done = stream.play(loud(4))
    clock.advance(0.03)
    stream.connect(stranger.agreed(codec="PCMA", payload_type=8))
    clock.advance(0.04)
    assert done.result() is True
    received = await stranger.wait_for(2)
    assert {packet.payload_type for packet in received} == {8}
    recoded = loud(4).coded_as("PCMA").data
    assert b"".join(packet.payload for packet in received) == recoded[320:]
    assert len(await peer.wait_for(2)) == 2


async def test_a_stall_costs_a_small_burst_and_the_timestamps_keep_the_time(
    clock, plane, stream, peer
):
    stream.connect(peer.agreed())
    clock.advance(0.0)
    clock.jump(1.0)
    received = await peer.wait_for(6)
    assert stream.packets_sent == 6
    clock.advance(0.02)
    received = await peer.wait_for(7)
    last = (received[6].timestamp - received[0].timestamp) & 0xFFFFFFFF
    assert last == 160 * 51
    assert (received[6].sequence - received[0].sequence) & 0xFFFF == 6
    assert plane.ticker.late_frames == 49


async def test_one_ticker_serves_all_streams(clock, plane, peer):
    streams = [plane.open() for _ in range(20)]
    for stream in streams:
        stream.connect(peer.agreed())
    assert clock.pending == 1
    clock.advance(0.099)
    assert [stream.packets_sent for stream in streams] == [5] * 20
    assert clock.pending == 1
    received = await peer.wait_for(100)
    assert len({packet.ssrc for packet in received}) == 20


async def test_the_ticker_rests_when_the_last_stream_is_closed(clock, plane, peer):
    stream = plane.open()
    stream.connect(peer.agreed())
    clock.advance(0.05)
    stream.close()
    clock.advance(0.05)
    assert clock.pending == 0
    again = plane.open()
    again.connect(peer.agreed())
    clock.advance(0.05)
    assert again.packets_sent == 3


async def test_what_waits_in_the_socket_is_heard_before_the_stream_closes(stream, peer):
    """The loop was kept from its work, and reads of the call's end before its last packets."""
    stream.connect(peer.agreed())
    peer.send(stream, 1)
    await counted(stream, 1)
    heard = []
    stream.listeners.append(lambda received: heard.append(received.sequence))
    for sequence in range(2, 9):
        peer.send(stream, sequence)
    stream.close()
    assert heard == [2, 3, 4, 5, 6, 7, 8]
    assert stream.packets_received == 8


async def test_a_flood_keeps_no_stream_from_closing(stream, peer):
    stream.connect(peer.agreed())
    for sequence in range(500):
        peer.send(stream, sequence)
    stream.close()
    assert 50 <= stream.packets_received <= 100


async def test_a_listener_may_close_the_stream_that_is_closing(stream, peer):
    stream.connect(peer.agreed())
    peer.send(stream, 1)
    await counted(stream, 1)
    heard = []

    def listen(received):
        heard.append(received.sequence)
        stream.close()

    stream.listeners.append(listen)
    peer.send(stream, 2)
    peer.send(stream, 3)
    stream.close()
    assert heard == [2, 3]


async def test_what_comes_before_the_connection_is_taken_once_it_is_steady(stream, peer):
    for sequence in range(8):
        peer.send(stream, sequence)
    await counted(stream, 5, dropped=3)
    assert (stream.packets_received, stream.reception.lost) == (5, 0)


async def test_received_frames_are_handed_on(stream, peer):
    frames = []
    stream.listeners.append(lambda packet: frames.append((packet.payload_type, packet.payload)))
    stream.connect(peer.agreed())
    peer.send(stream, 1, b"voice")
    peer.send(stream, 2, b"\x01\x0a\x00\xa0", payload_type=101)
    await counted(stream, 2)
    assert frames == [(0, b"voice"), (101, b"\x01\x0a\x00\xa0")]


async def test_only_the_peer_is_heard(stream, peer, stranger):
    stream.connect(peer.agreed())
    for sequence in range(4):
        peer.send(stream, sequence)
    await counted(stream, 4)
    for sequence in range(50):
        stranger.send(stream, sequence)
    await counted(stream, 4, dropped=50)
    peer.send(stream, 4)
    await counted(stream, 5)
    assert stream.packets_received == 5


async def test_a_peer_behind_nat_is_answered_where_it_sends_from(clock, stream, peer, stranger):
    """The address of the SDP is `peer`'s; the packets come from `stranger`, and go back there."""
    stream.connect(peer.agreed())
    clock.advance(0.0)
    for sequence in range(4):
        stranger.send(stream, sequence)
    await counted(stream, 4)  # it is the same host as the SDP's
    clock.advance(0.04)
    assert len(await stranger.wait_for(2)) == 2
    assert len(await peer.wait_for(1)) == 1


async def test_who_sends_before_the_peer_does_not_keep_the_stream(clock, stream, peer, stranger):
    stream.connect(peer.agreed())
    for sequence in range(10):
        stranger.send(stream, sequence)
    await counted(stream, 10)
    for sequence in range(4):
        peer.send(stream, sequence)
    await counted(stream, 11, dropped=3)
    clock.advance(0.0)
    assert len(await peer.wait_for(1)) == 1
    stranger.send(stream, 10)
    await counted(stream, 11, dropped=4)


async def test_a_new_ssrc_of_the_peer_resyncs(stream, peer):
    stream.connect(peer.agreed())
    peer.send(stream, 10)
    peer.send(stream, 50_000, ssrc=1234)
    peer.send(stream, 50_001, ssrc=1234)
    await counted(stream, 3)
    assert stream.reception.lost == 0


async def test_rubbish_is_dropped_and_does_not_latch(stream, peer, stranger):
    for rubbish in (b"", b"\x00", b"x" * 11, b"OPTIONS sip:a SIP/2.0\r\n", b"\x80\xc8" + bytes(26)):
        stranger.send_raw(stream, rubbish)
    stranger.send_raw(stream, b"\xff" * 60_000)
    await counted(stream, 0, dropped=6)
    assert stream.packets_received == 0
    stream.connect(peer.agreed())
    peer.send(stream, 1)
    await counted(stream, 1)


async def test_a_peer_that_is_gone_hurts_nobody(clock, plane, peer):
    """The port answers with ICMP unreachable; the stream goes on, and so does its neighbour."""
    gone = Peer()
    agreed = gone.agreed()
    gone.close()
    lonely, other = plane.open(), plane.open()
    lonely.connect(agreed)
    other.connect(peer.agreed())
    clock.advance(0.99)
    await peer.wait_for(50)
    assert lonely.packets_sent + lonely.packets_unsent == 50


async def test_a_route_that_does_not_exist_is_counted_not_raised(clock, plane, peer):
    """From a socket bound to loopback nothing may leave to the world."""
    stream = plane.open()
    stream.connect(Negotiated("192.0.2.1", 4000, "PCMU", 0))
    other = plane.open()
    other.connect(peer.agreed())
    clock.advance(0.05)
    await peer.wait_for(3)
    assert (stream.packets_sent, stream.packets_unsent) == (0, 3)


@pytest.mark.parametrize(
    ("host", "level", "option"),
    [
        ("127.0.0.1", socket.IPPROTO_IP, socket.IP_TOS),
        ("::1", socket.IPPROTO_IPV6, socket.IPV6_TCLASS),
    ],
)
async def test_packets_are_marked_for_routers_where_that_is_wanted(clock, host, level, option):
    for dscp, traffic_class in ((46, 0xB8), (0, 0)):
        plane = MediaPlane(clock, host, PORTS, dscp=dscp)
        stream = plane.open()
        assert stream._socket.getsockopt(level, option) == traffic_class
        plane.close()


async def test_a_mark_that_the_system_refuses_is_done_without(clock, monkeypatch):
    class Strict(socket.socket):
        def setsockopt(self, *_):
            raise PermissionError(errno.EPERM, "Operation not permitted")

    plane = MediaPlane(clock, "127.0.0.1", PORTS, dscp=46)
    with monkeypatch.context() as patch:
        patch.setattr(socket, "socket", Strict)
        plane.open()
    plane.close()


async def test_ipv6(clock):
    plane, peer = MediaPlane(clock, "::1", PORTS), Peer("::1")
    stream = plane.open()
    stream.connect(peer.agreed())
    clock.advance(0.05)
    await peer.wait_for(3)
    peer.send(stream, 1)
    await counted(stream, 1)
    plane.close()
    peer.close()


async def test_an_address_of_the_other_family_is_refused(stream):
    with pytest.raises(SdpError, match="2001:db8::1 is not IPv4"):
        stream.connect(Negotiated("2001:db8::1", 4000, "PCMU", 0))


async def test_the_first_numbers_come_from_the_source_of_randomness(clock, peer):
    plane = MediaPlane(clock, "127.0.0.1", PORTS, random_bits=lambda bits: (1 << bits) - 1)
    stream = plane.open()
    stream.connect(peer.agreed())
    clock.advance(0.03)
    first, second = await peer.wait_for(2)
    assert (first.ssrc, first.sequence, first.timestamp) == (0xFFFFFFFF, 0x7FFF, 0xFFFFFFFF)
    assert (second.sequence, second.timestamp) == (0x8000, 159)
    plane.close()


async def test_the_address_for_the_sdp(clock):
    assert MediaPlane(clock, "127.0.0.1", PORTS).address == "127.0.0.1"
    outside = MediaPlane(clock, "127.0.0.1", PORTS, external_address="203.0.113.1")
    assert outside.address == "203.0.113.1"


async def test_a_closed_stream_is_silent_and_says_so_to_who_waits(clock, plane, peer):
    stream = plane.open()
    stream.connect(peer.agreed())
    done = stream.play(loud(50))
    stream.close()
    assert done.result() is False
    stream.connect(peer.agreed())
    assert stream.play(loud(1)).result() is False
    clock.advance(0.1)
    assert stream.packets_sent == 0


async def _prompts_between_two_planes():
    """Two streams of two planes play to each other in real time."""
    here, there = (MediaPlane(SystemClock(), "127.0.0.1", PORTS) for _ in range(2))
    left, right = here.open(), there.open()
    heard = []
    right.listeners.append(lambda packet: heard.append(packet.payload))
    left.connect(Negotiated("127.0.0.1", right.local_port, "PCMU", 0))
    right.connect(Negotiated("127.0.0.1", left.local_port, "PCMU", 0))
    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with asyncio.timeout(10):
        assert await left.play(loud(15))
        took = loop.time() - begun
        await counted(right, 15)
    here.close()
    there.close()
    assert loud(15).data in b"".join(heard)
    assert right.reception.lost == 0
    assert took >= 0.27
    return took


async def test_in_real_time_frames_leave_at_their_pace():
    await _prompts_between_two_planes()


def test_another_event_loop_will_do():
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_prompts_between_two_planes())
