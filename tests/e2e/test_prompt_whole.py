"""Asterisk hears a prompt sample by sample as it was coded."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import soundfile

from dialer.rtp import g711
from dialer.ua import audio
from dialer.ua.call import CallRequest

from . import sound
from .calling import say
from .test_asterisk import recorded


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
async def test_a_prompt_is_heard_whole(asterisk, user_agent, tmp_path, figure, codec):
    prompt = tmp_path / "prompt.wav"
    sound.write_prompt(prompt, 8000)
    said = g711.decode(g711.encode(audio.read(prompt), codec), codec)[: 3 * 8000]
    caller_id = f"1555019{'PCMU PCMA'.index(codec)}"
    trunk = dataclasses.replace(asterisk.trunk(), codecs=(codec,))
    await say(await user_agent(), CallRequest(trunk, "1005", caller_id), prompt)
    await recorded(asterisk, caller_id)
    heard, _ = soundfile.read(asterisk.recording(caller_id), dtype="int16")
    begin = place_of(said, heard)
    differing = int(np.count_nonzero(heard[begin : begin + len(said)] != said))
    figure(f"prompt heard whole, {codec}", f"{differing} of {len(said)} samples differ", "0")
    assert differing == 0


def place_of(said, heard):
    """Where what was said begins in what was heard, by their correlation."""
    assert len(heard) >= len(said)
    size = 1 << (len(said) + len(heard)).bit_length()
    spectrum = np.fft.rfft(heard.astype(float), size)
    products = np.fft.irfft(spectrum * np.conj(np.fft.rfft(said.astype(float), size)), size)
    return int(np.argmax(products[: len(heard) - len(said) + 1]))
