"""Audio files as G.711 frames: any rate, any channels, whatever libsndfile reads."""

from __future__ import annotations

import asyncio
import collections
import stat
import threading
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import soxr

from dialer.rtp import g711
from dialer.rtp.frames import Frames

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from dialer.rtp.g711 import Samples

_BLOCK = 65536  # samples read at once, so that a huge file takes little memory
_SCALE = 32768  # libsndfile's, so that 16-bit files at 8 kHz come through unchanged
_INT16 = (-32768, 32767)


class AudioError(Exception):
    """A file that cannot be played; the text names it and says what is wrong, in one line."""


def read(path: Path, max_seconds: float = 600.0) -> Samples:
    """Read an audio file as mono int16 samples at 8 kHz. Blocks; raises `AudioError`."""
    _status(path)
    try:
        with soundfile.SoundFile(path) as sound:
            samples = _resample(sound, path, max_seconds)
    except (soundfile.SoundFileError, OSError, TypeError, ValueError) as error:
        # TypeError: by its name libsndfile takes it for headerless audio and asks for parameters.
        raise AudioError(f"{path}: it is not an audio file that can be read ({error})") from None
    if not len(samples):
        raise AudioError(f"{path}: it holds no audio")
    return samples


def _status(path: Path) -> os.stat_result:
    try:
        status = path.stat()
    except OSError as error:
        raise AudioError(f"{path}: {error.strerror}") from None
    except ValueError as error:  # a NUL in the name
        raise AudioError(f"{str(path)!r}: {error}") from None
    if not stat.S_ISREG(status.st_mode):
        raise AudioError(f"{path}: it is not a file")
    return status


def _resample(sound: soundfile.SoundFile, path: Path, max_seconds: float) -> Samples:
    """Mix down, resample and round block by block."""
    limit = int(max_seconds * g711.SAMPLE_RATE)
    resampler = soxr.ResampleStream(sound.samplerate, g711.SAMPLE_RATE, 1, dtype="float32")
    parts, length, more = [], 0, True
    while more:
        block = sound.read(_BLOCK, dtype="float32", always_2d=True)
        more = len(block) == _BLOCK
        mono = np.nan_to_num(block.mean(axis=1, dtype=np.float32))
        part = resampler.resample_chunk(mono, last=not more)
        parts.append(np.clip(np.rint(part * _SCALE), *_INT16).astype(np.int16))
        length += len(part)
        if length > limit:
            raise AudioError(f"{path}: it is longer than {max_seconds:g} s")
    return np.concatenate(parts)


class AudioLibrary:
    """Loads files for playing and keeps those used last, up to `max_bytes` of frames.

    A file that changed on disk is read anew. Files longer than `max_seconds` are refused.
    """

    def __init__(self, *, max_seconds: float = 600.0, max_bytes: int = 64 * 1024 * 1024) -> None:
        self._max_seconds = max_seconds
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._kept: collections.OrderedDict[tuple[Path, str], tuple[object, Frames]] = (
            collections.OrderedDict()
        )
        self._bytes = 0
        self._loading: dict[tuple[Path, str], asyncio.Task[Frames]] = {}

    async def fetch(self, path: Path, codec: str) -> Frames:
        """Return the frames of a file in `codec`, read in a thread; raises `AudioError`.

        Calls that want the same file at the same time share one reading.
        """
        key = (path, codec)
        task = self._loading.get(key)
        if task is None:
            task = asyncio.create_task(asyncio.to_thread(self.load, path, codec))
            self._loading[key] = task
            task.add_done_callback(lambda done: self._loaded(key, done))
        return await asyncio.shield(task)

    def load(self, path: Path, codec: str) -> Frames:
        """Return the frames of a file in `codec`, blocking; raises `AudioError`."""
        status = _status(path)
        state = (status.st_mtime_ns, status.st_size, status.st_ino)
        key = (path, codec)
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and kept[0] == state:
                self._kept.move_to_end(key)
                return kept[1]
        frames = Frames.of(read(path, self._max_seconds), codec)
        with self._lock:
            self._keep(key, state, frames)
        return frames

    def _keep(self, key: tuple[Path, str], state: object, frames: Frames) -> None:
        """Keep `frames`, letting go of those whose use is longest ago."""
        if key in self._kept:
            self._bytes -= len(self._kept.pop(key)[1].data)
        self._kept[key] = (state, frames)
        self._bytes += len(frames.data)
        while self._bytes > self._max_bytes:
            _, (_, oldest) = self._kept.popitem(last=False)
            self._bytes -= len(oldest.data)

    def _loaded(self, key: tuple[Path, str], task: asyncio.Task[Frames]) -> None:
        """Forget a reading that has ended; its error, if any, is with those who waited."""
        del self._loading[key]
        if not task.cancelled():
            task.exception()
