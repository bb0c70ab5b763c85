from __future__ import annotations

import pytest
from tests.db import scene as store
from tests.engine.scene import eventually

from dialer.engine.recording_upkeep import LOOKED_FOR, SWEEP_EVERY, RecordingUpkeep
from dialer.metrics import Metrics
from dialer.recordings.folder_place import FolderPlace
from dialer.store import erasure, recordings
from dialer.store.records import DEFAULT_ACCOUNT


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "kept"


@pytest.fixture
async def call(pool):
    campaign = await store.campaign(pool, 1)
    node = await store.node(pool)
    [leg] = await node.dial_all(campaign)
    await node.end([leg])
    return (await store.read(pool, leg.call_id)).call


async def kept(pool, folder, call, **more):
    new = store.recording(call, **more)
    sound = folder.parent / "sound"
    sound.write_bytes(bytes(1000))
    await FolderPlace(folder).put(new.place_key, sound)
    assert await recordings.add(pool, new)
    return new


def files(folder):
    return sorted(str(one.relative_to(folder)) for one in folder.rglob("*.wav"))


async def test_the_expired_the_deleted_and_the_erased_go_and_the_others_stay(pool, folder, call):
    metrics = Metrics()
    upkeep = RecordingUpkeep(pool, FolderPlace(folder), metrics)
    assert await upkeep.run_once() == SWEEP_EVERY
    expired = await kept(pool, folder, call, expires_at=store.soon(-1))
    deleted, other = [await kept(pool, folder, call) for _ in range(2)]
    await recordings.doom(pool, DEFAULT_ACCOUNT, deleted.id)
    assert await upkeep.run_once() < SWEEP_EVERY
    assert files(folder) == [other.place_key]
    for one, why in ((expired, "expired"), (deleted, "deleted")):
        found = await recordings.get(pool, DEFAULT_ACCOUNT, one.id)
        assert (found.doomed_because, found.deleted_at is None) == (why, False)
    await erasure.erase(pool, DEFAULT_ACCOUNT, call.number)
    while await upkeep.run_once() < SWEEP_EVERY:
        pass
    assert files(folder) == []
    assert await pool.fetchval("SELECT count(*) FROM recordings") == 0
    text = metrics.text().decode()
    assert 'dialer_recordings_total{result="deleted"} 3.0' in text
    assert 'dialer_recording_bytes_total{result="deleted"} 1.200132e+06' in text


async def test_what_the_place_does_not_delete_is_tried_again_and_unheard_meanwhile(
    pool, folder, call
):
    new = await kept(pool, folder, call)
    await recordings.doom(pool, DEFAULT_ACCOUNT, new.id)
    aside = folder.rename(folder.with_name("aside"))
    folder.write_text("no folder")
    metrics = Metrics()
    upkeep = RecordingUpkeep(pool, FolderPlace(folder), metrics)
    assert await upkeep.run_once() < SWEEP_EVERY
    found = await recordings.get(pool, DEFAULT_ACCOUNT, new.id)
    assert (found.doomed_because, found.deleted_at) == ("deleted", None)
    assert 'dialer_recordings_total{result="not_deleted"} 1.0' in metrics.text().decode()
    folder.unlink()
    aside.rename(folder)
    assert await upkeep.run_once() == SWEEP_EVERY
    await upkeep.run_once(store.soon(1))
    assert files(folder) == []
    assert (await recordings.get(pool, DEFAULT_ACCOUNT, new.id)).deleted_at is not None


async def test_what_is_in_the_place_of_another_process_is_left_to_it_for_a_while(
    pool, folder, call, logged
):
    new = await kept(pool, folder, call)
    await recordings.doom(pool, DEFAULT_ACCOUNT, new.id)
    (other := folder.with_name("elsewhere") / new.place_key).parent.mkdir(parents=True)
    assert not other.exists()
    elsewhere = RecordingUpkeep(pool, FolderPlace(folder.with_name("elsewhere")), Metrics())
    now = store.soon(1)
    await elsewhere.run_once(now)
    assert (await recordings.get(pool, DEFAULT_ACCOUNT, new.id)).deleted_at is None
    assert "it is not in" in logged[-1]["reason"]
    await RecordingUpkeep(pool, FolderPlace(folder), Metrics()).run_once(now + store.HOUR)
    assert files(folder) == []
    assert (await recordings.get(pool, DEFAULT_ACCOUNT, new.id)).deleted_at is not None


async def test_what_is_on_a_share_that_is_not_mounted_never_counts_as_deleted(pool, folder, call):
    new = await kept(pool, folder, call)
    await recordings.doom(pool, DEFAULT_ACCOUNT, new.id)
    share = folder.rename(folder.with_name("share"))
    folder.mkdir()
    upkeep = RecordingUpkeep(pool, FolderPlace(folder), Metrics())
    for hour in range(2 * LOOKED_FOR):
        await upkeep.run_once(store.soon(1 + hour))
        assert (await recordings.get(pool, DEFAULT_ACCOUNT, new.id)).deleted_at is None
    folder.rmdir()
    share.rename(folder)
    await upkeep.run_once(store.soon(100))
    assert files(folder) == []
    assert (await recordings.get(pool, DEFAULT_ACCOUNT, new.id)).deleted_at is not None


async def test_what_is_nowhere_counts_as_deleted_in_the_end(pool, folder, call):
    new = await kept(pool, folder, call)
    await FolderPlace(folder).delete(new.place_key)
    await recordings.doom(pool, DEFAULT_ACCOUNT, new.id)
    upkeep = RecordingUpkeep(pool, FolderPlace(folder), Metrics())
    for hour in range(LOOKED_FOR):
        assert (await recordings.get(pool, DEFAULT_ACCOUNT, new.id)).deleted_at is None
        await upkeep.run_once(store.soon(1 + hour))
    assert (await recordings.get(pool, DEFAULT_ACCOUNT, new.id)).deleted_at is not None


async def test_an_engine_sweeps_by_itself(scene, pool, folder, call):
    new = await kept(pool, folder, call, expires_at=store.soon(-1))
    await scene.node("another", recordings=RecordingUpkeep(pool, FolderPlace(folder), Metrics()))

    async def gone():
        found = await recordings.get(pool, DEFAULT_ACCOUNT, new.id)
        return found.deleted_at is not None

    await eventually(gone)
    assert files(folder) == []
