"""Where in a recording the audio of packets lies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.rtp import g711
from dialer.rtp.packet import COMFORT_NOISE, Packet
from dialer.rtp.recording_timeline import Channel, stereo

FRAME = g711.FRAME_SAMPLES
BEGINS = 1000.0


def frame(number, level=None):
    """Return a frame's octets, of samples that no other frame has."""
    level = 200 + 40 * (number % 700) if level is None else level
    return g711.encode(np.full(FRAME, level, np.int16), "PCMU")


def heard(payload):
    return g711.decode(payload, "PCMU")


def packet(number, *, first=4_294_967_000, ssrc=7, payload_type=0, payload=None):
    payload = frame(number) if payload is None else payload
    timestamp = (first + FRAME * number) % 2**32
    return Packet(payload_type, number, timestamp, ssrc, payload)


def test_frames_follow_each_other_over_the_wrap_of_timestamps():
    channel = Channel(BEGINS)
    for number in range(10):
        channel.add(packet(number), BEGINS + 0.02 * number)
    whole = channel.cut(10 * FRAME)
    assert np.array_equal(whole, heard(b"".join(map(frame, range(10)))))
    assert whole.dtype == np.int16


def test_a_stream_begins_when_its_first_packet_comes():
    channel = Channel(BEGINS)
    channel.add(packet(0), BEGINS + 0.5)
    whole = channel.cut(5000)
    assert not whole[:4000].any()
    assert np.array_equal(whole[4000:4160], heard(frame(0)))
    assert not whole[4160:].any()


def test_what_was_lost_is_silence_of_its_length():
    channel = Channel(BEGINS)
    for number in (0, 1, 4):
        channel.add(packet(number), BEGINS + 0.02 * number)
    whole = channel.cut(5 * FRAME)
    assert not whole[2 * FRAME : 4 * FRAME].any()
    assert np.array_equal(whole[4 * FRAME :], heard(frame(4)))


@given(
    lost=st.sets(st.integers(1, 99)),
    delays=st.lists(st.floats(0, 0.95), min_size=100, max_size=100),
    cuts=st.lists(st.floats(1, 3), max_size=10),
    doubled=st.sets(st.integers(0, 99)),
)
def test_jitter_order_and_doubles_are_not_heard(lost, delays, cuts, doubled):
    """Whatever the network does within its bounds, and whenever it is cut off."""
    channel = Channel(BEGINS)
    arrivals = [(BEGINS, 0)] + [
        (BEGINS + 0.02 * number + delay, number)
        for number, delay in enumerate(delays)
        for _ in range(2 if number in doubled else 1)
        if number not in lost and number
    ]
    events = sorted(arrivals + [(BEGINS + at, None) for at in cuts], key=lambda event: event[0])
    pieces = []
    for at, number in events:
        if number is not None:
            channel.add(packet(number), at)
        elif at > BEGINS + 1:
            pieces.append(channel.cut(round((at - BEGINS - 1) * 8000)))
    pieces.append(channel.cut(100 * FRAME))
    silent = g711.silence(FRAME, "PCMU")
    sent = b"".join(silent if number in lost else frame(number) for number in range(100))
    assert np.array_equal(np.concatenate(pieces), heard(sent))
    assert channel.late == 0


def test_a_packet_that_lies_on_the_cut_is_on_both_sides_of_it():
    channel = Channel(BEGINS)
    channel.add(packet(0), BEGINS)
    channel.add(packet(1), BEGINS + 0.02)
    first, second = channel.cut(200), channel.cut(320)
    assert np.array_equal(
        np.concatenate([first, second]), heard(frame(0) + frame(1))
    )  # fmt: skip


def test_what_comes_when_its_place_was_cut_off_is_counted_or_half_heard():
    channel = Channel(BEGINS)
    channel.add(packet(0), BEGINS)
    channel.cut(200)
    channel.add(packet(0), BEGINS + 0.03)
    assert channel.late == 1
    channel.add(packet(1), BEGINS + 0.04)
    assert np.array_equal(channel.cut(320), heard(frame(1))[40:])
    assert channel.late == 1


def test_another_stream_is_placed_by_the_clock():
    channel = Channel(BEGINS)
    channel.add(packet(0), BEGINS)
    channel.add(packet(1, ssrc=8, first=12345), BEGINS + 0.1)
    whole = channel.cut(1000)
    assert np.array_equal(whole[800:960], heard(frame(1)))


@pytest.mark.parametrize("jump", [800_000, -800_000, 6000, -9000])
def test_a_jump_of_timestamps_is_placed_by_the_clock(jump):
    channel = Channel(BEGINS)
    channel.add(packet(0, first=1_000_000), BEGINS + 1)
    channel.add(packet(1, first=1_000_000 + jump), BEGINS + 1.1)
    channel.add(packet(2, first=1_000_000 + jump), BEGINS + 1.12)
    whole = channel.cut(10_000)
    assert np.array_equal(whole[8800:9120], heard(frame(1) + frame(2)))


def test_a_clock_that_runs_fast_is_followed_for_an_hour():
    channel = Channel(BEGINS)
    for number in range(0, 180_000, 10):
        channel.add(packet(number), BEGINS + 0.02 * number * 0.9995)  # 500 ppm
    whole = channel.cut(round(3600 * 0.9995 * 8000) + 8000)
    last = np.flatnonzero(whole)[-1]
    assert abs(last / 8000 - 0.02 * 179_990 * 0.9995) < 0.55


def test_keys_and_noise_and_unknown_codecs_are_silence():
    channel = Channel(BEGINS)
    for number, payload_type in enumerate((101, COMFORT_NOISE, 9)):
        channel.add(packet(number, payload_type=payload_type), BEGINS + 0.02 * number)
    assert not channel.cut(1000).any()


def test_both_codecs_are_heard():
    channel = Channel(BEGINS)
    channel.add(packet(0), BEGINS)
    a_law = g711.encode(np.full(FRAME, 1000, np.int16), "PCMA")
    channel.add(packet(1, payload_type=8, payload=a_law), BEGINS + 0.02)
    assert np.array_equal(channel.cut(320)[160:], g711.decode(a_law, "PCMA"))


def test_what_begins_before_the_recording_is_heard_from_its_beginning():
    channel = Channel(BEGINS)
    channel.add(packet(1), BEGINS + 0.01)
    channel.add(packet(0), BEGINS + 0.015)  # 160 samples before 80
    whole = channel.cut(240)
    assert np.array_equal(whole, heard(frame(0)[80:] + frame(1)))
    assert channel.late == 0


def test_nothing_is_cut_twice():
    channel = Channel(BEGINS)
    assert len(channel.cut(100)) == 100
    assert len(channel.cut(100)) == 0
    assert len(channel.cut(50)) == 0
    assert len(channel.cut(101)) == 1


def test_two_channels_lie_side_by_side():
    first, second = np.array([1, -2], np.int16), np.array([300, 4], np.int16)
    assert stereo(first, second) == b"\x01\x00\x2c\x01\xfe\xff\x04\x00"
