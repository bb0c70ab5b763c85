import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.sip import sdp
from dialer.sip.sdp import Keys, SdpError, Security, Terms
from dialer.sip.security_description import KEY_BYTES, SUITES, Crypto, CryptoError, parse

OURS = ("PCMU", "PCMA")
LONG, SHORT = SUITES
KEY = bytes(range(KEY_BYTES))
WRITTEN = base64.b64encode(KEY).decode()
THEIRS = base64.b64encode(b"t" * KEY_BYTES).decode()
HEAD = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n"


def security(*, required):
    keys = iter(range(1, 9))
    return Security.with_new_keys(lambda count: bytes([next(keys)]) * count, required=required)


def remote(*lines, protocol="RTP/AVP"):
    rest = "".join(f"{line}\r\n" for line in lines)
    return sdp.parse(f"{HEAD}m=audio 4000 {protocol} 0\r\n{rest}".encode())


def keys(description, *, required):
    return sdp.negotiate(OURS, description, terms=Terms(security=security(required=required))).keys


def answered(description, *, required):
    terms = Terms(security=security(required=required))
    body = sdp.answer(description, "192.0.2.1", 5000, OURS, session_id=1, version=1, terms=terms)
    return body.decode().split("\r\n")


@given(
    st.builds(
        Crypto,
        st.integers(0, 999_999_999),
        st.sampled_from(SUITES),
        st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES),
        st.just("") | st.integers(0, 48).map("2^{}".format) | st.integers(0, 2**48).map(str),
    )
)
def test_a_key_is_read_back_as_it_was_written(crypto):
    assert parse(str(crypto)) == crypto


@given(st.text(max_size=120) | st.text("12 |:;-^=inlAES_CMKDRWSH/+", max_size=60))
def test_nothing_a_peer_writes_raises_anything_but_a_crypto_error(text):
    for value in (text, f"1 {LONG} inline:{text}", f"1 {LONG} inline:{WRITTEN}{text}"):
        with contextlib.suppress(CryptoError):
            assert len(parse(value).key) == KEY_BYTES


@pytest.mark.parametrize(
    "value",
    [
        f"1 {LONG} inline:{WRITTEN}",
        f"1 {LONG.lower()} INLINE:{WRITTEN}",
        f"1  {LONG}\tinline:{WRITTEN} ",
        f"1 {LONG} inline:{WRITTEN} WSH=128",
        f"1 {LONG} inline:{WRITTEN} -X_NEW=1",
    ],
)
def test_ways_to_write_the_same(value):
    assert parse(value) == Crypto(1, LONG, KEY)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("", "form"),
        (f"x {LONG} inline:{WRITTEN}", "form"),
        (f"1 {LONG}", "form"),
        (f"1 AES_256_CM_HMAC_SHA1_80 inline:{WRITTEN}", "not ours"),
        (f"1 {LONG} inline:{WRITTEN}|2^20|1:4", "MKI"),
        (f"1 {LONG} inline:{WRITTEN}|1:4", "MKI"),
        (f"1 {LONG} inline:{WRITTEN};inline:{WRITTEN}", "one inline key"),
        (f"1 {LONG} uri:{WRITTEN}", "one inline key"),
        (f"1 {LONG} inline:{WRITTEN[:-4]}", "27 bytes"),
        (f"1 {LONG} inline:{WRITTEN[:-1]}", "base64"),
        (f"1 {LONG} inline:é", "base64"),
        (f"1 {LONG} inline:{WRITTEN} UNENCRYPTED_SRTP", "UNENCRYPTED_SRTP"),
        (f"1 {LONG} inline:{WRITTEN} KDR=1", "KDR"),
    ],
)
def test_a_key_that_cannot_be_used(value, problem):
    with pytest.raises(CryptoError, match=problem):
        parse(value)


def test_a_key_shows_in_no_representation():
    crypto = Crypto(1, LONG, KEY)
    for secret in (crypto, Keys(LONG, KEY, KEY), Security(required=True, offered=(crypto,))):
        assert repr(KEY) not in repr(secret)


@pytest.mark.parametrize(("required", "protocol"), [(False, "RTP/AVP"), (True, "RTP/SAVP")])
def test_the_offer_of_keys(required, protocol):
    terms = Terms(security=security(required=required))
    body = sdp.offer("192.0.2.1", 4000, OURS, session_id=1, version=1, terms=terms).decode()
    one, two = (base64.b64encode(bytes([n]) * KEY_BYTES).decode() for n in (1, 2))
    assert body.split("\r\n")[5:8] == [
        f"m=audio 4000 {protocol} 0 8 101",
        f"a=crypto:1 {LONG} inline:{one}",
        f"a=crypto:2 {SHORT} inline:{two}",
    ]


@pytest.mark.parametrize("required", [False, True])
@pytest.mark.parametrize("protocol", ["RTP/AVP", "RTP/SAVP", "rtp/savp"])
def test_keys_that_fit_are_agreed_and_their_tag_and_suite_mirrored(required, protocol):
    offer = remote(
        "a=crypto:1 AES_256_CM_HMAC_SHA1_80 inline:x",
        f"a=crypto:7 {SHORT} inline:{THEIRS}|2^31",
        f"a=crypto:8 {LONG} inline:{WRITTEN}",
        protocol=protocol,
    )
    ours = b"\2" * KEY_BYTES
    assert keys(offer, required=required) == Keys(SHORT, ours, b"t" * KEY_BYTES)
    lines = answered(offer, required=required)
    assert lines[5] == f"m=audio 5000 {protocol.upper()} 0"
    assert [line for line in lines if line.startswith("a=crypto")] == [
        f"a=crypto:7 {SHORT} inline:{base64.b64encode(ours).decode()}"
    ]


def test_without_keys_optional_is_plain():
    assert keys(remote("a=crypto:1 OTHER inline:x"), required=False) is None
    assert answered(remote(), required=False)[5] == "m=audio 5000 RTP/AVP 0"
    assert not [line for line in answered(remote(), required=False) if "crypto" in line]


def test_keys_are_passed_over_where_we_want_none():
    plain = sdp.negotiate(OURS, remote(f"a=crypto:1 {LONG} inline:{THEIRS}"))
    assert plain.keys is None


@pytest.mark.parametrize(
    ("protocol", "required"), [("RTP/AVP", True), ("RTP/SAVP", True), ("RTP/SAVP", False)]
)
def test_secure_audio_without_a_usable_key_is_no_audio(protocol, required):
    description = remote(f"a=crypto:1 {LONG} inline:{THEIRS}|2^20|1:4", protocol=protocol)
    with pytest.raises(SdpError, match="no a=crypto that we can use"):
        keys(description, required=required)


def test_keys_of_the_session_or_of_another_section_are_not_those_of_the_audio():
    crypto = f"a=crypto:1 {LONG} inline:{THEIRS}\r\n"
    body = f"{HEAD}{crypto}m=audio 4000 RTP/AVP 0\r\nm=video 4002 RTP/SAVP 31\r\n{crypto}"
    assert keys(sdp.parse(body.encode()), required=False) is None


@given(
    required=st.booleans(),
    theirs=st.booleans(),
    suites=st.permutations(SUITES).flatmap(lambda both: st.sampled_from([both, both[:1]])),
)
def test_both_sides_conclude_the_same_keys(required, theirs, suites):
    offerer = Security(
        required, tuple(Crypto(n, suite, bytes([n]) * 30) for n, suite in enumerate(suites))
    )
    answerer = security(required=theirs)
    offer = sdp.parse(
        sdp.offer("192.0.2.1", 4000, OURS, session_id=1, version=1, terms=Terms(security=offerer))
    )
    answer = sdp.parse(
        sdp.answer(
            offer, "192.0.2.2", 5000, OURS, session_id=2, version=1, terms=Terms(security=answerer)
        )
    )
    ours = sdp.negotiate(OURS, answer, terms=Terms(security=offerer)).keys
    peers = sdp.negotiate(OURS, offer, terms=Terms(security=answerer)).keys
    assert ours.suite == peers.suite == suites[0]
    assert (ours.ours, ours.theirs) == (peers.theirs, peers.ours)
