"""Machine detection on voices of real people: the announcements that come with Asterisk."""

from __future__ import annotations

import numpy as np
import soundfile
from tests.unit.rtp import sounds

from dialer.rtp.answering_machine import AnswerDetector, Answerer
from dialer.rtp.dtmf import InBandDigits

SHORT, LONG = 1.4, 3.5  # seconds: as a person says hello, as a machine greets
EVERY = 4  # of the files, to be quick
NO_VOICE = ("beep", "tone", "silence", "confbridge-join", "confbridge-leave")


def recording(path):
    """The sound of an announcement, without the silence around it."""
    samples, _ = soundfile.read(
        path, format="RAW", subtype="GSM610", samplerate=sounds.RATE, channels=1
    )
    loud = np.flatnonzero(np.abs(samples) > 0.02)
    return samples[loud[0] : loud[-1] + 1] / 2 if len(loud) > 800 else samples[:0]


def announcements(asterisk):
    folder = asterisk.folder / "data" / "sounds" / "en"
    paths = [path for path in sorted(folder.rglob("*.gsm")) if not path.name.startswith(NO_VOICE)]
    return [recording(path) for path in paths[::EVERY]]


def listened(seed, sound):
    detector = AnswerDetector()
    for frame in sounds.on_the_line(np.random.default_rng(seed), sound):
        detector.take(frame)
        if detector.may_speak:
            break
    return detector


def test_recorded_voices_are_told_by_how_long_they_speak(asterisk):
    beep = recording(asterisk.folder / "data" / "sounds" / "en" / "beep.gsm")
    voices = announcements(asterisk)
    short = [one for one in voices if 0.1 < len(one) / sounds.RATE < SHORT]
    long = [one for one in voices if len(one) / sounds.RATE > LONG]
    assert min(len(short), len(long)) > 10
    persons, machines, beeps = [], [], []
    for seed, voice in enumerate(short):
        sound = np.concatenate((sounds.silence(0.8), voice, sounds.silence(6)))
        answer = listened(seed, sound).answer
        persons.append(answer.answerer is Answerer.HUMAN)
        assert answer.seconds < 0.8 + len(voice) / sounds.RATE + 1.3
    for seed, voice in enumerate(long):
        sound = np.concatenate((sounds.silence(0.5), voice, sounds.silence(0.8), beep))
        detector = listened(seed, np.concatenate((sound, sounds.silence(4))))
        machines.append(detector.answer.answerer is Answerer.MACHINE)
        beeps.append(abs(detector.seconds - len(sound) / sounds.RATE) < 0.3)
    assert min(map(np.mean, (persons, machines, beeps))) >= 0.95


def test_recorded_voices_press_no_keys(asterisk):
    reader = InBandDigits()
    speech = np.concatenate(announcements(asterisk))
    frames = sounds.on_the_line(np.random.default_rng(1), speech)
    assert "".join(map(reader.take, frames)) == ""
