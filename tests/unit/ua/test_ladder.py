from dialer.clock import SystemClock
from dialer.sip.identity import HostPort
from dialer.ua.ladder import Ladder, line
from dialer.ua.transport import Passed

INVITE = (
    b"INVITE sip:+15552000000@127.0.0.1 SIP/2.0\r\nCSeq: 1 INVITE\r\n"
    b"Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n"
)
BUSY = b"SIP/2.0 486 Busy Here\r\nCSeq: 1 INVITE\r\nReason: Q.850;cause=17\r\n\r\n"


def test_a_request_points_to_the_far_end():
    text = line(0.0, "sent", INVITE)
    assert text.startswith("   0.000  ├─ INVITE ─")
    assert text.endswith("▶│  CSeq 1 INVITE  SDP")


def test_a_response_points_back_and_shows_its_reason():
    text = line(1.25, "received", BUSY)
    assert text.startswith("   1.250  │◀─ 486 Busy Here ─")
    assert text.endswith("┤  CSeq 1 INVITE  Reason Q.850;cause=17")


def test_arrows_are_of_one_length():
    assert line(0, "sent", INVITE).index("│  ") == line(0, "received", BUSY).index("┤  ")


def test_what_is_not_sip_and_control_characters_stay_off_the_terminal():
    assert "4 bytes, not SIP" in line(0, "received", b"\x1b[2J")
    assert "\x1b" not in line(0, "received", b"SIP/2.0 200 \x1b[2J\r\nCSeq: 1 \x07BYE\r\n\r\n")
    assert "x" * 50 not in line(0, "received", b"SIP/2.0 200 " + b"x" * 900 + b"\r\n\r\n")


def test_the_ladder_starts_with_the_two_parties():
    lines = []
    ladder = Ladder(lines.append, SystemClock())
    ladder(Passed("sent", HostPort("127.0.0.1", 5070), HostPort("127.0.0.1", 5060), INVITE))
    ladder(Passed("received", HostPort("127.0.0.1", 5070), HostPort("127.0.0.1", 5060), BUSY))
    assert "dialer" in lines[0]
    assert "127.0.0.1:5060" in lines[0]
    assert ["INVITE" in lines[1], "486 Busy Here" in lines[2]] == [True, True]
