"""Commands about recordings, against a service with a call that was recorded."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import random

import pytest
from tests.cli.conftest import in_a_thread, running
from tests.db import scene

from dialer import config
from dialer.config_recordings import Recordings
from dialer.recordings.folder_place import FolderPlace
from dialer.store import pool as store_pool
from dialer.store import recordings

SOUND = random.Random(3).randbytes(300_000)
DIGEST = hashlib.sha256(SOUND).hexdigest()


@pytest.fixture
def kept(database_url, monkeypatch, tmp_path):
    """A recording of a call that is over, in the place of a service that runs."""
    (tmp_path / "sound").write_bytes(SOUND)

    async def make():
        pool = await store_pool.open_pool(database_url)
        campaign = await scene.campaign(pool, 1)
        node = await scene.node(pool)
        [leg] = await node.dial_all(campaign)
        await node.end([leg])
        call = (await scene.read(pool, leg.call_id)).call
        new = scene.recording(call, octets=len(SOUND), sha256=DIGEST, sealed=False)
        assert await recordings.add(pool, new)
        await FolderPlace(tmp_path / "kept").put(new.place_key, tmp_path / "sound")
        await store_pool.close_pool(pool)
        return new

    new = asyncio.run(make())
    settings = config.Config(
        database=config.Database(url=database_url),
        api=config.Api(port=0, token_env="DIALER_TEST_TOKEN"),
        recordings=Recordings(place=str(tmp_path / "kept")),
    )
    with in_a_thread(lambda: running(settings, engine=False)) as service:
        monkeypatch.setenv("DIALER_API", service.api_url)
        monkeypatch.chdir(tmp_path)
        yield new


def test_a_recording_is_listed_fetched_and_deleted(command, refused, kept, tmp_path):
    code, out, _ = command("recordings", "list", "--call", kept.call_id)
    assert code == 0
    for word in (str(kept.id), "12 s", "announced", f"until {kept.expires_at:%Y-%m-%d}"):
        assert word in out
    assert f"recording {kept.id}: 12 s, consent announced" in command("call", kept.call_id)[1]
    for narrow in (("--call", 99), ("--campaign", 99), ("--from", "2100-01-01")):
        assert command("recordings", "list", *narrow)[:2] == (0, "no recordings\n")

    code, out, _ = command("recordings", "get", kept.id)
    assert code == 0
    name = f"call-{kept.call_id}-{kept.started_at:%Y%m%dT%H%M%SZ}.wav"
    assert out == f"{name}: 12 s, 300000 bytes\n"
    assert (tmp_path / name).read_bytes() == SOUND

    code, out, _ = command("recordings", "delete", kept.id, "--yes")
    assert (code, out) == (0, f"recording {kept.id} is deleted\n")
    assert "(deleted)" in command("recordings", "list")[1]
    assert "was deleted at" in refused("recordings", "get", kept.id, "-o", "again.wav")
    assert "12 s, consent announced, deleted" in command("call", kept.call_id)[1]


@pytest.mark.parametrize("there", [0, 1, 123_456, 299_999, 300_000])
def test_what_broke_off_goes_on_where_it_was(command, kept, tmp_path, there):
    part = tmp_path / "sound.wav.part"
    part.write_bytes(SOUND[:there])
    # so the rest alone is asked for: were it all, the file would be too long
    assert command("recordings", "get", kept.id, "--output", "sound.wav")[0] == 0
    assert (tmp_path / "sound.wav").read_bytes() == SOUND
    assert not part.exists()


def test_what_is_there_of_something_else_is_no_harm(command, refused, kept, tmp_path):
    part = tmp_path / "sound.wav.part"
    part.write_bytes(bytes(400_000))
    assert command("recordings", "get", kept.id, "-o", "sound.wav")[0] == 0
    part.write_bytes(bytes(1000))
    said = refused("recordings", "get", kept.id, "-o", "sound.wav")
    assert said == "sound.wav did not come as it was recorded; try again"
    assert not part.exists()
    (tmp_path / "folder").mkdir()
    assert command("recordings", "get", kept.id, "-o", tmp_path / "folder")[0] == 0
    assert len(list((tmp_path / "folder").iterdir())) == 1
    assert "No such file" in refused("recordings", "get", kept.id, "-o", "nowhere/sound.wav")


def test_the_place_is_tried_before_it_is_needed(command, refused, configured, tmp_path):
    place = tmp_path / "place"
    file = configured(f'[recordings]\nplace = "{place}"\nkeys_file = "keys"\n')
    (tmp_path / "keys").write_text(base64.urlsafe_b64encode(bytes(32)).decode())
    code, out, _ = command("recordings", "check", "--config", file)
    assert (code, out.splitlines()) == (
        0,
        [f"{place}: can be written to and deleted from", "recordings are sealed"],
    )
    assert list(place.iterdir()) == []
    place.rmdir()
    place.write_text("no folder")
    said = refused("recordings", "check", "--config", file)
    assert said.startswith(f"a recording cannot be written in {place}: ")


def test_deleting_is_asked_for_and_what_is_no_recording_is_told(
    command, refused, kept, monkeypatch
):
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert command("recordings", "delete", kept.id)[0] == 1  # nobody says yes
    assert "deleted" not in command("recordings", "list")[1]
    nobody = kept.id.__class__(int=7)
    assert refused("recordings", "get", nobody) == f"there is no recording {nobody}"
    assert refused("recordings", "delete", nobody, "--yes") == f"there is no recording {nobody}"
