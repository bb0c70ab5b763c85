"""The whole dialplan of the lab dialled as one campaign: the service, its API, SIP and Postgres."""

from __future__ import annotations

import asyncio
import re
from collections import Counter

import pytest

from dialer import config
from dialer.campaign.status import CallStatus
from dialer.client import Client
from dialer.service import Service

from . import sound
from .dialplan import DIALPLAN, Expected

TELEPHONE = Expected("6002", 200, None, "answered", rang=True)
EXPECTED = {expected.number: expected for expected in (*DIALPLAN, TELEPHONE)}
DEADLINE = 60  # seconds; the shortest ring timeout of a campaign is 15


@pytest.fixture
async def client(asterisk, database_url, tmp_path, monkeypatch):
    """The API of a whole service, whose trunk is the lab and whose prompt is a sweep."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("LAB_PASSWORD", "dialer-secret")
    (tmp_path / "prompts").mkdir()
    sound.write_prompt(tmp_path / "prompts" / "sweep.wav", 16_000)
    settings = config.Config(
        folder=tmp_path,
        api=config.Api(port=0),
        sip=config.Sip(host="127.0.0.1"),
        numbers=config.Numbers(internal="[0-9]{4}"),
        trunk=(
            config.Trunk(
                name="lab",
                address=f"127.0.0.1:{asterisk.port}",
                username="dialer",
                password_env="LAB_PASSWORD",
                codecs=("PCMU",),
                max_calls=100,
                calls_per_second=50,
            ),
        ),
    )
    service = Service(settings)
    await service.start()
    try:
        async with Client(service.api_url) as client:
            yield client
    finally:
        await service.stop()


async def test_the_whole_dialplan_as_one_campaign(client, pool, audit, asterisk, telephone):
    phone = await telephone("phone2")
    seen_before = len(asterisk.log)
    campaign = await client.create_campaign(
        {
            "name": "Every number of the lab",
            "trunks": ["lab"],
            "caller_ids": ["15550100"],
            "max_simultaneous_calls": 100,
            "max_attempts": 1,
            "ring_timeout_seconds": 15,
            "on_answer": {"kind": "prompt", "file": "sweep.wav"},
        }
    )
    added = await client.add_numbers(campaign.id, list(EXPECTED))
    assert (added.added, added.undialable) == (len(EXPECTED), 0)
    await client.start(campaign.id)
    await every_number_tried(client, campaign.id)

    calls = {call.number: call for call in await all_calls(client, campaign.id)}
    wanted = {n: (expected.status, expected.outcome) for n, expected in EXPECTED.items()}
    assert {n: (call.status, call.last_outcome) for n, call in calls.items()} == wanted
    for number, call in calls.items():
        (attempt,) = call.attempts
        (leg,) = attempt.legs
        evidence = leg.evidence
        expected = EXPECTED[number]
        assert (evidence.code, evidence.rang) == (expected.code, expected.rang), number
        if not evidence.answered:
            assert evidence.q850 in expected.causes, number
        assert attempt.rule == call.last_rule, number
        assert (call.next_attempt_at is not None) is (call.status == CallStatus.RETRY_SCHEDULED)
    (heard_busy,) = calls["2003"].attempts  # two bursts in two seconds
    assert heard_busy.flags == ["heard_busy_tone"]
    assert heard_busy.legs[0].evidence.early_media.sentence.startswith("busy tone 1.")
    (rang,) = calls["2002"].attempts  # for the fifteen seconds of the ring timeout
    assert (rang.flags, rang.legs[0].evidence.early_media.heard[0].kind) == ([], "ringback")

    await phone.said("ended")
    heard = sound.without_pauses(sound.read(phone.heard))
    assert min(sound.likeness(sound.sweep(8000), heard)) > 0.9
    assert asterisk_saw(asterisk.log[seen_before:]) == dict.fromkeys(calls.keys() - {"9999"}, 1)
    assert await audit(pool) == []


async def test_a_mailbox_is_left_a_message_and_a_person_hears_the_prompt(client, asterisk):
    detection = {"machine": "leave_message", "message": "sweep.wav", "initial_silence_seconds": 1.5}
    campaign = await client.create_campaign(
        {
            "name": "Who answers",
            "trunks": ["lab"],
            "caller_ids": ["15550177"],
            "max_attempts": 1,
            "on_answer": {"kind": "prompt", "file": "sweep.wav", "machine_detection": detection},
        }
    )
    await client.add_numbers(campaign.id, ["1001", "1007", "1008"])
    await client.start(campaign.id)
    await every_number_tried(client, campaign.id)

    calls = {call.number: call for call in await all_calls(client, campaign.id)}
    found = {
        number: call.attempts[0].conversation["machine_detection"] for number, call in calls.items()
    }
    assert {number: (call.status, call.last_outcome) for number, call in calls.items()} == {
        "1001": ("completed_without_answer", "silent"),
        "1007": ("answered", "machine"),
        "1008": ("answered", "answered"),
    }
    assert {number: one["result"] for number, one in found.items()} == {
        "1001": "silence",
        "1007": "machine",
        "1008": "human",
    }
    assert found["1007"]["message_left"]
    assert found["1007"]["beep_seconds"] > 4  # after a greeting spoken by a real voice
    heard = sound.read(asterisk.recording("15550177"))
    assert min(sound.likeness(sound.sweep(8000), heard)) > 0.9  # from its first quarter second on


async def every_number_tried(client, campaign_id):
    waiting = {CallStatus.PLANNED, CallStatus.IN_PROGRESS}
    async with asyncio.timeout(DEADLINE):
        while True:
            campaign = await client.campaign(campaign_id)
            if not sum(count.calls for count in campaign.counts if count.status in waiting):
                return
            await asyncio.sleep(0.1)


async def all_calls(client, campaign_id):
    page = await client.calls(campaign_id, limit=500)
    assert page.next_cursor is None
    return [await client.call(call.id) for call in page.items]


def asterisk_saw(log):
    """Return how often each number was entered, by the PBX's own log."""
    return dict(Counter(re.findall(r"Executing \[(\d+)@from-dialer:1\]", log)))
