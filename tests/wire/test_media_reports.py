"""RTCP between two streams, and the end of calls from which nothing comes: a driven clock."""

import asyncio
import socket

import pytest
from tests.driven_clock import DrivenClock

from dialer.rtp import rtcp
from dialer.rtp.packet import COMFORT_NOISE, Packet
from dialer.sip.sdp import Direction, Keys, Negotiated
from dialer.sip.security_description import SUITES
from dialer.ua.media import MediaPlane
from dialer.ua.silence_watch import SilenceLimits

ONE, TWO = bytes([1]) * 30, bytes([2]) * 30
LIMITS = SilenceLimits(talking=60, held=300)


class Pair:
    """Two streams that speak to each other."""

    def __init__(self, clock):
        self.clock = clock
        self._plane = MediaPlane(clock, "127.0.0.1", (39000, 40999))
        self.left, self.right = self._plane.open(), self._plane.open()
        self.ended = []

    def connect(self, keys=None, **agreed):
        swapped = keys and Keys(keys.suite, keys.theirs, keys.ours)
        for ours, theirs, mine in (
            (self.left, self.right, keys),
            (self.right, self.left, swapped),
        ):
            ours.connect(Negotiated("127.0.0.1", theirs.local_port, "PCMU", 0, keys=mine, **agreed))

    def watch(self, limits=LIMITS):
        self.left.watch(
            limits, lambda seconds: self.ended.append((self.clock.monotonic(), seconds))
        )

    def close(self):
        self._plane.close()


@pytest.fixture
async def pair():
    pair = Pair(DrivenClock())
    yield pair
    pair.close()


@pytest.mark.parametrize("suite", [None, *SUITES])
async def test_both_ends_report_every_few_seconds(pair, suite):
    pair.connect(suite and Keys(suite, ONE, TWO))
    await pair.clock.elapse(21)
    for stream in (pair.left, pair.right):
        far, control = stream.control.reports.far_end, stream.control
        assert 3 <= control.reports.sent <= 11
        assert (far.lost, control.packets_dropped) == (0, 0)
        assert far.reports >= 2
        assert far.round_trip == pytest.approx(0, abs=0.001)


async def test_a_forged_report_is_dropped_where_keys_are_agreed(pair):
    pair.connect(Keys(SUITES[0], ONE, TWO))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as forger:
        block = rtcp.ReportBlock(pair.left.ssrc, 255, 9999, 1, 1)
        forged = bytes(rtcp.ReceiverReport(1, (block,)))
        forger.sendto(forged, ("127.0.0.1", pair.left.local_port + 1))
    await pair.clock.elapse(0)
    assert pair.left.control.packets_dropped == 1
    assert pair.left.control.reports.far_end.reports == 0


async def test_the_end_of_a_stream_is_a_goodbye_with_its_last_report(pair):
    pair.connect()
    await pair.clock.elapse(0.5)
    pair.right.close()
    await pair.clock.elapse(0)
    far = pair.left.control.reports.far_end
    assert (far.gone, far.reports) == (True, 1)


async def test_a_stream_on_hold_reports_as_a_receiver(pair):
    pair.connect(direction=Direction.INACTIVE)
    await pair.clock.elapse(20)
    assert pair.left.packets_sent == 0
    assert pair.left.control.reports.sent >= 3
    assert pair.right.control.silent_at is not None


async def test_reports_go_where_the_sdp_says(pair):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as elsewhere:
        elsewhere.bind(("127.0.0.1", 0))
        elsewhere.setblocking(False)  # noqa: FBT003 - the library's signature
        pair.left.connect(
            Negotiated("127.0.0.1", pair.right.local_port, "PCMU", 0, rtcp=elsewhere.getsockname())
        )
        await pair.clock.elapse(4)
        report, *_ = rtcp.parse(elsewhere.recv(2048))
    assert (report.ssrc, report.octets) == (pair.left.ssrc, 160 * report.packets)
    assert report.packets > 0


async def test_one_timer_serves_the_reports_of_all_streams(pair):
    others = [pair._plane.open() for _ in range(20)]
    for stream in others:
        stream.connect(
            Negotiated(
                "127.0.0.1", 9, "PCMU", 0, direction=Direction.INACTIVE, rtcp=("127.0.0.1", 9)
            )
        )
    assert pair.clock.pending == 1
    for stream in others:
        stream.close()
    await pair.clock.elapse(10)
    assert pair.clock.pending == 0


async def test_a_call_from_which_nothing_comes_is_over(pair):
    pair.connect(direction=Direction.SENDRECV)
    pair.watch()
    await pair.clock.elapse(10)
    pair.right.close()
    await pair.clock.elapse(120)
    [(at, seconds)] = pair.ended
    assert seconds == 60
    assert at == pytest.approx(70, abs=0.05)


async def test_a_call_that_never_has_any_rtp_is_over_too(pair):
    pair.left.connect(Negotiated("127.0.0.1", pair.right.local_port, "PCMU", 0))
    pair.watch()
    await pair.clock.elapse(61)
    assert pair.ended == [(60, 60)]


@pytest.mark.parametrize("direction", [Direction.SENDONLY, Direction.INACTIVE])
async def test_on_hold_the_longer_limit_holds_and_the_shorter_one_from_its_end(pair, direction):
    agreed = Negotiated("127.0.0.1", pair.right.local_port, "PCMU", 0, direction=direction)
    pair.left.connect(agreed)
    pair.watch()
    await pair.clock.elapse(200)
    assert pair.ended == []
    pair.left.connect(Negotiated("127.0.0.1", pair.right.local_port, "PCMU", 0))
    await pair.clock.elapse(59)
    assert pair.ended == []
    await pair.clock.elapse(2)
    assert pair.ended == [(260, 60)]


async def test_a_call_on_hold_for_ever_is_over_in_the_end(pair):
    pair.left.connect(
        Negotiated("127.0.0.1", pair.right.local_port, "PCMU", 0, direction=Direction.INACTIVE)
    )
    pair.watch()
    await pair.clock.elapse(301)
    assert pair.ended == [(300, 300)]


@pytest.mark.parametrize("limits", [SilenceLimits(), SilenceLimits(held=30), SilenceLimits(60, 0)])
async def test_a_limit_of_0_is_none(pair, limits):
    held = not limits.held
    direction = Direction.INACTIVE if held else Direction.SENDRECV
    pair.left.connect(
        Negotiated("127.0.0.1", pair.right.local_port, "PCMU", 0, direction=direction)
    )
    pair.watch(limits)
    await pair.clock.elapse(1000)
    assert pair.ended == []


def speak(pair, sequence, payload_type=0):
    data = bytes(Packet(payload_type, sequence, 160 * sequence, 5, b"\x7f" * 160))
    pair.right._socket.sendto(data, ("127.0.0.1", pair.left.local_port))


async def test_who_said_by_comfort_noise_that_it_stops_sending_is_not_cut_off(pair):
    pair.left.connect(Negotiated("127.0.0.1", pair.right.local_port, "PCMU", 0))
    pair.watch()
    for sequence in range(4):
        speak(pair, sequence)
    speak(pair, 4, COMFORT_NOISE)
    await pair.clock.elapse(200)
    assert pair.ended == []
    assert (pair.left.packets_of_noise, pair.left.reception.longest_gap) == (1, 0)
    speak(pair, 5)  # it speaks again, and from now on it has to
    await pair.clock.elapse(0)
    await pair.clock.elapse(125)
    [(at, seconds)] = pair.ended
    assert (at <= 320, seconds) == (True, 60)


async def test_a_far_end_whose_reports_say_that_it_sends_nothing_is_alive(pair):
    pair.left.connect(Negotiated("127.0.0.1", pair.right.local_port, "PCMU", 0))
    pair.right.connect(
        Negotiated("127.0.0.1", pair.left.local_port, "PCMU", 0, direction=Direction.RECVONLY)
    )
    pair.watch()
    await pair.clock.elapse(200)
    assert pair.ended == []


async def test_a_far_end_whose_packets_do_not_get_through_is_gone(pair):
    """Its reports say that it sends, yet nothing comes: the audio is one-way."""
    pair.connect()
    pair.watch()
    pair.left._loop.remove_reader(pair.left._socket)
    await pair.clock.elapse(70)
    assert [seconds for _, seconds in pair.ended] == [60]


async def test_a_flood_of_strangers_costs_little_and_changes_nothing(pair):
    pair.connect()
    await pair.clock.elapse(1)
    received = pair.left.packets_received
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for n in range(200):
            data = bytes(Packet(0, n, 160 * n, 77, bytes(160)))[: n % 173]
            stranger.sendto(data, ("127.0.0.1", pair.left.local_port))
        for _ in range(400):
            await asyncio.sleep(0)
    assert pair.left.packets_dropped == 200
    assert pair.left.packets_received == received
    await pair.clock.elapse(0.1)
    assert pair.left.packets_received > received


async def test_reports_follow_the_packets_of_a_peer_behind_nat(pair):
    """The SDP names a port where nobody is; the peer's packets come from another."""
    nobody = Negotiated("127.0.0.1", 9, "PCMU", 0)
    pair.left.connect(nobody)
    pair.right.connect(Negotiated("127.0.0.1", pair.left.local_port, "PCMU", 0))
    await pair.clock.elapse(20)
    assert pair.left.latch.source == ("127.0.0.1", pair.right.local_port)
    assert pair.right.control.reports.far_end.reports >= 2
    assert pair.right.control.reports.far_end.round_trip is not None
