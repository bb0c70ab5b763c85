"""Calls that are recorded, from the campaign's wish to the file that is kept."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import threading
import types
import uuid
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tests.engine.scene import eventually

from dialer.conversation.prompt import HELLO
from dialer.engine import call_recordings
from dialer.engine.call_recordings import CallRecordings, SpoolSettings
from dialer.engine.recorded_call import RecordedCall
from dialer.engine.recording_delivery import AGAIN_AFTER, LOOK_EVERY, RecordingDelivery
from dialer.metrics import Metrics
from dialer.recordings.folder_place import FolderPlace
from dialer.recordings.keys import RecordingKeys
from dialer.recordings.sealing import read_sealed
from dialer.recordings.spool import SpoolHead, SpoolWriter
from dialer.rtp.packet import Packet
from dialer.store import erasure, recordings
from dialer.store.records import DEFAULT_ACCOUNT, NewCall

KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()
SPEAKS = "+15557400000"  # a person who says something
KEYED = "+15557501234"  # presses 1, 2, 3, 4, the first a second after the answer
ANSWERS = "+15552000000"  # answers at once, says nothing, never hangs up
HELLO_SECONDS = soundfile.info(HELLO).duration
GIVEN = {"consent": "given"}
PLAYS = {"kind": "prompt", "file": "hello.wav"}
SPOKEN = {"file": "hello.wav"}


@dataclasses.dataclass
class Recorder:
    """What an engine needs that records, and the folders that it writes to."""

    scene: object
    spool: Path
    kept: Path
    keys: RecordingKeys
    spare_mib: int = 0

    def __post_init__(self):
        self.metrics = Metrics()
        self.renew()

    def renew(self):
        settings = SpoolSettings(self.spool, self.keys, "one", 30, self.spare_mib)
        self.calls = CallRecordings(settings, self.scene.clock, self.metrics)
        self.place = FolderPlace(self.kept)
        self.delivery = RecordingDelivery(
            self.scene.pool, self.place, self.keys, self.spool, self.metrics
        )

    async def node(self, **more):
        return await self.scene.node(
            call_recordings=self.calls, recording_delivery=self.delivery, **more
        )

    async def campaign(self, number, recording, on_answer=PLAYS, **payload):
        listed = [NewCall(number, payload=payload)]
        return await self.scene.campaign(listed, on_answer={**on_answer, "recording": recording})

    async def told(self, campaign):
        """What the record says of the recording of a campaign's only call, once it is over."""
        await self.scene.tried(campaign)
        [call] = (await self.scene.calls(campaign)).values()
        [attempt] = call.attempts
        return attempt.conversation["recording"]

    async def stored(self):
        [found] = await eventually(
            lambda: recordings.list_page(self.scene.pool, DEFAULT_ACCOUNT)
        )  # fmt: skip
        return found

    def files(self):
        return [path for folder in (self.spool, self.kept) for path in folder.rglob("*.*")]


@pytest.fixture
def recorder(scene, tmp_path):
    return Recorder(scene, tmp_path / "spool", tmp_path / "kept", RecordingKeys())


def sides(path):
    samples, rate = soundfile.read(path, dtype="int16")
    assert rate == 8000
    return samples[:, 0], samples[:, 1]


async def test_a_call_is_recorded_with_what_was_said_on_it(recorder):
    await recorder.node()
    told = await recorder.told(await recorder.campaign(SPEAKS, GIVEN))
    found = await recorder.stored()
    assert told == {
        "consent": "given",
        "id": str(found.id),
        "seconds": pytest.approx(found.seconds, abs=0.02),
        "problem": None,
    }
    assert (found.consent, found.whole, found.sealed) == ("given", True, False)
    assert (found.expires_at - found.started_at).days == 30
    assert found.seconds > HELLO_SECONDS
    them, us = sides(recorder.kept / found.place_key)
    assert len(us) == round(found.seconds * 8000)
    assert np.abs(us).max() > 1000
    assert np.abs(them).max() > 1000
    await eventually(lambda: recorder.files() == [recorder.kept / found.place_key])
    assert recorder.metrics.recordings.labels("stored")._value.get() == 1


async def test_what_is_sealed_lies_nowhere_in_clear_and_opens_with_its_key(recorder):
    recorder.keys = RecordingKeys(KEY)
    recorder.renew()
    await recorder.node()
    await recorder.told(await recorder.campaign(SPEAKS, {**GIVEN, "format": "opus"}))
    found = await recorder.stored()
    assert (found.sealed, found.format) == (True, "opus")
    assert b"OpusHead" not in (recorder.kept / found.place_key).read_bytes()

    def raw(start, end):
        return recorder.place.read(found.place_key, start, end)

    pieces = read_sealed(raw, recorder.keys, found.octets, 0, found.octets)
    clear = recorder.kept / "clear.opus"
    clear.write_bytes(b"".join([piece async for piece in pieces]))
    assert abs(soundfile.info(clear).duration - found.seconds) < 0.05


@pytest.mark.parametrize(("value", "begins"), [("Yes", True), ("no", False), (None, False)])
async def test_a_column_of_the_list_gives_or_keeps_the_consent(recorder, value, begins):
    await recorder.node()
    payload = {} if value is None else {"may record": value}
    wanted = {"consent": "column", "column": "may record"}
    told = await recorder.told(await recorder.campaign(ANSWERS, wanted, **payload))
    assert (told["id"] is not None, told["problem"] is None) == (begins, begins)
    if begins:
        assert (
            await recorder.stored()
        ).consent_detail == "the list's column 'may record' says 'Yes'"
    else:
        assert told["problem"] == "the list's column 'may record' does not say yes"
        assert not recorder.files()


async def test_an_announced_recording_begins_with_the_end_of_the_announcement(recorder):
    await recorder.node()
    wanted = {"consent": "announced", "announcement": SPOKEN}
    told = await recorder.told(await recorder.campaign(ANSWERS, wanted))
    assert told["problem"] is None
    assert HELLO_SECONDS < told["seconds"] < HELLO_SECONDS + 1  # of the prompt, not of both
    found = await recorder.stored()
    assert found.consent_detail == "stayed after the announcement 'hello.wav'"
    _, us = sides(recorder.kept / found.place_key)
    assert np.abs(us[:8000]).max() > 1000


async def test_who_hangs_up_during_the_announcement_is_not_recorded(recorder):
    await recorder.node()
    wanted = {"consent": "announced", "announcement": SPOKEN}
    told = await recorder.told(await recorder.campaign("+15552000100", wanted))
    assert (told["id"], told["problem"]) == (None, "the call ended during the announcement")
    assert not recorder.files()


async def test_an_announcement_that_cannot_be_played_records_nothing_and_the_call_goes_on(recorder):
    await recorder.node()
    wanted = {"consent": "announced", "announcement": {"file": "gone.wav"}}
    campaign = await recorder.campaign(ANSWERS, wanted)
    told = await recorder.told(campaign)
    assert told["id"] is None
    assert told["problem"].startswith("the announcement cannot be played: no prompt 'gone.wav'")
    assert await recorder.scene.outcomes(campaign) == {"answered": 1}


async def test_a_key_gives_the_consent(recorder):
    await recorder.node()
    wanted = {"consent": "key", "key": "1", "announcement": SPOKEN}
    told = await recorder.told(await recorder.campaign(KEYED, wanted))
    assert told["problem"] is None
    assert (await recorder.stored()).consent_detail == "pressed 1 after 'hello.wav'"


async def test_the_key_that_gave_the_consent_is_none_of_the_menu_that_follows(recorder):
    await recorder.node()
    wanted = {"consent": "key", "key": "1", "announcement": SPOKEN}
    menu = {"kind": "gather", "name": "first", "prompt": SPOKEN, "branches": {"1": {}, "2": {}}}
    campaign = await recorder.campaign(KEYED, wanted, menu)
    assert (await recorder.told(campaign))["problem"] is None
    [call] = (await recorder.scene.calls(campaign)).values()
    [step] = call.attempts[0].conversation["steps"]
    assert step["keys"] == "2"


async def test_another_key_does_not(recorder):
    await recorder.node()
    wanted = {"consent": "key", "key": "2", "announcement": SPOKEN}
    told = await recorder.told(await recorder.campaign(KEYED, wanted))
    assert (told["id"], told["problem"]) == (None, "2 was not pressed")
    assert not recorder.files()


async def test_no_key_does_not_and_the_call_goes_on(recorder):
    await recorder.node()
    wanted = {"consent": "key", "announcement": SPOKEN, "key_wait_seconds": 1}
    campaign = await recorder.campaign(ANSWERS, wanted)
    assert (await recorder.told(campaign))["problem"] == "1 was not pressed"
    assert await recorder.scene.outcomes(campaign) == {"answered": 1}


async def test_what_a_dead_node_has_left_is_delivered_by_another(recorder):
    node = await recorder.node()
    hangs_on = {"kind": "hang_up", "after_seconds": 600}
    campaign = await recorder.campaign(SPEAKS, GIVEN, hangs_on)
    [spool] = await eventually(lambda: list(recorder.spool.glob("*.spool")))
    await eventually(lambda: spool.stat().st_size > 40_000)
    # as the system does when a process dies: its locks go, and nobody ends the file
    [live] = recorder.calls._live
    live.writer._file.close()
    recorder.calls._live.clear()
    other = dataclasses.replace(recorder)
    await other.delivery.run_once()
    found = await recorder.stored()
    assert not found.whole
    assert found.seconds > 1
    assert np.abs(sides(recorder.kept / found.place_key)[0]).max() > 1000
    await node.stop()
    await recorder.scene.tried(campaign)


async def test_a_place_that_is_away_is_tried_again(recorder, logged):
    recorder.kept.write_text("a file where the folder should be")
    await recorder.node()
    await recorder.told(await recorder.campaign(ANSWERS, GIVEN))
    await eventually(
        lambda: [one for one in logged if one["event"] == "a recording waits in the spool"]
    )
    [spool] = recorder.spool.glob("*.spool")
    assert await recorder.delivery.run_once() == AGAIN_AFTER
    assert spool.exists()
    recorder.kept.unlink()
    assert await recorder.delivery.run_once() == LOOK_EVERY
    assert not spool.exists()
    assert (await recorder.stored()).whole


async def test_the_recording_of_an_erased_person_is_not_kept(recorder):
    recorder.kept.write_text("away until the person is erased")
    await recorder.node()
    await recorder.told(await recorder.campaign(ANSWERS, GIVEN))
    await erasure.erase(recorder.scene.pool, DEFAULT_ACCOUNT, ANSWERS)
    recorder.kept.unlink()
    await recorder.delivery.run_once()
    assert not recorder.files()
    assert await recordings.list_page(recorder.scene.pool, DEFAULT_ACCOUNT) == []


async def test_a_disk_that_fills_up_during_a_call_ends_its_recording_and_nothing_else(recorder):
    await recorder.node()
    campaign = await recorder.campaign(SPEAKS, GIVEN)
    live = await eventually(lambda: next(iter(recorder.calls._live), None))
    await eventually(lambda: live.writer is not None)
    file, live.writer._file = live.writer._file, Path("/dev/full").open("wb", 0)  # noqa: SIM115, ASYNC230 - as above
    told = await recorder.told(campaign)
    file.close()
    assert "No space left on device; free some space there" in told["problem"]
    assert await recorder.scene.outcomes(campaign) == {"answered": 1}


@pytest.mark.parametrize("damage", [b"no spool", "a length"])
async def test_a_spool_that_cannot_be_read_is_put_aside_and_not_deleted(recorder, logged, damage):
    told = dict.fromkeys(("account_id", "campaign_id", "call_id", "keep_days"), 1)
    words = dict.fromkeys(("node", "format", "consent", "consent_detail"), "wav")
    head = SpoolHead(
        id=uuid.uuid4(),
        attempt_id=uuid.uuid4(),
        started_at=recorder.scene.clock.now(),
        **told,
        **words,
    )
    writer = SpoolWriter(recorder.spool, head, recorder.keys)
    writer.write(bytes(4000))
    writer.close(whole=True)
    whole = writer.path.read_bytes()
    length = whole.index(b"\n", 11) + 1
    broken = damage if isinstance(damage, bytes) else whole[:length] + b"\xff" + whole[length + 1 :]
    writer.path.write_bytes(broken)
    assert await recorder.delivery.run_once() == LOOK_EVERY
    [aside] = recorder.files()
    assert aside == writer.path.with_suffix(".damaged")
    assert aside.read_bytes() == broken
    assert logged[-1]["event"] == "a recording cannot be read"


async def test_the_record_knows_of_a_disk_that_is_full_in_the_last_write(recorder):
    media = types.SimpleNamespace(listeners=[], sent_listeners=[], codec="PCMU")
    call = types.SimpleNamespace(media=media)
    claimed = types.SimpleNamespace(
        on_answer={"recording": GIVEN}, account_id=1, campaign_id=1, id=1, payload={}
    )
    recorded = RecordedCall(
        recorder.calls, claimed, uuid.uuid4(), call, None, recorder.scene.clock
    )  # fmt: skip
    recorded.answered()
    [live] = recorder.calls._live
    await eventually(lambda: live.writer is not None)
    media.listeners[0](Packet(0, 1, 0, 7, bytes(160)))
    file, live.writer._file = live.writer._file, Path("/dev/full").open("wb", 0)  # noqa: SIM115, ASYNC230 - as above
    told = await recorded.end()
    file.close()
    assert told["problem"].startswith("the recording could not be written: No space left")
    await recorder.calls.close()


async def test_a_disk_that_does_not_answer_is_told_and_holds_up_nothing_else(recorder, monkeypatch):
    monkeypatch.setattr(call_recordings, "LOOK_PATIENCE", 0.05)
    answers = threading.Event()
    recorder.calls._thread.submit(answers.wait)
    for _ in range(2):
        assert "has not answered" in await recorder.calls.look()
    answers.set()
    await eventually(recorder.calls._looking.done)
    assert await recorder.calls.look() == ""
    await recorder.calls.close()


async def test_without_room_campaigns_that_record_pause_and_the_others_go_on(recorder):
    recorder.spare_mib = 10**9
    recorder.renew()
    await recorder.node()
    hangs_on = {"kind": "hang_up", "after_seconds": 600}
    other = await recorder.scene.campaign([SPEAKS])
    listed = [f"+1555200000{n}" for n in range(1, 5)]
    campaign = await recorder.scene.campaign(
        listed, on_answer={**hangs_on, "recording": GIVEN}, max_simultaneous_calls=1
    )

    async def paused():
        found = await recorder.scene.pool.fetchrow(
            "SELECT status, pause_reason, pause_detail FROM campaigns WHERE id = $1", campaign
        )
        return found if found["status"] == "paused" else None

    found = await eventually(paused)
    assert found["pause_reason"] == "system_failure"
    assert found["pause_detail"].startswith("node one: no call can be recorded: ")
    assert "free some space there, then resume" in found["pause_detail"]
    await recorder.scene.tried(other)
    assert await recorder.scene.outcomes(other) == {"answered": 1}
    assert not list(recorder.spool.glob("*.spool"))


async def test_calls_that_are_up_when_the_node_stops_are_in_their_place(recorder):
    node = await recorder.node()
    hangs_on = {"kind": "hang_up", "after_seconds": 600}
    await recorder.campaign(SPEAKS, GIVEN, hangs_on)
    await eventually(lambda: recorder.calls._live)
    async with asyncio.timeout(30):
        await node.stop()
    found = await recorder.stored()
    assert found.whole
    assert recorder.files() == [recorder.kept / found.place_key]
