"""Where the audio files are that campaigns name."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING

import soundfile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

MOST_SECONDS = 600.0  # of a file; a longer one is not played


@dataclasses.dataclass(frozen=True, slots=True)
class PromptFile:
    """A file among the prompts by the name that campaigns give it; `problem` says why not."""

    name: str
    seconds: float | None
    problem: str | None = None


def find(folders: Iterable[Path], name: str) -> Path | None:
    """Return the file called `name` in the first folder that has it; no name leaves its folder."""
    for folder in folders:
        root = folder.resolve()
        path = (root / name).resolve()
        if path.is_relative_to(root) and path.is_file():
            return path
    return None


def listed(folders: Iterable[Path], most: int) -> list[PromptFile]:
    """Return the files that `find` finds, by name, no more than `most`. Blocks while it looks."""
    found: dict[str, Path] = {}
    for folder in folders:
        for name, path in itertools.islice(_files(folder.resolve()), most):
            found.setdefault(name, path)
    return [_described(name, found[name]) for name in sorted(found)[:most]]


def _files(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files of a folder and of those in it, but for hidden ones, by their names."""
    for path in root.rglob("*"):
        name = path.relative_to(root)
        hidden = any(part.startswith(".") for part in name.parts)
        if not hidden and path.resolve().is_relative_to(root) and path.is_file():
            yield name.as_posix(), path


def _described(name: str, path: Path) -> PromptFile:
    try:
        about = soundfile.info(path)
    except (soundfile.SoundFileError, OSError, TypeError, ValueError):
        # TypeError: by its name libsndfile takes it for headerless audio and asks for parameters
        return PromptFile(name, None, "it is not an audio file that can be read")
    if about.frames <= 0:
        return PromptFile(name, None, "it holds no audio")
    seconds = round(about.frames / about.samplerate, 3)
    problem = f"it is longer than {MOST_SECONDS:g} s" if seconds > MOST_SECONDS else None
    return PromptFile(name, seconds, problem)
