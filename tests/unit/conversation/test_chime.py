import numpy as np
import soundfile

from dialer.conversation.chime import RATE, chime
from dialer.conversation.prompt import HELLO


def test_the_prompt_in_the_package_is_what_the_script_makes():
    samples, rate = soundfile.read(HELLO, dtype="int16")
    assert rate == RATE
    # another machine's sine may round the last bit the other way
    assert np.abs(samples.astype(int) - chime()).max() <= 1
    assert HELLO.stat().st_size < 200_000


def test_the_chime_is_short_audible_and_clean():
    samples = chime().astype(int)
    assert 2 <= len(samples) / RATE <= 3
    assert 6000 < np.abs(samples).max() < 30_000
    assert samples[0] == 0
    assert abs(samples[-1]) < 10
