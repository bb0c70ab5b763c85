"""Recordings over HTTP: lists, listening to any part of one, and deletion."""

from __future__ import annotations

import asyncio
import contextlib
import operator
from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from dialer.api import audit, etags, inputs, recording_models
from dialer.api.byte_range import NotSatisfiable, part_of
from dialer.api.context import account_of, answer, context_of
from dialer.api.problem import Problem
from dialer.recordings.keys import RecordingSealed
from dialer.recordings.place import NotThere, PlaceError
from dialer.recordings.reading import read_recording
from dialer.recordings.sealing import RecordingDamaged
from dialer.store import recordings as store

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from dialer.api.context import Context
    from dialer.store.recordings import Recording

LISTENING = "getRecordingAudio"
TYPES = {"wav": "audio/wav", "opus": "audio/ogg; codecs=opus"}
WHY = {"expired": "its time was over", "deleted": "somebody deleted it"}
RETRY_AFTER = 10  # seconds after which the place is worth another try

log = structlog.get_logger(__name__)


async def list_page(request: web.Request) -> web.Response:
    """List recordings, the last added first."""
    asked = inputs.query(request, recording_models.RecordingQuery)
    found = await store.list_page(
        context_of(request).pool,
        account_of(request),
        campaign_id=asked.campaign_id,
        call_id=asked.call_id,
        since=asked.since,
        before=inputs.read_cursor(asked.cursor),
        limit=asked.limit + 1,
    )
    page, next_cursor = inputs.cut_page(found, asked.limit, operator.attrgetter("ordinal"))
    items = [shown(one) for one in page]
    return answer(recording_models.RecordingPage(items=items, next_cursor=next_cursor))


async def read(request: web.Request) -> web.Response:
    """Read what is known of a recording."""
    return answer(shown(await _found(request)))


async def head(request: web.Request) -> web.StreamResponse:
    """Tell how long the sound is, without it."""
    found = await _kept(request)
    response = web.StreamResponse(headers=_headers(found))
    response.content_length = found.octets
    await response.prepare(request)
    await response.write_eof()
    return response


async def audio(request: web.Request) -> web.StreamResponse:
    """Send the sound, or the part that Range asks for; who listens is entered in the audit log."""
    found = await _kept(request)
    headers = _headers(found)
    if etags.matches(request.headers.getall("If-None-Match", []), headers["ETag"]):
        return web.Response(status=304, headers={"ETag": headers["ETag"]})
    start, end, status = 0, found.octets, 200
    if (part := _part(request, found, headers["ETag"])) is not None:
        start, end = part
        status = 206
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{found.octets}"
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length = end - start
    pieces = _sound(context_of(request), found, start, end)
    async with contextlib.aclosing(pieces):
        first = await anext(pieces, b"")  # a refusal comes before the answer has begun
        await _note_listening(request, found, status, headers)
        await response.prepare(request)
        await _write(request, response, first)
        async for piece in pieces:
            await _write(request, response, piece)
    await response.write_eof()
    return response


async def delete(request: web.Request) -> web.Response:
    """Delete a recording: from now on nobody can listen to it, and soon its sound is gone."""
    recording_id = inputs.path_uuid(request, "recording_id", "recording")
    await store.doom(context_of(request).pool, account_of(request), recording_id)
    return web.Response(status=204)


def shown(found: Recording) -> recording_models.Recording:
    """Return a recording as the API shows it."""
    same = {name: getattr(found, name) for name in recording_models.SAME}
    return recording_models.Recording(
        **same,
        deleted_at=found.doomed_at,
        deleted_because=found.doomed_because,
        gone_at=found.deleted_at,
    )


async def _found(request: web.Request) -> Recording:
    recording_id = inputs.path_uuid(request, "recording_id", "recording")
    return await store.get(context_of(request).pool, account_of(request), recording_id)


async def _kept(request: web.Request) -> Recording:
    """Return a recording that is not deleted; raises Problem 410 for one that is."""
    found = await _found(request)
    if found.doomed_at is not None:
        when = f"{found.doomed_at:%Y-%m-%d %H:%M:%S} UTC"
        because = WHY[found.doomed_because or "deleted"]
        raise Problem(410, f"recording {found.id} was deleted at {when}: {because}")
    return found


def _headers(found: Recording) -> dict[str, str]:
    return {
        "Content-Type": TYPES[found.format],
        "Content-Disposition": f'attachment; filename="{shown(found).file_name}"',
        "Accept-Ranges": "bytes",
        "ETag": f'"{found.sha256}"',
    }


def _part(request: web.Request, found: Recording, tag: str) -> tuple[int, int] | None:
    """Return the part that is asked for, None for all of it; raises Problem 416."""
    condition = request.headers.get("If-Range")
    if condition is not None and condition.strip() != tag:
        return None
    try:
        return part_of(request.headers.get("Range"), found.octets)
    except NotSatisfiable:
        raise Problem(
            416,
            f"recording {found.id} has {found.octets} bytes, and the Range begins behind them",
            headers={"Content-Range": f"bytes */{found.octets}"},
        ) from None


async def _sound(context: Context, found: Recording, start: int, end: int) -> AsyncGenerator[bytes]:
    """Yield the bytes of a part; raises Problem where they cannot be had."""
    settings = context.settings
    if settings.recordings is None:
        raise Problem(503, "this process was not told where recordings are kept")
    pieces = read_recording(
        settings.recordings,
        found.place_key,
        sealed_with=settings.recording_keys if found.sealed else None,
        octets=found.octets,
        start=start,
        end=end,
    )
    try:
        async with contextlib.aclosing(pieces):
            async for piece in pieces:
                yield piece
    except NotThere:
        raise _unheard(
            found, 500, f"it is not in {settings.recordings}; do all processes keep them there?"
        ) from None
    except PlaceError as error:
        raise _unheard(found, 503, str(error)) from None
    except RecordingSealed as error:
        raise _unheard(
            found, 500, f"{error}; the configuration's recordings.keys_env has to name it too"
        ) from None
    except RecordingDamaged as error:
        raise _unheard(found, 500, str(error)) from None


def _unheard(found: Recording, status: int, reason: str) -> Problem:
    log.error("a recording cannot be listened to", recording_id=str(found.id), reason=reason)
    headers = {"Retry-After": str(RETRY_AFTER)} if status == 503 else None
    return Problem(status, f"recording {found.id} cannot be listened to: {reason}", headers=headers)


async def _note_listening(
    request: web.Request, found: Recording, status: int, headers: dict[str, str]
) -> None:
    """Enter in the audit log who listens to what; without the entry nobody does."""
    details: dict[str, object] = {"call_id": found.call_id}
    if "Content-Range" in headers:
        details["range"] = headers["Content-Range"]
    await audit.note(
        context_of(request).pool,
        request,
        LISTENING,
        status=status,
        campaign_id=found.campaign_id,
        about=str(found.id),
        details=details,
    )


async def _write(request: web.Request, response: web.StreamResponse, piece: bytes) -> None:
    """Send a piece; who takes nothing for too long is let go, and can go on with a Range."""
    async with asyncio.timeout(context_of(request).settings.read_timeout):
        await response.write(piece)
