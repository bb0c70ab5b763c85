from __future__ import annotations

import base64
import datetime as dt
import hashlib
import random
import uuid

import pytest
from tests.api.conftest import served
from tests.db import scene

from dialer.campaign.role import Role
from dialer.recordings import sealing
from dialer.recordings.bucket_place import Bucket, BucketPlace
from dialer.recordings.folder_place import FolderPlace
from dialer.recordings.keys import RecordingKeys
from dialer.store import erasure, recordings, tokens
from dialer.store.records import DEFAULT_ACCOUNT

SOUND = random.Random(7).randbytes(3 * sealing.CHUNK + 500)
SIZE = len(SOUND)
KEYS = RecordingKeys(base64.urlsafe_b64encode(bytes(32)).decode())
NOWHERE = Bucket("calls", endpoint="http://127.0.0.1:1", access_key="a", secret_key="b")
BEGAN = dt.datetime(2026, 11, 28, 12, 30, 5, tzinfo=dt.UTC)


@pytest.fixture
def place(tmp_path):
    return FolderPlace(tmp_path / "kept")


@pytest.fixture
async def api(pool, place):
    async with served(pool, recordings=place, recording_keys=KEYS) as found:
        yield found


@pytest.fixture
async def call(pool):
    """A call that is over."""
    campaign = await scene.campaign(pool, 1)
    node = await scene.node(pool)
    [leg] = await node.dial_all(campaign)
    await node.end([leg])
    return (await scene.read(pool, leg.call_id)).call


@pytest.fixture
def kept(pool, place, call, tmp_path):
    """`await kept(sealed=False, ...)` puts a recording into the place and notes it."""

    async def keep(**more):
        new = scene.recording(
            call,
            started_at=BEGAN,
            octets=SIZE,
            sha256=hashlib.sha256(SOUND).hexdigest(),
            **more,
        )
        plain, sealed = tmp_path / "plain", tmp_path / "sealed"
        plain.write_bytes(SOUND)
        sealing.seal_file(plain, sealed, KEYS)
        await place.put(new.place_key, sealed if new.sealed else plain)
        assert await recordings.add(pool, new)
        return new

    return keep


async def listen(api, new, status=200, method="GET", **headers):
    """The sound, and the head of the answer."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    path = f"/v1/recordings/{new.id}/audio"
    async with api.client.request(method, path, headers=fields) as response:
        body = await response.read()
        assert response.status == status, body
        return body, response.headers


@pytest.mark.parametrize("sealed", [True, False])
async def test_a_recording_sounds_as_it_was_recorded(api, kept, sealed):
    new = await kept(sealed=sealed)
    body, head = await listen(api, new)
    assert body == SOUND
    assert head["Content-Type"] == "audio/wav"
    assert head["Content-Length"] == str(SIZE)
    assert head["Accept-Ranges"] == "bytes"
    assert head["ETag"] == f'"{new.sha256}"'
    assert head["Cache-Control"] == "no-store"
    name = f"call-{new.call_id}-20261128T123005Z.wav"
    assert head["Content-Disposition"] == f'attachment; filename="{name}"'


@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-", 0, SIZE),
        ("bytes=0-99", 0, 100),
        ("bytes=70000-140000", 70_000, 140_001),
        ("bytes=-500", SIZE - 500, SIZE),
        (f"bytes={SIZE - 1}-", SIZE - 1, SIZE),
    ],
)
async def test_any_part_can_be_asked_for(api, kept, sealed, asked, start, end):
    new = await kept(sealed=sealed)
    body, head = await listen(api, new, 206, Range=asked)
    assert body == SOUND[start:end]
    assert head["Content-Range"] == f"bytes {start}-{end - 1}/{SIZE}"
    assert head["Content-Length"] == str(end - start)


async def test_a_part_behind_the_end_is_refused_with_the_length(api, kept):
    new = await kept()
    _, head = await listen(api, new, 416, Range=f"bytes={SIZE}-")
    assert head["Content-Range"] == f"bytes */{SIZE}"
    assert head["Content-Type"] == "application/problem+json"


async def test_a_part_is_given_only_of_what_the_client_has_the_beginning_of(api, kept):
    new = await kept()
    tag = f'"{new.sha256}"'
    assert (await listen(api, new, 206, Range="bytes=5-9", If_Range=tag))[0] == SOUND[5:10]
    for other in ('"abc"', f"W/{tag}", "Sat, 28 Nov 2026 12:00:00 GMT"):
        assert (await listen(api, new, 200, Range="bytes=5-9", If_Range=other))[0] == SOUND
    body, head = await listen(api, new, 304, If_None_Match=tag)
    assert (body, head["ETag"]) == (b"", tag)


async def test_its_head_is_told_without_its_sound(api, kept, place):
    new = await kept(format="opus")
    await place.delete(new.place_key)
    body, head = await listen(api, new, method="HEAD")
    assert body == b""
    assert head["Content-Length"] == str(SIZE)
    assert head["Content-Type"] == "audio/ogg; codecs=opus"
    assert head["Content-Disposition"].endswith('Z.opus"')


async def test_what_is_known_of_it_is_read_alone_in_lists_and_with_its_call(api, kept, call):
    new = await kept(consent="key", consent_detail="1", whole=False)
    other = await kept(expires_at=None)
    shown = await api("GET", f"/v1/recordings/{new.id}")
    assert shown == {
        "id": str(new.id),
        "campaign_id": call.campaign_id,
        "call_id": call.id,
        "attempt_id": str(call.attempt_id),
        "started_at": "2026-11-28T12:30:05Z",
        "seconds": 12.5,
        "format": "wav",
        "octets": SIZE,
        "sha256": new.sha256,
        "whole": False,
        "sealed": True,
        "consent": "key",
        "consent_detail": "1",
        "expires_at": new.expires_at.isoformat().replace("+00:00", "Z"),
        "deleted_at": None,
        "deleted_because": None,
        "gone_at": None,
        "file_name": f"call-{call.id}-20261128T123005Z.wav",
    }
    [attempt] = (await api("GET", f"/v1/calls/{call.id}"))["attempts"]
    assert [one["id"] for one in attempt["recordings"]] == [str(new.id), str(other.id)]
    assert attempt["recordings"][0] == shown
    page = await api("GET", "/v1/recordings", params={"limit": 1})
    assert [one["id"] for one in page["items"]] == [str(other.id)]
    rest = await api("GET", "/v1/recordings", params={"cursor": page["next_cursor"]})
    assert rest == {"items": [shown], "next_cursor": None}


async def test_lists_are_of_a_campaign_a_call_or_from_a_time_on(api, kept, call):
    new = await kept()
    for asked, found in (
        ({"campaign_id": call.campaign_id}, True),
        ({"campaign_id": call.campaign_id + 1}, False),
        ({"call_id": call.id}, True),
        ({"call_id": call.id + 1}, False),
        ({"from": "2026-11-28T12:30:05Z"}, True),
        ({"from": "2026-11-28T12:30:06Z"}, False),
    ):
        page = await api("GET", "/v1/recordings", params=asked)
        assert [one["id"] for one in page["items"]] == [str(new.id)] * found
    problem = await api("GET", "/v1/recordings", 422, params={"from": "yesterday"})
    assert "from" in problem["detail"]


async def test_one_that_was_deleted_says_when_and_why_and_sounds_no_more(api, kept, call):
    new = await kept()
    path = f"/v1/recordings/{new.id}"
    for _ in range(2):
        await api("DELETE", path, 204)
    for audio, status in (("", 200), ("/audio", 410)):
        answer = await api("GET", f"{path}{audio}", status)
    assert "was deleted at" in answer["detail"]
    assert answer["detail"].endswith("UTC: somebody deleted it")
    await listen(api, new, 410, method="HEAD")
    shown = await api("GET", path)
    assert shown["deleted_at"]
    assert (shown["deleted_because"], shown["gone_at"]) == ("deleted", None)
    [attempt] = (await api("GET", f"/v1/calls/{call.id}"))["attempts"]
    assert attempt["recordings"] == [shown]


async def test_one_of_an_erased_person_is_not_there(api, pool, kept, call):
    new = await kept()
    await erasure.erase(pool, DEFAULT_ACCOUNT, call.number)
    for path in (f"/v1/recordings/{new.id}", f"/v1/recordings/{new.id}/audio"):
        await api("GET", path, 404)
    await api("DELETE", f"/v1/recordings/{new.id}", 404)
    assert (await api("GET", "/v1/recordings"))["items"] == []


@pytest.mark.parametrize("name", ["7", "x", str(uuid.UUID(int=7))])
async def test_what_is_not_there_is_told_so(api, name):
    for path in (f"/v1/recordings/{name}", f"/v1/recordings/{name}/audio"):
        problem = await api("GET", path, 404)
        assert problem["detail"].startswith("there is no recording")


async def test_who_listens_and_deletes_is_on_record_before_a_byte_is_sent(api, pool, kept, call):
    new = await kept()
    secret = (await tokens.create(pool, 1, "ann", Role.OPERATOR))[0]
    await listen(api, new, 206, Range="bytes=7-8", Authorization=f"Bearer {secret}")
    await listen(api, new, method="HEAD")
    viewer = (await tokens.create(pool, 1, "bob", Role.VIEWER))[0]
    await listen(api, new, 403, Authorization=f"Bearer {viewer}")
    await api("DELETE", f"/v1/recordings/{new.id}", 204)
    deleted, refused, heard = (await api("GET", "/v1/audit"))["items"]
    assert (heard["route"], heard["token_name"], heard["status"]) == (
        "getRecordingAudio",
        "ann",
        206,
    )
    assert (heard["object"], heard["campaign_id"]) == (str(new.id), call.campaign_id)
    assert heard["details"] == {"call_id": call.id, "range": f"bytes 7-8/{SIZE}"}
    assert (refused["token_name"], refused["status"]) == ("bob", 403)
    assert (deleted["route"], deleted["object"]) == ("deleteRecording", str(new.id))
    await pool.execute("ALTER TABLE audit_log RENAME TO elsewhere")
    other = await kept()
    body, _ = await listen(api, other, 500)
    assert b"error_id" in body
    await pool.execute("ALTER TABLE elsewhere RENAME TO audit_log")


async def test_what_is_missing_sealed_or_damaged_is_a_problem_in_one_line(
    api, pool, place, kept, tmp_path
):
    missing, sealed, damaged = [await kept() for _ in range(3)]
    await place.delete(missing.place_key)
    problem = await api("GET", f"/v1/recordings/{missing.id}/audio", 500)
    assert f"it is not in {place}" in problem["detail"]
    file = tmp_path / "kept" / damaged.place_key
    file.write_bytes(b"x" + file.read_bytes()[1:])
    problem = await api("GET", f"/v1/recordings/{damaged.id}/audio", 500)
    assert "not a sealed recording" in problem["detail"]
    async with served(pool, recordings=place) as keyless:
        problem = await keyless("GET", f"/v1/recordings/{sealed.id}/audio", 500)
        assert "this process has no key to open it" in problem["detail"]
    async with served(pool) as placeless:
        problem = await placeless("GET", f"/v1/recordings/{sealed.id}/audio", 503)
        assert "not told where recordings are kept" in problem["detail"]


async def test_a_place_that_cannot_be_reached_is_worth_another_try(pool, kept):
    new = await kept()
    async with served(pool, recordings=BucketPlace(NOWHERE), recording_keys=KEYS) as api:
        problem = await api("GET", f"/v1/recordings/{new.id}/audio", 503)
    assert problem["headers"]["Retry-After"] == "10"
    assert "Connection refused; see whether" in problem["detail"]


async def test_one_that_breaks_off_within_is_not_taken_for_whole(api, kept, tmp_path):
    new = await kept()
    file = tmp_path / "kept" / new.place_key
    file.write_bytes(file.read_bytes()[: -sealing.CHUNK])
    with pytest.raises(Exception, match=r"payload|disconnected|reset"):
        await listen(api, new)
