import asyncio
import os
import threading

import numpy as np
import pytest
import soundfile

from dialer.rtp import g711
from dialer.rtp.frames import Frames
from dialer.ua import audio
from dialer.ua.audio import AudioError, AudioLibrary, read


def tone(frequency, seconds, rate, level=0.5):
    return level * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


@pytest.fixture
def wav(tmp_path):
    def write(samples, rate=8000, name="prompt.wav", **options):
        path = tmp_path / name
        soundfile.write(path, samples, rate, **options)
        return path

    return write


def loudest_frequency(samples):
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return np.argmax(spectrum) * 8000 / len(samples)


@pytest.mark.parametrize("rate", [4000, 8000, 11025, 16000, 22050, 44100, 48000, 192_000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_any_rate_and_any_channels_become_8_khz_mono(wav, rate, channels):
    sound = np.repeat(tone(440, 1.0, rate)[:, None], channels, axis=1)
    samples = read(wav(sound, rate))
    assert samples.dtype == np.int16
    assert len(samples) == pytest.approx(8000, abs=80)
    assert loudest_frequency(samples) == pytest.approx(440, abs=2)
    assert np.abs(samples[800:-800]).max() == pytest.approx(0.5 * 32768, rel=0.02)


def test_16_bit_audio_at_8_khz_comes_through_unchanged(wav):
    sound = np.random.default_rng(1).integers(-32768, 32768, 200_000).astype(np.int16)
    assert (read(wav(sound)) == sound).all()


def test_what_8_khz_cannot_carry_is_filtered_out(wav):
    assert np.abs(read(wav(tone(6000, 1.0, 48_000), 48_000))[800:-800]).max() < 100


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("p.wav", {"subtype": "FLOAT"}),
        ("p.wav", {"subtype": "ULAW"}),
        ("p.flac", {}),
        ("p.ogg", {}),
    ],
)
def test_other_formats_play_too(wav, name, options):
    samples = read(wav(tone(440, 1.0, 16_000), 16_000, name=name, **options))
    assert loudest_frequency(samples) == pytest.approx(440, abs=2)


def test_values_beyond_full_scale_are_clipped_and_no_numbers_are_silence(wav):
    sound = np.concatenate([np.full(800, 7.0), np.full(800, -7.0), np.full(800, np.nan)])
    samples = read(wav(sound.astype(np.float32), subtype="FLOAT"))
    assert (samples[:800] == 32767).all()
    assert (samples[800:1600] == -32768).all()
    assert (samples[1600:] == 0).all()


def test_frames_hold_the_audio_coded(wav):
    sound = (tone(440, 0.5, 8000) * 32767).astype(np.int16)
    assert AudioLibrary().load(wav(sound), "PCMA") == Frames("PCMA", g711.encode(sound, "PCMA"))


def test_a_missing_file(tmp_path):
    with pytest.raises(AudioError, match=r"gone\.wav: No such file"):
        AudioLibrary().load(tmp_path / "gone.wav", "PCMU")


def test_a_folder(tmp_path):
    with pytest.raises(AudioError, match="it is not a file"):
        AudioLibrary().load(tmp_path, "PCMU")


def test_a_name_that_no_file_can_have(tmp_path):
    with pytest.raises(AudioError, match="null"):
        AudioLibrary().load(tmp_path / "a\0b", "PCMU")


@pytest.mark.parametrize("name", ["prompt.wav", "prompt.raw", "prompt.txt"])
@pytest.mark.parametrize("content", [b"", b"RIFF", b"hello, world\n" * 100])
def test_what_is_not_audio(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(AudioError, match="it is not an audio file") as told:
        AudioLibrary().load(path, "PCMU")
    assert str(told.value).startswith(str(path))
    assert "\n" not in str(told.value)


def test_a_wav_cut_short_plays_as_far_as_it_goes(wav):
    path = wav(tone(440, 1.0, 8000))
    os.truncate(path, 8044)
    assert len(read(path)) == 4000


def test_audio_of_no_length(wav):
    with pytest.raises(AudioError, match="it holds no audio"):
        read(wav(np.zeros(0)))


def test_audio_that_is_too_long(wav):
    path = wav(np.zeros(8000 * 3))
    assert len(read(path, max_seconds=3.0)) == 24_000
    with pytest.raises(AudioError, match=r"prompt\.wav: it is longer than 2\.5 s"):
        AudioLibrary(max_seconds=2.5).load(path, "PCMU")


def test_a_file_is_read_once_for_each_codec_and_again_when_it_changed(wav):
    library = AudioLibrary()
    path = wav(tone(440, 0.5, 8000))
    first = library.load(path, "PCMU")
    assert library.load(path, "PCMU") is first
    assert library.load(path, "PCMA").codec == "PCMA"
    assert library.load(path, "PCMU") is first
    wav(tone(600, 0.7, 8000))
    assert library.load(path, "PCMU").seconds == pytest.approx(0.7)


def test_no_more_is_kept_than_allowed(wav):
    library = AudioLibrary(max_bytes=8000)
    half_seconds = [wav(np.zeros(4000), name=f"{number}.wav") for number in range(3)]
    first, second, _ = (library.load(path, "PCMU") for path in half_seconds)
    assert library.load(half_seconds[1], "PCMU") is second
    assert library.load(half_seconds[0], "PCMU") is not first  # the third displaced it


def test_a_file_larger_than_the_store_is_played_and_not_kept(wav):
    library = AudioLibrary(max_bytes=8000)
    small = library.load(wav(np.zeros(800), name="small.wav"), "PCMU")
    path = wav(np.zeros(16_000), name="large.wav")
    assert library.load(path, "PCMU") is not library.load(path, "PCMU")
    assert library.load(wav(np.zeros(800), name="small.wav"), "PCMU") == small


async def test_calls_that_want_the_same_file_at_once_share_one_reading(wav, monkeypatch):
    path, readings, may_read = wav(tone(440, 0.5, 8000)), [], threading.Event()

    def slow_read(*arguments):
        may_read.wait(10)
        readings.append(arguments)
        return read(*arguments)

    monkeypatch.setattr(audio, "read", slow_read)
    library = AudioLibrary()
    async with asyncio.TaskGroup() as group:
        callers = [group.create_task(library.fetch(path, "PCMU")) for _ in range(20)]
        impatient = group.create_task(library.fetch(path, "PCMU"))
        await asyncio.sleep(0)
        impatient.cancel()
        may_read.set()
    assert len({id(caller.result()) for caller in callers}) == 1
    assert len(readings) == 1
    assert impatient.cancelled()


async def test_an_error_reaches_everybody_who_waits_and_the_next_try_reads_again(wav, tmp_path):
    library = AudioLibrary()
    path = tmp_path / "prompt.wav"
    told = await asyncio.gather(
        *(library.fetch(path, "PCMU") for _ in range(3)), return_exceptions=True
    )
    assert [type(error) for error in told] == [AudioError] * 3
    wav(tone(440, 0.5, 8000))
    assert (await library.fetch(path, "PCMU")).seconds == pytest.approx(0.5)
