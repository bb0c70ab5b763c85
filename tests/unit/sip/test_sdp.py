import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.sip import sdp
from dialer.sip.sdp import Codec, Direction, Negotiated, SdpError

OURS = ("PCMU", "PCMA")
HEAD = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n"


def description(*lines, head=HEAD):
    return head.encode() + "".join(f"{line}\r\n" for line in lines).encode()


def negotiated(*lines, head=HEAD, codecs=OURS):
    return sdp.negotiate(codecs, sdp.parse(description(*lines, head=head)))


def answered(*lines, head=HEAD, codecs=OURS, direction=Direction.SENDRECV):
    body = sdp.answer(
        sdp.parse(description(*lines, head=head)),
        "198.51.100.1",
        5000,
        codecs,
        session_id=7,
        version=3,
        direction=direction,
    )
    return body.decode().split("\r\n")


def test_the_offer_as_it_goes_out():
    body = sdp.offer("192.0.2.1", 4000, OURS, session_id=5, version=6)
    assert body.decode().split("\r\n") == [
        "v=0",
        "o=- 5 6 IN IP4 192.0.2.1",
        "s=-",
        "c=IN IP4 192.0.2.1",
        "t=0 0",
        "m=audio 4000 RTP/AVP 0 8 101",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-15",
        "a=ptime:20",
        "a=sendrecv",
        "",
    ]


@given(
    address=st.ip_addresses().map(str).filter(lambda text: not text.startswith(("2", "ff", "FF"))),
    port=st.integers(1, 65535),
    codecs=st.permutations(OURS).flatmap(lambda both: st.sampled_from([both, both[:1]])),
    session_id=st.integers(0, 2**63 - 1),
    version=st.integers(0, 2**63 - 1),
    direction=st.sampled_from(Direction),
)
def test_an_offer_is_read_back_as_it_was_meant(
    address, port, codecs, session_id, version, direction
):
    body = sdp.offer(
        address, port, codecs, session_id=session_id, version=version, direction=direction
    )
    session = sdp.parse(body)
    assert session.origin.split()[:3] == ["-", str(session_id), str(version)]
    (media,) = session.media
    assert (media.kind, media.port, media.direction) == ("audio", port, direction)
    assert [codec.name for codec in media.codecs] == [*codecs, "TELEPHONE-EVENT"]
    agreed = sdp.negotiate(OURS, session)
    assert (agreed.host, agreed.port, agreed.codec) == (address, port, codecs[0])


@given(
    offered=st.permutations(OURS),
    ours=st.permutations(OURS),
    wish=st.sampled_from(Direction),
    theirs=st.sampled_from(Direction),
)
def test_both_sides_conclude_the_same(offered, ours, wish, theirs):
    """The offerer sends what the answerer receives, in one codec, with one payload type."""
    offer = sdp.parse(
        sdp.offer("192.0.2.1", 4000, offered, session_id=1, version=1, direction=theirs)
    )
    answer = sdp.parse(
        sdp.answer(offer, "192.0.2.2", 5000, ours, session_id=2, version=1, direction=wish)
    )
    answerer = sdp.negotiate(ours, offer, wish)
    offerer = sdp.negotiate(offered, answer, theirs)
    assert (offerer.host, offerer.port) == ("192.0.2.2", 5000)
    assert (answerer.host, answerer.port) == ("192.0.2.1", 4000)
    assert offerer.codec == answerer.codec == offered[0]
    assert offerer.payload_type == answerer.payload_type
    assert offerer.telephone_event == answerer.telephone_event == 101
    assert offerer.direction.sends == answerer.direction.receives
    assert offerer.direction.receives == answerer.direction.sends


def test_the_answer_of_a_pbx():
    agreed = negotiated(
        "m=audio 17000 RTP/AVP 8 101",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-16",
        "a=ptime:20",
        "a=maxptime:140",
        "a=sendrecv",
    )
    assert agreed == Negotiated("192.0.2.9", 17000, "PCMA", 8, telephone_event=101)


def test_an_answer_may_put_the_codecs_in_its_own_order():
    assert negotiated("m=audio 4000 RTP/AVP 8 0").codec == "PCMA"
    assert negotiated("m=audio 4000 RTP/AVP 18 3 0 8").codec == "PCMU"


def test_static_payload_types_need_no_rtpmap():
    agreed = negotiated("m=audio 4000 RTP/AVP 0")
    assert (agreed.codec, agreed.payload_type, agreed.telephone_event) == ("PCMU", 0, None)


def test_a_peer_may_number_telephone_events_and_codecs_as_it_likes():
    agreed = negotiated(
        "m=audio 4000 RTP/AVP 97 96 100",
        "a=rtpmap:96 telephone-event/16000",
        "a=rtpmap:97 pcma/8000/1",
        "a=rtpmap:100 Telephone-Event/8000",
    )
    assert (agreed.codec, agreed.payload_type, agreed.telephone_event) == ("PCMA", 97, 100)


def test_an_rtpmap_rules_over_the_static_meaning():
    with pytest.raises(SdpError, match="no codec in common"):
        negotiated("m=audio 4000 RTP/AVP 0", "a=rtpmap:0 L16/44100")


def test_a_codec_at_another_rate_is_another_codec():
    with pytest.raises(SdpError, match="no codec in common"):
        negotiated("m=audio 4000 RTP/AVP 96", "a=rtpmap:96 PCMU/16000")


def test_an_rtpmap_that_cannot_be_read_is_as_good_as_none():
    agreed = negotiated(
        "m=audio 4000 RTP/AVP 0 8",
        "a=rtpmap:0",
        "a=rtpmap:8 PCMA",
        "a=rtpmap:x y/z",
        "a=rtpmap:999 PCMU/8000",
        "a=rtpmap:" + "9" * 5000 + " PCMU/8000",
    )
    assert agreed.codec == "PCMU"


def test_the_media_level_address_rules_over_the_session_level_one():
    agreed = negotiated("m=audio 4000 RTP/AVP 0", "c=IN IP4 203.0.113.5")
    assert agreed.host == "203.0.113.5"


def test_the_address_of_another_section_is_not_ours():
    agreed = negotiated("m=video 6000 RTP/AVP 31", "c=IN IP4 203.0.113.5", "m=audio 4000 RTP/AVP 0")
    assert (agreed.host, agreed.port) == ("192.0.2.9", 4000)


def test_an_ipv6_address_comes_in_canonical_form():
    head = HEAD.replace("IN IP4 192.0.2.9", "IN IP6 2001:DB8:0:0:0:0:0:1")
    assert negotiated("m=audio 4000 RTP/AVP 0", head=head).host == "2001:db8::1"
    body = sdp.offer("2001:db8::2", 4000, OURS, session_id=1, version=1)
    assert b"c=IN IP6 2001:db8::2\r\n" in body


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("sendrecv", "sendrecv"),
        ("sendonly", "recvonly"),
        ("recvonly", "sendonly"),
        ("inactive", "inactive"),
    ],
)
@pytest.mark.parametrize("level", ["session", "media"])
def test_the_direction_is_turned_round(theirs, ours, level):
    lines = ["m=audio 4000 RTP/AVP 0"]
    lines.insert(0 if level == "session" else 1, f"a={theirs}")
    assert negotiated(*lines).direction == ours
    assert f"a={ours}" in answered(*lines)


def test_the_media_level_direction_rules():
    agreed = negotiated("a=inactive", "m=audio 4000 RTP/AVP 0", "a=sendonly")
    assert agreed.direction is Direction.RECVONLY


@pytest.mark.parametrize("address", ["IP4 0.0.0.0", "IP6 ::"])
@pytest.mark.parametrize(
    ("stated", "ours"),
    [("sendrecv", "recvonly"), ("sendonly", "recvonly"), ("recvonly", "inactive")],
)
def test_an_address_of_zeros_is_a_hold(address, stated, ours):
    lines = ["m=audio 4000 RTP/AVP 0", f"c=IN {address}", f"a={stated}"]
    agreed = negotiated(*lines)
    assert agreed.direction == ours
    assert not agreed.direction.sends
    assert f"a={ours}" in answered(*lines)


def test_our_own_wish_limits_the_direction():
    lines = answered("m=audio 4000 RTP/AVP 0", direction=Direction.RECVONLY)
    assert "a=recvonly" in lines
    assert "a=inactive" in answered(
        "m=audio 4000 RTP/AVP 0", "a=recvonly", direction=Direction.RECVONLY
    )


@pytest.mark.parametrize(
    ("lines", "ours", "ptime"),
    [
        ([], 20, 20),
        ([], 60, 60),
        ([], 10, 20),
        (["a=ptime:20"], 60, 20),
        (["a=ptime:40"], 20, 40),
        (["a=ptime:60"], 20, 60),
        (["a=ptime:30"], 20, 20),
        (["a=ptime:50"], 20, 40),
        (["a=ptime:10"], 20, 20),
        (["a=ptime:200"], 20, 60),
        (["a=ptime:60", "a=maxptime:40"], 20, 40),
        (["a=maxptime:150"], 40, 40),
        (["a=maxptime:10"], 40, 20),
        (["a=ptime:x"], 20, 20),
        (["a=ptime", "a=maxptime"], 40, 40),
        (["a=ptime:0", "a=maxptime:0"], 40, 40),
    ],
)
def test_the_packet_time_is_the_nearest_to_what_the_peer_prefers(lines, ours, ptime):
    remote = sdp.parse(description("m=audio 4000 RTP/AVP 0", *lines))
    assert sdp.negotiate(OURS, remote, terms=sdp.Terms(ptime=ours)).ptime == ptime


def test_our_own_packet_time_is_offered_and_answered():
    terms = sdp.Terms(ptime=40)
    offer = sdp.offer("192.0.2.1", 4000, OURS, session_id=1, version=1, terms=terms)
    remote = sdp.parse(description("m=audio 4000 RTP/AVP 0", "a=ptime:60"))
    answer = sdp.answer(remote, "192.0.2.1", 4000, OURS, session_id=1, version=1, terms=terms)
    assert b"a=ptime:40\r\n" in offer
    assert b"a=ptime:40\r\n" in answer


def test_the_answer_keeps_the_offers_order_and_numbers():
    lines = answered(
        "m=audio 4000 RTP/AVP 18 98 0 120",
        "a=rtpmap:18 G729/8000",
        "a=rtpmap:98 PCMA/8000",
        "a=rtpmap:120 telephone-event/8000",
    )
    assert lines[1] == "o=- 7 3 IN IP4 198.51.100.1"
    assert lines[5:] == [
        "m=audio 5000 RTP/AVP 98 0 120",
        "a=rtpmap:98 PCMA/8000",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:120 telephone-event/8000",
        "a=fmtp:120 0-15",
        "a=ptime:20",
        "a=sendrecv",
        "",
    ]


def test_no_telephone_events_are_answered_where_none_were_offered():
    assert not [line for line in answered("m=audio 4000 RTP/AVP 0") if "telephone-event" in line]


def test_every_section_is_answered_and_all_but_one_refused():
    lines = answered(
        "m=video 6000 RTP/AVP 31 34",
        "m=audio 4000 RTP/SAVP 0",
        "m=audio 4002 RTP/AVP 0",
        "m=audio 4004 RTP/AVP 8",
        "m=image 4006 udptl t38",
    )
    assert [line for line in lines if line.startswith("m=")] == [
        "m=video 0 RTP/AVP 31 34",
        "m=audio 0 RTP/SAVP 0",
        "m=audio 5000 RTP/AVP 0",
        "m=audio 0 RTP/AVP 8",
        "m=image 0 udptl t38",
    ]


def test_the_answer_repeats_the_offers_time():
    head = HEAD.replace("t=0 0", "t=2873397496  2873404696")
    assert "t=2873397496 2873404696" in answered("m=audio 4000 RTP/AVP 0", head=head)
    assert "t=0 0" in answered("m=audio 4000 RTP/AVP 0", head=HEAD.replace("t=0 0", "t=now"))


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([], "no audio"),
        (["m=video 4000 RTP/AVP 31"], "no audio"),
        (["m=audio 0 RTP/AVP 0"], "port is 0"),
        (["m=audio 4000 RTP/AVP 18 3"], "no codec in common"),
        (["m=audio 4000 RTP/SAVP 0"], "RTP/SAVP"),
        (["m=audio 4000 UDP/TLS/RTP/SAVPF 0"], "SAVPF"),
        (["m=audio 4000 RTP/AVP 0", "c=IN IP4 phone.example.com"], "not an address"),
        (["m=audio 4000 RTP/AVP 0", "c=IN IP4 224.2.1.1"], "not the address of one host"),
        (["m=audio 4000 RTP/AVP 0", "c=IN IP4 224.2.1.1/127"], "not an address"),
        (["m=audio 4000 RTP/AVP 0", "c=IN IP4 255.255.255.255"], "not the address of one host"),
        (["m=audio 4000 RTP/AVP 0", "c=IN IP6 fe80::1%eth0"], "not the address of one host"),
        (["m=audio 4000 RTP/AVP 0", "c=IN IP4"], "no usable c="),
        (["m=audio 4000 RTP/AVP 0", "c="], "no usable c="),
        (["m=audio 4000 RTP/AVP 0", "c=ATM NSAP 47"], "no usable c="),
    ],
)
def test_no_usable_audio_is_said_with_its_reason(lines, problem):
    with pytest.raises(SdpError, match=problem):
        negotiated(*lines)
    with pytest.raises(SdpError, match=problem):
        answered(*lines)


def test_a_codec_that_we_do_not_want_is_not_taken():
    with pytest.raises(SdpError, match="holds none of PCMU"):
        negotiated("m=audio 4000 RTP/AVP 8", codecs=("PCMU",))


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "no session description"),
        (b"hello", "line 1"),
        (b"v=1\r\n", "line 1"),
        (b"v=0\r\n\r\nm=audio 1 RTP/AVP 0\r\n", "line 2"),
        (b"v=0\r\nhello\r\n", "line 2"),
        (b"v=0\r\nmedia=audio\r\n", "line 2"),
        (b"v=0\r\nm=audio\r\n", "line 2: m= needs"),
        (b"v=0\r\nm=audio 4000 RTP/AVP\r\n", "line 2: m= needs"),
        (b"v=0\r\nm=audio -1 RTP/AVP 0\r\n", "line 2: '-1' is not a port"),
        (b"v=0\r\nm=audio 65536 RTP/AVP 0\r\n", "line 2: '65536' is not a port"),
        (b"v=0\r\nm=audio " + b"9" * 6000 + b" RTP/AVP 0\r\n", "is not a port"),
        ("v=0\r\nm=audio ٣ RTP/AVP 0\r\n".encode(), "is not a port"),
        (b"v=0\r\ns=a\rm=audio 4000 RTP/AVP 0\r\n", "line 2: a control"),
        (b"v=0\r\ns=a\0\r\n", "line 2: a control"),
        (b"v=0\r\nm=audio 4000 RTP/AVP" + b" 0" * 65 + b"\r\n", "more than 64 formats"),
        (b"v=0\r\n" + b"m=audio 4000 RTP/AVP 0\r\n" * 33, "more than 32 m="),
        (b"v=0\r\n" + b"a=x\r\n" * 10_000, "bytes, over"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(body, problem):
    with pytest.raises(SdpError, match=problem):
        sdp.parse(body)


@pytest.mark.parametrize("content_type", ["application/sdp", "Application/SDP ; charset=utf-8"])
def test_the_content_type_is_compared_without_case_and_parameters(content_type):
    assert sdp.parse(description("m=audio 4000 RTP/AVP 0"), content_type).media


@pytest.mark.parametrize("content_type", ["", "text/plain", "multipart/mixed;boundary=x"])
def test_another_content_type_is_refused(content_type):
    with pytest.raises(SdpError, match="not application/sdp"):
        sdp.parse(description("m=audio 4000 RTP/AVP 0"), content_type)


def test_a_body_that_is_not_there_is_called_that_whatever_its_type():
    with pytest.raises(SdpError, match="there is no session description"):
        sdp.parse(b"", "")


def test_lines_may_end_with_lf_alone_and_text_need_not_be_utf8():
    body = description("m=audio 4000/2 RTP/AVP 0 8").replace(b"\r\n", b"\n")
    body = body.replace(b"s=-", b"s=\xff\xfe caf\xe9")
    (media,) = sdp.parse(body).media
    assert media.port == 4000
    assert media.codecs == (Codec(0, "PCMU"), Codec(8, "PCMA"))


_WORDS = st.sampled_from(
    [
        *("audio", "video", "0", "8", "101", "65536", "-1", "RTP/AVP", "4000", "4000/2"),
        *("IN", "IP4", "IP6", "::", "0.0.0.0", "192.0.2.1", "rtpmap:0", "rtpmap:", "ptime:"),
        *("sendonly", "²"),
    ]
)
_LINES = st.builds(
    lambda kind, words, end: f"{kind}={' '.join(words)}{end}",
    st.sampled_from("vostcmabiz"),
    st.lists(_WORDS | st.text(max_size=8), max_size=8),
    st.sampled_from(["\r\n", "\n", "\r", "", "\r\n\r\n"]),
)


@given(
    st.binary(max_size=600)
    | st.lists(_LINES, max_size=25).map(lambda lines: ("v=0\r\n" + "".join(lines)).encode())
)
def test_nothing_a_peer_sends_raises_anything_but_an_sdp_error(body):
    try:
        session = sdp.parse(body)
        sdp.negotiate(OURS, session)
        answer = sdp.answer(session, "192.0.2.1", 5000, OURS, session_id=1, version=1)
    except SdpError:
        return
    # what we mirror is still one well-formed description with as many sections
    again = sdp.parse(answer)
    assert len(again.media) == len(session.media)
    assert b"\r\n\r\n" not in answer
    assert b"\r" not in answer.replace(b"\r\n", b"")


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ("4711", ("192.0.2.9", 4711)),
        ("4711 IN IP4 198.51.100.7", ("198.51.100.7", 4711)),
        ("4711 IN IP6 2001:db8::1", None),
        ("4711 IN IP4 224.0.0.1", None),
        ("4711 IN IP4 example.com", None),
        ("0", None),
        ("65536", None),
        ("-1", None),
        ("a port", None),
        ("", None),
    ],
)
def test_the_place_for_reports_is_told_or_is_the_next_port(value, where):
    assert negotiated("m=audio 4000 RTP/AVP 0", f"a=rtcp:{value}").rtcp == where


def test_no_place_for_reports_is_the_next_port():
    assert negotiated("m=audio 4000 RTP/AVP 0").rtcp is None
