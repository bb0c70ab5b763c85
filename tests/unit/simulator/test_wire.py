from hypothesis import given
from hypothesis import strategies as st

from dialer.simulator.wire import read, response

INVITE = (
    b"INVITE sip:+15552000000@127.0.0.1:5070 SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1\r\nVia: SIP/2.0/UDP 10.0.0.2\r\n"
    b'f: "Ann ;tag=no" <sip:1@x;tag=no>;tag=yes\r\nTo: <sip:2@x>\r\ni: abc\r\n'
    b"Subject: one\r\n  two\r\nCSeq: 7 INVITE\r\n\r\nbody"
)


def test_a_request_is_read():
    message = read(INVITE)
    assert (message.method, message.code, message.number) == ("INVITE", 0, "+15552000000")
    assert (message.call_id, message.cseq, message.body) == ("abc", 7, b"body")
    assert (message.from_tag, message.to_tag, message.first("subject")) == ("yes", "", "one two")
    assert len(message.all("via")) == 2


def test_a_response_echoes_what_it_must():
    answer = read(response(read(INVITE), 486, "Busy Here"))
    assert (answer.method, answer.code, answer.phrase) == ("INVITE", 486, "Busy Here")
    for name in ("via", "from", "to", "call-id", "cseq"):
        assert answer.all(name) == read(INVITE).all(name)


def test_what_belongs_to_no_call_is_nothing():
    assert read(b"") is None
    assert read(b"\r\n\r\n") is None
    assert read(b"GET / HTTP/1.1\r\nCall-ID: x\r\n\r\n") is None
    assert read(b"SIP/2.0 200 OK\r\n\r\n") is None


@given(st.binary() | st.binary().map(lambda rest: INVITE[:40] + rest))
def test_any_bytes_are_read_without_complaint(data):
    message = read(data)
    if message is not None:
        assert isinstance((message.cseq, message.to_tag, message.number), tuple)
