from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.ua.redaction import redacted

HEAD = b"INVITE sip:100@192.0.2.1 SIP/2.0\r\nCSeq: 2 INVITE\r\n"


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        (
            b'Authorization: Digest username="u", realm="r", nonce="n", response="0123abcd", nc=1',
            b'Authorization: Digest username="u", realm="r", nonce="n", response="xxxxxxxx", nc=1',
        ),
        (b'proxy-authorization: Digest RESPONSE=0F, uri="sip:x"', None),
        (
            b'Proxy-Authorization:Digest username="u",\r\n response = "ab12",\r\n\tnc=1',
            b'Proxy-Authorization:Digest username="u",\r\n response = "xxxx",\r\n\tnc=1',
        ),
        (
            b'Authorization: Digest nonce="n:1 a", uri="sip:1@h", response="0123abcd", qop=auth',
            b'Authorization: Digest nonce="n:1 a", uri="sip:1@h", response="xxxxxxxx", qop=auth',
        ),
        (b"Authorization: Basic dXNlcjpwYXNz", b"Authorization: Basic xxxxxxxxxxxx"),
        (b"Authorization: Bearer abc.def", b"Authorization: Bearer xxxxxxx"),
    ],
)
def test_the_answer_to_a_challenge_is_blotted_out(line, kept):
    message = HEAD + line + b"\r\nContent-Length: 0\r\n\r\n"
    shown = redacted(message)
    assert len(shown) == len(message)
    if kept is not None:
        assert shown == message.replace(line, kept)
    for secret in (b"0123abcd", b"RESPONSE=0F", b"ab12", b"dXNlcjpwYXNz", b"abc.def"):
        assert secret not in shown


def test_media_keys_are_blotted_out_of_the_body():
    body = (
        b"v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0|2^20|1:4 KDR=1\r\nm=audio\r\n"
    )
    assert redacted(HEAD + b"\r\n" + body) == HEAD + b"\r\n" + body.replace(b"c2VjcmV0", b"x" * 8)


def test_every_key_of_a_crypto_line_is_blotted_out():
    line = b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:%b|2^20|1:4;INLINE:%b|2^20|2:4;inline:%b\r\n"
    body = b"v=0\r\n" + line
    shown = redacted(HEAD + b"\r\n" + body % (b"c2VjcmV0", b"a2V5", b"bW9yZQ=="))
    assert shown == HEAD + b"\r\n" + body % (b"x" * 8, b"x" * 4, b"x" * 8)


def test_a_message_without_secrets_stays_as_it_is():
    message = HEAD + b'From: "response=abcd" <sip:a@b>\r\n\r\nnonce and response=beef'
    assert redacted(message) == message


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_no_byte_ever_moves(before, after):
    message = before + b"\r\nAuthorization: Digest response=ab" + after
    assert len(redacted(message)) == len(message)
