import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.rtp.telephone_event import TelephoneEvent, TelephoneEventError, parse


@given(
    st.builds(
        TelephoneEvent,
        event=st.integers(0, 255),
        duration=st.integers(0, 0xFFFF),
        end=st.booleans(),
        volume=st.integers(0, 63),
    )
)
def test_what_is_built_is_read_back(event):
    assert parse(bytes(event)) == event


def test_the_octets_stand_where_the_rfc_puts_them():
    assert bytes(TelephoneEvent(event=11, duration=800, end=True, volume=10)) == b"\x0b\x8a\x03\x20"


def test_the_reserved_bit_is_ignored():
    assert parse(b"\x01\x4a\x00\xa0") == TelephoneEvent(event=1, duration=160, volume=10)


@pytest.mark.parametrize(("event", "digit"), [(0, "0"), (9, "9"), (10, "*"), (11, "#"), (15, "D")])
def test_digits(event, digit):
    assert TelephoneEvent(event, 0).digit == digit


def test_a_flash_is_no_digit():
    assert TelephoneEvent(16, 0).digit is None


@pytest.mark.parametrize("length", range(4))
def test_a_report_cut_off_is_refused(length):
    with pytest.raises(TelephoneEventError):
        parse(b"\x01\x0a\x00\xa0"[:length])


def test_what_follows_the_first_report_is_left_alone():
    assert parse(b"\x01\x0a\x00\xa0\x02\x0a\x00\xa0").digit == "1"
