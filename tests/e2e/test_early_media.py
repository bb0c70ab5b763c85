"""Early media of a real Asterisk: tones of its own making, and announcements of a real voice."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools

import numpy as np
import pytest
from tests.unit.rtp import early_sounds, sounds

from dialer.campaign import early_media
from dialer.campaign.outcome_table import OutcomeTable
from dialer.engine import placer
from dialer.rtp import g711
from dialer.rtp.early_media import EarlyMediaEar
from dialer.ua.call import CallRequest

from .calling import talk
from .test_recorded_voices import announcements

LEVEL = -16.0  # dBm0
RIGHT = 0.95  # share of what is played that must be told
AT_ONCE = 8  # calls
LONG_ENOUGH = 1.0  # seconds of a recorded voice

PLAYED = {  # number: code, what is heard in order, flags
    "2011": (480, ["ringback"], ()),
    "2012": (486, ["busy"], ("heard_busy_tone",)),
    "2013": (503, ["congestion"], ("heard_congestion_tone",)),
    "2014": (502, ["unspecified", "speech"], ("heard_sit", "heard_announcement")),
    "2015": (404, ["ringback", "vacant_code", "speech"], ("heard_sit", "heard_announcement")),
    "2016": (200, ["ringback"], ()),
}


def names(found):
    """What was heard, silence left out; of special information tones what they say."""
    heard = [] if found is None else found.heard
    return [one.special_information or one.kind for one in heard if one.kind != "silence"]


def flags(result):
    return placer.flags_of(OutcomeTable.default().rule_for(placer.evidence_of(result)), result)


@pytest.mark.parametrize("codec", g711.CODECS)
async def test_what_asterisk_plays_before_it_answers_or_refuses_is_told(
    asterisk, user_agent, figure, codec
):
    agent = await user_agent()
    trunk = dataclasses.replace(asterisk.trunk(), codecs=(codec,))
    async with asyncio.timeout(40):
        results = await asyncio.gather(
            *(talk(agent, CallRequest(trunk, number, "15550100"), 4) for number in PLAYED)
        )
    right = [
        (result.code, names(result.early_media), flags(result)) == wanted
        for result, wanted in zip(results, PLAYED.values(), strict=True)
    ]
    figure(
        f"early media of Asterisk, {codec}",
        f"{sum(right)} of {len(right)} numbers told",
        f"{len(right)}",
    )
    told = {
        number: (result.code, names(result.early_media), flags(result))
        for number, result in zip(PLAYED, results, strict=True)
    }
    assert told == PLAYED


async def test_the_times_are_those_of_the_call(asterisk, user_agent):
    agent = await user_agent()
    result = await agent.call(CallRequest(asterisk.trunk(), "2015", "15550100"))
    ringback, vacant, speech = [one for one in result.early_media.heard if one.kind != "silence"]
    begin = result.early_media.begin
    assert ringback.begin - begin == pytest.approx(0, abs=0.2)
    assert ringback.seconds == pytest.approx(2, abs=0.15)
    assert vacant.begin - begin == pytest.approx(4, abs=0.3)
    assert vacant.seconds == pytest.approx(1.03, abs=0.1)
    assert speech.begin - vacant.end == pytest.approx(0.25, abs=0.6)
    assert early_media.sentence(placer.early_media_of(result)).startswith(
        f"ringback {ringback.seconds:.1f} s, then special information tone (vacant code)"
        f" at {vacant.begin:.1f} s"
    )


async def test_an_answered_call_keeps_what_was_heard_before_and_nothing_after(asterisk, user_agent):
    agent = await user_agent()
    result = await talk(agent, CallRequest(asterisk.trunk(), "2016", "15550100"), 2.5)
    assert result.answered
    assert names(result.early_media) == ["ringback"]
    assert result.early_media.seconds < 3.5
    assert result.rtp_packets_received > result.early_media.packets + 100


def labelled():
    """(What is played, what must be heard): every country's plan, tones and voices."""
    random = np.random.default_rng(31)
    for plan in early_sounds.PLANS.values():
        ring = early_sounds.cadence(plan.ring, plan.ring_cadence, 2)
        yield ring, ["ringback"]
        if plan.busy:
            busy = early_sounds.cadence(plan.busy, plan.busy_cadence, 4)
            yield np.concatenate((ring, busy)), ["ringback", "busy"]
        if plan.congestion:
            yield (
                early_sounds.cadence(plan.congestion, plan.congestion_cadence, 6),
                ["congestion"],
            )
    for reason, segments in early_sounds.SPECIAL.items():
        said = sounds.Voice(random).say(2) / 10 ** (LEVEL / 20)
        parts = (early_sounds.special(*segments), sounds.silence(0.3), said)
        yield np.concatenate(parts), [reason, "speech"]


async def test_the_plans_of_many_countries_come_through_asterisk(
    asterisk, user_agent, figure, share
):
    agent, turn = await user_agent(), asyncio.Semaphore(AT_ONCE)
    trunk = dataclasses.replace(asterisk.trunk(), codecs=("PCMU",))
    played = list(share(labelled()))
    for number, (sound, _) in enumerate(played):
        payloads = early_sounds.packets(sound, np.random.default_rng(number), level=LEVEL)
        data = b"".join(packet.payload for packet in payloads)
        (asterisk.folder / "spool" / f"say-155502{number:02}.ulaw").write_bytes(data)

    async def heard(number):
        async with turn:
            return await agent.call(CallRequest(trunk, "2010", f"155502{number:02}"))

    results = await asyncio.gather(*(heard(number) for number in range(len(played))))
    assert {result.code for result in results} == {404}
    wrong = [
        (wanted, result.early_media)
        for (_, wanted), result in zip(played, results, strict=True)
        if names(result.early_media) != wanted
    ]
    right = len(played) - len(wrong)
    figure(
        "early media of many countries, through Asterisk",
        f"{right} of {len(played)}",
        f"{RIGHT:.0%}",
    )
    assert right >= RIGHT * len(played), wrong


def test_recorded_voices_are_announcements(asterisk, figure):
    voices = [one for one in announcements(asterisk) if len(one) > LONG_ENOUGH * sounds.RATE]
    assert len(voices) > 30
    wrong = []
    for seed, (voice, loss) in enumerate(zip(voices, itertools.cycle((0.0, 0.05)))):
        ear = EarlyMediaEar()
        stream = early_sounds.packets(voice, np.random.default_rng(seed), loss=loss)
        for number, packet in enumerate(stream):
            ear.take(packet, 0.02 * number)
        found = ear.result()
        if names(found) != ["speech"]:
            wrong.append(found)
    right = len(voices) - len(wrong)
    figure("early media: recorded voices", f"{right} of {len(voices)}", f"{RIGHT:.0%}")
    assert right >= RIGHT * len(voices), wrong
