"""The grammar of Twilio Media Streams; the messages are the shapes of Twilio's reference."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.conversation import media_streams
from dialer.conversation.media_streams import (
    BotMessageError,
    Clear,
    HangUp,
    Mark,
    Media,
    Press,
    Request,
    Result,
    StreamWriter,
    merged,
    parse,
)

SID = "MZ" + "0" * 32
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
EVENTS = st.sampled_from(
    ["media", "mark", "clear", "dtmf", "hangup", "result", "transfer", "stop", ""]
)


def read(**message):
    return parse(json.dumps(message).encode(), SID)


def complaint(text):
    """What is said against a message, "" where it is one."""
    try:
        parse(text.encode(), SID)
    except BotMessageError as error:
        return str(error)
    return ""


@pytest.fixture
def writer():
    return StreamWriter(stream_sid=SID, account_sid="AC1", call_sid="CA2")


@pytest.mark.parametrize("length", [0, 1, 160, 161, 480_000])
def test_media_holds_speech_of_any_length(length):
    audio = bytes(n % 256 for n in range(length))
    payload = base64.b64encode(audio).decode()
    assert read(event="media", streamSid=SID, media={"payload": payload}) == Media(audio)


def test_speech_may_come_in_any_form_of_json():
    told = (
        ' { "media" : {"track": "x", "payload": "\\u0041AAA"}, "n": [1e3, null], "event":"media"} '
    )
    assert parse(told.encode(), SID) == Media(b"\0\0\0")


@pytest.mark.parametrize("data", [b"\xff", b'{"event": "clear", "n": "\xff"}'])
def test_what_is_not_utf_8_is_told(data):
    with pytest.raises(BotMessageError, match="not UTF-8: b'"):
        parse(data, SID)


@pytest.mark.parametrize("data", [b"", b"\x00", b'{"event":"media","media":'])
def test_what_is_cut_off_is_told(data):
    with pytest.raises(BotMessageError, match="not JSON: "):
        parse(data, SID)


def test_the_other_events_of_the_protocol():
    assert read(event="mark", streamSid=SID, mark={"name": "one"}) == Mark("one")
    assert read(event="clear", streamSid=SID) == Clear()


def test_the_stream_may_be_left_out():
    assert read(event="clear") == Clear()


def test_the_events_of_our_own():
    assert read(event="hangup") == HangUp()
    assert read(event="dtmf", dtmf={"digit": "5#A"}) == Press("5#A")
    fields = {"sure": True, "age": 41, "mood": "good", "rest": None, "score": 0.5}
    assert read(event="result", fields=fields) == Result(fields)
    asked = {"event": "transfer", "to": "+15550001000"}
    assert read(**asked) == Request("transfer", asked)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON: ''"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"event": "clear", "n": 1' + "0" * 5000 + "}", "not JSON"),
        ("[1]", "not a JSON object"),
        ("{}", "without an event"),
        ('{"event": 7}', "without an event"),
        ('{"event": ""}', "without an event"),
        ('{"event": "media"}', "media without an object 'media'"),
        ('{"event": "media", "media": []}', "media without an object 'media'"),
        ('{"event": "media", "media": {}}', "media without a payload"),
        ('{"event": "media", "media": {"payload": "?"}}', "media whose payload is not base64"),
        ('{"event": "media", "media": {"payload": "ÿÿÿÿ"}}', "media whose payload is not base64"),
        ('{"event": "media", "media": {"payload": "AAA"}}', "media whose payload is not base64"),
        ('{"event": "mark", "mark": {}}', "mark without a name"),
        ('{"event": "mark", "mark": {"name": 7}}', "mark without a name"),
        ('{"event": "clear", "streamSid": "MZ1"}', "'clear' for another stream than MZ0"),
        (
            '{"event": "media", "streamSid": "MZ1", "media": {"payload": "AAAA"}}',
            "'media' for another stream than MZ0",
        ),
        (
            '{"event": "media", "streamSid": null, "media": {"payload": "AAAA"}}',
            "'media' for another stream than MZ0",
        ),
        ('{"event": "result"}', "result without an object 'fields'"),
        ('{"event": "result", "fields": {"": 1}}', "field name not of 1 to 100 characters"),
        ('{"event": "result", "fields": {"a": [1]}}', "field 'a' is no text, number or truth"),
        ('{"event": "result", "fields": {"a": NaN}}', "NaN, which is no JSON number"),
        ('{"event": "result", "fields": {"a": 1e999}}', "field 'a' is no text, number or truth"),
        (
            json.dumps({"event": "result", "fields": {str(n): n for n in range(101)}}),
            "a result of 101 fields and ",
        ),
        (
            json.dumps({"event": "result", "fields": {"a": "x" * 17_000}}),
            "a result of 1 fields and 17",
        ),
    ],
)
def test_what_is_none_of_the_protocol_is_told_in_one_line(text, reason):
    with pytest.raises(BotMessageError) as caught:
        parse(text.encode(), SID)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@given(text=st.text() | JSON.map(json.dumps))
def test_no_text_raises_anything_else(text):
    assert complaint(text).isprintable()


@given(
    event=EVENTS,
    more=st.dictionaries(
        st.sampled_from(["media", "mark", "fields", "streamSid"]),
        JSON | st.dictionaries(st.sampled_from(["payload", "name"]), JSON),
    ),
)
def test_no_message_with_an_event_raises_anything_else(event, more):
    assert complaint(json.dumps({"event": event, **more})).isprintable()


def test_results_are_put_together_within_the_same_bounds():
    assert merged({"a": 1, "b": 2}, {"b": 3}) == {"a": 1, "b": 3}
    with pytest.raises(BotMessageError, match="101 fields"):
        merged({str(n): n for n in range(100)}, {"one": 1})


def test_the_beginning_of_a_stream(writer):
    assert json.loads(writer.connected()) == {
        "event": "connected",
        "protocol": "Call",
        "version": "1.0.0",
    }
    assert json.loads(writer.start({"name": "Ann"})) == {
        "event": "start",
        "sequenceNumber": "1",
        "streamSid": SID,
        "start": {
            "streamSid": SID,
            "accountSid": "AC1",
            "callSid": "CA2",
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {"name": "Ann"},
        },
    }


def test_what_passes_in_a_stream_is_numbered_in_order(writer):
    writer.start({})
    assert json.loads(writer.media(b"\xff" * 160, 0)) == {
        "event": "media",
        "sequenceNumber": "2",
        "streamSid": SID,
        "media": {
            "track": "inbound",
            "chunk": "1",
            "timestamp": "0",
            "payload": base64.b64encode(b"\xff" * 160).decode(),
        },
    }
    assert json.loads(writer.dtmf("#")) == {
        "event": "dtmf",
        "sequenceNumber": "3",
        "streamSid": SID,
        "dtmf": {"track": "inbound_track", "digit": "#"},
    }
    second = json.loads(writer.media(b"ab", 20))
    assert (second["media"]["chunk"], second["sequenceNumber"]) == ("2", "4")
    assert json.loads(writer.mark("a\u2028")) == {
        "event": "mark",
        "sequenceNumber": "5",
        "streamSid": SID,
        "mark": {"name": "a\u2028"},
    }
    assert json.loads(writer.error("transfer", "no"))["error"] == {
        "event": "transfer",
        "message": "no",
    }
    assert json.loads(writer.stop()) == {
        "event": "stop",
        "sequenceNumber": "7",
        "streamSid": SID,
        "stop": {"accountSid": "AC1", "callSid": "CA2"},
    }


@given(audio=st.binary(min_size=1, max_size=400), milliseconds=st.integers(0, 10**9))
def test_what_was_heard_is_read_back_as_it_was(audio, milliseconds):
    writer = StreamWriter(stream_sid=SID, account_sid="AC1", call_sid="CA2")
    text = writer.media(audio, milliseconds)
    assert media_streams.parse(text.encode(), SID) == Media(audio)
    assert json.loads(text)["media"]["timestamp"] == str(milliseconds)
