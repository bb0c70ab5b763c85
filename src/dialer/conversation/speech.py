"""Text made into audio files by a command of the configuration, and kept for the next time."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import secrets
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from dialer.ua.audio import AudioError

if TYPE_CHECKING:
    from dialer.clock import Clock

_MOST_STDERR = 64 * 1024  # octets that are looked at
_SHOWN = 200  # characters of a command's own words


@dataclasses.dataclass(frozen=True, slots=True)
class SpeechSettings:
    """How text is spoken; without a command nothing is.

    `{output}` and `{voice}` in the parts of `command` are the file that it shall write and the
    voice asked for, or else `voice`; the text comes by standard input, in UTF-8. No shell is in
    between. So many commands run at a time; files in `folder` take up to `max_bytes`.
    """

    command: tuple[str, ...] = ()
    folder: Path = Path("speech")
    voice: str = ""
    timeout: float = 10.0  # seconds
    simultaneous: int = 2
    max_bytes: int = 200 * 1024 * 1024


class Speech:
    """Speaks texts; the same text in the same voice is made once."""

    def __init__(self, settings: SpeechSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._room = asyncio.Semaphore(settings.simultaneous)
        self._making: dict[str, asyncio.Task[Path]] = {}

    async def file(self, text: str, voice: str | None = None) -> Path:
        """Return an audio file that says `text`; raises `AudioError` in one line."""
        settings = self._settings
        if not settings.command:
            raise AudioError("there is no speech.command in the configuration, so nothing is said")
        voice = voice or settings.voice
        key = hashlib.sha256(json.dumps([settings.command, voice, text]).encode()).hexdigest()
        path = settings.folder / f"{key}.wav"
        with contextlib.suppress(OSError):
            os.utime(path)  # used now, so that it stays
            return path
        making = self._making.get(key)
        if making is None:
            making = asyncio.create_task(self._make(text, voice, path), name="speech")
            self._making[key] = making
            making.add_done_callback(functools.partial(self._made, key))
        # one who hangs up meanwhile takes it from nobody else
        return await asyncio.shield(making)

    def _made(self, key: str, making: asyncio.Task[Path]) -> None:
        del self._making[key]
        if not making.cancelled():
            making.exception()  # told to those who wait; perhaps nobody does any more

    async def _make(self, text: str, voice: str, path: Path) -> Path:
        """Run the command, and put the file in its place."""
        unfinished = path.with_name(f"{path.stem}.{secrets.token_hex(4)}.part.wav")
        words = {"{output}": str(unfinished), "{voice}": voice}
        command = [_worded(part, words) for part in self._settings.command]
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            async with self._room:
                await self._run(command, text)
            if not unfinished.is_file() or not unfinished.stat().st_size:
                raise AudioError(f"speech: {command[0]} wrote no file")
            unfinished.replace(path)
            await asyncio.to_thread(_tidy, path, self._settings.max_bytes)
        except OSError as error:
            raise AudioError(f"speech: {error.filename}: {error.strerror}") from None
        finally:
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)
        return path

    async def _run(self, command: list[str], text: str) -> None:
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,  # so that what it starts can be ended with it
            )
        except OSError as error:
            raise AudioError(f"speech: {command[0]}: {error.strerror}") from None
        saying = asyncio.create_task(process.communicate(text.encode()))
        patience = asyncio.ensure_future(self._clock.sleep(self._settings.timeout))
        try:
            await asyncio.wait((saying, patience), return_when=asyncio.FIRST_COMPLETED)
            if not saying.done():
                limit = self._settings.timeout
                raise AudioError(f"speech: {command[0]} has not ended within {limit:g} s")
            _, said = saying.result()
        finally:
            patience.cancel()
            if not saying.done():
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            await asyncio.gather(saying, return_exceptions=True)
        if process.returncode:
            lines = said[-_MOST_STDERR:].decode(errors="replace").split("\n")
            last = next((line.strip() for line in reversed(lines) if line.strip()), "")
            why = f": {last[:_SHOWN]}" if last else ""
            raise AudioError(f"speech: {command[0]} ended with {process.returncode}{why}")


def _worded(part: str, words: dict[str, str]) -> str:
    for name, word in words.items():
        part = part.replace(name, word)
    return part


def _tidy(newest: Path, max_bytes: int) -> None:
    """Delete the files that were not used for longest, until the others fit; the newest stays."""
    found = []
    for path in newest.parent.glob("*.wav"):
        with contextlib.suppress(OSError):
            if path != newest and not path.name.endswith(".part.wav"):
                status = path.stat()
                found.append((status.st_mtime_ns, status.st_size, path))
    left = max_bytes - newest.stat().st_size
    for _, size, path in sorted(found, reverse=True):
        left -= size
        if left < 0:
            path.unlink(missing_ok=True)
