import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.rtp.packet import Numbering, Packet, PacketError, parse

packets = st.builds(
    Packet,
    payload_type=st.integers(0, 127).filter(lambda number: number not in range(72, 77)),
    sequence=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFFFFFF),
    ssrc=st.integers(0, 0xFFFFFFFF),
    payload=st.binary(max_size=400),
    marker=st.booleans(),
)


def test_the_octets_stand_where_the_rfc_puts_them():
    data = bytes.fromhex("80e5abcd01020304deadbeef") + b"\x05\x8a\x03\x20"
    expected = Packet(
        payload_type=101,
        sequence=0xABCD,
        timestamp=0x01020304,
        ssrc=0xDEADBEEF,
        payload=b"\x05\x8a\x03\x20",
        marker=True,
    )
    assert parse(data) == expected
    assert bytes(expected) == data


@given(packets)
def test_what_is_built_is_read_back(packet):
    assert parse(bytes(packet)) == packet


@given(
    packets, st.lists(st.integers(0, 0xFFFFFFFF), max_size=15), st.binary(max_size=40), st.data()
)
def test_padding_sources_and_extension_are_no_payload(packet, sources, extension, data):
    extension += b"\0" * (-len(extension) % 4)
    padding = data.draw(st.integers(1, 255))
    plain = bytes(packet)
    dressed = (
        bytes([0x80 | 0x20 | 0x10 | len(sources)])
        + plain[1:12]
        + b"".join(source.to_bytes(4, "big") for source in sources)
        + b"\xbe\xde"
        + (len(extension) // 4).to_bytes(2, "big")
        + extension
        + plain[12:]
        + b"\0" * (padding - 1)
        + bytes([padding])
    )
    assert parse(dressed) == packet


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80" * 11,
        bytes(12),  # version 0
        b"\x40" + bytes(171),  # version 1: STUN and the like
        b"OPTIONS sip:x SIP/2.0\r\n\r\n",
        b"\x80\xc8" + bytes(26),  # RTCP sender report
        b"\x81\xc9" + bytes(30),  # RTCP receiver report
        b"\x8f\x00" + bytes(10),  # fifteen sources that are not there
        b"\x90\x00" + bytes(10),  # an extension that is not there
        b"\x90\x00" + bytes(10) + b"\xbe\xde\xff\xff" + bytes(8),  # an extension past the end
        b"\xa0\x00" + bytes(20),  # padding of no length
        b"\xa0\x00" + bytes(10) + b"\xff",  # padding longer than the packet
        b"\xa1\x00" + bytes(14) + b"\x05",  # padding into the sources
    ],
)
def test_what_is_not_rtp_is_refused(data):
    with pytest.raises(PacketError):
        parse(data)


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda data: b"\xb3" + data))
def test_no_datagram_raises_anything_else(data):
    try:
        packet = parse(data)
    except PacketError:
        return
    assert len(packet.payload) <= len(data) - 12


def numbering(**changes):
    values = {"payload_type": 8, "samples": 160, "ssrc": 7, "sequence": 3, "timestamp": 1000}
    return Numbering(**(values | changes))


def test_a_sent_stream_is_numbered_without_gaps_and_marks_its_beginning():
    stream = numbering()
    sent = [parse(stream.packet(b"frame")) for _ in range(3)]
    assert sent == [
        Packet(8, 3, 1000, 7, b"frame", marker=True),
        Packet(8, 4, 1160, 7, b"frame"),
        Packet(8, 5, 1320, 7, b"frame"),
    ]


def test_sequence_and_timestamp_wrap():
    stream = numbering(sequence=0xFFFF, timestamp=0xFFFFFFFF)
    first, second = parse(stream.packet(b"")), parse(stream.packet(b""))
    assert (first.sequence, first.timestamp) == (0xFFFF, 0xFFFFFFFF)
    assert (second.sequence, second.timestamp) == (0, 159)


def test_skipped_time_shows_in_the_timestamp_but_not_in_the_sequence():
    stream = numbering()
    stream.packet(b"")
    stream.skip(10)
    packet = parse(stream.packet(b""))
    assert (packet.sequence, packet.timestamp, packet.marker) == (4, 1000 + 11 * 160, True)


def test_a_talkspurt_is_marked_once():
    stream = numbering()
    stream.packet(b"")
    stream.begin_talkspurt()
    assert [parse(stream.packet(b"")).marker for _ in range(3)] == [True, False, False]


def test_first_values_of_any_size_are_cut_to_their_fields():
    packet = parse(numbering(ssrc=1 << 40 | 9, sequence=1 << 20 | 8, timestamp=1 << 35).packet(b""))
    assert (packet.ssrc, packet.sequence, packet.timestamp) == (9, 8, 0)


def test_reports_of_an_event_share_a_timestamp_and_take_the_time_of_frames():
    numbering = Numbering(payload_type=0, samples=160, ssrc=1, sequence=5, timestamp=1000)
    sent = [parse(numbering.packet(b"a"))]
    sent += [parse(numbering.event(b"e", 101, begins=n == 0)) for n in range(3)]
    sent.append(parse(numbering.packet(b"b")))
    assert [one.timestamp for one in sent] == [1000, 1160, 1160, 1160, 1640]
    assert [one.sequence for one in sent] == [5, 6, 7, 8, 9]
    assert [(one.payload_type, one.marker) for one in sent] == [
        (0, True), (101, True), (101, False), (101, False), (0, False),
    ]  # fmt: skip
