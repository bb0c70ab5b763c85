"""Header field text taken apart."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.sip.fields import (
    parameters,
    parse_address,
    parse_via,
    quote,
    retry_after,
    split_host_port,
    split_outside_quotes,
    split_values,
    unquote,
)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", []),
        (" , ,", []),
        ("a", ["a"]),
        ("a, b ,c", ["a", "b", "c"]),
        ('"a,b" <sip:x,y@h>, c', ['"a,b" <sip:x,y@h>', "c"]),
        (r'"a\",b", c', [r'"a\",b"', "c"]),
        ('"never closed, b', ['"never closed, b']),
        ("<never closed, b", ["<never closed, b"]),
    ],
)
def test_split(text, pieces):
    assert split_outside_quotes(text, ",") == pieces


def test_reasons_are_one_text_each():
    lines = ['SIP;cause=200;text="Call completed, elsewhere", Q.850;cause=26', "X;cause=1"]
    assert split_values(lines) == (
        'SIP;cause=200;text="Call completed, elsewhere"',
        "Q.850;cause=26",
        "X;cause=1",
    )


@pytest.mark.parametrize(
    ("value", "display", "uri", "tag"),
    [
        ("<sip:a@h>;tag=1", "", "sip:a@h", "1"),
        ("sip:a@h;tag=1", "", "sip:a@h", "1"),
        ("Ann Lee <sip:a@h;lr>;TAG=1", "Ann Lee", "sip:a@h;lr", "1"),
        (r'"A \"<x>\" B" <sip:a@h> ; tag = 1', 'A "<x>" B', "sip:a@h", "1"),
        ("<sip:a@h", "", "sip:a@h", ""),
        ("", "", "", ""),
    ],
)
def test_address(value, display, uri, tag):
    address = parse_address(value)
    assert (address.display, address.uri, address.parameters.get("tag", "")) == (display, uri, tag)


@pytest.mark.parametrize(
    ("value", "host", "port", "branch"),
    [
        ("SIP/2.0/UDP 192.0.2.1:5070;rport;branch=z9hG4bK1", "192.0.2.1", 5070, "z9hG4bK1"),
        (
            "SIP / 2.0 / UDP  First.example.com : 4000;ttl=16 ;branch=b",
            "first.example.com",
            4000,
            "b",
        ),
        ("SIP/2.0/UDP [2001:db8::1];received=2001:db8::2;branch=b", "2001:db8::1", None, "b"),
        ("sip/2.0/udp my_host", "my_host", None, ""),
    ],
)
def test_via(value, host, port, branch):
    via = parse_via(value)
    assert (via.host, via.port, via.branch) == (host, port, branch)


@pytest.mark.parametrize(
    "value", ["", "SIP/2.0/UDP", "HTTP/1.1/UDP h", "SIP/2.0/UDP h:x", "SIP/2.0/UDP [::1", "UDP h"]
)
def test_via_refused(value):
    with pytest.raises(ValueError, match=r"Via|host|IPv6"):
        parse_via(value)


@pytest.mark.parametrize("text", ["h:65536", "h:-1", ":5060", "[::1]5060", "h:٣"])
def test_host_port_refused(text):
    with pytest.raises(ValueError, match=r"host|bracket"):
        split_host_port(text)


def test_the_first_of_two_parameters_wins():
    assert parameters(";a=1;A=2;self=3;lr") == {"a": "1", "self": "3", "lr": ""}


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 18000;duration=3600", 18000),
        ("120 (I'm in a meeting)", 120),
        ("120 (a);duration=60", 120),
        ("", None),
        ("soon", None),
        ("99999999999", None),
        ("-1", None),
    ],
)
def test_retry_after(value, seconds):
    assert retry_after(value) == seconds


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_quote_and_back(text):
    assert unquote(quote(text)) == text


@pytest.mark.parametrize("bait", ['"', "<", "\\", '"\\', ";", ",", "a=", '"a" ', "<,", '\\"'])
def test_time_is_linear_in_hostile_text(bait):
    text = bait * 30_000
    began = time.process_time()
    split_outside_quotes(text, ",")
    parse_address(text)
    parameters(text)
    assert time.process_time() - began < 1.0
