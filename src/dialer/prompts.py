"""Where the audio files are that campaigns name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def find(folders: Iterable[Path], name: str) -> Path | None:
    """Return the file called `name` in the first folder that has it; no name leaves its folder."""
    for folder in folders:
        root = folder.resolve()
        path = (root / name).resolve()
        if path.is_relative_to(root) and path.is_file():
            return path
    return None
