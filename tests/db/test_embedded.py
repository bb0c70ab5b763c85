from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from dialer.store import embedded, embedded_place
from dialer.store import pool as store_pool
from dialer.store.embedded import EmbeddedPostgres, FolderInUse
from dialer.store.embedded_place import EmbeddedError
from dialer.store.errors import StoreError, Unavailable

ROOT = os.geteuid() == 0

SERVICE = """
import asyncio, sys
from pathlib import Path
from dialer.store.embedded import EmbeddedPostgres

async def main():
    server = EmbeddedPostgres(Path(sys.argv[1]), durable=False)
    await server.start()
    print(server.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def reachable():
    """A folder that the server's user can reach also when root runs the tests, in fast memory."""
    made = Path(tempfile.mkdtemp(dir=Path(os.environ["DIALER_TEST_SERVER"])))
    made.chmod(0o755)
    return made


@pytest.fixture
def folder():
    """Where there is no database yet."""
    made = reachable()
    yield made / "postgres"
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def initialised():
    """A database that was made once and is not running."""
    made = reachable() / "postgres"

    async def make():
        async with running(made):
            pass

    loop = asyncio.new_event_loop()
    loop.run_until_complete(make())
    loop.close()
    yield made
    shutil.rmtree(made.parent)


@pytest.fixture
def used_folder(initialised, folder):
    """A database of its own for a test, not running."""
    subprocess.check_call(["cp", "-a", initialised, folder])
    return folder


@contextlib.asynccontextmanager
async def running(folder, **options):
    server = EmbeddedPostgres(folder, **{"durable": False, **options})
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def fetch(server, query):
    connection = await store_pool.connect(server.url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def until_it_answers(server, query):
    while True:
        with contextlib.suppress(StoreError):
            return await fetch(server, query)
        await asyncio.sleep(embedded.POLL)


def wait_for_end(pid):
    """Wait until a process that is not our child has ended."""
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        try:
            assert select.select([descriptor], [], [], 30)[0], f"process {pid} lives on"
        finally:
            os.close(descriptor)


async def test_it_keeps_its_data_and_listens_on_no_port(folder):
    async with running(folder, durable=True) as server:
        await fetch(server, "CREATE TABLE kept AS SELECT 42 AS n")
        assert await fetch(server, "SHOW listen_addresses") == ""
        assert await fetch(server, "SHOW fsync") == "on"
        assert await fetch(server, "SHOW server_version") >= "18"
        pid = server.pid
    wait_for_end(pid)
    with pytest.raises(Unavailable):
        await store_pool.connect(server.url)
    async with running(folder) as server:
        assert await fetch(server, "SELECT n FROM kept") == 42
        assert await fetch(server, "SHOW fsync") == "off"


async def test_its_folder_is_private_and_the_one_above_is_left_alone(used_folder):
    used_folder.parent.chmod(0o711)
    before = used_folder.parent.stat()
    async with running(used_folder) as server:
        assert server.folder == used_folder
        for private in (used_folder, used_folder / "data"):
            assert private.stat().st_mode & 0o777 == 0o700
        owner = pwd.getpwuid(used_folder.stat().st_uid).pw_name
        assert (
            owner in ("postgres", "nobody") if ROOT else used_folder.stat().st_uid == os.geteuid()
        )
    after = used_folder.parent.stat()
    assert (after.st_mode, after.st_uid) == (before.st_mode, before.st_uid)


async def test_a_server_that_is_killed_comes_back_with_its_data(used_folder):
    async with running(used_folder, durable=True) as server:
        await fetch(server, "CREATE TABLE kept AS SELECT 42 AS n")
        killed = server.pid
        os.kill(killed, signal.SIGKILL)
        assert await until_it_answers(server, "SELECT n FROM kept") == 42
        assert server.pid != killed


async def test_a_folder_in_use_is_refused(used_folder):
    async with running(used_folder) as server:
        with pytest.raises(FolderInUse, match="in use by another dialer"):
            await EmbeddedPostgres(used_folder).start()
        assert await fetch(server, "SELECT 1") == 1


async def test_a_folder_that_a_server_of_someone_else_uses_is_refused(used_folder):
    async with running(used_folder) as server:
        unlocked = server._lock
        os.close(unlocked)
        server._lock = None
        with pytest.raises(FolderInUse, match="in use by another Postgres"):
            await EmbeddedPostgres(used_folder).start()
        assert await fetch(server, "SELECT 1") == 1


def killed_service(folder):
    """Let another process start a server and die; return the server's process id."""
    service = subprocess.Popen([sys.executable, "-c", SERVICE, folder], stdout=subprocess.PIPE)
    with service:
        pid = int(service.stdout.readline())
        service.kill()
    return pid


async def test_it_goes_down_with_a_parent_that_is_killed_and_hands_over(used_folder):
    pid = killed_service(used_folder)
    async with running(used_folder) as server:
        assert server.pid != pid
        assert await fetch(server, "SELECT 1") == 1
    wait_for_end(pid)


async def test_a_folder_cut_short_in_the_making_is_made_anew(used_folder):
    (used_folder / "data").rename(used_folder / "data.new")
    async with running(used_folder) as server:
        assert await fetch(server, "SELECT 1") == 1
    assert not (used_folder / "data.new").exists()


async def test_a_long_path_gets_a_short_socket(folder):
    long = folder.with_name("p" * 120)
    async with running(long) as server:
        assert await fetch(server, "SELECT 1") == 1
        short = server._socket_folder
        assert short != long
        assert short.stat().st_mode & 0o777 == 0o700
    assert not short.exists()


async def test_a_broken_data_folder_is_one_clear_line(used_folder):
    async with running(used_folder):
        pass
    (used_folder / "data" / "postgresql.conf").write_text("shared_buffers = much\n")
    with pytest.raises(EmbeddedError, match="the embedded database does not start: ") as raised:
        await EmbeddedPostgres(used_folder).start()
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("kind", ["file", "missing wheel"])
async def test_what_cannot_be_is_one_clear_line(folder, kind, monkeypatch):
    if kind == "file":
        folder.write_text("")
        expected = "cannot prepare the database folder"
    else:
        monkeypatch.setattr(embedded_place, "WHEEL", "no_such_wheel")
        expected = "not installed"
    with pytest.raises(EmbeddedError, match=expected):
        await EmbeddedPostgres(folder).start()


def test_out_of_reach_data_and_binaries_go_where_the_servers_user_can_read(folder):
    hidden = folder.with_name("hidden")
    hidden.mkdir(mode=0o700)
    package = hidden / embedded_place.WHEEL
    (package / embedded_place.INSTALL / "bin").mkdir(parents=True, mode=0o700)
    (package / embedded_place.INSTALL / "share").mkdir()
    (package / embedded_place.INSTALL / "bin" / "postgres").write_text("binary")
    (package / embedded_place.INSTALL / "bin" / "postgres").chmod(0o700)
    libraries = hidden / f"{embedded_place.WHEEL}.libs"
    libraries.mkdir(mode=0o700)
    (libraries / "libpq.so").touch(mode=0o600)
    shared = folder.with_name("shared")
    wanted = hidden / "data" / "postgres"
    place = embedded_place.find(wanted, package=package, shared=shared)
    if not ROOT:
        assert place.folder == wanted
        assert place.binaries.is_relative_to(hidden)
        return
    assert place.folder.is_relative_to(shared)
    assert place.binaries.is_relative_to(shared)
    assert (place.binaries / "postgres").stat().st_mode & 0o777 == 0o755
    copied = place.binaries.parents[2] / libraries.name / "libpq.so"
    assert copied.stat().st_mode & 0o777 == 0o644
    assert hidden.stat().st_mode & 0o777 == 0o700
    assert embedded_place.find(wanted, package=package, shared=shared) == place


async def test_root_leaves_a_folder_of_other_things_alone(folder):
    folder.mkdir()
    (folder / "thesis.tex").touch()
    if ROOT:
        with pytest.raises(EmbeddedError, match="not empty"):
            await EmbeddedPostgres(folder).start()
        assert folder.stat().st_uid == 0


def test_copied_binaries_run(folder):
    found = embedded_place._package()
    copy = embedded_place._copied(found, embedded_place._shared(folder.with_name("shared")))
    binary = copy / embedded_place.INSTALL / "bin" / "postgres"
    for name in ("postgres", "initdb"):
        said = subprocess.check_output([binary.with_name(name), "--version"], text=True)
        assert " 18." in said
