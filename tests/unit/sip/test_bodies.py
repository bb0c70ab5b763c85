import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.torture import CORPUS
from tests.torture import SDP as TORTURE_SDP
from tests.unit.sip.endpoint_steps import call_up, invite, told, within
from tests.unit.sip.sample_messages import PEER, answer_bytes, as_request

from dialer.sip.bodies import session_of, session_part
from dialer.sip.effects import AnswerReceived, ProvisionalReceived, ReinviteReceived

SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0"
ISUP = b"Content-Type: application/ISUP; version=itu-t92+\r\n\r\n\x01\x11--b\x00"
FOUND = (SDP, "application/sdp")
NOTHING = (b"", "")


def part(body=SDP, *headers, content_type="application/sdp"):
    return "".join(f"{one}\r\n" for one in (f"Content-Type: {content_type}", *headers)).encode() + (
        b"\r\n" + body
    )


def joined(*parts, boundary="b", end="--"):
    delimiter = f"--{boundary}".encode()
    return b"".join(delimiter + b"\r\n" + one + b"\r\n" for one in parts) + delimiter + end.encode()


@pytest.mark.parametrize("content_type", ["application/sdp", "Application/SDP ;charset=utf-8"])
def test_a_single_body_is_itself(content_type):
    assert session_part(content_type, SDP) == FOUND
    assert session_part("text/plain", b"hello") == (b"hello", "text/plain")
    assert session_part("", b"") == NOTHING


@pytest.mark.parametrize("kind", ["mixed", "related", "alternative", "MIXED"])
@pytest.mark.parametrize("boundary", ["b", '"b"', '"b";start="<1@x>"', 'b; type="application/sdp"'])
@pytest.mark.parametrize("others", [[], [ISUP], [part(b"hello", content_type="text/plain"), ISUP]])
@pytest.mark.parametrize("first", [True, False])
def test_the_session_description_among_the_parts(kind, boundary, others, first):
    parts = [part(), *others] if first else [*others, part()]
    header = f"multipart/{kind};boundary={boundary}"
    assert session_part(header, joined(*parts)) == FOUND


@pytest.mark.parametrize(
    "body",
    [
        b"a preamble\r\n" + joined(part()) + b"\r\nan epilogue --b\r\n",
        b"--b\nContent-Type: application/sdp\n\n" + SDP + b"\n--b--\n",
        joined(part(), end=""),  # the closing delimiter is cut off
        joined(part(SDP, "Content-ID: <1@x>", "Content-Disposition: session;handling=required")),
        joined(part(SDP, "content-disposition:\r\n Session", "Content-Transfer-Encoding: binary")),
        joined(part()).replace(b"--b\r\n", b"--b \t\r\n"),
        joined(part(joined(part(), boundary="c"), content_type="multipart/related;boundary=c")),
        joined(part(b"v=0", "Content-Disposition: early-session"), part()),
        joined(part(), part(b"v=0")),
    ],
)  # fmt: skip
def test_ways_to_write_it(body):
    assert session_part("multipart/mixed;boundary=b", body) == FOUND


@pytest.mark.parametrize(
    ("header", "body"),
    [
        ("multipart/mixed;boundary=b", joined(ISUP)),
        ("multipart/mixed;boundary=b", b""),
        ("multipart/mixed;boundary=b", b"--b"),
        ("multipart/mixed;boundary=b", b"--b--\r\n" + joined(part())),
        ("multipart/mixed;boundary=b", joined(part()).replace(b"\r\n\r\n", b"\r\n")),
        ("multipart/mixed;boundary=b", joined(part(), boundary="bb")),
        ("multipart/mixed;boundary=b", joined(part(SDP, "Content-Transfer-Encoding: base64"))),
        ("multipart/mixed;boundary=b", joined(part(SDP, "Content-Disposition: render"))),
        ("multipart/mixed;boundary=b", joined(*[ISUP] * 16, part())),
        ("multipart/mixed", joined(part())),
        ("multipart/mixed;boundary=", joined(part())),
        (f"multipart/mixed;boundary={'b' * 71}", joined(part(), boundary="b" * 71)),
    ],
)
def test_where_there_is_none(header, body):
    assert session_part(header, body) == NOTHING


def test_parts_within_parts_end_somewhere():
    found = []
    body = part()
    for depth in "abcd":
        body = joined(body, boundary=depth)
        header = f"multipart/mixed;boundary={depth}"
        found.append(session_part(header, body))
        body = f"Content-Type: {header}\r\n\r\n".encode() + body
    assert found == [FOUND, FOUND, FOUND, NOTHING]


@given(st.text(max_size=40), st.binary(max_size=200))
def test_nothing_a_peer_sends_raises(header, body):
    for kind in (header, f"multipart/mixed;{header}", "multipart/mixed;boundary=b"):
        for content in (body, b"--b\r\n" + body, joined(body), joined(part(body))):
            session_part(kind, content)


def test_the_multipart_message_of_rfc_4475():
    _, data = CORPUS["multipart"]
    assert session_of(as_request(data)) == (TORTURE_SDP.encode(), "application/sdp")


MULTIPART = {"content_type": "multipart/mixed;boundary=b", "body": joined(ISUP, part())}


def test_what_the_endpoint_tells_has_the_session_description_alone(dialer):
    _, data = invite(dialer)
    events = [
        *told(dialer.receive(answer_bytes(data, 183, "Progress", **MULTIPART), PEER, 0.1)),
        *told(dialer.receive(answer_bytes(data, 200, "OK", **MULTIPART), PEER, 0.2)),
    ]
    _, headers = call_up(dialer)
    events += told(dialer.receive(within("INVITE", headers, 1, **MULTIPART), PEER, 1.0))
    kinds = [ProvisionalReceived, AnswerReceived, ReinviteReceived]
    assert [type(event) for event in events] == kinds
    assert {(event.body, event.content_type) for event in events} == {FOUND}
