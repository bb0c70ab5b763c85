"""The prompt that comes with the package, synthesised: a rising and falling two-tone chime.

`python -m dialer.conversation.chime FILE.wav` writes it anew.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
import soundfile

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATE = 16_000  # Hz
_NOTES = (523.25, 659.26, 783.99, 659.26, 523.25)  # Hz: C5 E5 G5 E5 C5
_NOTE_SECONDS = 0.45
_LEVEL = 0.4  # of full scale
_DECAY = 5.0  # per second


def chime() -> NDArray[np.int16]:
    """Return the chime as mono int16 samples at `RATE`, 2.25 s long."""
    time = np.arange(round(_NOTE_SECONDS * RATE)) / RATE
    # The attack takes 10 ms and the last 10 ms fade out, so that no note begins or ends in a click.
    envelope = np.minimum(1, np.minimum(time, time[::-1]) / 0.010) * np.exp(-_DECAY * time)
    tones = [np.sin(2 * np.pi * note * time) + np.sin(np.pi * note * time) for note in _NOTES]
    signal = np.concatenate([tone * envelope for tone in tones]) * _LEVEL / 2
    return np.rint(signal * 32767).astype(np.int16)


if __name__ == "__main__":
    soundfile.write(sys.argv[1], chime(), RATE, subtype="PCM_16")
