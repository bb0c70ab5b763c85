import statistics

import numpy as np
import pytest
from tests.unit.rtp import sounds

from dialer.rtp.answering_machine import AnswerDetector, Answerer, AnswerSettings

SEEDS = 60
RIGHT = 0.95  # share of each class


def heard(random, sound, settings=None, *, to_the_turn=False, noise_level=None):
    """Let a detector listen until it has decided, or until a message may be left."""
    detector = AnswerDetector(settings)
    for frame in sounds.on_the_line(random, sound, noise_level=noise_level):
        detector.take(frame)
        if detector.may_speak or (detector.answer is not None and not to_the_turn):
            break
    return detector


def share(verdicts, wanted):
    return sum(verdict is not None and verdict.answerer is wanted for verdict in verdicts) / len(
        verdicts
    )


def test_a_person_is_known_soon_after_the_hello():
    verdicts, waits = [], []
    for seed in range(SEEDS):
        random = np.random.default_rng(seed)
        sound, end = sounds.person(random)
        verdicts.append(heard(random, sound).answer)
        if verdicts[-1].answerer is Answerer.HUMAN:
            waits.append(verdicts[-1].seconds - end)
    print(  # noqa: T201 - figures to read with pytest -s
        f"human: {share(verdicts, Answerer.HUMAN):.1%}, {statistics.median(waits):.2f} s after"
    )
    assert share(verdicts, Answerer.HUMAN) >= RIGHT
    assert statistics.quantiles(waits, n=20)[-1] <= 1.2


def test_a_machine_is_known_and_the_end_of_its_beep_found():
    verdicts, late = [], []
    for seed in range(SEEDS):
        random = np.random.default_rng(1000 + seed)
        sound, begin, end = sounds.machine(random)
        detector = heard(random, sound, to_the_turn=True)
        verdicts.append(detector.answer)
        if detector.beep is not None and abs(detector.beep.begin - begin) < 0.05:
            late.append(detector.seconds - end)
    found = statistics.median(verdict.seconds for verdict in verdicts)
    print(  # noqa: T201 - figures to read with pytest -s
        f"machine: {share(verdicts, Answerer.MACHINE):.1%} after {found:.2f} s;"
        f" beeps: {len(late)} of {SEEDS}, {max(late):.2f} s after their end at most"
    )
    assert share(verdicts, Answerer.MACHINE) >= RIGHT
    assert len(late) >= RIGHT * SEEDS
    assert max(late) <= 0.3


@pytest.mark.parametrize(
    ("sound_of", "answerer"),
    [(sounds.fax, Answerer.FAX), (sounds.nobody, Answerer.SILENCE)],
)
def test_fax_and_silence_are_known(sound_of, answerer):
    verdicts = []
    for seed in range(SEEDS):
        random = np.random.default_rng(2000 + seed)
        verdicts.append(heard(random, sound_of(random)).answer)
    found = statistics.median(verdict.seconds for verdict in verdicts)
    print(  # noqa: T201 - figures to read with pytest -s
        f"{answerer}: {share(verdicts, answerer):.1%} after {found:.2f} s"
    )
    assert share(verdicts, answerer) >= RIGHT
    assert found <= 3.1


def test_music_is_taken_for_no_person():
    verdicts = []
    for seed in range(SEEDS):
        random = np.random.default_rng(3000 + seed)
        verdicts.append(heard(random, sounds.music(random)).answer)
    assert share(verdicts, Answerer.HUMAN) <= 1 - RIGHT


@pytest.mark.parametrize("noise_level", [-60, -50, -45, -40])
def test_a_person_is_known_in_a_noisy_room(noise_level):
    verdicts = []
    for seed in range(20):
        random = np.random.default_rng(4000 + seed)
        hello = sounds.Voice(random).vowel(0.4) * 10 ** (-22 / 20)
        sound = np.concatenate((sounds.silence(1), hello, sounds.silence(5)))
        verdicts.append(heard(random, sound, noise_level=noise_level).answer)
    assert share(verdicts, Answerer.HUMAN) >= RIGHT


@pytest.mark.parametrize("noise_level", [-50, -40, -30, -25])
def test_noise_alone_is_silence(noise_level):
    for seed in range(10):
        random = np.random.default_rng(seed)
        found = heard(random, sounds.silence(8), noise_level=noise_level).answer
        assert found.answerer is Answerer.SILENCE


@pytest.mark.parametrize("frequency", [420, 440, 800, 1000, 1100, 1400, 1950])
@pytest.mark.parametrize("seconds", [0.1, 0.2, 0.5, 2.0])
def test_beeps_of_every_kind_are_found(frequency, seconds):
    random = np.random.default_rng(round(frequency * seconds))
    voice = sounds.Voice(random)
    beep = sounds.tone(seconds, frequency) * 0.1
    sound = np.concatenate((voice.say(2.5), sounds.silence(0.5), beep, sounds.silence(2)))
    detector = heard(random, sound, to_the_turn=True, noise_level=-60)
    assert detector.answer.answerer is Answerer.MACHINE
    assert detector.beep.frequencies[0] == pytest.approx(frequency, abs=10)
    assert detector.beep.seconds == pytest.approx(seconds, abs=0.04)


def test_a_click_is_no_beep_and_the_message_waits_for_silence():
    random = np.random.default_rng(7)
    voice = sounds.Voice(random)
    click = sounds.tone(0.03, 1000) * 0.1
    sound = np.concatenate((voice.say(2.5), sounds.silence(0.5), click, sounds.silence(5)))
    detector = heard(random, sound, to_the_turn=True, noise_level=-60)
    assert detector.beep is None
    assert detector.may_speak
    assert detector.seconds == pytest.approx(len(sound) / sounds.RATE - 2.0, abs=0.2)


def test_a_beep_without_a_greeting_is_a_machine():
    random = np.random.default_rng(8)
    sound = np.concatenate((sounds.silence(1), sounds.tone(0.4, 1000) * 0.1, sounds.silence(3)))
    detector = heard(random, sound, to_the_turn=True)
    assert detector.answer.answerer is Answerer.MACHINE
    assert detector.answer.because == "beep"
    assert detector.beep is not None


@pytest.mark.parametrize(
    ("bursts", "because"),
    [
        ([(0.5, 425)], "busy tone"),
        ([(0.24, 425)], "congestion tone"),
        ([(0.5, 480, 620)], "busy tone"),
    ],
)
def test_a_busy_tone_after_the_answer_is_no_person(bursts, because):
    [(seconds, *frequencies)] = bursts
    burst = np.concatenate((sounds.tone(seconds, *frequencies) * 0.1, sounds.silence(seconds)))
    found = heard(np.random.default_rng(9), np.concatenate([burst] * 12)).answer
    assert (found.answerer, found.because) == (Answerer.MACHINE, because)


def test_a_long_greeting_of_a_person_needs_the_setting():
    random = np.random.default_rng(10)
    sound = np.concatenate((sounds.silence(0.5), sounds.Voice(random).say(2.6), sounds.silence(4)))
    patient = AnswerSettings(human_greeting=3.5, human_words=20)
    assert heard(np.random.default_rng(1), sound).answer.answerer is Answerer.MACHINE
    assert heard(np.random.default_rng(1), sound, patient).answer.answerer is Answerer.HUMAN


def test_the_decision_comes_in_time_and_never_changes():
    for seed in range(20):
        random = np.random.default_rng(seed)
        sound = sounds.noise(random, 12, 200, 3400) * random.uniform(0, 0.1, 12 * sounds.RATE)
        detector, answers = AnswerDetector(), set()
        for frame in sounds.on_the_line(random, sound):
            detector.take(frame)
            if detector.answer is not None:
                answers.add(detector.answer)
        [answer] = answers
        assert answer.seconds <= AnswerSettings().analysis + 0.02
        assert 0 <= answer.confidence <= 1


def test_a_shorter_greeting_makes_surer_of_a_person():
    sure = []
    for seconds in (0.3, 1.2):
        random = np.random.default_rng(12)
        hello = sounds.Voice(random).vowel(seconds) * 0.1
        sound = np.concatenate((sounds.silence(0.5), hello, sounds.silence(2)))
        sure.append(heard(random, sound).answer.confidence)
    assert sure[0] > sure[1] > 0.5
