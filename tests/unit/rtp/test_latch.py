from dialer.rtp.latch import Latch

SDP = ("192.0.2.1", 4000)
NAT = ("203.0.113.9", 61000)
STRANGER = ("198.51.100.7", 5555)


def heard(latch, address):
    if latch.allows(address):
        latch.heard(address)
        return True
    return False


def test_packets_go_where_the_sdp_says_until_one_came():
    latch = Latch()
    assert latch.destination is None
    latch.expect(SDP)
    assert latch.destination == SDP


def test_the_sdp_address_shuts_everybody_else_out():
    latch = Latch()
    latch.expect(SDP)
    assert heard(latch, SDP)
    assert not heard(latch, NAT)
    assert latch.destination == SDP


def test_one_other_source_is_kept_and_answered():
    latch = Latch()
    latch.expect(SDP)
    assert heard(latch, NAT)
    assert latch.destination == NAT
    assert not heard(latch, STRANGER)
    assert heard(latch, NAT)


def test_the_sdp_address_displaces_another_source_for_good():
    latch = Latch()
    latch.expect(SDP)
    assert heard(latch, STRANGER)
    assert heard(latch, SDP)
    assert not heard(latch, STRANGER)
    assert latch.destination == SDP


def test_the_same_host_with_another_port_is_another_source():
    latch = Latch()
    latch.expect(SDP)
    assert heard(latch, SDP)
    assert not heard(latch, (SDP[0], SDP[1] + 2))


def test_early_media_before_any_sdp_comes_from_one_source():
    latch = Latch()
    assert heard(latch, NAT)
    assert not heard(latch, STRANGER)


def test_early_media_from_where_the_sdp_then_points_stays():
    latch = Latch()
    assert heard(latch, SDP)
    latch.expect(SDP)
    assert not heard(latch, STRANGER)


def test_a_new_sdp_address_opens_the_latch():
    latch = Latch()
    latch.expect(SDP)
    assert heard(latch, NAT)
    moved = ("192.0.2.2", 4010)
    latch.expect(moved)
    assert latch.destination == moved
    assert heard(latch, moved)
    assert not heard(latch, NAT)


def test_the_same_sdp_address_again_changes_nothing():
    latch = Latch()
    latch.expect(SDP)
    assert heard(latch, NAT)
    latch.expect(SDP)
    assert latch.destination == NAT
    assert not heard(latch, STRANGER)
