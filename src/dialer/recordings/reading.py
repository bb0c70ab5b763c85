"""Any part of a recording as it sounds, whether it is kept sealed or in clear."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING

from dialer.recordings.sealing import RecordingDamaged, read_sealed

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from dialer.recordings.keys import RecordingKeys
    from dialer.recordings.place import RecordingPlace


async def read_recording(
    place: RecordingPlace,
    key: str,
    *,
    sealed_with: RecordingKeys | None,
    octets: int,
    start: int,
    end: int,
) -> AsyncGenerator[bytes]:
    """Yield the bytes from `start` up to `end` of a recording that has `octets` in all.

    `sealed_with` None: it is kept in clear. Memory does not grow with the part that is asked for.
    Raises PlaceError, RecordingSealed and RecordingDamaged.
    """
    end = min(end, octets)
    if sealed_with is None:
        pieces = place.read(key, start, end)
    else:
        raw = functools.partial(place.read, key)
        pieces = read_sealed(raw, sealed_with, octets, start, end)
    missing = end - start
    async with contextlib.aclosing(pieces):
        async for piece in pieces:
            missing -= len(piece)
            yield piece
    if missing > 0:
        raise RecordingDamaged(f"the recording ends {missing} bytes too early")
