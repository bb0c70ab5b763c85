"""What a campaign may say of recording its calls."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from dialer.campaign.recording import Recording, agrees
from dialer.campaign.settings import OnAnswer

SPOKEN = {"say": "This call is recorded."}
KINDS = [
    {"kind": "prompt", "file": "hello.wav"},
    {"kind": "hang_up"},
    {"kind": "bot", "url": "wss://bot.example.com"},
    {"kind": "gather", "name": "first", "prompt": {"file": "a.wav"}, "branches": {"1": {}}},
    {"kind": "transfer", "target": {"number": "+12125550100"}},
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind["kind"])
def test_every_kind_of_answered_call_may_be_recorded(kind):
    answer = TypeAdapter(OnAnswer).validate_python({**kind, "recording": {"consent": "given"}})
    assert answer.recording == Recording(consent="given")
    assert TypeAdapter(OnAnswer).validate_python(kind).recording is None


def test_a_fallback_has_no_recording_of_its_own():
    fallback = {"kind": "hang_up", "recording": {"consent": "given"}}
    with pytest.raises(ValidationError, match="Extra inputs"):
        TypeAdapter(OnAnswer).validate_python({**KINDS[2], "fallback": fallback})


@pytest.mark.parametrize(
    "given",
    [
        {"consent": "given"},
        {"consent": "announced", "announcement": SPOKEN},
        {"consent": "key", "announcement": {"file": "ask.wav"}, "key": "*"},
        {"consent": "column", "column": "may record"},
        {"consent": "given", "format": "opus", "keep_days": 3650},
    ],
    ids=str,
)
def test_what_is_whole_is_taken_and_kept_as_it_is(given):
    recording = Recording.model_validate(given)
    assert Recording.model_validate(recording.model_dump(mode="json")) == recording


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "Field required"),
        ({"consent": "assumed"}, "Input should be"),
        ({"consent": "announced"}, "needs an announcement"),
        ({"consent": "key"}, "needs an announcement"),
        ({"consent": "given", "announcement": SPOKEN}, "nobody hears the announcement"),
        ({"consent": "column", "column": "c", "announcement": SPOKEN}, "nobody hears"),
        ({"consent": "column"}, "give a column"),
        ({"consent": "given", "column": "c"}, "give a column"),
        ({"consent": "key", "announcement": SPOKEN, "key": "12"}, "should match"),
        ({"consent": "key", "announcement": SPOKEN, "key_wait_seconds": 0}, "greater than"),
        ({"consent": "given", "format": "mp3"}, "Input should be"),
        ({"consent": "given", "keep_days": 0}, "greater than"),
        ({"consent": "given", "keep": 3}, "Extra inputs"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(given, said):
    with pytest.raises(ValidationError, match=said):
        Recording.model_validate(given)


@pytest.mark.parametrize("value", ["yes", " Yes ", "Y", "TRUE", "1"])
def test_a_column_agrees(value):
    assert agrees(value)


@pytest.mark.parametrize("value", ["", "no", "n", "0", "false", "yes, but", "maybe"])
def test_whatever_else_a_column_says_is_no(value):
    assert not agrees(value)
