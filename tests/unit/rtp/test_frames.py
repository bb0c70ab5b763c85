import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.rtp import g711
from dialer.rtp.frames import Frames


@given(st.integers(0, 1000), st.sampled_from(g711.CODECS))
def test_the_last_frame_is_filled_up_with_silence(length, codec):
    frames = Frames.of(np.full(length, 1000, dtype=np.int16), codec)
    assert len(frames) == -(-length // 160)
    assert len(frames.data) == 160 * len(frames)
    assert frames.data[length:] == g711.silence(160 * len(frames) - length, codec)


@pytest.mark.parametrize(
    ("seconds", "frames"), [(0, 0), (0.001, 1), (0.02, 1), (0.2, 10), (0.21, 11), (1, 50)]
)
def test_silence_has_the_length_asked_for(seconds, frames):
    assert len(Frames.silence(seconds, "PCMA")) == frames
    assert Frames.silence(seconds, "PCMA").seconds == pytest.approx(frames * 0.02)


def test_frames_of_another_codec_are_added_in_ours():
    loud = Frames.of(np.full(160, 5000, dtype=np.int16), "PCMU")
    both = loud + Frames.silence(0.02, "PCMA")
    assert both.codec == "PCMU"
    assert both.data[:160] == loud.data
    assert (np.abs(g711.decode(both.data[160:], "PCMU")) <= 8).all()


def test_recoding_keeps_the_audio():
    tone = (8000 * np.sin(np.arange(1600) / 5)).astype(np.int16)
    recoded = Frames.of(tone, "PCMU").coded_as("PCMA")
    assert recoded.codec == "PCMA"
    error = np.abs(g711.decode(recoded.data, "PCMA").astype(int) - tone)
    assert error.max() <= 512
