import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.rtp import rtcp
from dialer.rtp.rtcp import Goodbye, ReceiverReport, ReportBlock, SenderReport, SourceDescription

WORD = st.integers(0, 0xFFFFFFFF)
BLOCKS = st.lists(
    st.builds(
        ReportBlock, WORD, st.integers(0, 255), st.integers(-(1 << 23), (1 << 23) - 1),
        WORD, WORD, WORD, WORD,
    ),
    max_size=31,
).map(tuple)  # fmt: skip
REPORTS = st.one_of(
    st.builds(SenderReport, WORD, st.integers(0, (1 << 64) - 1), WORD, WORD, WORD, BLOCKS),
    st.builds(ReceiverReport, WORD, BLOCKS),
)
NAMES = st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=255)
OTHERS = st.one_of(
    REPORTS,
    st.builds(SourceDescription, WORD, NAMES),
    st.builds(Goodbye, st.lists(WORD, max_size=31).map(tuple)),
)


@given(st.tuples(REPORTS, st.lists(OTHERS, max_size=5)))
def test_what_is_written_is_read_back(found):
    first, others = found
    packets = [first, *others]
    data = b"".join(map(bytes, packets))
    assert len(data) % 4 == 0
    assert rtcp.parse(data) == packets


@given(
    st.binary(max_size=200), st.sampled_from([b"", b"\x81\xc8", b"\x80\xc9", b"\xa1\xc9\x00\x07"])
)
def test_rubbish_raises_nothing_else(data, head):
    with contextlib.suppress(rtcp.RtcpError):
        rtcp.parse(head + data)


@given(st.tuples(REPORTS, OTHERS), st.data())
def test_a_packet_that_is_cut_off_is_no_packet(found, data):
    first, other = map(bytes, found)
    whole = first + other
    cut = data.draw(st.integers(0, len(whole) - 1).filter(lambda at: at != len(first)))
    with pytest.raises(rtcp.RtcpError):
        rtcp.parse(whole[:cut])


def test_a_report_of_the_wire():
    """RFC 3550 §6.4.1, field by field."""
    data = bytes.fromhex(
        "81c8000c0000000183aa7e8080000000000001400000000200000140"
        "0000002a40ffffff00010005000000087e80800000010000"
    )  # fmt: skip
    block = ReportBlock(0x2A, 0x40, -1, 65541, 8, 0x7E808000, 65536)
    report = SenderReport(1, rtcp.ntp_timestamp(0.5), 320, 2, 320, (block,))
    assert rtcp.parse(data) == [report]
    assert bytes(report) == data
    assert rtcp.middle_of(report.ntp) == 0x7E808000


def test_other_types_and_profile_extensions_are_passed_over():
    application = bytes.fromhex("80cc0002 00000001 4e414d45")
    extended = bytes.fromhex("80c90002 00000001 deadbeef")
    assert rtcp.parse(extended + application) == [ReceiverReport(1)]


@pytest.mark.parametrize("padding", ["00000004", "00000000 00000008"])
def test_the_last_packet_may_be_padded(padding):
    body = bytes.fromhex("00000001 " + padding)
    data = bytes((0xA0, 201, 0, len(body) // 4)) + body
    assert rtcp.parse(data) == [ReceiverReport(1)]
    with pytest.raises(rtcp.RtcpError, match="padding"):
        rtcp.parse(data + bytes(Goodbye((1,))))
