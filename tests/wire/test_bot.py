"""A bot at a real WebSocket leads a call whose media is real."""

import base64
import json
import struct

import numpy as np
import pytest
from tests.wire.bots import settings, sound
from tests.wire.test_bot_frames import CLOSE, TEXT, frame, raw

from dialer.rtp import g711
from dialer.rtp.digits import DigitReader
from dialer.rtp.frames import Frames
from dialer.rtp.packet import COMFORT_NOISE, Packet
from dialer.rtp.telephone_event import TelephoneEvent
from dialer.ua.call import HungUpBy

SILENCE = g711.silence(160, "PCMU")


async def echo(bot, message):
    if message["event"] == "media":
        await bot.send("media", media={"payload": message["media"]["payload"]})


async def test_the_bot_is_told_of_the_call(call, led, bots):
    bot = await bots()
    ending = led(bot, parameters={"name": "Ann"}, headers={"Authorization": "Bearer x"})
    await bot.got("media")
    call.end()
    end = await ending
    await bot.until(lambda: bot.closed)
    first, second, *others, last = bot.messages
    assert first == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    assert second["start"]["customParameters"] == {"name": "Ann"}
    assert (second["start"]["accountSid"], second["start"]["callSid"]) == ("AC1", "CA1")
    assert {one["event"] for one in others} == {"media"}
    assert last["stop"] == {"accountSid": "AC1", "callSid": "CA1"}
    numbers = [int(one["sequenceNumber"]) for one in (second, *others, last)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert bot.headers["Authorization"] == "Bearer x"
    assert end.cause is None
    assert end.record["ended_by"] == "caller"
    assert 0 <= end.record["connect_ms"] < 5000


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
async def test_an_echo_hears_what_the_far_end_says_and_is_heard(call, far_end, led, bots, codec):
    far_end.connect(call, codec)
    bot = await bots(echo)
    ending = led(bot)
    await bot.got("media")
    said = sound(40, codec)
    assert await far_end.stream.play(said)
    as_heard = g711.decode(g711.recode(said.data, codec, "PCMU"), "PCMU")
    await bot.until(lambda: as_heard.tobytes() in g711.decode(bot.heard, "PCMU").tobytes())
    # and back, in the codec of the leg
    back = g711.recode(g711.recode(said.data, codec, "PCMU"), "PCMU", codec)
    pieces = [back[at : at + 160] for at in range(0, len(back), 160)]
    await far_end.until(lambda: pieces[-1] in [one.payload for one in far_end.packets])
    heard = [one.payload for one in far_end.packets]
    places = [heard.index(piece) for piece in pieces]
    assert places == sorted(places)
    call.end()
    record = (await ending).record
    assert record["seconds_to_bot"] >= 0.8
    assert record["seconds_to_caller"] >= 0.8
    assert record["dropped_seconds"] == 0


async def test_a_minute_of_speech_in_one_message_is_played_at_its_pace(call, far_end, led, bots):
    bot = await bots()
    led(bot)
    await bot.got("start")
    said = bytes(range(1, 251)) * 1920  # 60 s
    await bot.say(said)
    await far_end.until(lambda: said[: 25 * 160] in far_end.heard)
    assert call.media.packets_sent < 100


async def test_clear_cuts_speech_within_two_frames_and_gives_the_marks_back(
    call, far_end, led, bots
):
    bot = await bots()
    ending = led(bot)
    await bot.got("start")
    said = sound(200)
    await bot.say(said.data)
    await bot.mark("one")
    await bot.mark("two")
    await far_end.until(lambda: said.data[:800] in far_end.heard)
    await bot.send("clear")
    echoed = await bot.got("mark", 2)
    at_clear = len(far_end.packets)  # no more than these and two frames hold speech
    assert [one["mark"]["name"] for one in echoed] == ["one", "two"]
    await far_end.until(lambda: len(far_end.packets) >= at_clear + 6)
    after = [one.payload for one in far_end.packets[at_clear + 2 :]]
    assert after == [SILENCE] * len(after)
    await bot.say(sound(3, first=300).data)
    await far_end.until(lambda: sound(3, first=300).data in far_end.heard)
    call.end()
    record = (await ending).record
    assert record["barge_ins"] == 1
    assert record["cut_seconds"] > 3


async def test_marks_come_back_in_order_once_their_speech_was_heard(far_end, led, bots):
    bot = await bots()
    led(bot)
    await bot.got("start")
    await bot.mark("before")
    for name in ("a", "b", "c"):
        await bot.say(sound(3).data)
        await bot.mark(name)
    echoed = await bot.got("mark", 4)
    assert [one["mark"]["name"] for one in echoed] == ["before", "a", "b", "c"]
    await far_end.until(lambda: sound(3).data * 3 in far_end.heard)


async def test_a_key_reaches_the_bot_once(call, far_end, led, bots):
    bot = await bots()
    led(bot)
    await bot.got("start")
    for duration, end in ((160, False), (320, False), (480, True), (480, True)):
        far_end.press(call, bytes(TelephoneEvent(5, duration, end)), 4000)
    far_end.press(call, bytes(TelephoneEvent(11, 160)), 8000)
    pressed = await bot.got("dtmf", 2)
    assert [one["dtmf"] for one in pressed] == [
        {"track": "inbound_track", "digit": digit} for digit in ("5", "#")
    ]


async def test_a_bot_presses_keys(far_end, led, bots):
    bot = await bots()
    led(bot)
    await bot.got("start")
    await bot.send("dtmf", dtmf={"digit": "5#"})
    reader = DigitReader()
    await far_end.until(lambda: len({one.timestamp for one in reports(far_end)}) == 2)
    assert [key for key in map(reader.take, reports(far_end)) if key] == ["5", "#"]
    await bot.send("dtmf", dtmf={"digit": "E"})
    await bot.until(lambda: led.latest._bad_messages == 1)


async def test_keys_that_a_bot_presses_before_it_hangs_up_are_sent(far_end, led, bots):
    bot = await bots()
    ending = led(bot)
    await bot.got("start")
    await bot.send("dtmf", dtmf={"digit": "123#"})
    await bot.send("hangup")
    assert (await ending).record["ended_by"] == "bot"
    reader = DigitReader()
    assert [key for key in map(reader.take, reports(far_end)) if key] == ["1", "2", "3", "#"]


@pytest.mark.parametrize("event", [None, 101])
async def test_more_keys_than_can_be_pressed_soon_are_answered_by_an_error(call, led, bots, event):
    bot = await bots()
    call.media.telephone_event = event
    led(bot)
    await bot.got("start")
    for _ in range(20):
        await bot.send("dtmf", dtmf={"digit": "1" * 50})
    errors = await bot.got("error", 18)
    assert errors[0]["error"]["event"] == "dtmf"
    assert errors[0]["error"]["message"].endswith("seconds of keys wait already")
    assert call.media.seconds_of_keys < 30


def reports(far_end):
    return [packet for packet in far_end.packets if packet.payload_type == 101]


async def test_keys_by_info_reach_the_bot_too(call, led, bots):
    bot = await bots()
    led(bot)
    await bot.got("start")
    for listener in call.digit_listeners:
        listener("7")
    (pressed,) = await bot.got("dtmf")
    assert pressed["dtmf"]["digit"] == "7"


@pytest.mark.parametrize(("event", "keys"), [(None, ["5", "#"]), (101, [])])
async def test_keys_are_found_in_the_audio_where_there_are_no_telephone_events(
    call, far_end, led, bots, event, keys
):
    bot = await bots()
    call.media.telephone_event = event
    led(bot)
    await bot.got("start")
    time = np.arange(800) / g711.SAMPLE_RATE
    pause = np.zeros(800)
    tones = [
        np.sin(2 * np.pi * low * time) + np.sin(2 * np.pi * high * time)
        for low, high in ((770, 1336), (941, 1477))
    ]
    audio = np.concatenate((pause, tones[0], pause, tones[1], pause)) * 5000
    await far_end.stream.play(Frames.of(audio.astype(np.int16), "PCMU"))
    await bot.until(lambda: np.frombuffer(bot.heard, np.uint8).size >= len(audio))
    assert [one["dtmf"]["digit"] for one in bot.of("dtmf")] == keys


async def test_a_far_end_that_is_silent_is_heard_as_silence(call, far_end, led, bots):
    bot = await bots()
    ending = led(bot)
    await bot.got("start")
    far_end.stream.close()
    await bot.until(lambda: bot.heard.endswith(SILENCE * 5))
    await bot.got("media", len(bot.of("media")) + 20)
    times = [int(one["media"]["timestamp"]) for one in bot.of("media")]
    assert times == sorted(set(times))
    call.end()
    assert (await ending).record["filled_frames"] >= 5


async def test_comfort_noise_is_heard_as_silence_at_once(call, far_end, led, bots):
    bot = await bots()
    led(bot)
    await bot.got("media")
    began = []

    def note(packet):
        if packet.payload_type == COMFORT_NOISE:
            began.append((call.media.packets_sent, led.latest._heard.filled_frames))

    call.media.listeners.append(note)
    noise = bytes(Packet(COMFORT_NOISE, 1, 0, 5, b"\x40"))
    far_end.stream._socket.sendto(noise, ("127.0.0.1", call.media.local_port))
    far_end.stream.close()
    await bot.until(lambda: began and call.media.packets_sent >= began[0][0] + 30)
    sent, filled = began[0]
    ticks = call.media.packets_sent - sent
    assert led.latest._heard.filled_frames - filled >= ticks - 3


@pytest.mark.parametrize("frames", [1, 10])  # a single one waits for its delay
@pytest.mark.parametrize("how", ["hangup", "close"])
async def test_a_bot_that_ends_the_call_is_heard_to_the_end(call, far_end, led, bots, how, frames):
    bot = await bots()
    ending = led(bot)
    await bot.got("media", 5)
    good_bye = sound(frames)
    await bot.say(good_bye.data)
    if how == "hangup":
        await bot.send("hangup")
    else:
        await bot.socket.close()
    end = await ending
    await far_end.until(lambda: good_bye.data in far_end.heard)
    assert call.result.result().hung_up_by is HungUpBy.US
    assert (end.cause, end.record["ended_by"]) == (None, "bot")
    if how == "hangup":
        assert len(await bot.got("stop")) == 1


@pytest.mark.parametrize("then", ["drops", "closes as broken"])
async def test_a_bot_that_hangs_up_and_is_gone_at_once_is_no_failure(far_end, led, bots, then):
    bot = await bots()
    ending = led(bot)
    await bot.got("media", 5)
    speech = sound(150)
    messages = [
        {"event": "media", "media": {"payload": base64.b64encode(audio).decode()}}
        for audio in (speech.data[at : at + 160] for at in range(0, len(speech.data), 160))
    ]
    raw(bot, *(frame(TEXT, json.dumps(one).encode()) for one in [*messages, {"event": "hangup"}]))
    if then == "drops":
        bot.socket._req.transport.close()
    else:
        raw(bot, frame(CLOSE, struct.pack("!H", 1001)))
    end = await ending
    assert (end.cause, end.record["ended_by"]) == (None, "bot")
    await far_end.until(lambda: speech.data in far_end.heard)


async def test_a_call_that_we_end_is_told_so(call, led, bots):
    bot = await bots()
    ending = led(bot)
    await bot.got("start")
    call.hang_up()
    assert (await ending).record["ended_by"] == "dialer"
    await bot.got("stop")


async def test_results_reach_the_record_also_after_the_call(call, led, bots):
    async def tell_in_the_end(bot, message):
        if message["event"] == "stop":
            await bot.send("result", fields={"mood": "good", "score": 9})

    bot = await bots(tell_in_the_end)
    ending = led(bot, limits=settings(after_call_seconds=60))
    await bot.got("start")
    await bot.send("result", fields={"mood": "bad", "agreed": True})
    await bot.mark("read")
    await bot.got("mark")
    call.end()
    assert (await ending).report_data == {"mood": "good", "agreed": True, "score": 9}


async def test_what_nobody_can_do_is_answered_by_an_error(led, bots):
    bot = await bots()
    led(bot)
    await bot.got("start")
    await bot.send("transfer", to="+15550001000")
    [error] = await bot.got("error")
    assert error["error"] == {"event": "transfer", "message": "there is no transfer here"}


async def test_an_action_is_begun_by_its_event(led, bots):
    asked = []

    def transfer(body):
        asked.append(body["to"])
        return "it is busy" if len(asked) > 1 else None

    bot = await bots()
    led(bot, actions={"transfer": transfer})
    await bot.got("start")
    await bot.send("transfer", to="one")
    await bot.send("transfer", to="two")
    [error] = await bot.got("error")
    assert asked == ["one", "two"]
    assert error["error"]["message"] == "it is busy"


async def test_what_crosses_with_the_end_of_the_call_is_not_begun(call, led, bots):
    asked = []

    async def late(bot, message):
        if message["event"] == "stop":
            await bot.send("transfer", to="one")
            await bot.send("result", fields={"mood": "good"})

    bot = await bots(late)
    ending = led(bot, actions={"transfer": asked.append})
    await bot.got("start")
    call.end()
    assert (await ending).report_data == {"mood": "good"}
    assert asked == []


async def test_what_does_not_fit_is_dropped_and_told(call, led, bots):
    bot = await bots()
    ending = led(bot, limits=settings(buffer_seconds=1.0))
    await bot.got("start")
    await bot.say(b"\x10" * 12_000)
    await bot.mark("read")
    await bot.send("clear")
    await bot.got("mark")
    call.end()
    assert (await ending).record["dropped_seconds"] == 0.5


async def test_a_few_messages_of_nonsense_are_passed_over(call, led, bots):
    bot = await bots()
    ending = led(bot)
    await bot.got("start")
    await bot.socket.send_str("nonsense")
    await bot.socket.send_bytes(b"nonsense")
    await bot.mark("read")
    await bot.got("mark")
    call.end()
    end = await ending
    assert end.cause is None
    assert (end.record["bad_messages"], end.record["first_bad_message"]) == (
        2,
        "not JSON: 'nonsense'",
    )
