"""The part of the API's client that is about recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from dialer.api import recording_models

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from dialer.client_webhooks import Ask, Tell

ROOT = "/v1/recordings"


class Stream(Protocol):
    """Sends a request and yields the pieces of its answer; raises ApiProblem."""

    def __call__(self, path: str, **request: Any) -> AsyncIterator[bytes]:
        """Yield the pieces."""


class RecordingClient:
    """Recordings of calls; every method raises ApiProblem."""

    def __init__(self, ask: Ask, tell: Tell, stream: Stream) -> None:
        self._ask = ask
        self._tell = tell
        self._stream = stream

    async def page(
        self, *, limit: int = 50, cursor: str | None = None, **wanted: Any
    ) -> recording_models.RecordingPage:
        """Read a page of recordings, the last added first.

        `wanted` are the API's parameters campaign_id and call_id, and since for its from.
        """
        asked = {"from" if name == "since" else name: value for name, value in wanted.items()}
        given = {"limit": limit, "cursor": cursor, **asked}
        parameters = {name: value for name, value in given.items() if value is not None}
        return await self._ask(recording_models.RecordingPage, "GET", ROOT, params=parameters)

    async def get(self, recording_id: UUID) -> recording_models.Recording:
        """Read what is known of a recording."""
        return await self._ask(recording_models.Recording, "GET", f"{ROOT}/{recording_id}")

    async def audio(self, recording_id: UUID, start: int = 0) -> AsyncIterator[bytes]:
        """Yield the pieces of its sound, from the byte `start` on, which must be one of it."""
        path = f"{ROOT}/{recording_id}/audio"
        async for piece in self._stream(path, headers={"Range": f"bytes={start}-"}):
            yield piece

    async def delete(self, recording_id: UUID) -> None:
        """Delete a recording."""
        await self._tell("DELETE", f"{ROOT}/{recording_id}")
