"""The part of the route table that is about recordings."""

from __future__ import annotations

from dialer.api import recording_models, recordings
from dialer.api.route import Route
from dialer.campaign.role import Role

NO_RECORDING = {404: "There is no such recording"}
AUDIO = "/v1/recordings/{recording_id}/audio"
DELETED = {**NO_RECORDING, 410: "It was deleted; `detail` says when and why"}
UNHEARD = {
    **DELETED,
    416: "The Range begins behind its end; Content-Range says how long it is",
    500: "Its sound is missing or damaged, or the key that it is sealed with is not at hand",
    503: "The place where it is kept cannot be reached; Retry-After says when to come again",
}

RECORDING_ROUTES = (
    Route(
        "GET",
        "/v1/recordings",
        "listRecordings",
        recordings.list_page,
        "List recordings, the last added first, those that were deleted too",
        recording_models.RecordingPage,
        query=recording_models.RecordingQuery,
        role=Role.VIEWER,
    ),
    Route(
        "GET",
        "/v1/recordings/{recording_id}",
        "getRecording",
        recordings.read,
        "Read what is known of a recording",
        recording_models.Recording,
        refusals=NO_RECORDING,
        role=Role.VIEWER,
    ),
    Route(
        "GET",
        AUDIO,
        recordings.LISTENING,
        recordings.audio,
        "Listen to a recording, or to a part of it; the audit log tells who did",
        "audio/*",
        refusals=UNHEARD,
        role=Role.OPERATOR,
        in_parts=True,
    ),
    Route(
        "HEAD",
        AUDIO,
        "headRecordingAudio",
        recordings.head,
        "Ask of what type and how long the sound of a recording is",
        None,
        refusals=DELETED,
        role=Role.OPERATOR,
    ),
    Route(
        "DELETE",
        "/v1/recordings/{recording_id}",
        "deleteRecording",
        recordings.delete,
        "Delete a recording: nobody can listen to it any more; that it was there stays on record",
        None,
        status=204,
        refusals=NO_RECORDING,
        role=Role.ADMIN,
    ),
)
