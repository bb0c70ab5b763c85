"""Both sides of a stream, heard for a recording."""

from __future__ import annotations

import types

import numpy as np
from tests.driven_clock import DrivenClock

from dialer.conversation.recording import StreamRecording
from dialer.rtp import g711
from dialer.rtp.packet import Packet

FRAME = bytes(range(160))


def test_the_last_frame_is_whole_though_the_call_is_over_before_its_end():
    media = types.SimpleNamespace(listeners=[], sent_listeners=[])
    clock = DrivenClock()
    recording = StreamRecording(media, clock)
    for number in range(3):
        media.listeners[0](Packet(0, number, 160 * number, 7, FRAME))
        clock.advance(0.02 if number < 2 else 0.001)
    recording.stop()
    assert recording.seconds == 0.06
    samples = np.frombuffer(recording.cut(), "<i2").reshape(-1, 2)
    assert np.array_equal(samples[:, 0], g711.decode(3 * FRAME, "PCMU"))
    assert not samples[:, 1].any()
    assert media.listeners == media.sent_listeners == []
    assert recording.cut() == b""
