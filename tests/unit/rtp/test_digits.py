"""Keys read from packets of telephone events, which repeat, are lost and overtake each other."""

from dialer.rtp.digits import DigitReader
from dialer.rtp.packet import Packet
from dialer.rtp.telephone_event import DIGITS, TelephoneEvent


def event(digit, timestamp, *, duration=160, end=False, ssrc=1, number=0):
    payload = bytes(TelephoneEvent(DIGITS.index(digit), duration, end))
    return Packet(101, number, timestamp & 0xFFFFFFFF, ssrc, payload)


def read(packets):
    reader = DigitReader()
    return [digit for one in packets if (digit := reader.take(one)) is not None]


def press(digit, timestamp):
    """A key as it is sent: reports while it is held, and the end three times."""
    held = [event(digit, timestamp, duration=160 * n) for n in range(1, 5)]
    return held + [event(digit, timestamp, duration=800, end=True)] * 3


def test_each_key_is_given_once():
    assert read(press("1", 1000) + press("1", 3000) + press("#", 5000)) == ["1", "1", "#"]


def test_any_packet_of_an_event_will_do():
    assert read(press("4", 1000)[-1:] + press("2", 2000)[2:3]) == ["4", "2"]


def test_a_packet_that_was_overtaken_gives_no_key_again():
    first, second = press("1", 1000), press("2", 2000)
    assert read(first[:3] + second[:1] + first[3:] + second[1:]) == ["1", "2"]


def test_timestamps_wrap():
    assert read(press("8", 2**32 - 100) + press("9", 2**32 + 900)) == ["8", "9"]


def test_another_sender_begins_anew():
    assert read([event("3", 9000), event("3", 10, ssrc=2)]) == ["3", "3"]


def test_what_is_no_digit_gives_none():
    flash = Packet(101, 1, 1, 1, bytes(TelephoneEvent(16, 160)))
    assert read([flash, Packet(101, 2, 2, 1, b"\x01")]) == []


def test_a_key_held_for_longer_than_a_duration_can_say_is_one():
    held = [event("5", 1000, duration=d) for d in (160, 0xFFFF)]
    held += [event("5", 1000 + 0xFFFF, duration=d) for d in (160, 40000)]
    held += [event("5", 1000 + 0xFFFF, duration=48000, end=True)] * 3
    assert read([*held, *press("5", 200_000)]) == ["5", "5"]


def test_a_key_that_was_let_go_and_pressed_again_a_segment_later_is_two():
    assert read([*press("5", 1000), *press("5", 1000 + 0xFFFF)]) == ["5", "5"]
