r"""A recording while its call is up: a file on this machine that outlives the process.

    dialspool1\n
    what is known of the recording, a line of JSON
    blocks: length (4 octets), what follows; 16-bit little-endian stereo at 8 kHz
    at the end a block without length, and an octet: 1 where nothing is missing

With a key each block is sealed by AES-256-GCM, its number being the nonce. Whoever writes or reads
the file holds a lock on it, which goes with the process: a file without a lock is nobody's call any
more, and is to be taken on by whoever finds it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import fcntl
import json
import os
import struct
import uuid
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dialer.recordings.keys import RecordingKeys

SUFFIX = ".spool"
_MAGIC = b"dialspool1\n"
_LENGTH = struct.Struct("!I")
_MOST = 64 * 1024 * 1024  # octets in a block; a greater length is damage
_SAMPLES = 4  # octets of a sample of both sides
_TAG = 16  # octets that sealing adds to a block
_MOST_HEAD = 64 * 1024
_WHOLE, _NOT_WHOLE = b"\x01", b"\x00"


class SpoolDamaged(Exception):  # noqa: N818 - read as a sentence
    """A spool file is none, or its beginning is gone; the text says so in a sentence."""


@dataclasses.dataclass(frozen=True, slots=True)
class SpoolHead:
    """What is known of a recording when it begins; `keep_days` 0: as long as its call."""

    id: uuid.UUID
    account_id: int
    campaign_id: int
    call_id: int
    attempt_id: uuid.UUID
    node: str
    started_at: dt.datetime
    format: str
    consent: str
    consent_detail: str
    keep_days: int

    def to_json(self) -> dict[str, Any]:
        """Return it in values of JSON."""
        told = dataclasses.asdict(self)
        return {name: value if type(value) is int else str(value) for name, value in told.items()}

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> SpoolHead:
        """Read what `to_json` returned; raises KeyError, TypeError and ValueError for another."""
        values = {field.name: told[field.name] for field in dataclasses.fields(cls)}
        for name in ("id", "attempt_id"):
            values[name] = uuid.UUID(values[name])
        values["started_at"] = dt.datetime.fromisoformat(values["started_at"])
        return cls(**values)


class SpoolWriter:
    """Writes the spool of one recording, locked until it is closed. Everything blocks.

    Raises OSError, where the disk is full among others. The folder is made where it is not there.
    """

    def __init__(self, folder: Path, head: SpoolHead, keys: RecordingKeys) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key, wrapped = keys.new() if keys.sealing else (None, "")
        self._cipher = None if key is None else AESGCM(key)
        self._blocks = 0
        self.path = folder / f"{head.id}{SUFFIX}"
        # it gets its name when it is locked, so that nobody finds it without the lock
        unnamed = folder / f".{head.id}.new"
        self._file = os.fdopen(os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "wb", 0)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            told = {**head.to_json(), "key": wrapped}
            _write(self._file, _MAGIC + json.dumps(told).encode() + b"\n")
            unnamed.rename(self.path)
        except BaseException:
            self._file.close()
            unnamed.unlink(missing_ok=True)
            raise

    def write(self, block: bytes) -> None:
        """Add samples; once that has failed nothing more is to be written but the end."""
        before = self._file.tell()
        try:
            if self._cipher is not None:
                block = self._cipher.encrypt(_nonce(self._blocks), block, _MAGIC)
            _write(self._file, _LENGTH.pack(len(block)) + block)
        except OSError:
            with contextlib.suppress(OSError):
                self._file.truncate(before)
                self._file.seek(before)
            raise
        self._blocks += 1

    def close(self, *, whole: bool) -> None:
        """Say that the recording is over, and give the lock back; closing twice is harmless."""
        if self._file.closed:
            return
        try:
            _write(self._file, _LENGTH.pack(0) + (_WHOLE if whole else _NOT_WHOLE))
        finally:
            self._file.close()


class SpoolReader:
    """Reads a spool that nobody writes any more, locked until it is closed. Everything blocks.

    `whole` and `damaged` are known once `blocks` has ended: a file that was merely cut off, as by
    the end of a process, is not damaged. Raises BlockingIOError where somebody holds it,
    FileNotFoundError where somebody was faster, SpoolDamaged, and RecordingSealed.
    """

    def __init__(self, path: Path, keys: RecordingKeys) -> None:
        self.whole = False
        self.damaged = False
        self._file = path.open("rb")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.stat()  # it may have been finished between our opening and our lock
            self.head, wrapped = self._read_head()
            self._cipher = AESGCM(keys.open(wrapped)) if wrapped else None
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def blocks(self) -> Iterator[bytes]:
        """Yield the samples, up to where the file was cut off.

        A sealed block that was changed is silence of its length.
        """
        number = 0
        while len(length := self._file.read(_LENGTH.size)) == _LENGTH.size:
            (octets,) = _LENGTH.unpack(length)
            if octets == 0:
                self.whole = self._file.read(1) == _WHOLE and not self.damaged
                return
            if octets > _MOST or octets % _SAMPLES:
                self.damaged = True
                return
            block = self._file.read(octets)
            if len(block) < octets:
                return
            yield self._opened(number, block)
            number += 1

    def _opened(self, number: int, block: bytes) -> bytes:
        if self._cipher is None:
            return block
        try:
            return self._cipher.decrypt(_nonce(number), block, _MAGIC)
        except InvalidTag:
            self.damaged = True
            return bytes(max(0, len(block) - _TAG))

    def _read_head(self) -> tuple[SpoolHead, str]:
        name = self._file.name
        if self._file.readline(len(_MAGIC)) != _MAGIC:
            raise SpoolDamaged(f"{name}: is no spool of a recording")
        try:
            told = json.loads(self._file.readline(_MOST_HEAD))
            return SpoolHead.from_json(told), str(told["key"])
        except (ValueError, KeyError, TypeError, AttributeError):
            raise SpoolDamaged(f"{name}: what it says of its call cannot be read") from None


def _write(file: BinaryIO, data: bytes) -> None:
    """Write all of it; the file has no buffer of its own, so a write may be short."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")
