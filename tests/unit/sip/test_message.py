"""Bytes to messages and back, on good, odd and hostile input."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.sip.sample_messages import as_request, as_response, request_bytes, response_bytes

from dialer.sip.identity import HostPort
from dialer.sip.message import (
    MAX_HEADERS,
    MAX_LINE,
    MAX_MESSAGE,
    MessageError,
    Request,
    Response,
    check_text,
    default_phrase,
    is_loose_router,
    name_addr,
    parse,
    serialise,
    sip_uri,
    uri_address,
    uri_user,
)


def test_request():
    request = as_request(request_bytes(body=b"v=0", content_type="Application/SDP ;a=b"))
    assert (request.method, request.uri, request.call_id) == (
        "INVITE",
        "sip:100@192.0.2.1",
        "call-1",
    )
    assert (request.cseq, request.cseq_method) == (7, "INVITE")
    assert (request.from_tag, request.to_tag) == ("theirs", "")
    assert (request.via.host, request.via.port, request.via.branch) == (
        "192.0.2.9",
        5070,
        "z9hG4bKpeer",
    )
    assert (request.body, request.content_type) == (b"v=0", "application/sdp")
    assert request.contact == "sip:200@192.0.2.9:5070"


def test_response():
    response = as_response(response_bytes(486, "Busy Here", reason="Q.850;cause=17"))
    assert (response.code, response.phrase) == (486, "Busy Here")
    assert response.values("reason") == ("Q.850;cause=17",)


@pytest.mark.parametrize("start", ["SIP/2.0 200", "SIP/2.0 200 ", "sip/2.0 200"])
def test_a_phrase_may_be_missing(start):
    data = response_bytes(200).replace(b"SIP/2.0 200 ", start.encode(), 1)
    assert as_response(data).phrase == ""


def test_compact_forms_folding_and_case():
    request = as_request(
        b"BYE sip:100@192.0.2.1 SIP/2.0\r\n"
        b"v: SIP/2.0/UDP\r\n 192.0.2.9;\r\n\tbranch=z9hG4bK1\r\n"
        b"f: <sip:a@h>;tag=1\r\nT: <sip:b@h>;tag=2\r\ni : call\r\ncSEQ:  9 \t BYE\r\nl: 0\r\n\r\n"
    )
    assert (request.call_id, request.cseq, request.to_tag) == ("call", 9, "2")
    assert (request.via.host, request.via.branch) == ("192.0.2.9", "z9hG4bK1")


def test_an_ipv6_address_in_received_needs_no_brackets():
    via = "SIP/2.0/UDP [2001:db8::1]:5060;branch=z9hG4bKours;received=2001:db8::1;rport=5060"
    assert as_response(response_bytes(200, via=via)).via.branch == "z9hG4bKours"


def test_several_vias_the_first_counts():
    via = ["SIP/2.0/UDP a;branch=1, SIP/2.0/UDP b;branch=2", "SIP/2.0/UDP c;branch=3"]
    request = as_request(request_bytes(via=via))
    assert request.via.branch == "1"
    assert len(request.values("via")) == 3


def test_blank_lines_before_the_first_are_ignored():
    assert as_request(b"\r\n\r\n" + request_bytes()).method == "INVITE"


def test_the_body_is_cut_at_content_length():
    assert as_request(request_bytes(body=b"v=0 and more", content_length="3")).body == b"v=0"


def test_without_content_length_the_body_is_the_rest():
    assert as_request(request_bytes(body=b"v=0", content_length=None)).body == b"v=0"


def test_what_is_no_header_is_passed_over():
    data = request_bytes().replace(b"Max-Forwards: 70", b"what is this\r\nB@d: 1\r\n: x")
    assert as_request(data).method == "INVITE"


def test_control_characters_and_bad_utf_8_are_replaced():
    response = as_response(response_bytes(486, "a\x1b[31m\x07\x9b", reason="x\x0bz"))
    assert response.phrase == "a\ufffd[31m\ufffd\ufffd"
    assert response.first("reason") == "x\ufffdz"
    data = response_bytes(486, "Besetzt").replace(b"Besetzt", b"\xff\xfe")
    assert as_response(data).phrase == "\ufffd\ufffd"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"\x00\x01\x02",
        b"INVITE sip:a@h SIP/2.0\r\n",
        b"INVITE sip:a@h\r\n\r\n",
        b"INV(ITE sip:a@h SIP/2.0\r\n\r\n",
        request_bytes().replace(b"\r\n", b"\n"),
        request_bytes(subject="a\rb"),
        request_bytes(subject="a\nb"),
        request_bytes(subject="a\x00b"),
        request_bytes(subject="x" * MAX_LINE),
        request_bytes(x=["y"] * MAX_HEADERS),
        request_bytes(body=b"x" * MAX_MESSAGE),
        response_bytes(200).replace(b"200", b"099"),
        response_bytes(200).replace(b"200", b"700"),
        response_bytes(200).replace(b"200", b"2000"),
        response_bytes(200).replace(b"200", "٢٠٠".encode()),
        response_bytes(200, content_length="5"),
        *(request_bytes(**{name: None}) for name in ("via", "from", "to", "call_id", "cseq")),
        *(request_bytes(**{name: ["a", "b"]}) for name in ("from", "to", "call_id", "cseq")),
        request_bytes(cseq="1" * 5000 + " INVITE"),
        request_bytes(cseq="2147483648 INVITE"),
        request_bytes(cseq="-1 INVITE"),
        request_bytes(cseq="INVITE"),
        request_bytes(via="SIP/2.0/UDP"),
        request_bytes(call_id=""),
    ],
)
def test_refused_without_an_answer(data):
    with pytest.raises(MessageError) as caught:
        parse(data)
    assert caught.value.request is None
    assert caught.value.reason


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (request_bytes().replace(b" SIP/2.0\r\n", b" SIP/7.0\r\n", 1), 505),
        (request_bytes(cseq="7 BYE"), 400),
        (request_bytes(uri="<sip:a@h>"), 400),
        (request_bytes(uri="sip:a@" + "h" * 2000), 400),
        (request_bytes(content_length="9"), 400),
        (request_bytes(content_length="-9"), 400),
        (request_bytes(content_length="x"), 400),
        (request_bytes(content_length=["0", "1"]), 400),
    ],
)
def test_refused_with_an_answer(data, code):
    with pytest.raises(MessageError) as caught:
        parse(data)
    assert caught.value.request is not None
    assert caught.value.code == code


@pytest.mark.parametrize("bad", ["\r\nX: y", "a\rb", "a\nb", "a\x00"])
def test_nothing_of_ours_breaks_out_of_its_line(bad):
    for start, name, value in [(bad, "A", "b"), ("OK", bad, "b"), ("OK", "A", bad)]:
        with pytest.raises(ValueError, match="CR, LF or NUL"):
            serialise(start, [(name, value)])
    with pytest.raises(ValueError, match="control character"):
        check_text("good", bad)


def test_serialise():
    assert serialise("SIP/2.0 200 OK", [("A", "ä")], b"\r\n") == (
        b"SIP/2.0 200 OK\r\nA: \xc3\xa4\r\nContent-Length: 2\r\n\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("user", "host", "port", "uri"),
    [
        ("+4930123", "pbx.example", None, "sip:+4930123@pbx.example"),
        ("*98#", "::1", 5080, "sip:*98%23@[::1]:5080"),
        ("a b>@%0d", "h", None, "sip:a%20b%3E%40%250d@h"),
        ("", "h", None, "sip:h"),
    ],
)
def test_sip_uri(user, host, port, uri):
    assert sip_uri(user, host, port) == uri


@pytest.mark.parametrize(
    ("user", "host"), [("a\r\nX: y", "h"), ("a", "h>"), ("a", "h\r\n"), ("a", "")]
)
def test_sip_uri_refused(user, host):
    with pytest.raises(ValueError, match=r"control|neither"):
        sip_uri(user, host)


def test_name_addr():
    assert name_addr("sip:a@h") == "<sip:a@h>"
    assert name_addr("sip:a@h", 'A "B" \\') == r'"A \"B\" \\" <sip:a@h>'
    for uri, display in [("sip:a@h>", ""), ("sip:a @h", ""), ("sip:a@h", "x\r\ny")]:
        with pytest.raises(ValueError, match=r"URI|control"):
            name_addr(uri, display)


@pytest.mark.parametrize(
    ("uri", "user"),
    [
        ("sip:+4930@h;user=phone", "+4930"),
        ("sip:+4930;phone-context=x@h", "+4930"),
        ("tel:+49-30", "+49-30"),
        ("sip:%2b49@h?Subject=x", "+49"),
        ("sip:1%0d%0aX@h", "1\ufffd\ufffdX"),
        ("sip:we#ird@my_host", "we#ird"),
        ("sip:h", ""),
        ("", ""),
    ],
)
def test_uri_user(uri, user):
    assert uri_user(uri) == user


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("sip:a@192.0.2.1:5070;lr", HostPort("192.0.2.1", 5070)),
        ("sip:192.0.2.1", HostPort("192.0.2.1", 5060)),
        ("sip:a@[2001:DB8::1]", HostPort("2001:db8::1", 5060)),
        ("sip:a@pbx.example", None),
        ("sip:a@192.0.2.1:0", None),
        ("sip:a@192.0.2.1:99999", None),
        ("sip:a@999.0.2.1", None),
        ("mailto:a@h", None),
        ("sip:" + "a." * 30_000, None),
    ],
)
def test_uri_address(uri, address):
    assert uri_address(uri) == address


def test_loose_router():
    assert is_loose_router("sip:p;lr")
    assert is_loose_router("sip:p;x=1;LR=on")
    assert not is_loose_router("sip:p;lrx")


def test_phrases():
    assert [default_phrase(code) for code in (180, 200, 486, 299, 499)] == [
        "Ringing",
        "OK",
        "Busy Here",
        "OK",
        "Failure",
    ]


@given(st.binary(max_size=400))
def test_random_bytes_raise_nothing_else(data):
    _parse_quietly(data)


MUTATIONS = st.tuples(
    st.integers(0, 600),
    st.integers(0, 12),
    st.one_of(
        st.binary(max_size=8),
        st.sampled_from(
            [b"\r\n", b"\r", b"\n", b"\x00", b'"', b"<", b">", b";", b",", b"\xff", b"%0d"]
        ),
    ),
)
VALID = st.sampled_from(
    [request_bytes(body=b"v=0"), request_bytes("BYE"), response_bytes(200, "OK", body=b"v=0")]
)


@given(VALID, st.lists(MUTATIONS, max_size=5))
def test_mutated_messages_raise_nothing_else(data, mutations):
    for position, length, insert in mutations:
        data = data[:position] + insert + data[position + length :]
    message = _parse_quietly(data)
    if message is not None:
        values = [value for lines in message.headers.values() for value in lines]
        assert not any(character in value for value in values for character in "\r\n\x00")


def _parse_quietly(data):
    try:
        message = parse(data)
    except MessageError:
        return None
    assert isinstance(message, Request | Response)
    return message
