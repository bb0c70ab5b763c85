from __future__ import annotations

import dataclasses

import pytest
from tests.driven_clock import DrivenClock

from dialer.sip.identity import HostPort
from dialer.ua.call_trace import MAX_BYTES, CallTrace, CallTraces, MediaTrace, silenced
from dialer.ua.transport import Passed

OURS, THEIRS = HostPort("192.0.2.9", 5060), HostPort("192.0.2.1", 5060)


def passed(call_id, *, name=b"Call-ID", direction="sent", size=0):
    head = b"BYE sip:x SIP/2.0\r\nFrom: <sip:a@b>\r\n" + name + b": " + call_id
    return Passed(direction, OURS, THEIRS, head + b"\r\n\r\n" + b"x" * size)


def test_only_the_messages_of_traced_calls_are_kept():
    clock = DrivenClock()
    traces = CallTraces(clock)
    one, two = traces.begin("one"), traces.begin("two")
    traces(passed(b"one"))
    clock.advance(1)
    traces(passed(b"two", name=b"i"))
    traces(passed(b"two", name=b"CALL-ID ", direction="received"))
    traces(passed(b"three"))
    traces(Passed("received", OURS, THEIRS, b"\r\n\r\n"))
    assert [message.direction for message in one.messages] == ["sent"]
    assert [message.direction for message in two.messages] == ["sent", "received"]
    assert (two.messages[0].at - one.messages[0].at).total_seconds() == 1
    traces.end("one")
    traces(passed(b"one"))
    assert len(one.messages) == 1


def test_a_peer_cannot_fill_the_memory():
    traces = CallTraces(DrivenClock(), messages=10)
    trace = traces.begin("one")
    for _ in range(20):
        traces(passed(b"one"))
    assert len(trace.messages) == 10
    large = traces.begin("two")
    for _ in range(9):
        traces(passed(b"two", size=MAX_BYTES // 4))
    assert len(large.messages) == 3


def test_secrets_are_not_kept():
    traces = CallTraces(DrivenClock())
    trace = traces.begin("one")
    data = b'BYE sip:x SIP/2.0\r\nCall-ID: one\r\nAuthorization: Digest response="abcd"\r\n\r\n'
    traces(Passed("sent", OURS, THEIRS, data))
    assert b"abcd" not in trace.messages[0].data


@dataclasses.dataclass
class Stream:
    local_host: str = "192.0.2.9"
    local_port: int = 20000
    on_packet: object = None


def rtp(payload_type=0, csrc=0, extension=b"", payload=b"speech"):
    first = 0x80 | csrc | (0x10 if extension else 0)
    head = bytes([first, payload_type]) + bytes(10) + bytes(4 * csrc)
    more = b"\xbe\xde" + (len(extension) // 4).to_bytes(2, "big") + extension
    return head + (more if extension else b"") + payload


@pytest.mark.parametrize(
    ("packet", "kept"),
    [
        (rtp(), rtp(payload=b"\xff" * 6)),
        (rtp(8), rtp(8, payload=b"\xd5" * 6)),
        (rtp(8 | 0x80, csrc=2), rtp(8 | 0x80, csrc=2, payload=b"\xd5" * 6)),
        (rtp(extension=b"abcd"), rtp(extension=b"abcd", payload=b"\xff" * 6)),
        (rtp(payload=b""), rtp(payload=b"")),
        (rtp(csrc=15, payload=b"")[:20], rtp(csrc=15, payload=b"")[:20]),
    ],
)
def test_nobody_hears_what_was_said(packet, kept):
    assert silenced(packet) == kept


def test_the_first_packets_each_way_are_kept():
    trace, stream, clock = CallTrace(), Stream(), DrivenClock()
    stream.on_packet = hook = MediaTrace(trace, stream, clock, 2, audio=True)
    for direction in ("sent", "sent", "sent", "received"):
        hook(direction, rtp(), ("192.0.2.1", 30000))
    assert stream.on_packet is hook
    hook("received", rtp(8), ("192.0.2.1", 30000))
    assert stream.on_packet is None  # nothing more is wanted of it
    assert [packet.direction for packet in trace.packets] == ["sent", "sent"] + ["received"] * 2
    assert trace.packets[-1].data == rtp(8)
    assert trace.packets[0].local == HostPort("192.0.2.9", 20000)
