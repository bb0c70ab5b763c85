"""Campaigns whose answered calls are led by a bot, and what their records say."""

from __future__ import annotations

import dataclasses

import pytest
from tests.engine.scene import eventually
from tests.wire.bots import Bot, settings

from dialer.config_bots import Bots, BotSecret
from dialer.engine.bot_access import BotAccess

LOOPBACK = Bots(allow_networks=("127.0.0.0/8",))
ACCESS = BotAccess(LOOPBACK, settings=settings(allows=LOOPBACK.allows))
AWAY = "ws://127.0.0.1:9/bot"  # the discard port, where nobody listens


@pytest.fixture
async def bots():
    """`await bots(behave)` starts a bot."""
    started = []

    async def start(*args, **options):
        started.append(await Bot(*args, **options).start())
        return started[-1]

    yield start
    for bot in started:
        await bot.stop()


def led_by(url, fallback=None, **more):
    fallback = fallback or {"kind": "hang_up", "after_seconds": 0}
    return {
        "kind": "bot",
        "url": url,
        "parameters": {},
        "secret": None,
        "fallback": fallback,
    } | more


async def the_attempt(scene, campaign):
    """The one call of a campaign once its attempt is over, and the attempt."""
    (details,) = (await scene.calls(campaign)).values()
    (attempt,) = details.attempts
    return details.call, attempt


async def test_a_bot_leads_the_call_and_its_result_is_in_the_record(scene, bots):
    async def agree(bot, message):
        if message["event"] == "media" and len(bot.of("media")) == 3:
            await bot.send("result", fields={"agreed": True, "name": "Ann\0", "visits": 2})
            await bot.say(b"\x10" * 1600)
            await bot.send("hangup")

    bot = await bots(agree)
    await scene.node(bots=ACCESS)
    campaign = await scene.campaign(["+15552000000"], on_answer=led_by(bot.url))
    await scene.tried(campaign)
    call, attempt = await the_attempt(scene, campaign)
    assert (call.status, attempt.outcome, attempt.detail) == ("answered", "answered", "")
    assert attempt.report_data == {"agreed": True, "name": "Ann\ufffd", "visits": 2}
    assert attempt.conversation["ended_by"] == "bot"
    assert attempt.conversation["seconds_to_caller"] == 0.2
    told = bot.of("start")[0]["start"]
    assert told["callSid"] == "CA" + attempt.id.hex
    assert told["accountSid"] == "AC" + "0" * 31 + "1"
    assert told["customParameters"] == {
        "number": "+15552000000",
        "campaign_id": str(campaign),
        "call_id": str(call.id),
    }
    await scene.wire_agrees()


async def test_a_result_that_comes_once_the_person_has_hung_up_is_kept(scene, bots):
    async def sum_up(bot, message):
        if message["event"] == "stop":
            await bot.send("result", fields={"mood": "good"})

    bot = await bots(sum_up)
    patient = dataclasses.replace(ACCESS.settings, after_call_seconds=60)
    await scene.node(bots=dataclasses.replace(ACCESS, settings=patient))
    campaign = await scene.campaign(["+15552000500"], on_answer=led_by(bot.url))
    await scene.tried(campaign)
    call, attempt = await the_attempt(scene, campaign)
    assert (call.status, attempt.report_data) == ("answered", {"mood": "good"})
    assert attempt.conversation["ended_by"] == "caller"
    assert attempt.legs[0].evidence.hung_up_by == "them"
    await scene.wire_agrees()


async def test_a_bot_that_is_away_is_a_failure_with_its_reason(scene):
    node = await scene.node(bots=ACCESS)
    campaign = await scene.campaign(["+15552000000"], max_attempts=3, on_answer=led_by(AWAY))
    await scene.tried(campaign)
    call, attempt = await the_attempt(scene, campaign)
    assert (call.status, attempt.outcome, attempt.rule) == (
        "technical_error",
        "bot_failure",
        "bot-failed",
    )
    assert attempt.detail == ("the bot failed: no connection to 127.0.0.1:9: Connection refused")
    assert attempt.conversation["ended_by"] == "failure"
    assert attempt.legs[0].evidence.answered
    assert attempt.counted
    assert len(node.engine.live) == 0
    await scene.wire_agrees()


async def test_a_fallback_of_retry_calls_again_while_attempts_are_left(scene):
    await scene.node(bots=ACCESS)
    campaign = await scene.campaign(
        ["+15552000000"],
        max_attempts=2,
        retry_by_outcome={"bot_failure": 1},
        on_answer=led_by(AWAY, {"kind": "retry"}),
    )

    async def over():
        return await scene.statuses(campaign) == {"technical_error": 1}

    await eventually(over)
    assert await scene.outcomes(campaign) == {"bot_failure": 2}
    await scene.wire_agrees()


async def test_a_fallback_prompt_is_heard(scene):
    await scene.node(bots=ACCESS)
    fallback = {"kind": "prompt", "file": "hello.wav"}
    campaign = await scene.campaign(["+15552000000"], on_answer=led_by(AWAY, fallback))
    await scene.tried(campaign)
    _, attempt = await the_attempt(scene, campaign)
    assert attempt.outcome == "bot_failure"
    assert attempt.legs[0].evidence.rtp_packets_sent >= 112  # the chime has 2.25 s
    await scene.wire_agrees()


async def test_a_fallback_prompt_that_is_missing_is_told_too(scene):
    await scene.node(bots=ACCESS)
    fallback = {"kind": "prompt", "file": "missing.wav"}
    campaign = await scene.campaign(["+15552000000"], on_answer=led_by(AWAY, fallback))
    await scene.tried(campaign)
    _, attempt = await the_attempt(scene, campaign)
    assert attempt.detail.endswith("; and its fallback: no prompt 'missing.wav' in no-prompts-here")


async def test_without_leave_no_bot_may_be_on_the_own_network(scene, bots):
    bot = await bots()
    await scene.node()
    campaign = await scene.campaign(["+15552000000"], on_answer=led_by(bot.url))
    await scene.tried(campaign)
    _, attempt = await the_attempt(scene, campaign)
    assert "127.0.0.1 is not in bots.allow_networks" in attempt.detail
    assert bot.socket is None


async def test_a_secret_goes_to_the_bots_that_it_is_for_and_to_no_other(scene, bots):
    async def leave(bot, message):
        if message["event"] == "start":
            await bot.send("hangup")

    ours, other = await bots(leave), await bots(leave)
    secret = BotSecret(name="sales", url=ours.url, value_env="UNUSED")
    access = dataclasses.replace(
        ACCESS,
        bots=Bots(allow_networks=("127.0.0.0/8",), secrets=(secret,)),
        headers={"sales": "Bearer key"},
    )
    await scene.node(bots=access)
    first = await scene.campaign(["+15552000000"], on_answer=led_by(ours.url, secret="sales"))
    await scene.tried(first)
    second = await scene.campaign(["+15552000001"], on_answer=led_by(other.url, secret="sales"))
    await scene.tried(second)
    assert (await the_attempt(scene, first))[1].outcome == "answered"
    assert ours.headers["Authorization"] == "Bearer key"
    _, refused = await the_attempt(scene, second)
    assert (refused.outcome, refused.detail) == (
        "bot_failure",
        "the bot failed: no 'sales' in bots.secrets of the configuration covers it",
    )
    assert other.socket is None


async def test_a_node_that_stops_hangs_up_on_its_bots(scene, bots):
    bot = await bots()
    node = await scene.node(bots=ACCESS)
    campaign = await scene.campaign(["+15552000000"], on_answer=led_by(bot.url))
    await bot.got("media")
    await node.stop()
    await bot.until(lambda: bot.closed)
    call, attempt = await the_attempt(scene, campaign)
    assert (call.status, attempt.conversation["ended_by"]) == ("answered", "dialer")
    await scene.wire_agrees()
