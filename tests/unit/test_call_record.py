"""What `dialer call` says of how a call sounded."""

import datetime as dt
import uuid

import pytest

from dialer.api import call_models
from dialer.call_record import explain

AT = dt.datetime(2026, 5, 6, 7, 8, 9, tzinfo=dt.UTC)
MEDIA = {
    "codec": "PCMA", "secured": False, "sent": 150, "unsent": 0, "received": 149, "lost": 1,
    "loss_percent": 0.67, "duplicates": 0, "reordered": 2, "dropped": 3, "comfort_noise": 0,
    "streams": 1, "jitter_ms": 0.41, "jitter_most_ms": 2.5, "longest_gap_ms": 41, "mos": 4.33,
    "far_end_lost": 2, "far_end_loss_percent": 1.33, "far_end_jitter_ms": 0.5,
    "far_end_mos": 4.29, "round_trip_ms": 31.5,
}  # fmt: skip


EARLY = {
    "begin": 0.4, "seconds": 9.0, "streams": 1, "packets": 450, "comfort_noise": 0, "others": 0,
    "heard": [
        {"kind": "ringback", "begin": 0.5, "end": 4.7, "confidence": 0.9},
        {
            "kind": "special_information", "begin": 5.1, "end": 6.1, "confidence": 0.9,
            "special_information": "vacant_code", "frequencies": [985, 1370, 1777],
        },
        {"kind": "speech", "begin": 6.4, "end": 9.4, "confidence": 0.9},
    ],
}  # fmt: skip


def lines_about(media, early_media=None):
    leg = {
        "ordinal": 0, "trunk": "pbx", "number": "+49301", "caller_id": "+49302",
        "sip_call_id": "a@b", "request_uri": "sip:+49301@pbx", "outcome": "answered",
        "rule": "answered", "created_at": AT,
        "evidence": {
            "code": 200, "phrase": "OK", "reasons": [], "q850": None, "retry_after": None,
            "local_cause": None, "rang": True, "answered": True, "hung_up_by": "us",
            "provisionals": [], "sent_at": AT, "first_provisional_at": AT, "ringing_at": AT,
            "answered_at": AT, "ended_at": AT, "talk_seconds": 3.0, "rtp_packets_sent": 150,
            "rtp_packets_received": 149, "media": media, "early_media": early_media,
        },
    }  # fmt: skip
    attempt = {
        "id": uuid.uuid4(), "ordinal": 1, "node": "n", "outcome": "answered", "rule": "answered",
        "status": "answered", "counted": True, "flags": ["rtp_timeout"], "created_at": AT,
        "ended_at": AT, "legs": [leg], "detail": "", "conversation": {}, "report_data": {},
    }  # fmt: skip
    call = {
        "id": 1, "campaign_id": 2, "number": "+49301", "alternates": [], "import_id": None,
        "problem": "", "payload": {}, "priority": 0, "status": "answered", "phase": None,
        "trunk": None, "next_attempt_at": None, "attempts_made": 1, "attempts_counted": 1,
        "last_outcome": "answered", "last_rule": "answered", "created_at": AT, "updated_at": AT,
        "attempts": [attempt],
    }  # fmt: skip
    return list(explain(call_models.CallWithAttempts.model_validate(call)))


def test_what_we_heard_and_what_the_far_end_heard_stand_in_a_line_each():
    lines = lines_about(MEDIA)
    assert (
        "    heard: 1 lost (0.67 %), 0 twice, 2 late, 3 dropped; jitter 0.41 ms,"
        " longest gap 41 ms; MOS 4.33" in lines
    )
    assert (
        "    the far end heard: 2 lost (1.33 %), jitter 0.5 ms; round trip 31.5 ms; MOS 4.29"
        in lines
    )


@pytest.mark.parametrize("media", [None, MEDIA | {"received": 0, "far_end_mos": None}])
def test_where_nothing_is_known_nothing_is_said(media):
    assert not [line for line in lines_about(media) if "heard" in line]


def test_what_was_heard_before_the_answer_is_a_sentence():
    assert (
        "    early media: ringback 4.2 s, then special information tone (vacant code) at 5.1 s,"
        " then speech 3.0 s" in lines_about(MEDIA, EARLY)
    )
    assert not [line for line in lines_about(MEDIA) if "early media" in line]
