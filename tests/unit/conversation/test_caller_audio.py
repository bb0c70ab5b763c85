"""What of the packets of the far end goes to a bot."""

from msgspec.structs import astuple

from dialer.conversation.caller_audio import CallerAudio
from dialer.rtp import g711
from dialer.rtp.packet import Packet

SILENCE = b"\xff" * 160


def packet(number, payload=b"v" * 160, *, payload_type=0, ssrc=7, timestamp=None):
    return Packet(
        payload_type=payload_type,
        sequence=number & 0xFFFF,
        timestamp=(number * 160 if timestamp is None else timestamp) & 0xFFFFFFFF,
        ssrc=ssrc,
        payload=payload,
    )


def test_packets_are_forwarded_with_their_time():
    heard = CallerAudio()
    forwarded = [heard.take(packet(number)) for number in range(65534, 65540)]
    assert [[astuple(one) for one in ones] for ones in forwarded] == [
        [(b"v" * 160, 20 * place)] for place in range(6)
    ]
    assert heard.octets == 960


def test_a_law_becomes_mu_law():
    heard = CallerAudio()
    payload = bytes(range(160))
    [one] = heard.take(packet(1, payload, payload_type=8))
    assert one.audio == g711.encode(g711.decode(payload, "PCMA"), "PCMU")


def test_a_long_packet_is_cut_into_pieces_of_20_ms():
    heard = CallerAudio()
    pieces = heard.take(packet(1, b"a" * 160 + b"b" * 160 + b"c" * 80))
    assert [(one.audio, one.milliseconds) for one in pieces] == [
        (b"a" * 160, 0),
        (b"b" * 160, 20),
        (b"c" * 80, 40),
    ]


def test_what_is_late_or_doubled_is_left_out_and_counted():
    heard = CallerAudio()
    assert heard.take(packet(5))
    assert heard.take(packet(7))
    assert heard.take(packet(6)) == []
    assert heard.take(packet(7)) == []
    assert heard.late_packets == 2
    assert heard.take(packet(8))


def test_a_lost_packet_leaves_its_time_open():
    heard = CallerAudio()
    heard.take(packet(1))
    [one] = heard.take(packet(4))
    assert one.milliseconds == 60


def test_another_sender_goes_on_where_the_first_one_ended():
    heard = CallerAudio()
    heard.take(packet(1))
    [one] = heard.take(packet(30_000, ssrc=8))
    assert one.milliseconds == 20
    [far] = heard.take(packet(9000, ssrc=8))
    assert far.milliseconds == 40
    assert heard.late_packets == 0


def test_other_payload_types_and_empty_packets_are_no_speech():
    heard = CallerAudio()
    assert heard.take(packet(1, b"\x05\x0a\x00\xa0", payload_type=101)) == []
    assert heard.take(packet(2, b"\x40", payload_type=13)) == []
    assert heard.take(packet(3, b"")) == []
    assert heard.octets == 0


def test_silence_stands_in_where_packets_stay_away_and_time_goes_on():
    heard = CallerAudio()
    heard.take(packet(1))
    ticks = [heard.tick() for _ in range(13)]
    assert ticks[:10] == [None] * 10
    assert [astuple(one) for one in ticks[10:]] == [
        (SILENCE, 20),
        (SILENCE, 40),
        (SILENCE, 60),
    ]
    assert heard.filled_frames == 3
    # the sender suppressed silence for 260 ms: sequence goes on, the timestamp has moved
    [one] = heard.take(packet(2, timestamp=160 * 15))
    assert one.milliseconds == 280
    assert heard.tick() is None


def test_silence_that_took_longer_than_the_hole_does_not_turn_time_back():
    heard = CallerAudio()
    heard.take(packet(1))
    for _ in range(14):
        heard.tick()
    [one] = heard.take(packet(2))
    assert one.milliseconds == 20 + 4 * 20


def test_comfort_noise_is_silence_at_once_and_no_speech():
    heard = CallerAudio()
    heard.take(packet(0))
    assert heard.take(packet(1, b"\x7f", payload_type=13)) == []
    assert [astuple(heard.tick()) for _ in range(3)] == [
        (SILENCE, 20 * place) for place in range(1, 4)
    ]
    [one] = heard.take(packet(2, timestamp=160 * 50))  # nothing was sent meanwhile
    assert one.milliseconds == 1000
