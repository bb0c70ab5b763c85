from __future__ import annotations

import contextlib
import dataclasses
import random
import ssl
import stat
import threading
from pathlib import Path

import httpx
import pytest
from moto.server import DomainDispatcherApplication, create_backend_app
from tests.authority import Authority, address
from werkzeug.serving import make_server

from dialer.recordings.bucket_place import PART, Bucket, BucketPlace
from dialer.recordings.folder_place import FolderPlace
from dialer.recordings.place import NotThere, PlaceError

BIG = random.Random(1).randbytes(2 * PART + 12_345)
SIZE = len(BIG)
KEY = "1/2026/11/28/0b8a.wav"


@contextlib.contextmanager
def serving(tls=None):
    """A server that speaks S3, on loopback; give its URL, and make a bucket there."""
    application = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, application, threaded=True, ssl_context=tls)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    try:
        httpx.put(f"{url}/calls", verify=False).raise_for_status()
        yield url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def bucket_at(url, **more):
    return Bucket(
        name="calls",
        prefix="spring/records",
        endpoint=url,
        access_key="known",
        secret_key="secret",
        **more,
    )


@pytest.fixture(scope="module")
def bucket():
    with serving() as url:
        yield bucket_at(url)


@pytest.fixture(params=["folder", "bucket"])
def place(request, tmp_path, bucket):
    return FolderPlace(tmp_path / "kept") if request.param == "folder" else BucketPlace(bucket)


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "made.wav"
    file.write_bytes(BIG)
    return file


async def read(place, key=KEY, start=0, end=SIZE):
    pieces = [piece async for piece in place.read(key, start, end)]
    assert max(map(len, pieces), default=0) <= 1024 * 1024
    return b"".join(pieces)


async def test_what_was_put_is_read_in_any_range(place, file):
    await place.put(KEY, file)
    assert await read(place) == BIG
    assert await read(place, start=5, end=9) == BIG[5:9]
    assert (
        await read(place, start=PART - 3, end=PART + 2_000_000) == BIG[PART - 3 : PART + 2_000_000]
    )
    assert await read(place, start=7, end=7) == b""
    assert file.read_bytes() == BIG


async def test_a_range_over_the_end_gives_what_is_there(place, file):
    await place.put(KEY, file)
    assert await read(place, start=len(BIG) - 4, end=len(BIG) + 100) == BIG[-4:]
    assert await read(place, start=SIZE, end=SIZE + 100) == b""


async def test_putting_again_replaces(place, file):
    await place.put(KEY, file)
    file.write_bytes(b"short")
    await place.put(KEY, file)
    assert await read(place, end=5) == b"short"


async def test_what_was_deleted_is_gone_and_deleting_again_is_fine(place, file):
    await place.put(KEY, file)
    await place.put("1/other.wav", file)
    assert await place.holds(KEY)
    for _ in range(2):
        await place.delete(KEY)
    assert not await place.holds(KEY)
    with pytest.raises(NotThere, match="0b8a"):
        await read(place)
    assert await read(place, "1/other.wav", 0, 3) == BIG[:3]
    await place.delete("1/other.wav")


async def test_a_probe_leaves_nothing(place, tmp_path):
    await place.probe()
    assert list(tmp_path.rglob("probe*")) == []


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/.b", "a b", "ä"]
)
async def test_a_key_cannot_lead_out_of_the_place(place, file, key):
    with pytest.raises(ValueError, match="no key"):
        await place.put(key, file)
    with pytest.raises(ValueError, match="no key"):
        await place.delete(key)
    with pytest.raises(ValueError, match="no key"):
        await read(place, key)


async def test_only_its_owner_can_enter_the_folder_and_read_the_files(tmp_path, file):
    await FolderPlace(tmp_path / "a/b").put(KEY, file)
    made = list((tmp_path / "a").rglob("*"))
    assert len(made) == 6
    for one in (tmp_path / "a", *made):
        assert stat.S_IMODE(one.stat().st_mode) == (0o700 if one.is_dir() else 0o600)


async def test_what_a_crash_left_half_written_is_no_obstacle_and_not_to_be_seen(tmp_path, file):
    place = FolderPlace(tmp_path)
    await place.put("a/1.wav", file)
    left = tmp_path / "a/.2.wav.new"
    left.write_bytes(b"half")
    with pytest.raises(NotThere):
        await read(place, "a/2.wav")
    await place.put("a/2.wav", file)
    assert await read(place, "a/2.wav") == BIG
    assert not left.exists()


async def test_a_share_that_is_not_mounted_is_no_proof_that_a_file_is_gone(tmp_path, file):
    mounted, share = tmp_path / "mounted", tmp_path / "share"
    place = FolderPlace(mounted)
    await place.put(KEY, file)
    mounted.rename(share)
    for _ in range(2):  # no folder, then an empty one
        for trouble in (place.holds(KEY), place.delete(KEY), read(place)):
            with pytest.raises(PlaceError, match="mounted, where it is a share") as caught:
                await trouble
            assert not isinstance(caught.value, NotThere)
        mounted.mkdir(exist_ok=True)
    mounted.rmdir()
    share.rename(mounted)
    assert await read(place) == BIG


async def test_a_folder_that_is_none_is_told_in_one_line(tmp_path, file):
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    place = FolderPlace(in_the_way / "kept")
    for trouble in (place.put(KEY, file), place.probe(), place.delete(KEY), read(place)):
        with pytest.raises(PlaceError) as caught:
            await trouble
        assert str(in_the_way) in str(caught.value)
        assert "\n" not in str(caught.value)


async def test_a_store_that_cannot_be_reached_is_told_in_one_line(bucket, file):
    place = BucketPlace(dataclasses.replace(bucket, endpoint="http://127.0.0.1:1"))
    with pytest.raises(PlaceError, match="Connection refused; see whether"):
        await place.put(KEY, file)


async def test_a_bucket_that_is_not_there_is_told_in_one_line(bucket, file):
    place = BucketPlace(dataclasses.replace(bucket, name="nowhere"))
    for trouble in (place.put(KEY, file), place.probe()):
        with pytest.raises(PlaceError) as caught:
            await trouble
        assert str(caught.value).startswith("a recording cannot be written in s3://nowhere/spring")
        assert "see that there is such a bucket" in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.fixture
def authority(tmp_path):
    made = Authority(tmp_path)
    made.certificate = Path(made.file).read_bytes()
    return made


async def test_a_store_must_show_a_certificate_of_an_authority_that_is_trusted(authority):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(authority.issue("store.pem", address("127.0.0.1")))
    with serving(tls) as url:
        await BucketPlace(bucket_at(url, authorities=authority.certificate)).probe()
        with pytest.raises(PlaceError, match=r"not trusted \(UnknownIssuer\); see recordings\."):
            await BucketPlace(bucket_at(url)).probe()


async def test_a_secret_is_never_shown(bucket):
    assert "secret'" not in repr(bucket)
    assert str(BucketPlace(bucket)) == f"s3://calls/spring/records at {bucket.endpoint}"
