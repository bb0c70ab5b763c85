"""Offers and answers of one call, applied to a stream that only notes what it is told."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.sip import sdp
from dialer.ua.session import UNUSABLE, MediaSession

HEAD = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n"
AUDIO = "m=audio 4000 RTP/AVP 0 8\r\n"
HELD = AUDIO + "a=sendonly\r\n"
VIDEO = "m=video 4002 RTP/AVP 31\r\n"
FAX = "m=image 4004 udptl t38\r\n"
KEY = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"
SECURE = f"m=audio 4000 RTP/SAVP 0\r\na=crypto:4 AES_CM_128_HMAC_SHA1_32 inline:{KEY}\r\n"


class Stream:
    local_port = 5000
    secure_only = False
    refuses = False

    def __init__(self):
        self.agreed = []

    def connect(self, media):
        if self.refuses:
            raise sdp.SdpError("the peer speaks another IP version")
        self.agreed.append(media)


def session(**options):
    counter = itertools.count(1)
    options = {"random_bytes": lambda count: bytes([next(counter)]) * count} | options
    return MediaSession(Stream(), "192.0.2.1", ("PCMU", "PCMA"), 77, **options)


def answer(media, *sections):
    return media.answer((HEAD + "".join(sections)).encode(), "application/sdp")


def accept(media, *sections):
    media.accept((HEAD + "".join(sections)).encode(), "application/sdp")


def version(body):
    return int(re.search(rb"^o=- 77 (\d+) ", body, re.MULTILINE)[1])


def sections(body):
    return re.findall(r"^m=(.*)\r$", body.decode(), re.MULTILINE)


@pytest.mark.parametrize("srtp", ["off", "optional", "required"])
def test_the_same_offer_again_keeps_its_version_and_keys(srtp):
    media = session(srtp=srtp)
    first = media.offer()
    assert version(first) == 1
    assert media.offer() == first


def test_the_version_rises_with_each_change_and_only_then():
    media = session()
    media.offer()
    accept(media, AUDIO)
    versions = [version(answer(media, one)) for one in (AUDIO, AUDIO, HELD, HELD, AUDIO)]
    assert versions == [2, 2, 3, 3, 4]
    assert [version(media.offer()), version(media.offer())] == [5, 5]


@given(st.lists(st.sampled_from(["offer", AUDIO, HELD, SECURE, VIDEO + AUDIO, FAX])))
def test_a_version_names_one_description(steps):
    media = session(srtp="optional")
    last = media.offer()
    for step in steps:
        try:
            body = media.offer() if step == "offer" else answer(media, step)
        except UNUSABLE:
            continue
        assert version(body) - version(last) == (body != last)
        last = body


def test_an_offer_that_is_refused_changes_nothing():
    media = session()
    first = media.offer()
    for refused in (FAX, VIDEO, "m=audio 0 RTP/AVP 0\r\n", FAX + "m=audio 0 RTP/AVP 0\r\n"):
        with pytest.raises(UNUSABLE):
            answer(media, refused)
    media.stream.refuses = True
    with pytest.raises(UNUSABLE):
        answer(media, VIDEO, HELD)
    assert media.stream.agreed == []
    assert media.offer() == first


def test_what_was_refused_keeps_its_place_in_our_next_offer():
    media = session()
    media.offer()
    assert sections(answer(media, VIDEO, AUDIO, FAX)) == [
        "video 0 RTP/AVP 31",
        "audio 5000 RTP/AVP 0 8",
        "image 0 udptl t38",
    ]
    assert sections(media.offer()) == [
        "video 0 RTP/AVP 31",
        "audio 5000 RTP/AVP 0 8 101",
        "image 0 udptl t38",
    ]


def test_attributes_that_we_do_not_have_are_passed_over():
    media = session()
    body = answer(
        media,
        "a=group:BUNDLE 0\r\na=ice-lite\r\n",
        AUDIO,
        "a=mid:0\r\na=rtcp:4001 IN IP4 192.0.2.9\r\na=rtcp-mux\r\na=ice-ufrag:x\r\na=ice-pwd:y\r\n",
        "a=candidate:1 1 UDP 1 192.0.2.9 4000 typ host\r\na=fingerprint:sha-256 00\r\n",
    )
    text = body.decode()
    assert not re.search("ice|rtcp|BUNDLE|mid|candidate|fingerprint", text)
    assert media.stream.agreed[0].port == 4000


def test_a_key_of_the_peers_is_taken_at_each_change_and_ours_stays():
    media = session(srtp="required")
    assert media.stream.secure_only
    assert sections(media.offer()) == ["audio 5000 RTP/SAVP 0 8 101"]
    accept(media, SECURE)
    answer(media, SECURE.replace("c2Vj", "AAAA"))
    first, second = (agreed.keys for agreed in media.stream.agreed)
    assert first.suite == second.suite == "AES_CM_128_HMAC_SHA1_32"
    assert first.ours == second.ours == b"\2" * 30
    assert first.theirs != second.theirs


def test_required_media_is_not_had_without_a_key():
    media = session(srtp="required")
    media.offer()
    for plain in (AUDIO, "m=audio 4000 RTP/SAVP 0\r\n"):
        with pytest.raises(UNUSABLE, match="a=crypto"):
            accept(media, plain)


def test_optional_media_falls_back_and_comes_back():
    media = session(srtp="optional")
    assert not media.stream.secure_only
    media.offer()
    accept(media, AUDIO)
    answer(media, SECURE)
    answer(media, AUDIO)
    assert [agreed.keys is not None for agreed in media.stream.agreed] == [False, True, False]


def test_the_packet_time_is_offered_and_the_peers_obeyed():
    media = session(ptime=40)
    assert b"a=ptime:40\r\n" in media.offer()
    accept(media, AUDIO)
    accept(media, AUDIO, "a=ptime:60\r\n")
    assert [agreed.ptime for agreed in media.stream.agreed] == [40, 60]
