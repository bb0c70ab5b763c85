"""Listening to who answered, before anything is said; what is heard meanwhile is kept."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from dialer.conversation.caller_audio import CallerAudio
from dialer.rtp import g711
from dialer.rtp.answering_machine import Answer, AnswerDetector, Answerer, AnswerSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from dialer.clock import Clock
    from dialer.conversation.caller_audio import Heard
    from dialer.rtp.packet import Packet
    from dialer.ua.outbound import OutboundCall

LONGEST_GREETING = 45.0  # seconds from the decision; most machines cut off their own before
_GRACE = 2.0  # seconds over the time for the decision, for audio that stays away


class Listening:
    """Hears one answered call from now on, and sends it silence.

    `answer` and `turn` tell what the detector finds. `take` ends the listening and returns every
    packet that came since it began, for whoever holds the conversation after it.
    """

    def __init__(self, call: OutboundCall, clock: Clock, settings: AnswerSettings) -> None:
        self._call = call
        self._clock = clock
        self._settings = settings
        self._detector = AnswerDetector(settings)
        self._audio = CallerAudio()
        self._rest = b""
        self._packets: list[Packet] = []
        self._changed = asyncio.Event()
        self._over = False
        call.media.listeners.append(self._received)
        call.media.source = self._tick

    async def answer(self) -> Answer | None:
        """Return who answered; None where the call ends before that is known."""
        await self._until(
            self._settings.analysis + _GRACE, lambda: self._detector.answer is not None
        )
        if self._detector.answer is None and not self._call.result.done():
            # on hold, with nothing heard: the detector's own time has not passed
            seconds = round(self._detector.seconds, 2)
            return Answer(Answerer.SILENCE, 0.5, seconds, "nothing came from the far end")
        return self._detector.answer

    async def turn(self) -> bool:
        """Wait until a machine gives the turn; False where the call ends before.

        A machine that speaks on for ever gets its message all the same, as late as may be.
        """
        await self._until(LONGEST_GREETING, lambda: self._detector.may_speak)
        return not self._call.result.done()

    @property
    def beep_seconds(self) -> float | None:
        """When the machine's beep was over, in seconds since the answer; None without one."""
        beep = self._detector.beep
        return None if beep is None else round(beep.end, 2)

    def take(self) -> list[Packet]:
        """End the listening; return what came, once."""
        if not self._over:
            self._over = True
            media = self._call.media
            media.listeners.remove(self._received)
            if media.source == self._tick:
                media.source = None
        packets, self._packets = self._packets, []
        return packets

    async def _until(self, seconds: float, reached: Callable[[], bool]) -> None:
        """Wait until something is reached, the call is over, or so many seconds have passed."""
        patience = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            while not (reached() or self._call.result.done() or patience.done()):
                self._changed.clear()
                change = asyncio.ensure_future(self._changed.wait())
                await asyncio.wait(
                    (change, patience, self._call.result), return_when=asyncio.FIRST_COMPLETED
                )
                change.cancel()
        finally:
            patience.cancel()

    def _received(self, packet: Packet) -> None:
        self._packets.append(packet)
        for heard in self._audio.take(packet):
            self._hear(heard)

    def _tick(self) -> None:
        """Let time pass where the far end sends nothing; for the ticker, every 20 ms."""
        silence = self._audio.tick()
        if silence is not None:
            self._hear(silence)

    def _hear(self, heard: Heard) -> None:
        detector = self._detector
        if detector.may_speak or (
            detector.answer is not None and detector.answer.answerer is not Answerer.MACHINE
        ):
            return
        known = detector.answer
        self._rest += heard.audio
        while len(self._rest) >= g711.FRAME_SAMPLES:
            frame, self._rest = (
                self._rest[: g711.FRAME_SAMPLES],
                self._rest[g711.FRAME_SAMPLES :],
            )
            detector.take(g711.decode(frame, "PCMU"))
        if detector.may_speak or detector.answer is not known:
            self._changed.set()
