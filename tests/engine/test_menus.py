"""Campaigns whose answered calls are led by a menu, and what becomes of the keys."""

from __future__ import annotations

import sys

import pytest
from tests.engine.scene import eventually

from dialer.campaign.moves import CampaignAction
from dialer.conversation.speech import SpeechSettings
from dialer.store import do_not_call
from dialer.store.records import DEFAULT_ACCOUNT, NewCall

SPEAK = r"""
import sys, wave
with open(sys.argv[2], "ab") as log:
    log.write(sys.stdin.buffer.read() + b"\n")
with wave.open(sys.argv[1], "wb") as sound:
    sound.setnchannels(1); sound.setsampwidth(2); sound.setframerate(8000)
    sound.writeframes(b"\x10\x20" * 1600)
"""

HELLO = {"file": "hello.wav"}
ROOM = "+1555750"  # the digits behind are the keys that are pressed there


def menu(name, branches, **more):
    return {"name": name, "prompt": HELLO, "branches": branches, **more}


def gather(branches, **more):
    return {"kind": "gather", **menu("main", branches, **more)}


async def the_attempt(scene, campaign):
    """The one call of a campaign once its attempt is over, and the attempt."""
    (details,) = (await scene.calls(campaign)).values()
    (attempt,) = details.attempts
    return details.call, attempt


async def events_of(scene, campaign):
    rows = await scene.pool.fetch(
        "SELECT kind FROM events WHERE campaign_id = $1 AND call_id IS NOT NULL ORDER BY id",
        campaign,
    )
    return [row["kind"] for row in rows]


async def test_keys_lead_through_menus_and_their_results_are_in_the_record(scene):
    await scene.node()
    size = menu("size", {"ZXX": {"set": {"sized": True}}}, digits=3)
    wanted = gather({"1": {"set": {"interest": "yes"}, "menu": size}, "2": {}})
    campaign = await scene.campaign([ROOM + "1407"], on_answer=wanted)
    await scene.tried(campaign)
    call, attempt = await the_attempt(scene, campaign)
    assert (call.status, attempt.outcome, attempt.detail) == ("answered", "answered", "")
    assert attempt.report_data == {"main": "1", "interest": "yes", "size": "407", "sized": True}
    assert attempt.conversation == {
        "kind": "gather",
        "steps": [
            {"menu": "main", "entry": "taken", "keys": "1", "branch": "1"},
            {"menu": "size", "entry": "taken", "keys": "407", "branch": "ZXX"},
        ],
        "keys_by": "telephone-event",
        "opted_out": False,
        "ended_by": "menu",
    }
    assert attempt.legs[0].evidence.hung_up_by == "us"
    await scene.wire_agrees()


async def test_who_opts_out_is_on_the_list_and_is_not_called_again(scene):
    await scene.node()
    wanted = gather({"9": {"opt_out": True, "prompt": HELLO}})
    number = ROOM + "9999"
    campaign = await scene.campaign([number], on_answer=wanted)
    await scene.tried(campaign)
    call, attempt = await the_attempt(scene, campaign)
    assert (call.status, attempt.outcome) == ("answered", "answered")
    assert attempt.conversation["opted_out"]
    assert attempt.legs[0].evidence.rtp_packets_sent >= 112  # the prompt after it was heard
    (listing,) = await do_not_call.listing(scene.pool, DEFAULT_ACCOUNT, number)
    assert (listing.account_id, listing.pattern, listing.source, listing.reason) == (
        DEFAULT_ACCOUNT,
        number,
        "callee",
        "the callee opted out in a call",
    )
    told = await events_of(scene, campaign)
    assert sorted(told) == ["call.answered", "call.in_progress", "call.opted_out"]
    again = await scene.campaign([number], on_answer=wanted)
    await scene.tried(again)
    call, attempt = await the_attempt(scene, again)
    assert (call.status, attempt.legs) == ("not_dialed", ())
    await scene.wire_agrees()


async def test_an_opt_out_is_on_the_list_while_the_call_goes_on(scene):
    await scene.node()
    more = menu("more", {"#": {}}, first_key_seconds=60)
    number = ROOM + "9000"
    wanted = gather({"9": {"opt_out": True, "menu": more}})
    campaign = await scene.campaign([number], on_answer=wanted)

    async def listed():
        return await do_not_call.listing(scene.pool, DEFAULT_ACCOUNT, number)

    (listing,) = await eventually(listed)
    assert await scene.phases(campaign) == {"talking": 1}
    await scene.act(campaign, CampaignAction.FINISH, hang_up=True)
    await scene.tried(campaign)
    assert await listed() == [listing]
    _, attempt = await the_attempt(scene, campaign)
    assert attempt.conversation["opted_out"]
    assert (await events_of(scene, campaign)).count("call.opted_out") == 1


async def test_who_presses_nothing_gets_what_the_menu_says_of_it(scene):
    await scene.node()
    wanted = gather(
        {"1": {}}, retries=0, first_key_seconds=0.5, otherwise={"set": {"reached": False}}
    )
    campaign = await scene.campaign(["+15552000000"], on_answer=wanted)
    await scene.tried(campaign)
    call, attempt = await the_attempt(scene, campaign)
    assert (call.status, attempt.report_data) == ("answered", {"main": None, "reached": False})
    assert attempt.conversation["steps"] == [
        {"menu": "main", "entry": "no_key", "keys": "", "branch": None}
    ]


async def test_what_was_keyed_in_before_the_person_hung_up_is_kept(scene):
    await scene.node()
    campaign = await scene.campaign(["+15552000100"], on_answer=gather({"1": {}}))
    await scene.tried(campaign)
    call, attempt = await the_attempt(scene, campaign)
    assert (call.status, attempt.report_data) == ("answered", {"main": None})
    assert attempt.conversation["ended_by"] == "caller"


async def test_a_prompt_that_is_gone_ends_the_call_with_the_reason_and_an_opt_out_stands(scene):
    await scene.node()
    gone = {"file": "gone.wav"}
    number = ROOM + "9000"
    wanted = gather({"9": {"opt_out": True, "prompt": gone}, "1": {"prompt": gone}})
    campaign = await scene.campaign([number, ROOM + "1000"], on_answer=wanted)
    await scene.tried(campaign)
    found = await scene.calls(campaign)
    (opted_out,), (failed,) = (found[one].attempts for one in (number, ROOM + "1000"))
    assert (opted_out.outcome, failed.outcome) == ("answered", "bot_failure")
    assert opted_out.detail == failed.detail == "no prompt 'gone.wav' in no-prompts-here"
    assert failed.report_data == {"main": "1"}
    assert await do_not_call.listing(scene.pool, DEFAULT_ACCOUNT, number)
    assert not await do_not_call.listing(scene.pool, DEFAULT_ACCOUNT, ROOM + "1000")


@pytest.fixture
def speech(tmp_path):
    """A speech command that writes a real file, and its log of texts."""
    program, log = tmp_path / "speak.py", tmp_path / "log"
    program.write_text(SPEAK)
    command = (sys.executable, str(program), "{output}", str(log))
    return SpeechSettings(command, tmp_path / "speech"), log


async def test_prompts_and_menus_say_what_the_list_knows_of_a_person(scene, speech):
    settings, log = speech
    await scene.node(speech=settings)
    listed = [NewCall(ROOM + "1000", payload={"name": "Ann"}), ROOM + "1001"]
    asked = {"say": "Hello {name|there}, press 1."}
    wanted = gather({"1": {"prompt": {"say": "Thank you."}}}) | {"prompt": asked}
    menus = await scene.campaign(listed, on_answer=wanted)
    prompts = await scene.campaign(
        ["+15552000000"], on_answer={"kind": "prompt", "say": "Good day {name|to you}."}
    )
    await scene.tried(menus)
    await scene.tried(prompts)
    for campaign in (menus, prompts):
        for details in (await scene.calls(campaign)).values():
            (attempt,) = details.attempts
            assert (attempt.outcome, attempt.detail) == ("answered", "")
            assert attempt.legs[0].evidence.rtp_packets_sent >= 10  # 0.2 s of sound
    assert sorted(log.read_text().splitlines()) == [
        "Good day to you.",
        "Hello Ann, press 1.",
        "Hello there, press 1.",
        "Thank you.",
    ]


async def test_what_cannot_be_said_is_told_in_the_attempt(scene):
    await scene.node()
    wanted = {"kind": "prompt", "say": "Hello"}
    campaign = await scene.campaign(["+15552000000"], on_answer=wanted)
    await scene.tried(campaign)
    _, attempt = await the_attempt(scene, campaign)
    assert attempt.outcome == "bot_failure"
    assert attempt.detail.startswith("there is no speech.command in the configuration")
    await scene.wire_agrees()
