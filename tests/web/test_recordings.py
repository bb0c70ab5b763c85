"""A call's recording on its page: listened to, kept until when, deleted by an admin."""

from __future__ import annotations

import base64
import hashlib
import io
import math
import zoneinfo

import pytest
import soundfile
from playwright.sync_api import expect
from tests.db import scene as store
from tests.web import scene
from tests.web.conftest import ZONE
from tests.web.house import House, carrier
from tests.web.test_accessibility import check

from dialer import config
from dialer.campaign.role import Role
from dialer.campaign.status import CallStatus
from dialer.config_recordings import Recordings
from dialer.recordings import sealing
from dialer.recordings.folder_place import FolderPlace
from dialer.recordings.keys import RecordingKeys
from dialer.store import calls, recordings, tokens

SECONDS = 12
KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()
READERS = zoneinfo.ZoneInfo(ZONE)
ADMIN = "an-admin-of-the-instance"


def tone():
    """A recording: a tone on each of two channels."""
    file = io.BytesIO()
    samples = [(0.3 * math.sin(n * 0.35), 0.3 * math.sin(n * 0.5)) for n in range(SECONDS * 8000)]
    soundfile.write(file, samples, 8000, format="WAV", subtype="PCM_16")
    return file.getvalue()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("recordings")


@pytest.fixture(scope="module")
def house(module_database, place, tmp_path_factory):
    """A service that keeps recordings sealed, and wants a token."""
    files = tmp_path_factory.mktemp("secrets")
    for name, secret in (("keys", KEY), ("token", ADMIN)):
        (files / name).write_text(secret)
    settings = {
        "api": config.Api(port=0, token_file=files / "token"),
        "recordings": Recordings(place=str(place), keys_file=files / "keys"),
    }
    with House(module_database, {"north": carrier()}, **settings) as found:
        yield found


@pytest.fixture
def recorded(house, place, tmp_path):
    """A call that was answered and recorded."""
    sound = tone()
    (tmp_path / "plain").write_bytes(sound)
    sealing.seal_file(tmp_path / "plain", tmp_path / "sealed", RecordingKeys(KEY))

    async def make(client):
        made = await client.create_campaign(
            {"name": "Spring", "trunks": ["north"], "max_attempts": 1}
        )
        await client.add_numbers(made.id, ["+15552000103"])
        await client.start(made.id)
        await scene.settled(client, made.id)
        [call] = (await client.calls(made.id, CallStatus.ANSWERED)).items
        new = store.recording(
            (await calls.get(house.pool, 1, call.id)).call,
            seconds=SECONDS,
            octets=len(sound),
            sha256=hashlib.sha256(sound).hexdigest(),
            consent="key",
            consent_detail="pressed 1",
        )
        await FolderPlace(place).put(new.place_key, tmp_path / "sealed")
        assert await recordings.add(house.pool, new)
        return new

    return house.ask(make, ADMIN)


@pytest.fixture
def sign_in(visitor, house):
    """`sign_in(role, call)` opens a call's page as somebody with that role."""

    def come(role, call_id, **options):
        secret, _ = house.run(tokens.create(house.pool, 1, f"the {role}", role))
        guest = visitor(house.url, **options)
        page = guest.open(f"/calls/{call_id}")
        page.get_by_label("Token").fill(secret)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("region", name="Recording")).to_be_visible()
        return page

    return come


def test_an_operator_listens_to_any_part_of_a_recording(sign_in, recorded):
    page = sign_in(Role.OPERATOR, recorded.call_id)
    part = page.get_by_role("region", name="Recording")
    expect(part).to_contain_text("Given by a key: pressed 1")
    expect(part).to_contain_text("12 s")
    expect(part).to_contain_text(f"until {recorded.expires_at.astimezone(READERS):%-d %b %Y}")
    heard = part.locator("audio").evaluate("""async (audio) => {
        const told = (name) => new Promise((resolve, reject) => {
            audio.addEventListener(name, resolve, { once: true });
            audio.addEventListener("error", () => reject(audio.error.message), { once: true });
        });
        const loaded = told("loadedmetadata");
        audio.preload = "auto";
        audio.load();
        await loaded;
        const there = told("seeked");
        audio.currentTime = 11;
        await there;
        return [audio.duration, audio.currentTime];
    }""")
    assert heard == [SECONDS, 11]
    expect(part.get_by_role("button", name="Delete")).to_have_count(0)
    with page.expect_download() as download:
        part.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename.startswith(f"call-{recorded.call_id}-")
    assert soundfile.info(download.value.path()).duration == SECONDS


def test_a_viewer_reads_of_it_and_does_not_listen(sign_in, recorded):
    page = sign_in(Role.VIEWER, recorded.call_id)
    part = page.get_by_role("region", name="Recording")
    expect(part).to_contain_text("Operators and admins can listen")
    expect(part.locator("audio")).to_have_count(0)
    expect(part.get_by_role("link", name="Download")).to_have_count(0)


def test_an_admin_deletes_it_once_asked(sign_in, house, recorded, place):
    page = sign_in(Role.ADMIN, recorded.call_id)
    part = page.get_by_role("region", name="Recording")
    check(page)
    part.get_by_role("button", name="Delete recording").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Cancel").click()
    expect(part.locator("audio")).to_have_count(1)
    part.get_by_role("button", name="Delete recording").click()
    dialog.get_by_role("button", name="Delete").click()
    expect(part).to_contain_text("somebody deleted it")
    expect(part.locator("audio")).to_have_count(0)
    gone = "SELECT deleted_at FROM recordings WHERE id = $1"
    while house.execute(gone, recorded.id)[0]["deleted_at"] is None:
        pass
    assert not (place / recorded.place_key).exists()


def test_a_call_that_was_not_recorded_says_why(visitor, house):
    async def make(client):
        wanted = {"consent": "column", "column": "may record"}
        made = await client.create_campaign(
            {
                "name": "Asked",
                "trunks": ["north"],
                "max_attempts": 1,
                "on_answer": {"kind": "hang_up", "recording": wanted},
            }
        )
        await client.add_numbers(made.id, ["+15552000104"])
        await client.start(made.id)
        await scene.settled(client, made.id)
        [call] = (await client.calls(made.id, CallStatus.ANSWERED)).items
        return call.id

    page = visitor(house.url).open(f"/calls/{house.ask(make, ADMIN)}")
    page.get_by_label("Token").fill(ADMIN)
    page.get_by_role("button", name="Sign in").click()
    said = "Not recorded: the list's column 'may record' does not say yes."
    expect(page.get_by_text(said)).to_be_visible()
