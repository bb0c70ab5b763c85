"""What a bot has sent and the person has not heard yet: speech in order, with its marks."""

from __future__ import annotations

import collections

from dialer.rtp import g711

_AHEAD = g711.SAMPLE_RATE // 5  # octets; in real time some bots speak in pieces of up to 200 ms
_GAP_FRAMES = 10  # a silence shorter than 200 ms between two frames is speech that came too late


class PlayingQueue:
    """Takes µ-law speech of any length and gives it out in frames of 20 ms.

    Speech begins `delay` ticks after it came: a bot that speaks in real time may then be late by
    that much. Where more than 200 ms of it wait, it begins at once, since the bot sends ahead.
    What has begun goes on to its end.

    At most `max_seconds` are held. What does not fit is dropped, the newest: what is queued is
    being said already, and its marks are waited for. `max_marks` may be pending.
    """

    __slots__ = (
        "_begun",
        "_delay",
        "_limit",
        "_max_marks",
        "_queued",
        "_silent_frames",
        "_taken",
        "_waited",
        "barge_ins",
        "cleared",
        "dropped",
        "late_frames",
        "marks",
        "played",
    )

    def __init__(self, max_seconds: float, *, delay: int = 0, max_marks: int = 1000) -> None:
        self._limit = round(max_seconds * g711.SAMPLE_RATE)
        self._delay = delay
        self._waited = 0  # ticks, since the speech came that has not begun
        self._begun = False
        self._max_marks = max_marks
        self._queued = bytearray()
        self._taken = 0  # octets that were ever queued and have been given out or dropped
        self.marks: collections.deque[tuple[int, str]] = collections.deque()  # pending: place, name
        self._silent_frames = _GAP_FRAMES  # since the last frame of speech
        self.played = 0  # octets that the person was given to hear
        self.dropped = 0  # octets that did not fit
        self.cleared = 0  # octets that `clear` dropped
        self.barge_ins = 0  # times that `clear` dropped something
        self.late_frames = 0  # of silence, inside speech that came too late

    @property
    def queued_seconds(self) -> float:
        """Seconds of speech that wait."""
        return len(self._queued) / g711.SAMPLE_RATE

    def __bool__(self) -> bool:
        return bool(self._queued)

    def add(self, audio: bytes) -> None:
        """Queue speech, as far as it fits."""
        room = self._limit - len(self._queued)
        if len(audio) > room:
            self.dropped += len(audio) - room
            audio = audio[:room]
        self._queued += audio

    def mark(self, name: str) -> str | None:
        """Set a mark behind what is queued; return its name where there is nothing to wait for.

        Raises OverflowError where too many are pending.
        """
        if not self._queued:
            return name
        if len(self.marks) >= self._max_marks:
            raise OverflowError(f"more than {self._max_marks} marks are pending")
        self.marks.append((self._taken + len(self._queued), name))
        return None

    def next_frame(self) -> bytes | None:
        """Return the next 160 octets, or None where nothing is queued or has to begin yet.

        Silence fills the last frame up: a rest of speech is not held back for more to come.
        """
        if not (self._begun and self._queued) and not self._begins():
            self._silent_frames += 1
            return None
        if self._silent_frames:
            if self._silent_frames < _GAP_FRAMES:
                self.late_frames += self._silent_frames
            self._silent_frames = 0
        frame = bytes(self._queued[: g711.FRAME_SAMPLES])
        del self._queued[: g711.FRAME_SAMPLES]
        self._taken += len(frame)
        self.played += len(frame)
        missing = g711.FRAME_SAMPLES - len(frame)
        if not missing:
            return frame
        self._begun = False  # what comes now is late, or other speech
        return frame + g711.silence(missing, "PCMU")

    def reached(self) -> list[str]:
        """Return the marks whose speech has been given out, each once, in order."""
        names = []
        while self.marks and self.marks[0][0] <= self._taken:
            names.append(self.marks.popleft()[1])
        return names

    def clear(self) -> list[str]:
        """Drop what is queued, and return the marks that were pending, in order."""
        if self._queued:
            self.barge_ins += 1
            self.cleared += len(self._queued)
        self._taken += len(self._queued)
        self._queued.clear()
        self._silent_frames = _GAP_FRAMES
        self._begun, self._waited = False, 0
        return self.reached()

    def _begins(self) -> bool:
        """Whether what is queued, of which nothing was heard yet, is to be heard now."""
        if not self._queued:
            self._begun, self._waited = False, 0
        else:
            self._begun = len(self._queued) > _AHEAD or self._waited >= self._delay
            self._waited = 0 if self._begun else self._waited + 1
        return self._begun
