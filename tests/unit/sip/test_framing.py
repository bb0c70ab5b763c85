"""A byte stream cut into messages, whichever way it was chopped and whatever it holds."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.sip.sample_messages import PEER, request_bytes, response_bytes

from dialer.sip.framing import Broken, KeepAlive, StreamFraming
from dialer.sip.message import MAX_MESSAGE, parse

PING, PONG = KeepAlive.PING, KeepAlive.PONG
SAMPLES = [
    request_bytes("OPTIONS"),
    request_bytes(body=b"v=0\r\n\r\no=- 1 1 IN IP4 192.0.2.9\r\n"),
    request_bytes(content_length=None, l="4", body=b"\r\n\r\n"),
    request_bytes(content_length="\r\n 3", body=b"abc"),
    response_bytes(200, "OK", body=b"\r\n" * 9),
    response_bytes(100),
]


def in_pieces(data, cuts):
    ends = sorted({min(cut, len(data)) for cut in cuts} | {len(data)})
    return [data[begin:end] for begin, end in itertools.pairwise([0, *ends])]


def framed(pieces, framing=None):
    framing = framing or StreamFraming()
    return [item for piece in pieces for item in framing.feed(piece)]


@given(
    st.lists(st.sampled_from([*SAMPLES, b"\r\n\r\n"]), max_size=8),
    st.lists(st.integers(0, 4000), max_size=60),
)
def test_any_chopping_gives_the_same_messages(pieces, cuts):
    stream = b"".join(pieces)
    expected = [PING if piece == b"\r\n\r\n" else piece for piece in pieces]
    assert framed(in_pieces(stream, cuts)) == expected


@given(st.lists(st.sampled_from(SAMPLES), max_size=3))
def test_one_byte_at_a_time(messages):
    stream = b"".join(messages)
    assert framed(bytes([byte]) for byte in stream) == messages


@given(
    st.lists(
        st.binary(max_size=300)
        | st.sampled_from([*SAMPLES, b"\r\n", b"\r", b"Content-Length: 99999\r\n\r\n"]),
        max_size=20,
    )
)
def test_garbage_never_raises_and_is_never_kept(pieces):
    framing = StreamFraming()
    for piece in pieces:
        for item in framing.feed(piece):
            assert item
        assert framing.pending <= MAX_MESSAGE


@settings(max_examples=30)
@given(st.binary(min_size=1, max_size=4).filter(lambda data: b"\r\n\r\n" not in data))
def test_headers_without_end_are_given_up(unit):
    framing = StreamFraming()
    found = framed([b"OPTIONS sip:a SIP/2.0\r\n", *[unit * 5000] * 20], framing)
    assert isinstance(found[-1], Broken)
    assert framing.pending == 0


def test_what_is_kept_stays_below_the_cap_until_the_stream_is_given_up():
    framing = StreamFraming()
    assert framing.feed(b"A" * MAX_MESSAGE) == []
    assert framing.pending == MAX_MESSAGE
    assert framing.feed(b"A") == [Broken(f"the headers are longer than {MAX_MESSAGE} bytes")]
    assert framing.feed(SAMPLES[0]) == []
    assert framing.pending == 0


def test_a_byte_costs_the_same_wherever_in_a_message_it_comes():
    def seconds(length):
        framing = StreamFraming()
        head = request_bytes(body=b"x" * length)
        began = time.process_time()
        for byte in head:
            framing.feed(bytes([byte]))
        return time.process_time() - began

    seconds(1000)
    # rescanning the buffer would make it 16 times as long per byte
    assert seconds(32_000) < 40 * max(seconds(4000), 0.001)


@pytest.mark.parametrize(
    ("length", "reason", "code"),
    [
        (None, "there is no Content-Length", 400),
        ("-1", "Content-Length is not one number", 400),
        ("1e3", "Content-Length is not one number", 400),
        ("", "Content-Length is not one number", 400),
        ("9" * 30, "Content-Length is not one number", 400),
        (["3", "4"], "Content-Length is not one number", 400),
        ("65500", f"Content-Length would make it longer than {MAX_MESSAGE} bytes", 413),
        ("4294967296", f"Content-Length would make it longer than {MAX_MESSAGE} bytes", 413),
    ],
)
def test_a_request_of_unknown_length_is_refused(phone, length, reason, code):
    data = request_bytes(content_length=length)
    [broken] = framed([data + SAMPLES[0]])
    assert broken == Broken(reason, data, code)
    source = PEER._replace(transport="tcp")
    [answer] = phone.refuse(broken.head, broken.code, source, 0.0)
    assert (parse(answer.data).code, answer.destination) == (code, source)
    assert phone.idle


def test_a_response_of_unknown_length_is_answered_by_nothing(phone):
    [broken] = framed([response_bytes(200, content_length=None)])
    assert phone.refuse(broken.head, broken.code, PEER, 0.0) == []
    assert phone.refuse(b"", broken.code, PEER, 0.0) == []


def test_twice_the_same_length_is_one_length():
    data = request_bytes(content_length=["3", "3"], body=b"abc")
    assert framed([data]) == [data]


def test_a_content_length_that_is_too_short_ends_in_a_broken_stream():
    short = request_bytes(body=b"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\n", content_length="3")
    [first, second] = framed([short, SAMPLES[0]])
    assert first.endswith(b"\r\n\r\nv=0")
    assert second == Broken("what came is no SIP message")


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"\n\n",
        b"\r\rINVITE",
        b"INVITE\r\n\r\n",
        b"SIP/2.0 20 OK\r\n\r\n",
    ],
)
def test_what_is_no_sip_is_given_up_at_once(data):
    assert framed([data]) == [Broken("what came is no SIP message")]
    assert framed(bytes([byte]) for byte in data) == [Broken("what came is no SIP message")]


def test_a_ping_in_two_halves():
    assert framed([b"\r\n", b"\r\n"]) == [PING]


def test_a_line_end_before_a_message_means_nothing():
    assert framed([b"\r\n", SAMPLES[0], b"\r\n", SAMPLES[1]]) == [SAMPLES[0], SAMPLES[1]]


def test_a_pong_is_told_to_the_one_who_waits_for_it():
    framing = StreamFraming()
    assert framed([SAMPLES[0], b"\r\n"], framing) == [SAMPLES[0]]
    framing.expect_pong()
    assert framed([b"\r", b"\n"], framing) == [PONG]
    assert framed([b"\r\n", b"\r\n"], framing) == [PING]
    framing.expect_pong()
    assert framed([b"\r\n" + SAMPLES[0]], framing) == [PONG, SAMPLES[0]]
    framing.expect_pong()
    assert framed([b"\r\n" * 3], framing) == [PING, PONG]
    framing.expect_pong()
    assert framed([b"\r\n" * 4], framing) == [PING, PING]
