"""Who answered: a person, a machine, a fax, or nobody that makes a sound.

A person says a short word and waits; a machine speaks on. Speech is told from noise by its pitch
and from tones by its spectrum, so that neither a noisy line nor a beep counts as words. Every time
is seconds of audio since the first frame.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING

from dialer.rtp.call_progress_tones import ProgressTone, ProgressToneSequence
from dialer.rtp.frame_features import FeatureReader, SoundLevel
from dialer.rtp.g711 import FRAME_SECONDS
from dialer.rtp.tones import Tone, ToneTracker

if TYPE_CHECKING:
    from dialer.rtp.frame_features import Features
    from dialer.rtp.g711 import Samples

_FAX_CALLING = 1100.0  # Hz, CNG: half a second every three (ITU-T T.30 §4.1)
_FAX_CALLED = 2100.0  # Hz, CED: some three seconds (the same)
_FAX_SECONDS = 0.36  # of either; a beep of 1100 Hz is taken for one where nobody spoke before
_FAX_WITHIN = 38.0  # Hz (the same)
_BEEP_FREQUENCIES = (400.0, 2000.0)  # Hz
_LONGEST_BEEP = 3.0  # seconds
_AFTER_BEEP = 0.1  # seconds without sound that end a beep
_QUIET_AFTER_LONE_BEEP = 0.8  # seconds: a busy tone would have come back
_TAIL = 0.12  # seconds of sound without pitch that still belong to a word
_SHORTEST_WORD_FRAMES = 3  # with pitch


class Answerer(enum.StrEnum):
    """What is at the other end."""

    HUMAN = "human"
    MACHINE = "machine"
    FAX = "fax"
    SILENCE = "silence"


@dataclasses.dataclass(frozen=True, slots=True)
class AnswerSettings:
    """How long to listen for what, all in seconds but for the number of words.

    `initial_silence`: no word within it is silence. `human_greeting`: a greeting longer than that
    is a machine's. `human_words`: so is one of more words, which are parted by `word_gap`.
    `after_greeting`: so much silence after a shorter greeting is a person who waits.
    `analysis`: after so much the likelier is taken. `after_machine`: so much silence after a
    machine's greeting stands for a beep that never comes.
    """

    initial_silence: float = 3.0
    human_greeting: float = 1.8
    human_words: int = 6
    word_gap: float = 0.1
    after_greeting: float = 0.7
    analysis: float = 6.0
    beep: float = 0.1
    after_machine: float = 3.0


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """Who answered, how sure that is (0 to 1), and how much audio it took in seconds.

    `because` says by what, in a few words.
    """

    answerer: Answerer
    confidence: float
    seconds: float
    because: str


class AnswerDetector:
    """Listens to one answered call, frame after frame.

    `answer` is the decision, None before it and never changed after. Of a machine more is told:
    `beep` is its tone once it is over, and `may_speak` turns true when a message can be left,
    after the beep or where the machine has fallen silent.
    """

    def __init__(self, settings: AnswerSettings | None = None) -> None:
        self.answer: Answer | None = None
        self.beep: Tone | None = None
        self.may_speak = False
        self.seconds = 0.0
        self._settings = settings or AnswerSettings()
        self._reader = FeatureReader()
        self._level = SoundLevel()
        self._tones = ToneTracker()
        self._progress = ProgressToneSequence()
        self._speech = _Speech(self._settings.word_gap)
        self._sound_at = 0.0  # when anything was last heard
        self._last_tone: Tone | None = None

    def take(self, samples: Samples) -> None:
        """Listen to a frame of 160 samples."""
        self.seconds += FRAME_SECONDS
        features = self._reader.take(samples)
        loud = self._level.is_sound(features)
        over = self._tones.take(features, loud=loud)
        if loud:
            self._sound_at = self.seconds
        self._speech.take(features, self.seconds, loud=loud and not self._tones.stands)
        signal = None
        if over is not None:
            signal = self._progress.take(over)
            self._last_tone = over
        if self.answer is None:
            self.answer = self._decide(signal)
        if self.answer is not None and self.answer.answerer is Answerer.MACHINE:
            self._await_turn()

    def _decide(self, signal: ProgressTone | None) -> Answer | None:
        return self._by_tones(signal) or self._by_speech() or self._by_time()

    def _by_tones(self, signal: ProgressTone | None) -> Answer | None:
        if signal is not None:
            return self._found(Answerer.MACHINE, 0.95, f"{signal.replace('_', ' ')} tone")
        tone = self._tones.current
        if tone is not None and tone.seconds >= _FAX_SECONDS:
            if tone.is_of(_FAX_CALLED, within=_FAX_WITHIN):
                return self._found(Answerer.FAX, 0.97, "fax tone of 2100 Hz")
            if tone.is_of(_FAX_CALLING, within=_FAX_WITHIN) and not self._speech.words:
                return self._found(Answerer.FAX, 0.95, "fax tone of 1100 Hz")
        if self._beeped() is not None:
            return self._found(Answerer.MACHINE, 0.95, "beep")
        return None

    def _by_speech(self) -> Answer | None:
        speech, settings = self._speech, self._settings
        if not speech.words:
            return None
        length = speech.end - speech.begin
        if length >= settings.human_greeting:
            return self._found(Answerer.MACHINE, 0.85, f"greeting of {length:.1f} s and more")
        if speech.words > settings.human_words:
            return self._found(Answerer.MACHINE, 0.75, f"greeting of {speech.words} words")
        quiet = self.seconds - max(speech.end, self._sound_at)
        # what goes on without pitch may be music, or a room; twice the time settles it
        waits = max(quiet, (self.seconds - speech.end) / 2)
        if waits >= settings.after_greeting - FRAME_SECONDS / 2:
            # the nearer to a machine's length, the less sure
            sure = 0.95 - 0.35 * length / settings.human_greeting
            return self._found(Answerer.HUMAN, sure, f"greeting of {length:.1f} s, then silence")
        return None

    def _by_time(self) -> Answer | None:
        settings = self._settings
        speech = self._speech
        if self.seconds >= settings.analysis:
            if speech.words or speech.under_way:
                return self._found(Answerer.HUMAN, 0.5, "a voice, and no more time")
            return self._found(Answerer.SILENCE, 0.8, "no voice")
        waits = speech.under_way or self._tones.current is not None or self._tone_was_near()
        if self.seconds >= settings.initial_silence and not speech.words and not waits:
            return self._found(Answerer.SILENCE, 0.9, "no voice")
        return None

    def _tone_was_near(self) -> bool:
        """Whether a tone was heard that a second one may still explain."""
        return self._last_tone is not None and self.seconds - self._last_tone.end < 1.0

    def _beeped(self) -> Tone | None:
        """Return the machine's beep, where the latest tone is one and is over."""
        tone = self._last_tone
        if tone is None or self._tones.current is not None or len(tone.frequencies) > 1:
            return None
        low, high = _BEEP_FREQUENCIES
        quiet = self.seconds - max(tone.end, self._sound_at)
        spoken = self._speech.words and self._speech.begin < tone.begin
        if (
            low <= tone.frequencies[0] <= high
            and self._settings.beep <= tone.seconds <= _LONGEST_BEEP
            and self._sound_at <= tone.end + 3 * FRAME_SECONDS
            and quiet >= (_AFTER_BEEP if spoken else _QUIET_AFTER_LONE_BEEP)
        ):
            return tone
        return None

    def _await_turn(self) -> None:
        """See whether the machine has given the turn to us."""
        if self.may_speak:
            return
        self.beep = self._beeped()
        silent_for = self.seconds - self._sound_at
        self.may_speak = self.beep is not None or silent_for >= self._settings.after_machine

    def _found(self, answerer: Answerer, confidence: float, because: str) -> Answer:
        return Answer(answerer, round(confidence, 2), round(self.seconds, 2), because)


class _Speech:
    """Where speech began and ended so far, and how many words it had."""

    def __init__(self, word_gap: float) -> None:
        self.words = 0
        self.begin = 0.0
        self.end = 0.0
        self._word_gap = word_gap
        self._voiced = 0  # frames of the word under way
        self._word_begin = 0.0
        self._pitch_at = -1.0
        self._heard_at = -1.0

    @property
    def under_way(self) -> bool:
        """Whether a word may have begun."""
        return self._voiced > 0

    def take(self, features: Features, now: float, *, loud: bool) -> None:
        """Follow the frame that ends now; `loud` where it is sound other than a standing tone."""
        pitch = loud and features.voiced
        if not pitch and not (loud and now - self._pitch_at <= _TAIL):
            if now - self._heard_at >= self._word_gap:
                self._voiced = 0
            return
        if self._voiced == 0:
            self._word_begin = now - FRAME_SECONDS
        self._heard_at = now
        if pitch:
            self._pitch_at = now
            self._voiced += 1
            if self._voiced == _SHORTEST_WORD_FRAMES:
                if not self.words:
                    self.begin = self._word_begin
                self.words += 1
        if self._voiced >= _SHORTEST_WORD_FRAMES:
            self.end = now
