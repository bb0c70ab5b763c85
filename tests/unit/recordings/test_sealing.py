from __future__ import annotations

import base64
import itertools
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.recordings import sealing
from dialer.recordings.keys import RecordingKeys, RecordingSealed
from dialer.recordings.sealing import CHUNK, HEAD, SEALED_CHUNK, RecordingDamaged, read_sealed

ONE, TWO = (base64.urlsafe_b64encode(bytes([n]) * 32).decode() for n in (1, 2))
KEYS = RecordingKeys(ONE)
SIZES = (0, 1, 1000, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 77)


def sound(size):
    return random.Random(size).randbytes(size)


def sealed(plain, keys=KEYS):
    with tempfile.TemporaryDirectory() as name:
        source, target = Path(name, "plain"), Path(name, "sealed")
        source.write_bytes(plain)
        sealing.seal_file(source, target, keys)
        assert target.stat().st_mode & 0o777 == 0o600
        return target.read_bytes()


def ranges_of(data, piece=10_000, asked=None):
    """A source of the raw ranges of `data`; notes them in `asked`."""

    async def raw(start, end):
        if asked is not None:
            asked.append((start, end))
        for at in range(start, min(end, len(data)), piece):
            yield data[at : min(at + piece, end)]

    return raw


async def read(data, octets, start=0, end=None, keys=KEYS, **source):
    raw = ranges_of(data, **source)
    found = [piece async for piece in read_sealed(raw, keys, octets, start, end or octets)]
    assert max(map(len, found), default=0) <= CHUNK
    return b"".join(found)


FILES = {size: (sound(size), sealed(sound(size))) for size in SIZES}


@pytest.mark.parametrize("size", SIZES)
async def test_what_was_sealed_is_read_whole_and_stands_nowhere_in_clear(size):
    plain, data = FILES[size]
    assert len(data) == sealing.sealed_length(size)
    assert await read(data, size) == plain
    assert size < 100 or plain[:64] not in data


@given(
    size=st.sampled_from(SIZES),
    ends=st.tuples(*[st.integers(0, 3 * CHUNK + 100)] * 2),
    piece=st.sampled_from([1000, 65_536, 1_000_000]),
)
@settings(max_examples=150)
async def test_any_range_reads_as_that_of_the_plain_file(size, ends, piece):
    plain, data = FILES[size]
    start, end = sorted(ends)
    assert await read(data, size, start, end or 0, piece=piece) == plain[start : end or size]


async def test_no_more_is_read_than_the_chunks_that_hold_the_range():
    plain, data = FILES[3 * CHUNK + 77]
    asked = []
    assert await read(data, len(plain), CHUNK + 5, CHUNK + 9, asked=asked) == plain[CHUNK + 5 :][:4]
    assert asked == [(0, HEAD), (HEAD + SEALED_CHUNK, HEAD + 2 * SEALED_CHUNK)]


@given(st.data())
@settings(max_examples=100)
async def test_a_changed_bit_anywhere_is_found(data):
    plain, kept = FILES[CHUNK + 1]
    at = data.draw(st.integers(0, len(kept) - 1))
    changed = bytearray(kept)
    changed[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises((RecordingDamaged, RecordingSealed)):
        await read(bytes(changed), len(plain))


@pytest.mark.parametrize("size", [s for s in SIZES if s])
async def test_a_file_that_was_cut_off_is_found(size):
    plain, data = FILES[size]
    whole_chunks = range(HEAD, len(data), SEALED_CHUNK)
    for cut in {0, 5, HEAD - 1, HEAD, len(data) - 1, *whole_chunks}:
        with pytest.raises(RecordingDamaged):
            await read(data[:cut], len(plain))


async def test_a_file_that_was_cut_off_at_a_chunk_is_found_also_when_its_length_is_told_wrong():
    _, data = FILES[3 * CHUNK]
    with pytest.raises(RecordingDamaged, match="chunk 2 "):
        await read(data[: HEAD + 2 * SEALED_CHUNK], 2 * CHUNK)


async def test_chunks_in_another_order_are_found():
    plain, data = FILES[3 * CHUNK]
    chunks = [data[HEAD + n * SEALED_CHUNK :][:SEALED_CHUNK] for n in range(3)]
    for order in itertools.permutations(range(3)):
        mixed = data[:HEAD] + b"".join(chunks[n] for n in order)
        if order == (0, 1, 2):
            assert await read(mixed, len(plain)) == plain
        else:
            with pytest.raises(RecordingDamaged):
                await read(mixed, len(plain))


async def test_a_chunk_of_another_recording_is_found():
    plain, data = FILES[3 * CHUNK]
    other = sealed(plain)
    mixed = data[: HEAD + SEALED_CHUNK] + other[HEAD + SEALED_CHUNK :]
    with pytest.raises(RecordingDamaged, match="chunk 2 "):
        await read(mixed, len(plain))
    with pytest.raises(RecordingDamaged, match="chunk 1 "):
        await read(other[:HEAD] + data[HEAD:], len(plain))


async def test_it_opens_as_long_as_its_key_is_among_those_at_hand():
    plain = sound(1000)
    data = sealed(plain, RecordingKeys(ONE))
    assert await read(data, 1000, keys=RecordingKeys(f"{TWO} {ONE}")) == plain
    for keys in (RecordingKeys(TWO), RecordingKeys()):
        with pytest.raises(RecordingSealed):
            await read(data, 1000, keys=keys)


async def test_what_is_no_sealed_recording_is_said_to_be_none():
    with pytest.raises(RecordingDamaged, match="not a sealed recording"):
        await read(b"RIFF" + bytes(1000), 900)


def test_the_same_recording_is_never_sealed_the_same_way():
    assert sealed(b"hello")[8:] != sealed(b"hello")[8:]
