"""Keys that we press, over a real socket; the clock is driven."""

import pytest
from tests.wire.media_peer import loud

from dialer.rtp import g711, telephone_event
from dialer.rtp.dtmf import InBandDigits


async def test_a_key_stands_in_the_place_of_its_frames(clock, stream, peer):
    stream.connect(peer.agreed(telephone_event=101))
    stream.play(loud(12))
    clock.advance(0.03)
    stream.press("7")
    for _ in range(12):
        clock.advance(0.02)
    packets = await peer.wait_for(14)
    kinds = [packet.payload_type for packet in packets]
    assert kinds == [0] * 2 + [101] * 8 + [0] * 4
    events = [telephone_event.parse(packet.payload) for packet in packets[2:10]]
    assert [(one.digit, one.duration, one.end) for one in events] == [
        *[("7", 160 * place, False) for place in range(1, 6)],
        *[("7", 800, True)] * 3,
    ]
    assert len({packet.timestamp for packet in packets[2:10]}) == 1
    assert [packet.marker for packet in packets[2:10]] == [True] + [False] * 7
    audio = [packet for packet in packets if packet.payload_type == 0]
    assert b"".join(packet.payload for packet in audio) == loud(6).data
    assert [packet.sequence - packets[0].sequence for packet in packets] == list(range(14))
    assert packets[10].timestamp - packets[1].timestamp == 9 * 160


@pytest.mark.parametrize("codec", g711.CODECS)
async def test_a_peer_without_telephone_events_hears_the_tones_of_a_key(clock, stream, peer, codec):
    stream.connect(peer.agreed(codec=codec, payload_type={"PCMU": 0, "PCMA": 8}[codec]))
    stream.press("1D")
    for _ in range(19):
        clock.advance(0.02)
    packets = await peer.wait_for(20)
    reader = InBandDigits()
    heard = [reader.take(g711.decode(packet.payload, codec)) for packet in packets]
    assert "".join(heard) == "1D"


async def test_what_is_no_key_is_refused(stream):
    with pytest.raises(ValueError, match="'x' is no key"):
        stream.press("1x")
