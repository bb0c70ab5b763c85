"""The file that a recording is while its call is up."""

from __future__ import annotations

import base64
import datetime as dt
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dialer.recordings.encoding import encode
from dialer.recordings.keys import RecordingKeys, RecordingSealed
from dialer.recordings.spool import SpoolDamaged, SpoolHead, SpoolReader, SpoolWriter

ONE, TWO = (base64.urlsafe_b64encode(bytes([n]) * 32).decode() for n in (1, 2))
CLEAR, SEALED = RecordingKeys(), RecordingKeys(ONE)
BLOCKS = [bytes([n]) * 4000 for n in range(1, 6)]
BOTH = pytest.mark.parametrize("keys", [CLEAR, SEALED], ids=["clear", "sealed"])


def head(**changed):
    values = {
        "id": uuid.uuid4(),
        "account_id": 1,
        "campaign_id": 2,
        "call_id": 3,
        "attempt_id": uuid.uuid4(),
        "node": "one",
        "started_at": dt.datetime(2026, 3, 4, 5, 6, 7, 8, dt.UTC),
        "format": "wav",
        "consent": "key",
        "consent_detail": "pressed 1 after 'May we\nrecord?'",
        "keep_days": 30,
    }
    return SpoolHead(**(values | changed))


def written(folder, keys, *, blocks=BLOCKS, whole=True, **changed):
    writer = SpoolWriter(folder, head(**changed), keys)
    for block in blocks:
        writer.write(block)
    writer.close(whole=whole)
    return writer.path


@BOTH
def test_what_was_written_is_read(tmp_path, keys):
    known = head()
    writer = SpoolWriter(tmp_path / "made" / "for it", known, keys)
    for block in BLOCKS:
        writer.write(block)
    writer.close(whole=True)
    writer.close(whole=False)  # says nothing any more
    assert writer.path.stat().st_mode & 0o777 == 0o600
    with SpoolReader(writer.path, keys) as reader:
        assert reader.head == known
        assert list(reader.blocks()) == BLOCKS
        assert reader.whole


@BOTH
def test_a_recording_that_lacks_pieces_says_so(tmp_path, keys):
    with SpoolReader(written(tmp_path, keys, whole=False), keys) as reader:
        assert list(reader.blocks()) == BLOCKS
        assert not reader.whole


def test_nothing_stands_in_clear_in_a_sealed_spool(tmp_path):
    data = written(tmp_path, SEALED).read_bytes()
    assert not any(block[:16] in data for block in BLOCKS)


def test_a_sealed_spool_opens_with_its_key_alone(tmp_path):
    path = written(tmp_path, SEALED)
    for other in (CLEAR, RecordingKeys(TWO)):
        with pytest.raises(RecordingSealed):
            SpoolReader(path, other)
    with SpoolReader(path, RecordingKeys(f"{TWO} {ONE}")) as reader:
        assert list(reader.blocks()) == BLOCKS


@BOTH
def test_whatever_is_cut_off_the_rest_is_read(tmp_path, keys):
    path = written(tmp_path, keys)
    data = path.read_bytes()
    start = data.index(b"\n", 11) + 1
    for size in [*range(start, start + 20), *range(start, len(data), 997), len(data) - 1]:
        path.write_bytes(data[:size])
        with SpoolReader(path, keys) as reader:
            found = list(reader.blocks())
            assert found == BLOCKS[: len(found)]
            assert not reader.whole
            assert not reader.damaged
    assert len(found) == len(BLOCKS)


def test_a_sealed_block_that_was_changed_is_silence(tmp_path):
    path = written(tmp_path, SEALED)
    data = bytearray(path.read_bytes())
    data[-6000] ^= 1
    path.write_bytes(data)
    with SpoolReader(path, SEALED) as reader:
        assert list(reader.blocks()) == [*BLOCKS[:3], bytes(4000), BLOCKS[4]]
        assert reader.damaged
        assert not reader.whole


@BOTH
@pytest.mark.parametrize("octet", [0, 3])
def test_a_length_that_lies_ends_a_recording(tmp_path, keys, octet):
    path = written(tmp_path, keys)
    data = bytearray(path.read_bytes())
    data[data.index(b"\n", 11) + 1 + octet] ^= 255
    path.write_bytes(data)
    with SpoolReader(path, keys) as reader:
        assert list(reader.blocks()) == []
        assert reader.damaged
        assert not reader.whole


@pytest.mark.parametrize(
    "data", [b"", b"RIFF....", b"dialspool1\n", b"dialspool1\n{}\n", b"dialspool1\n[1]\n"]
)
def test_what_is_no_spool_is_told(tmp_path, data):
    path = tmp_path / "x.spool"
    path.write_bytes(data)
    with pytest.raises(SpoolDamaged, match=r"x\.spool"):
        SpoolReader(path, CLEAR)


def test_a_recording_under_way_is_left_alone(tmp_path):
    writer = SpoolWriter(tmp_path, head(), CLEAR)
    with pytest.raises(BlockingIOError):
        SpoolReader(writer.path, CLEAR)
    writer.close(whole=True)
    with SpoolReader(writer.path, CLEAR), pytest.raises(BlockingIOError):
        SpoolReader(writer.path, CLEAR)


def test_one_that_was_delivered_meanwhile_is_not_there(tmp_path):
    path = written(tmp_path, CLEAR)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        SpoolReader(path, CLEAR)


def test_a_full_disk_is_told_and_what_was_written_stays(tmp_path):
    writer = SpoolWriter(tmp_path, head(), CLEAR)
    writer.write(BLOCKS[0])
    file, writer._file = writer._file, Path("/dev/full").open("wb", 0)  # noqa: SIM115 - closed below
    with pytest.raises(OSError, match="No space left"):
        writer.write(BLOCKS[1])
    writer._file.close()
    file.close()
    with SpoolReader(writer.path, CLEAR) as reader:
        assert list(reader.blocks()) == BLOCKS[:1]
        assert not reader.whole


KILLED = """
import sys, time
sys.path[:0] = sys.argv[2:]
import test_spool
from pathlib import Path
writer = test_spool.SpoolWriter(Path(sys.argv[1]), test_spool.head(), test_spool.SEALED)
for block in test_spool.BLOCKS:
    writer.write(block)
print("written", flush=True)
time.sleep(60)
"""


def test_a_process_that_is_killed_leaves_what_it_had(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, tmp_path, Path(__file__).parent],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "written\n"
    [path] = tmp_path.glob("*.spool")
    with pytest.raises(BlockingIOError):
        SpoolReader(path, SEALED)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with SpoolReader(path, SEALED) as reader:
        assert list(reader.blocks()) == BLOCKS
        assert not reader.whole


def tones(seconds):
    times = np.arange(int(8000 * seconds)) / 8000
    sides = (8000 * np.sin(2 * np.pi * hertz * times) for hertz in (440, 1000))
    return np.stack(list(sides), axis=1).astype("<i2")


def encoded(folder, target, samples, form):
    blocks = [samples[at : at + 8000].tobytes() for at in range(0, len(samples), 8000)]
    path = written(folder, CLEAR, blocks=blocks, format=form)
    with SpoolReader(path, CLEAR) as reader, target.open("wb+") as file:
        return encode(reader, file)


def test_wav_has_every_sample(tmp_path):
    samples = tones(2.5)
    made = encoded(tmp_path, tmp_path / "a.wav", samples, "wav")
    read, rate = soundfile.read(tmp_path / "a.wav", dtype="int16")
    assert (rate, made.seconds, made.whole) == (8000, 2.5, True)
    assert np.array_equal(read, samples)
    assert made.octets == (tmp_path / "a.wav").stat().st_size == 44 + samples.nbytes


def test_opus_has_both_tones_each_on_its_side(tmp_path):
    made = encoded(tmp_path, tmp_path / "a.opus", tones(3), "opus")
    assert (tmp_path / "a.opus").read_bytes()[28:36] == b"OpusHead"
    read, rate = soundfile.read(tmp_path / "a.opus")
    assert read.shape[1] == 2
    assert abs(len(read) / rate - 3) < 0.05
    assert made.octets < 3 * 32_000 / 4
    for side, hertz in enumerate((440, 1000)):
        spectrum = np.abs(np.fft.rfft(read[rate // 2 : rate * 2, side]))
        assert abs(np.argmax(spectrum) / 1.5 - hertz) < 2


def test_an_empty_recording_is_a_file_without_sound(tmp_path):
    made = encoded(tmp_path, tmp_path / "a.wav", tones(0), "wav")
    assert made.seconds == 0
