from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dialer.campaign.settings import (
    CampaignSettings,
    HangUp,
    HangUpOnAnswer,
    PlayPromptOnAnswer,
)

BOT = {"kind": "bot", "url": "wss://bots.example.com/sales?v=2"}
LEAST = {"name": "Spring", "caller_ids": ["+493023125000"], "trunks": ["main"]}


def settings(**given_):
    return CampaignSettings.model_validate({**LEAST, **given_})


def test_what_a_person_need_not_say():
    plain = settings()
    assert (plain.max_simultaneous_calls, plain.calls_per_second) == (10, None)
    assert (plain.max_attempts, plain.retry_interval_minutes) == (3, 60)
    assert (plain.ring_timeout_seconds, plain.max_talk_seconds) == (40, 3600)
    assert (plain.on_answer, plain.start_at, plain.webhook_url) == (HangUpOnAnswer(), None, None)
    assert (plain.retry_by_outcome, plain.redial_interrupted) == ({}, False)
    assert CampaignSettings(name="Spring", trunks=["main"]).caller_ids == []


def test_json_is_read_strictly():
    text = (
        '{"name": " Spring \u2600\ufe0f ", "caller_ids": ["1000", "+1"], "trunks": ["a"],'
        ' "start_at": "2026-03-08T09:00:00-05:00",'
        ' "on_answer": {"kind": "prompt", "file": "x.wav"}, "retry_by_outcome": {"busy": 5},'
        ' "calls_per_second": 0.5}'
    )
    read = CampaignSettings.model_validate_json(text, strict=True)
    assert read.name == "Spring \u2600\ufe0f"
    assert read.start_at == dt.datetime(2026, 3, 8, 14, tzinfo=dt.UTC)
    assert read.on_answer == PlayPromptOnAnswer(file="x.wav")
    assert CampaignSettings.model_validate_json(read.model_dump_json(), strict=True) == read


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("name", "", "at least 1 character"),
        ("name", "   ", "at least 1 character"),
        ("name", "x" * 201, "at most 200 characters"),
        ("name", "a\nb", "must not contain control characters"),
        ("name", "a\0", "must not contain control characters"),
        ("name", "a\u2028b", "must not contain control characters"),
        ("caller_ids", ["+1", "+1"], "names the same value twice"),
        ("caller_ids", ["Ann"], "should match pattern"),
        ("caller_ids", ["+1\r\nX: y"], "should match pattern"),
        ("caller_ids", ["+1\n"], "should match pattern"),
        ("caller_ids", ["1@evil.example"], "should match pattern"),
        ("caller_ids", ["\u0661"], "should match pattern"),
        ("caller_ids", ["1" * 21], "should match pattern"),
        ("trunks", [], "at least 1 item"),
        ("trunks", ["a", "a"], "names the same value twice"),
        ("trunks", ["a\tb"], "must not contain control characters"),
        ("max_simultaneous_calls", 0, "greater than or equal to 1"),
        ("max_simultaneous_calls", 10_001, "less than or equal to 10000"),
        ("calls_per_second", 0, "greater than 0"),
        ("calls_per_second", 1000.5, "less than or equal to 1000"),
        ("calls_per_second", float("nan"), "less than or equal to 1000"),
        ("max_attempts", 0, "greater than or equal to 1"),
        ("max_attempts", 101, "less than or equal to 100"),
        ("retry_interval_minutes", 0, "greater than or equal to 1"),
        ("retry_interval_minutes", 10_081, "less than or equal to 10080"),
        ("retry_by_outcome", {"bussy": 5}, "Input should be 'answered'"),
        ("retry_by_outcome", {"busy": 0}, "greater than or equal to 1"),
        ("ring_timeout_seconds", 14, "greater than or equal to 15"),
        ("ring_timeout_seconds", 121, "less than or equal to 120"),
        ("max_talk_seconds", 0, "greater than or equal to 1"),
        ("on_answer", {"kind": "dance"}, "does not match any of the expected tags"),
        ("on_answer", {"kind": "bot"}, "Field required"),
        ("on_answer", {"kind": "bot", "url": "https://b.example"}, "should match pattern"),
        ("on_answer", {"kind": "bot", "url": "ws:///bot"}, "must name a host"),
        ("on_answer", {"kind": "bot", "url": "ws://me:pw@b.example"}, "must name a host"),
        ("on_answer", {"kind": "bot", "url": "ws://b.example/#x"}, "must name a host"),
        ("on_answer", {"kind": "bot", "url": "ws://b.example:99999"}, "Port out of range"),
        ("on_answer", {"kind": "bot", "url": "ws://b.example:0"}, "must not have port 0"),
        ("on_answer", {"kind": "bot", "url": "ws://[b.example"}, "Invalid IPv6 URL"),
        ("on_answer", BOT | {"parameters": {"a": "x" * 9000}}, "is larger than 8192 bytes"),
        ("on_answer", BOT | {"fallback": {"kind": "bot"}}, "does not match any of the expected"),
        ("on_answer", BOT | {"connect_timeout_seconds": 31}, "less than or equal to 30"),
        ("on_answer", {"kind": "prompt"}, "give one of file and say"),
        ("on_answer", {"kind": "prompt", "file": "x", "loop": True}, "Extra inputs"),
        ("on_answer", {"kind": "hang_up", "after_seconds": -1}, "greater than or equal to 0"),
        ("start_at", "2026-03-08T09:00:00", "timezone"),
        ("webhook_url", "ftp://example.net", "should match pattern"),
        ("webhook_url", "https://example.net/\r\nX: y", "should match pattern"),
        ("redial_interrupted", "perhaps", "valid boolean"),
        ("max_atempts", 3, "Extra inputs are not permitted"),
    ],
)
def test_what_is_wrong_is_refused_at_its_key(key, value, said):
    with pytest.raises(ValidationError) as caught:
        settings(**{key: value})
    (error,) = caught.value.errors()
    assert error["loc"][0] == key
    assert said in error["msg"]


def test_a_change_is_checked_as_a_whole():
    changed = settings(on_answer={"kind": "prompt", "file": "x.wav"}).changed({"max_attempts": 5})
    assert (changed.max_attempts, changed.on_answer) == (5, PlayPromptOnAnswer(file="x.wav"))
    with pytest.raises(ValidationError):
        changed.changed({"max_attempts": 0})
    with pytest.raises(ValidationError):
        changed.changed({"colour": "red"})


@given(st.text())
def test_a_caller_id_never_carries_anything_but_digits(text):
    try:
        (kept,) = settings(caller_ids=[text]).caller_ids
    except ValidationError:
        return
    assert kept == text
    assert set(text) <= set("+0123456789")


def test_a_bot_has_a_fallback_that_hangs_up():
    bot = settings(on_answer=BOT).on_answer
    assert (bot.fallback, bot.connect_timeout_seconds, bot.secret) == (HangUp(), 5, None)
    later = settings(on_answer=BOT | {"fallback": {"kind": "retry"}}).on_answer
    assert later.fallback.kind == "retry"


def test_machine_detection_goes_with_prompts_and_bots_and_not_with_fallbacks():
    detection = {"machine": "leave_message", "message": "later.wav"}
    prompt = {"kind": "prompt", "file": "x.wav"}
    bot = {"kind": "bot", "url": "wss://bots.example.com"}
    for wanted in (prompt, bot):
        found = settings(on_answer=wanted | {"machine_detection": detection}).on_answer
        assert found.machine_detection.enabled
        assert (found.machine_detection.fax, found.machine_detection.silence) == (
            "hang_up",
            "hang_up",
        )
    with pytest.raises(ValidationError, match="machine_detection"):
        settings(on_answer=bot | {"fallback": prompt | {"machine_detection": detection}})


@pytest.mark.parametrize(
    "detection",
    [
        {"machine": "leave_message"},
        {"machine": "bot"},
        {"fax": "continue"},
        {"words": 0},
        {"analysis_seconds": 0.5},
        {"beep": 1},
    ],
)
def test_machine_detection_that_cannot_be_is_refused(detection):
    with pytest.raises(ValidationError):
        settings(on_answer={"kind": "prompt", "file": "x.wav", "machine_detection": detection})
