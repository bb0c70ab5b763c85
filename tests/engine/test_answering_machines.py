"""Campaigns that ask who answered, with far ends that sound like people, machines and faxes."""

from __future__ import annotations

import numpy as np
import pytest
from tests.engine.scene import eventually
from tests.engine.test_bots import ACCESS, AWAY, led_by, the_attempt
from tests.wire.bots import Bot

from dialer.campaign.machine_detection import MachineDetection
from dialer.engine.answerers import answer_settings
from dialer.rtp import g711
from dialer.rtp.answering_machine import AnswerSettings

PERSON, MACHINE, FAX, NOBODY = "+15557400000", "+15557401000", "+15557402000", "+15557409000"
QUICK = {"initial_silence_seconds": 1.0}


def asking(**wanted):
    return MachineDetection(**(QUICK | wanted)).model_dump()


def prompt(**wanted):
    return {"kind": "prompt", "file": "hello.wav", "machine_detection": asking(**wanted)}


async def tried(scene, number, **settings):
    await scene.node()
    campaign = await scene.campaign([number], **settings)
    await scene.tried(campaign)
    return await the_attempt(scene, campaign)


async def test_a_person_hears_the_prompt(scene):
    call, attempt = await tried(scene, PERSON, on_answer=prompt())
    found = attempt.conversation["machine_detection"]
    assert (call.status, attempt.outcome, found["result"]) == ("answered", "answered", "human")
    assert 0.5 < found["confidence"] <= 1
    assert 1.0 < found["seconds"] < 2.5  # the hello is over after 0.8
    await scene.wire_agrees()


@pytest.mark.parametrize(
    ("number", "outcome", "result"),
    [(MACHINE, "machine", "machine"), (FAX, "fax", "fax"), (NOBODY, "silent", "silence")],
)
async def test_nobody_to_speak_to_is_hung_up_on(scene, number, outcome, result):
    call, attempt = await tried(scene, number, on_answer=prompt())
    assert (call.status, attempt.outcome) == ("completed_without_answer", outcome)
    assert attempt.conversation["machine_detection"]["result"] == result
    assert attempt.detail.startswith(f"answered by {result}: ")
    assert attempt.counted
    await scene.wire_agrees()


async def test_a_message_is_left_after_the_beep(scene):
    wanted = prompt(machine="leave_message", message="hello.wav")
    call, attempt = await tried(scene, MACHINE, on_answer=wanted)
    found = attempt.conversation["machine_detection"]
    assert (call.status, attempt.outcome, attempt.rule) == ("answered", "machine", "message-left")
    assert found["message_left"] is True
    assert found["beep_seconds"] == pytest.approx(0.3 + 9 * 0.16 + 0.3 + 9 * 0.16 + 0.9, abs=0.4)
    assert attempt.legs[0].evidence.talk_seconds > found["beep_seconds"] + 2  # the prompt's length
    await scene.wire_agrees()


async def test_a_machine_is_called_again_where_the_campaign_says_so(scene):
    await scene.node()
    campaign = await scene.campaign(
        [MACHINE],
        max_attempts=2,
        retry_by_outcome={"machine": 1},
        on_answer=prompt(machine="retry"),
    )
    await eventually(lambda: both(scene, campaign))
    assert await scene.outcomes(campaign) == {"machine": 2}
    await scene.wire_agrees()


async def both(scene, campaign):
    return (await scene.outcomes(campaign)).get("machine") == 2


async def test_a_machine_hears_the_prompt_where_the_campaign_goes_on(scene):
    call, attempt = await tried(scene, MACHINE, on_answer=prompt(machine="continue"))
    assert (call.status, attempt.outcome) == ("answered", "answered")
    assert attempt.conversation["machine_detection"]["result"] == "machine"


async def test_a_bot_hears_what_was_said_while_it_was_not_there(scene):
    async def leave(bot, message):
        if message["event"] == "media" and len(bot.of("media")) > 80:
            await bot.send("hangup")

    bot = await Bot(leave).start()
    try:
        await scene.node(bots=ACCESS)
        wanted = led_by(bot.url, machine_detection=asking())
        campaign = await scene.campaign([PERSON], on_answer=wanted)
        await scene.tried(campaign)
        call, attempt = await the_attempt(scene, campaign)
        assert (call.status, attempt.conversation["ended_by"]) == ("answered", "bot")
        assert attempt.conversation["machine_detection"]["result"] == "human"
        heard = g711.decode(bot.heard, "PCMU").astype(float)
        hello = heard[: round(0.9 * g711.SAMPLE_RATE)]
        assert np.abs(hello).max() > 1000  # the hello, said before the bot was there
        assert [one["media"]["timestamp"] for one in bot.of("media")][:3] == ["0", "20", "40"]
    finally:
        await bot.stop()


async def test_a_bot_that_is_away_is_a_failure_and_who_answered_is_known(scene):
    await scene.node(bots=ACCESS)
    fallback = {"kind": "prompt", "file": "hello.wav"}
    wanted = led_by(AWAY, fallback, machine_detection=asking())
    campaign = await scene.campaign([PERSON], on_answer=wanted)
    await scene.tried(campaign)
    _, attempt = await the_attempt(scene, campaign)
    assert (attempt.outcome, attempt.rule) == ("bot_failure", "bot-failed")
    assert attempt.conversation["machine_detection"]["result"] == "human"
    assert attempt.legs[0].evidence.talk_seconds > 2  # the fallback's prompt was heard


async def test_a_message_that_is_not_there_ends_the_call(scene):
    wanted = prompt(machine="leave_message", message="gone.wav")
    call, attempt = await tried(scene, MACHINE, on_answer=wanted)
    assert (call.status, attempt.outcome) == ("technical_error", "bot_failure")
    assert "no prompt 'gone.wav'" in attempt.detail
    await scene.wire_agrees()


async def test_detection_that_is_not_enabled_asks_nothing(scene):
    call, attempt = await tried(scene, FAX, on_answer=prompt(enabled=False))
    assert (call.status, attempt.outcome, attempt.conversation) == ("answered", "answered", {})


def test_every_setting_of_a_campaign_reaches_the_detector():
    wanted = MachineDetection(
        initial_silence_seconds=1.5,
        greeting_seconds=2.5,
        words=7,
        silence_after_greeting_seconds=0.5,
        analysis_seconds=8,
        silence_for_message_seconds=4,
    )
    assert answer_settings(wanted.model_dump()) == AnswerSettings(
        initial_silence=1.5,
        human_greeting=2.5,
        human_words=7,
        after_greeting=0.5,
        analysis=8,
        after_machine=4,
    )
    assert answer_settings(MachineDetection().model_dump()) == AnswerSettings()
