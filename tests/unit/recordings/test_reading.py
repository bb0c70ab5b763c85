from __future__ import annotations

import base64
import random
from pathlib import Path

import pytest

from dialer.recordings.folder_place import FolderPlace
from dialer.recordings.keys import RecordingKeys
from dialer.recordings.place import NotThere
from dialer.recordings.reading import read_recording
from dialer.recordings.sealing import CHUNK, RecordingDamaged, seal_file

KEYS = RecordingKeys(base64.urlsafe_b64encode(bytes(32)).decode())
SOUND = random.Random(2).randbytes(5 * CHUNK + 99)
SIZE = len(SOUND)


@pytest.fixture(params=[KEYS, None], ids=["sealed", "in clear"])
def keys(request):
    return request.param


@pytest.fixture
async def place(tmp_path, keys):
    """A folder with the recording."""
    plain, sealed = tmp_path / "plain", tmp_path / "sealed"
    plain.write_bytes(SOUND)
    seal_file(plain, sealed, KEYS)
    made = FolderPlace(tmp_path / "kept")
    await made.put("a.wav", sealed if keys else plain)
    return made


async def read(place, keys, start=0, end=SIZE, key="a.wav"):
    pieces = read_recording(place, key, sealed_with=keys, octets=len(SOUND), start=start, end=end)
    return b"".join([piece async for piece in pieces])


@pytest.mark.parametrize("start", [0, 1, CHUNK, 3 * CHUNK - 5])
@pytest.mark.parametrize("length", [0, 1, 100, 2 * CHUNK, 10 * CHUNK])
async def test_any_part_is_what_was_recorded(place, keys, start, length):
    assert await read(place, keys, start, start + length) == SOUND[start : start + length]


async def test_what_is_not_there_is_told_so(place, keys):
    with pytest.raises(NotThere):
        await read(place, keys, key="b.wav")


async def test_a_file_that_was_cut_off_is_told_of_once_its_end_is_asked_for(place, keys, tmp_path):
    file = tmp_path / "kept" / "a.wav"
    file.write_bytes(file.read_bytes()[:-1])
    assert await read(place, keys, 0, 100) == SOUND[:100]
    with pytest.raises(RecordingDamaged, match="ends"):
        await read(place, keys)


def opened(name):
    """Whether this process has a file of that name open."""
    targets = (str(one.resolve()) for one in Path("/proc/self/fd").iterdir())
    return any(target.endswith(name) for target in targets)


async def test_who_stops_listening_leaves_no_file_open(place, keys):
    pieces = read_recording(
        place, "a.wav", sealed_with=keys, octets=len(SOUND), start=0, end=len(SOUND)
    )
    assert await anext(pieces)
    assert opened("a.wav")
    await pieces.aclose()
    assert not opened("a.wav")
