"""Our machine detection beside Asterisk's AMD(), on the same calls.

Asterisk plays each recording twice at the same time: to us over RTP, and to its own detector.
Both get the same limits of time, once those of Asterisk and once ours. AMD tells a person from
all else, so that is what both are compared by; of ours the four answers are counted besides. Times
are by the clock, since the answer; accuracy and mean time are of all calls together.
"""

from __future__ import annotations

import asyncio
import dataclasses
import re
import time

import numpy as np
import pytest
from tests.unit.rtp import sounds

from dialer.conversation.caller_audio import CODEC_OF_TYPE
from dialer.rtp import g711
from dialer.rtp.answering_machine import AnswerDetector, Answerer, AnswerSettings
from dialer.ua.call import CallRequest

from .calling import place
from .test_recorded_voices import LONG, SHORT, announcements, recording

EACH = 8  # recordings of a kind
AT_ONCE = 16  # calls
# seconds that a busy machine may keep ours waiting, who listens in the process of the tests
SLOWER = {"Asterisk's limits": 0.15, "our limits": 0.0}
NOISE = (-75, -60, -50, -45)  # dBFS
LIMITS = {  # AMD's: initial silence, greeting, silence after it, analysis, word, gap, words
    "Asterisk's limits": (
        AnswerSettings(
            initial_silence=2.5,
            human_greeting=1.5,
            human_words=2,
            after_greeting=0.8,
            analysis=5.0,
            word_gap=0.05,
        ),
        "",
    ),
    "our limits": (AnswerSettings(), "3000,1800,700,6000,100,100,6"),
}


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What a detector says, and after how many seconds."""

    answer: str
    seconds: float


def recordings(asterisk):
    """(Who answers, what is heard): synthesised voices and Asterisk's own, with a noise."""
    random = np.random.default_rng(22)
    voices = announcements(asterisk)
    short = [one for one in voices if 0.1 < len(one) / sounds.RATE < SHORT]
    long = [one for one in voices if len(one) / sounds.RATE > LONG]
    beep = recording(asterisk.folder / "data" / "sounds" / "en" / "beep.gsm")
    for _ in range(EACH):
        yield Answerer.HUMAN, sounds.person(random)[0]
        yield Answerer.MACHINE, sounds.machine(random)[0]
        yield Answerer.FAX, sounds.fax(random)
        yield Answerer.SILENCE, sounds.nobody(random)
    for hello, greeting in zip(short[:EACH], long[:EACH], strict=True):
        yield Answerer.HUMAN, np.concatenate((sounds.silence(0.6), hello, sounds.silence(6)))
        parts = (sounds.silence(0.5), greeting, sounds.silence(0.8), beep, sounds.silence(2))
        yield Answerer.MACHINE, np.concatenate(parts)


def write(asterisk, name, sound, noise_level):
    random = np.random.default_rng(abs(noise_level))
    frames = list(sounds.on_the_line(random, sound[: 8 * sounds.RATE], noise_level=noise_level))
    data = g711.encode(np.concatenate(frames), "PCMU")
    (asterisk.folder / "spool" / f"say-{name}.ulaw").write_bytes(data)


async def ours(agent, asterisk, name, settings):
    """Listen by our detector to a call that plays the recording."""
    detector, done = AnswerDetector(settings), asyncio.Event()

    def take(packet):
        codec = CODEC_OF_TYPE.get(packet.payload_type)
        if codec is not None and detector.answer is None:
            detector.take(g711.decode(packet.payload, codec))
            if detector.answer is not None:
                done.set()

    call, _, up = await place(agent, CallRequest(asterisk.trunk(), "1009", name))
    call.media.listeners.append(take)
    async with asyncio.timeout(20):
        await up.wait()
        begun = time.monotonic()
        await done.wait()
    ended = time.monotonic()
    call.hang_up()
    await call.result
    return Verdict(detector.answer.answerer, ended - begun)


async def theirs(asterisk, name):
    """Let AMD listen to the recording, on a local channel."""
    said = f"AMD of say-{name}: "
    before = asterisk.log.count(said)
    await asyncio.to_thread(
        asterisk.console, "channel", "originate", f"Local/say-{name}@says",
        "extension", f"say-{name}@decides",
    )  # fmt: skip
    async with asyncio.timeout(20):
        # no event tells of another program's file
        while asterisk.log.count(said) == before:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    answer, begun, ended = re.findall(re.escape(said) + r"(\S*) (\S+) (\S+)", asterisk.log)[-1]
    return Verdict(answer, float(ended) - float(begun))


@pytest.mark.parametrize("limits", LIMITS)
async def test_ours_is_no_worse_than_asterisks_and_no_slower(asterisk, user_agent, figure, limits):
    settings, arguments = LIMITS[limits]
    agent, turn = await user_agent(), asyncio.Semaphore(AT_ONCE)
    labelled = list(recordings(asterisk))
    for number, (_, sound) in enumerate(labelled):
        write(asterisk, f"{number:03}", sound, NOISE[number % len(NOISE)])
    asterisk.console("dialplan", "set", "global", "AMD_LIMITS", arguments)

    async def both(number):
        async with turn:
            return await asyncio.gather(
                ours(agent, asterisk, f"{number:03}", settings),
                theirs(asterisk, f"{number:03}"),
            )

    verdicts = await asyncio.gather(*map(both, range(len(labelled))))
    truths = [truth for truth, _ in labelled]
    exact = sum(our.answer == truth for (our, _), truth in zip(verdicts, truths, strict=True))
    figure(f"detection, {limits}: ours, of four", f"{exact} of {len(truths)} right", "")
    accuracy, seconds = {}, {}
    for place_, (who, person) in enumerate((("ours", Answerer.HUMAN), ("AMD", "HUMAN"))):
        mine = [pair[place_] for pair in verdicts]
        right = [
            (one.answer == person) == (truth is Answerer.HUMAN)
            for one, truth in zip(mine, truths, strict=True)
        ]
        accuracy[who] = sum(right)
        for kind in Answerer:
            times = [o.seconds for o, t in zip(mine, truths, strict=True) if t is kind]
            good = [r for r, t in zip(right, truths, strict=True) if t is kind]
            figure(
                f"detection, {limits}: {kind}, {who}",
                f"{sum(good)} of {len(good)}; {np.mean(times):.2f} s, at most {max(times):.2f} s",
            )
        seconds[who] = float(np.mean([one.seconds for one in mine]))
    both_right = [
        pair
        for pair, truth in zip(verdicts, truths, strict=True)
        if all(
            (one.answer == person) == (truth is Answerer.HUMAN)
            for one, person in zip(pair, (Answerer.HUMAN, "HUMAN"), strict=True)
        )
    ]
    ours_then, amds_then = (np.mean([pair[one].seconds for pair in both_right]) for one in (0, 1))
    figure(
        f"detection, {limits}: person or not",
        f"ours {accuracy['ours']}, AMD {accuracy['AMD']} of {len(truths)}",
        "AMD's or better",
    )
    later = seconds["ours"] - seconds["AMD"]
    figure(
        f"detection, {limits}: mean time",
        f"ours {seconds['ours']:.2f} s, AMD {seconds['AMD']:.2f} s"
        f" (where both are right: {ours_then:.2f} s, {amds_then:.2f} s)",
        f"AMD's; asserted: at most {SLOWER[limits]} s more",
        held=later <= 0,
    )
    assert accuracy["ours"] >= accuracy["AMD"]
    assert later <= SLOWER[limits]
