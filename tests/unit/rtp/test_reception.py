import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.rtp.reception import Reception

FRAME = 160


def feed(numbers, reception=None, ssrc=1):
    reception = reception or Reception()
    for arrival, number in enumerate(numbers):
        reception.add(number & 0xFFFF, number * FRAME & 0xFFFFFFFF, ssrc, arrival * 0.02)
    return reception


def counts(reception):
    return (reception.received, reception.lost, reception.duplicates, reception.reordered)


def test_nothing_received():
    reception = Reception()
    assert counts(reception) == (0, 0, 0, 0)
    assert reception.expected == 0
    assert reception.last_at is None


def test_a_clean_stream():
    reception = feed(range(100, 150))
    assert counts(reception) == (50, 0, 0, 0)
    assert reception.jitter == 0
    assert reception.last_at == pytest.approx(49 * 0.02)


@pytest.mark.parametrize("first", [0, 1, 0x7FFF, 0xFFF0, 0xFFFF])
def test_the_sequence_wraps(first):
    reception = feed(range(first, first + 140_000))
    assert counts(reception) == (140_000, 0, 0, 0)
    assert reception.highest_sequence == first + 139_999


def test_a_gap_is_loss():
    assert counts(feed([1, 2, 5, 6])) == (4, 2, 0, 0)


def test_a_late_packet_is_not_lost():
    assert counts(feed([1, 2, 4, 3, 5])) == (5, 0, 0, 1)


def test_a_packet_sent_before_the_first_that_came_is_expected_too():
    assert counts(feed([5, 4, 6])) == (3, 0, 0, 1)


def test_a_late_packet_from_before_the_wrap():
    assert counts(feed([0xFFFE, 0x10000, 0xFFFF, 0x10001])) == (4, 0, 0, 1)


def test_a_duplicate_hides_no_loss():
    assert counts(feed([1, 2, 2, 4, 4, 1])) == (6, 1, 3, 0)


def test_a_wild_packet_does_not_move_the_stream():
    reception = feed([10, 11, 40_000, 12, 13])
    assert reception.lost == 0
    assert reception.highest_sequence == 13


def test_a_jump_that_goes_on_begins_anew():
    reception = feed([10, 11, 40_000, 40_001, 40_002])
    assert reception.highest_sequence == 40_002
    assert reception.received == 5
    assert reception.lost == 0


def test_a_new_ssrc_resyncs_and_keeps_the_counts():
    reception = feed([10, 12])
    feed([60_000, 60_001, 60_003], reception, ssrc=2)
    assert counts(reception) == (5, 2, 0, 0)
    assert reception.ssrc == 2


def test_jitter_of_a_steadily_alternating_delay():
    """Every transit differs by 8 ms (64 units) from the one before: J tends to 64."""
    reception = Reception()
    for number in range(400):
        reception.add(number, number * FRAME, 1, number * 0.02 + (0.008 if number % 2 else 0))
    assert reception.jitter == pytest.approx(64, abs=1)
    assert reception.jitter_seconds == pytest.approx(0.008, abs=0.0002)


def test_jitter_follows_the_formula_of_the_rfc():
    reception = Reception()
    arrivals = [0.0, 0.020, 0.050, 0.060]  # transits 0, 0, 80, 0 units
    for number, at in enumerate(arrivals):
        reception.add(number, number * FRAME, 1, at)
    expected = 0.0
    for difference in (0, 80, 80):
        expected += (difference - expected) / 16
    assert reception.jitter == pytest.approx(expected, abs=0.2)


def test_jitter_survives_the_timestamp_wrap():
    reception = Reception()
    for number in range(20):
        reception.add(number, (0xFFFFFF00 + number * FRAME) & 0xFFFFFFFF, 1, number * 0.02)
    assert reception.jitter <= 1


def test_packets_of_one_telephone_event_make_no_jitter():
    reception = Reception()
    for number in range(20):
        reception.add(number, 5000, 1, number * 0.05)
    assert reception.jitter == 0


@given(st.integers(0, 0xFFFF), st.integers(2, 300), st.integers(0))
def test_loss_duplicates_and_order_are_told_apart(first, length, seed):
    """A stream of which some packets are lost, some doubled, and neighbours change places."""
    chance = random.Random(seed)
    sent = list(range(first, first + length))
    kept = [number for number in sent if chance.random() > 0.2 or number in (sent[0], sent[-1])]
    doubled = [number for number in kept if chance.random() < 0.1]
    # delays of a few places only, well within the window
    arrived = sorted(kept + doubled, key=lambda number: number + chance.uniform(0, 5))
    reception = feed(arrived)
    assert reception.received == len(arrived)
    assert reception.duplicates == len(doubled)
    assert reception.lost == length - len(kept)
    late = {
        number
        for place, number in enumerate(arrived)
        if number not in arrived[:place] and any(other > number for other in arrived[:place])
    }
    assert reception.reordered == len(late)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF), st.integers(0, 2), st.floats(0, 1e6)
        ),
        max_size=60,
    )
)
def test_no_stream_however_mad_breaks_the_counts(packets):
    reception = Reception()
    for packet in packets:
        reception.add(*packet)
    assert reception.received == len(packets)
    assert 0 <= reception.lost <= max(0, reception.expected)
    assert reception.jitter >= 0
