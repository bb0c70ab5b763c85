"""Keys in the bodies of INFO requests, as gateways and telephones write them."""

import pytest

from dialer.sip.info_digits import parse


@pytest.mark.parametrize(
    ("body", "kind", "key"),
    [
        (b"Signal=5\r\nDuration=160\r\n", "application/dtmf-relay", "5"),
        (b"Signal= #\r\nDuration= 250", "application/dtmf-relay", "#"),
        (b"Duration=160\nsignal = a\n", "Application/DTMF-Relay; charset=utf-8", "A"),
        (b"Signal=10\r\nDuration=160", "application/dtmf-relay", "*"),
        (b"Signal=15", "application/dtmf-relay", "D"),
        (b"7", "application/dtmf", "7"),
        (b"*\r\n", "application/dtmf", "*"),
        (b"11", "application/dtmf", "#"),
        (b"Signal=16", "application/dtmf-relay", None),
        (b"Signal=", "application/dtmf-relay", None),
        (b"Signal=12345", "application/dtmf-relay", None),
        (b"\xff\xb2", "application/dtmf", None),
        (b"1" * 5000, "application/dtmf", None),
        (b"", "application/dtmf", None),
        (b"5", "text/plain", None),
        (b"5", "", None),
    ],
)
def test_a_body_tells_of_a_key_or_of_none(body, kind, key):
    assert parse(body, kind) == key
