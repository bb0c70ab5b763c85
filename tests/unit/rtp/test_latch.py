import pytest

from dialer.rtp.latch import STEADY, Latch

SDP = ("192.0.2.1", 4000)
SDP_HOST = ("192.0.2.1", 62000)
SIGNALLING = ("192.0.2.200", 9000)
NAT = ("203.0.113.9", 61000)
STRANGER = ("198.51.100.7", 5555)


@pytest.fixture
def latch():
    latch = Latch()
    latch.signalling_host = SIGNALLING[0]
    latch.expect(SDP)
    return latch


def heard(latch, address, packets=STEADY, *, first=65534, ssrc=7, step=1):
    """Return for each of some packets whether it is the peer's."""
    return [
        latch.allows(address) and latch.heard(address, ssrc, (first + step * n) & 0xFFFF)
        for n in range(packets)
    ]


def test_packets_go_where_the_sdp_says_until_one_came():
    latch = Latch()
    assert latch.destination is None
    latch.expect(SDP)
    assert latch.destination == SDP


def test_the_sdp_address_is_heard_from_its_first_packet_and_shuts_everybody_else_out(latch):
    assert all(heard(latch, SDP))
    for other in (SDP_HOST, SIGNALLING, NAT):
        assert not any(heard(latch, other, 100))
    assert latch.destination == SDP


def test_a_stranger_is_neither_heard_nor_answered_before_it_is_steady(latch):
    assert heard(latch, NAT, STEADY - 1) == [False] * (STEADY - 1)
    assert latch.destination == SDP
    assert latch.heard(NAT, 7, 65534 + STEADY - 1 & 0xFFFF)
    assert latch.destination == NAT


def test_after_latching_no_other_stranger_is_worth_reading(latch):
    heard(latch, NAT)
    assert not latch.allows(STRANGER)
    assert heard(latch, NAT, first=9) == [True] * STEADY


@pytest.mark.parametrize("step", [0, 2, 7, 65535])
def test_packets_out_of_order_are_not_steady(latch, step):
    assert not any(heard(latch, STRANGER, 50, step=step))
    assert latch.source is None


def test_packets_of_changing_ssrc_are_not_steady(latch):
    assert not any(latch.heard(STRANGER, n, n) for n in range(50))


def test_a_duplicate_does_not_set_a_steady_source_back(latch):
    for sequence in (1, 1, 2, 2, 3, 3):
        assert not latch.heard(NAT, 7, sequence)
    assert latch.heard(NAT, 7, 4)


@pytest.mark.parametrize("better", [SIGNALLING, SDP_HOST, SDP])
def test_who_was_quicker_than_the_peer_does_not_have_the_call_for_good(latch, better):
    assert heard(latch, STRANGER)[-1]
    assert heard(latch, better) == [False] * (STEADY - 1) + [True]
    assert latch.destination == better
    assert not latch.allows(STRANGER)


def test_a_single_packet_does_not_displace_anybody(latch):
    heard(latch, NAT)
    assert heard(latch, SDP, 1) == [False]
    assert latch.destination == NAT


def test_the_better_of_two_sources_is_heard_while_neither_is_steady(latch):
    assert heard(latch, SIGNALLING, 1) == [True]
    assert heard(latch, SDP, 1) == [True]
    assert latch.heard(SIGNALLING, 7, 65535) is False


def test_the_same_host_with_another_port_may_be_the_peer_behind_nat(latch):
    assert all(heard(latch, SDP_HOST))
    assert latch.destination == SDP_HOST
    assert not any(heard(latch, SIGNALLING))


def test_many_addresses_do_not_keep_the_peer_from_being_heard(latch):
    for n in range(1000):
        latch.heard((f"198.51.100.{n % 250}", n), n, n)
    assert all(heard(latch, SIGNALLING))


def test_a_stranger_that_makes_progress_is_not_pushed_out_by_single_packets(latch):
    heard(latch, NAT, 2, first=1)
    for n in range(100):
        latch.heard((f"198.51.100.{n}", n), n, n)
    assert [latch.heard(NAT, 7, sequence) for sequence in (3, 4)] == [False, True]


def test_early_media_before_any_sdp_comes_from_one_steady_source():
    latch = Latch()
    assert heard(latch, NAT) == [False] * (STEADY - 1) + [True]
    assert not latch.allows(STRANGER)


def test_early_media_from_where_the_sdp_then_points_stays():
    latch = Latch()
    heard(latch, SDP)
    latch.expect(SDP)
    assert heard(latch, SDP, 1, first=9) == [True]
    assert not latch.allows(SDP_HOST)


def test_a_new_sdp_address_opens_the_latch(latch):
    heard(latch, NAT)
    moved = ("192.0.2.2", 4010)
    latch.expect(moved)
    assert latch.destination == moved
    assert all(heard(latch, moved))
    assert not any(heard(latch, NAT))


def test_an_address_that_the_sdp_has_left_is_heard_no_more_until_it_comes_back(latch):
    heard(latch, SDP)
    moved = (SDP[0], 4010)
    latch.expect(moved)
    assert not any(heard(latch, SDP, 50))
    assert latch.destination == moved
    latch.expect(SDP)
    assert all(heard(latch, SDP))


def test_a_peer_behind_nat_may_keep_its_source_over_a_new_sdp(latch):
    heard(latch, NAT)
    latch.expect((SDP[0], 4010))
    assert heard(latch, NAT)[-1]


def test_the_same_sdp_address_again_changes_nothing(latch):
    heard(latch, NAT)
    latch.expect(SDP)
    assert latch.destination == NAT
    assert not latch.allows(STRANGER)
