"""The form in which a sealed recording is kept, of which any part can be read alone.

    magic and version   8 bytes
    wrapped data key    140 bytes, a Fernet token (`keys.py`)
    chunks              64 KiB of the recording each, the last one shorter or full

Each chunk is sealed by AES-256-GCM (NIST SP 800-38D) under the file's own data key, with the
chunk's index as nonce; its 16 bytes of tag stand behind it. What is authenticated besides says the
version, the index and whether it is the last, so that chunks which are missing, exchanged or cut
off at the end are found. An empty recording has one empty chunk.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from dialer.recordings.keys import WRAPPED_LENGTH

if TYPE_CHECKING:
    from pathlib import Path

    from dialer.recordings.keys import RecordingKeys

MAGIC = b"dialrec\x01"
CHUNK = 64 * 1024
TAG = 16
SEALED_CHUNK = CHUNK + TAG
HEAD = len(MAGIC) + WRAPPED_LENGTH

RawRanges = Callable[[int, int], AsyncGenerator[bytes]]
"""Gives the bytes of a kept file from an offset up to another, in pieces of any size."""


class RecordingDamaged(Exception):  # noqa: N818 - read as a sentence
    """What is kept of a recording is not what was sealed; the text says so in a sentence."""


def seal_file(source: Path, target: Path, keys: RecordingKeys) -> None:
    """Write `source` sealed to `target`, readable for its owner only; to be called in a thread.

    A `target` that is there is replaced; what was written is on the disk then. Raises OSError, and
    RecordingSealed where there is no key.
    """
    key, wrapped = keys.new()
    with contextlib.ExitStack() as files:
        plain = files.enter_context(source.open("rb"))
        sealed = files.enter_context(_private(target))
        sealed.write(MAGIC + wrapped.encode())
        _seal(plain, sealed, AESGCM(key))
        sealed.flush()
        os.fsync(sealed.fileno())


def _seal(plain: BinaryIO, sealed: BinaryIO, cipher: AESGCM) -> None:
    index, chunk = 0, plain.read(CHUNK)
    while True:
        following = plain.read(CHUNK) if len(chunk) == CHUNK else b""
        last = not following
        sealed.write(cipher.encrypt(_nonce(index), chunk, _bound(index, last=last)))
        if last:
            return
        index, chunk = index + 1, following


def _private(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def sealed_length(octets: int) -> int:
    """Return how many bytes a recording of so many takes when it is sealed."""
    return HEAD + octets + TAG * _chunks(octets)


async def read_sealed(
    raw: RawRanges, keys: RecordingKeys, octets: int, start: int, end: int
) -> AsyncGenerator[bytes]:
    """Yield the bytes from `start` up to `end` of a recording that has `octets` in all.

    Of the file no more is read than the chunks that hold them, and of those one is held at a time.
    Raises RecordingSealed, RecordingDamaged, and what `raw` raises.
    """
    end = min(end, octets)
    if start >= end:
        return
    head = await _whole(raw(0, HEAD), HEAD)
    if not head.startswith(MAGIC):
        raise RecordingDamaged("the file is not a sealed recording of this version")
    cipher = AESGCM(keys.open(head[len(MAGIC) :].decode("latin-1")))
    first, behind = start // CHUNK, (end - 1) // CHUNK + 1
    last = _chunks(octets) - 1
    pieces = raw(
        HEAD + first * SEALED_CHUNK, min(HEAD + behind * SEALED_CHUNK, sealed_length(octets))
    )
    buffer, index = bytearray(), first
    async with contextlib.aclosing(pieces):
        async for piece in pieces:
            buffer += piece
            while index < behind:
                size = SEALED_CHUNK if index < last else octets - last * CHUNK + TAG
                if len(buffer) < size:
                    break
                plain = _opened(cipher, bytes(buffer[:size]), index, last=index == last)
                del buffer[:size]
                yield plain[max(0, start - index * CHUNK) : end - index * CHUNK]
                index += 1
    if index < behind:
        raise RecordingDamaged(f"the recording ends within its chunk {index + 1} of {last + 1}")


def _opened(cipher: AESGCM, sealed: bytes, index: int, *, last: bool) -> bytes:
    try:
        return cipher.decrypt(_nonce(index), sealed, _bound(index, last=last))
    except InvalidTag:
        raise RecordingDamaged(
            f"chunk {index + 1} of the recording is not what was sealed"
        ) from None


async def _whole(pieces: AsyncGenerator[bytes], size: int) -> bytes:
    read = b"".join([piece async for piece in pieces])
    if len(read) != size:
        raise RecordingDamaged("the recording ends within its head")
    return read


def _chunks(octets: int) -> int:
    return max(1, -(-octets // CHUNK))


def _nonce(index: int) -> bytes:
    return index.to_bytes(12, "big")


def _bound(index: int, *, last: bool) -> bytes:
    return MAGIC + index.to_bytes(8, "big") + bytes([last])
