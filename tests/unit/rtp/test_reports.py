import random

import pytest

from dialer.rtp import report_interval, rtcp
from dialer.rtp.reception import Reception
from dialer.rtp.reports import Reports, Sent

WALL = 1_800_000_000.0


class End:
    """One end of a call: what it has received, and its reports."""

    def __init__(self, ssrc):
        self.reception = Reception()
        self.reports = Reports(ssrc, f"end{ssrc}", self.reception)

    def hear(self, sequences, ssrc):
        for n in sequences:
            self.reception.add(n, 160 * n, ssrc, 0.02 * n)


@pytest.fixture
def ends():
    return End(1), End(2)


def packets(data, kind):
    return [one for one in rtcp.parse(data) if isinstance(one, kind)]


def test_a_sender_reports_what_it_sent_and_its_name(ends):
    data = ends[0].reports.write(Sent(5, 800, 4711), 1.0, WALL)
    assert rtcp.parse(data) == [
        rtcp.SenderReport(1, rtcp.ntp_timestamp(WALL), 4711, 5, 800),
        rtcp.SourceDescription(1, "end1"),
    ]


def test_who_sent_nothing_since_its_last_report_is_a_receiver(ends):
    left, _ = ends
    left.reports.write(Sent(5, 800, 0), 1.0, WALL)
    assert packets(left.reports.write(Sent(5, 800, 0), 6.0, WALL + 5), rtcp.SenderReport) == []
    assert packets(left.reports.write(Sent(6, 960, 0), 11.0, WALL + 10), rtcp.SenderReport)


def test_the_last_report_says_goodbye(ends):
    left, right = ends
    right.reports.read(
        left.reports.write(Sent(1, 160, 0), 1.0, WALL, last=True), 1.0, Sent(0, 0, 0)
    )
    assert right.reports.far_end.gone


def test_loss_is_told_of_the_interval_and_of_all(ends):
    left, right = ends
    right.hear([n for n in range(100) if n % 4], 1)
    (first,) = packets(right.reports.write(Sent(0, 0, 0), 2.0, WALL), rtcp.ReceiverReport)
    assert (first.blocks[0].fraction_lost, first.blocks[0].lost) == (256 * 24 // 99, 24)
    right.hear(range(100, 200), 1)
    data = right.reports.write(Sent(0, 0, 0), 4.0, WALL)
    (second,) = packets(data, rtcp.ReceiverReport)
    assert (second.blocks[0].fraction_lost, second.blocks[0].lost) == (0, 24)
    assert second.blocks[0].highest_sequence == 199
    left.reports.read(data, 4.0, Sent(200, 32000, 0))
    assert (left.reports.far_end.lost, left.reports.far_end.loss) == (24, 0.12)


def test_a_new_ssrc_is_reported_from_its_beginning(ends):
    _, right = ends
    right.hear(range(0, 100, 2), 1)
    right.reports.write(Sent(0, 0, 0), 2.0, WALL)
    right.hear(range(500, 510), 9)
    (report,) = packets(right.reports.write(Sent(0, 0, 0), 4.0, WALL), rtcp.ReceiverReport)
    assert (report.blocks[0].ssrc, report.blocks[0].lost, report.blocks[0].fraction_lost) == (
        9,
        0,
        0,
    )


def test_the_round_trip_is_measured_without_the_other_ends_clock(ends):
    left, right = ends
    right.hear(range(3), 1)
    sent = Sent(3, 480, 0)
    right.reports.read(left.reports.write(sent, 10.0, WALL), 500.05, Sent(0, 0, 0))
    left.reports.read(right.reports.write(Sent(0, 0, 0), 503.05, WALL - 99), 13.12, sent)
    assert left.reports.far_end.round_trip == pytest.approx(0.12, abs=1e-4)


@pytest.mark.parametrize("delay", [0xFFFFFFFF, 200 * 65536])
def test_a_round_trip_that_makes_no_sense_is_not_believed(ends, delay):
    left, _ = ends
    left.reports.write(Sent(3, 480, 0), 10.0, WALL)
    middle = rtcp.middle_of(rtcp.ntp_timestamp(WALL))
    for last_sr in (middle, middle + 1):
        block = rtcp.ReportBlock(1, 0, 0, 3, 0, last_sr, delay)
        left.reports.read(bytes(rtcp.ReceiverReport(2, (block,))), 11.0, Sent(3, 480, 0))
    assert left.reports.far_end.round_trip is None


def test_what_is_said_of_other_streams_is_nothing_of_ours(ends):
    left, _ = ends
    block = rtcp.ReportBlock(77, 255, 1000, 3, 9)
    left.reports.read(bytes(rtcp.ReceiverReport(2, (block,))), 11.0, Sent(3, 480, 0))
    assert left.reports.far_end.reports == 0


def test_one_that_claims_to_send_is_not_silent(ends):
    left, right = ends
    said = [right.reports.write(Sent(n, 0, 0), n, WALL + n) for n in (1, 2, 2)]
    assert [left.reports.read(data, 1.0, Sent(0, 0, 0)) for data in said] == [False, False, True]


def test_intervals_are_five_seconds_in_the_mean_spread_and_half_before_the_first():
    chance = random.Random(1)
    found = [report_interval.seconds(120, chance.random(), first=False) for _ in range(20_000)]
    assert min(found) >= 2.5 / 1.2183
    assert max(found) <= 7.5 / 1.2182
    assert sum(found) / len(found) == pytest.approx(5 / 1.21828, rel=0.01)
    assert report_interval.seconds(120, 0.5, first=True) == pytest.approx(2.5 / 1.21828, rel=1e-4)


def test_huge_reports_are_sent_seldom():
    assert report_interval.seconds(5000, 0.5, first=False) == pytest.approx(20 / 1.21828, rel=1e-4)
