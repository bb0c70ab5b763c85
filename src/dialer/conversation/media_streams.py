"""The messages of Twilio Media Streams, both ways: pure text in and out.

The grammar is that of a bidirectional stream (`<Connect><Stream>`) as Twilio documents it under
"Media Streams - WebSocket Messages". Ours besides: from the bot `dtmf`, `hangup`, `transfer` and
`result`, to the bot `error`.
"""

from __future__ import annotations

import binascii
import dataclasses
import json
import math
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import msgspec

from dialer.rtp.telephone_event import DIGITS

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_FIELDS = 100  # of one call's result
LONGEST_FIELD_NAME = 100  # characters
MOST_RESULT_BYTES = 16 * 1024  # of a call's result as JSON
LONGEST_MARK = 1000  # characters
MOST_KEYS = 50  # pressed by one message
LONGEST_EVENT = 50  # characters of an event's name

Field: TypeAlias = "str | int | float | bool | None"


class BotMessageError(ValueError):
    """A message that is none of the protocol; the text is one line."""


class Media(msgspec.Struct, frozen=True):
    """Speech to play: µ-law octets at 8 kHz, of any length."""

    audio: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Mark:
    """A place in the speech; it is echoed when all before it has been played."""

    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class Clear:
    """Drop what is queued (the person has begun to speak)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Press:
    """Press keys of the telephone, one after another."""

    keys: str


@dataclasses.dataclass(frozen=True, slots=True)
class HangUp:
    """End the call, once what is queued has been played."""


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """What the bot found out, by field; it goes into the record of the attempt."""

    fields: Mapping[str, Field]


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """Anything else that the bot asks for by the name of an event, such as `transfer`."""

    event: str
    body: Mapping[str, Any]


BotMessage: TypeAlias = Media | Mark | Clear | Press | HangUp | Result | Request


class _Payload(msgspec.Struct):
    payload: bytes


class _MediaMessage(msgspec.Struct, tag_field="event", tag="media"):
    media: _Payload
    streamSid: str | msgspec.UnsetType = msgspec.UNSET  # noqa: N815 - the protocol's


_MEDIA_MESSAGE = msgspec.json.Decoder(_MediaMessage)


def parse(data: bytes, stream_sid: str) -> BotMessage:
    """Read a message of the bot on the stream `stream_sid`; raises `BotMessageError`.

    Speech, of which there are fifty messages a second for each call, is read and decoded in one
    step; what is no flawless speech is read again, to say what it is.
    """
    try:
        speech = _MEDIA_MESSAGE.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass
    else:
        if speech.streamSid is msgspec.UNSET or speech.streamSid == stream_sid:
            return Media(speech.media.payload)
    event, message = _event(_text(data), stream_sid)
    match event:
        case "media":
            return Media(_audio(_part(message, "media").get("payload")))
        case "mark":
            return Mark(_mark(_part(message, "mark").get("name")))
        case "clear":
            return Clear()
        case "dtmf":
            return Press(_keys(_part(message, "dtmf").get("digit")))
        case "hangup":
            return HangUp()
        case "result":
            return Result(_fields(message.get("fields")))
    return Request(event, message)


def _text(data: bytes) -> str:
    try:
        return str(data, "utf-8")
    except ValueError:
        raise BotMessageError(f"not UTF-8: {data[:80]!r}") from None


def _event(text: str, stream_sid: str) -> tuple[str, dict[str, Any]]:
    """Return the name of a message's event, and the message."""
    try:
        message = _JSON.decode(text)
    except BotMessageError:
        raise
    except (ValueError, RecursionError):
        raise BotMessageError(f"not JSON: {_shown(text)}") from None
    if not isinstance(message, dict):
        raise BotMessageError(f"not a JSON object: {_shown(text)}")
    event = message.get("event")
    if not isinstance(event, str) or not 0 < len(event) <= LONGEST_EVENT:
        raise BotMessageError(f"without an event: {_shown(text)}")
    if message.get("streamSid", stream_sid) != stream_sid:
        raise BotMessageError(f"{_shown(event)} for another stream than {stream_sid}")
    return event, message


def _no_number(constant: str) -> NoReturn:
    raise BotMessageError(f"{constant}, which is no JSON number")


_JSON = json.JSONDecoder(parse_constant=_no_number)  # made once: making it takes longer than using


def merged(known: Mapping[str, Field], more: Mapping[str, Field]) -> dict[str, Field]:
    """Return the fields of a result and of one that came later; raises `BotMessageError`."""
    both = {**known, **more}
    size = len(json.dumps(both, ensure_ascii=False).encode("utf-8", "replace"))
    if len(both) > MOST_FIELDS or size > MOST_RESULT_BYTES:
        raise BotMessageError(
            f"a result of {len(both)} fields and {size} bytes:"
            f" there may be {MOST_FIELDS} fields and {MOST_RESULT_BYTES} bytes"
        )
    return both


def _part(message: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = message.get(name)
    if not isinstance(part, dict):
        raise BotMessageError(f"{name} without an object {name!r}")
    return part


def _audio(payload: object) -> bytes:
    if not isinstance(payload, str):
        raise BotMessageError("media without a payload")
    try:
        return binascii.a2b_base64(payload.encode("ascii"), strict_mode=True) if payload else b""
    except (ValueError, binascii.Error):
        raise BotMessageError(f"media whose payload is not base64: {_shown(payload)}") from None


def _mark(name: object) -> str:
    if not isinstance(name, str) or len(name) > LONGEST_MARK:
        raise BotMessageError(f"mark without a name of at most {LONGEST_MARK} characters")
    return name


def _keys(keys: object) -> str:
    if not isinstance(keys, str) or not 0 < len(keys) <= MOST_KEYS or set(keys) - set(DIGITS):
        raise BotMessageError(f"dtmf without a digit: 1 to {MOST_KEYS} of {DIGITS}")
    return keys


def _fields(fields: object) -> dict[str, Field]:
    if not isinstance(fields, dict):
        raise BotMessageError("result without an object 'fields'")
    for name, value in fields.items():
        if not 0 < len(name) <= LONGEST_FIELD_NAME:
            raise BotMessageError(
                f"result with a field name not of 1 to {LONGEST_FIELD_NAME} characters"
            )
        if isinstance(value, dict | list) or (
            isinstance(value, float) and not math.isfinite(value)
        ):
            raise BotMessageError(f"result whose field {_shown(name)} is no text, number or truth")
    return merged({}, fields)


def _shown(text: str) -> str:
    """Return the beginning of a text, on one line."""
    return repr(text[:80])


class StreamWriter:
    """Writes our messages on one stream, numbered in order.

    The identifiers look like Twilio's: 34 characters, beginning with AC, CA and MZ.
    """

    __slots__ = (
        "_chunk",
        "_ids",
        "_sequence",
        "_tail",
        "stream_sid",
    )

    def __init__(self, *, stream_sid: str, account_sid: str, call_sid: str) -> None:
        self.stream_sid = stream_sid
        self._ids = {"accountSid": account_sid, "callSid": call_sid}
        self._tail = f'}},"streamSid":{json.dumps(stream_sid)}}}'
        self._sequence = 0
        self._chunk = 0

    def connected(self) -> str:
        """Return the first message, which names the protocol."""
        return json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"})

    def start(self, parameters: Mapping[str, str]) -> str:
        """Return the message that describes the stream."""
        return self._message(
            "start",
            "start",
            {
                **self._ids,
                "streamSid": self.stream_sid,
                "tracks": ["inbound"],
                "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                "customParameters": dict(parameters),
            },
        )

    def media(self, audio: bytes, milliseconds: int) -> str:
        """Return what was heard, µ-law; `milliseconds` since the beginning of the stream.

        Written by hand: there are fifty a second for each call.
        """
        self._sequence += 1
        self._chunk += 1
        payload = binascii.b2a_base64(audio, newline=False).decode("ascii")
        return (
            f'{{"event":"media","sequenceNumber":"{self._sequence}","media":{{"track":"inbound",'
            f'"chunk":"{self._chunk}","timestamp":"{milliseconds}","payload":"{payload}"{self._tail}'
        )

    def dtmf(self, digit: str) -> str:
        """Return that a key was pressed."""
        return self._message("dtmf", "dtmf", {"track": "inbound_track", "digit": digit})

    def mark(self, name: str) -> str:
        """Return that all before a mark was played, or dropped."""
        return self._message("mark", "mark", {"name": name})

    def stop(self) -> str:
        """Return that the stream is over."""
        return self._message("stop", "stop", self._ids)

    def transfer(self, facts: Mapping[str, Any]) -> str:
        """Return how a transfer goes."""
        return self._message("transfer", "transfer", facts)

    def error(self, event: str, sentence: str) -> str:
        """Return why an event of the bot came to nothing."""
        return self._message("error", "error", {"event": event, "message": sentence})

    def _message(self, event: str, key: str, body: Mapping[str, Any]) -> str:
        self._sequence += 1
        return json.dumps(
            {
                "event": event,
                "sequenceNumber": str(self._sequence),
                key: body,
                "streamSid": self.stream_sid,
            }
        )
