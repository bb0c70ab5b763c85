"""A database for each test that wants one: cloned from a migrated template, dropped afterwards.

The server is started by the process that runs pytest (with xdist: the controller), in a thread of
its own, once the first test asks for it. `DATABASE_URL` names another server to use.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import shutil
import tempfile
import threading
import time
import uuid
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import hypothesis
import pytest
import uvloop
from tests.audit import find_broken_invariants

from dialer.store import migrate
from dialer.store import pool as store_pool
from dialer.store.embedded import EmbeddedPostgres

hypothesis.settings.register_profile("no deadline", deadline=None)  # a busy machine is no fault
hypothesis.settings.load_profile("no deadline")

FOLDER = "DIALER_TEST_SERVER"  # environment: where the processes of a test run meet
START_PATIENCE = 120.0  # seconds


def in_database(url, name):
    """The same server, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


class Server(threading.Thread):
    """Waits until a test wants the server, starts it, and keeps it until told to stop."""

    def __init__(self, folder):
        super().__init__(name="test database", daemon=True)
        self.folder = folder
        self.loop = asyncio.new_event_loop()
        self.task = self.loop.create_task(self.serve())

    def run(self):
        with contextlib.suppress(asyncio.CancelledError):
            self.loop.run_until_complete(self.task)
        self.loop.close()

    def stop(self):
        self.loop.call_soon_threadsafe(self.task.cancel)
        self.join()

    async def serve(self):
        # another process says so, in a file
        while not (self.folder / "wanted").exists():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        given = os.environ.get("DATABASE_URL")
        postgres = None if given else EmbeddedPostgres(self.folder / "postgres", durable=False)
        template = f"dialer_template_{uuid.uuid4().hex}"
        try:
            url = given or await postgres.start()
            await self.make_template(url, template)
            self.answer("url", f"{url} {template}")
            await asyncio.Event().wait()
        except Exception as error:
            self.answer("failure", str(error))
            raise
        finally:
            if postgres is not None:
                await postgres.stop()
            else:
                await execute(url, f"DROP DATABASE IF EXISTS {template}")

    async def make_template(self, url, template):
        await execute(url, f"CREATE DATABASE {template}")
        await migrate.upgrade(in_database(url, template))
        # a template with statistics plans like a database that has lived
        await execute(in_database(url, template), "VACUUM (ANALYZE)")

    def answer(self, name, text):
        fresh = self.folder / f"{name}.new"
        fresh.write_text(text)
        fresh.rename(self.folder / name)


async def execute(url, statement):
    connection = await store_pool.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def fast_folder():
    """Memory, where there is enough of it: copying the template is ten times faster there."""
    memory = Path("/dev/shm")
    enough = memory.is_dir() and shutil.disk_usage(memory).free > 2 * 1024**3
    return memory if enough and os.access(memory, os.W_OK) else None


def pytest_addoption(parser):
    parser.addoption(
        "--loop",
        choices=("uvloop", "asyncio"),
        default="asyncio",
        help="the event loop of the tests; a service runs on uvloop where there is one",
    )


def pytest_asyncio_loop_factories(config):
    name = config.getoption("loop")
    return {name: uvloop.new_event_loop if name == "uvloop" else asyncio.new_event_loop}


def pytest_configure(config):
    if hasattr(config, "workerinput"):
        return
    folder = Path(tempfile.mkdtemp(prefix="dialer-test-", dir=fast_folder()))
    folder.chmod(0o755)  # started by root, the server runs as somebody else
    os.environ[FOLDER] = str(folder)
    config.database_server = Server(folder)
    config.database_server.start()


def pytest_unconfigure(config):
    server = getattr(config, "database_server", None)
    if server is not None:
        server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)


@pytest.fixture
def figure(record_property):
    """`figure("prompt heard whole", "0 of 24000 samples differ", "0")`: a row of `make media`.

    It is the name of the row, what was measured, and the bound, as texts. The test asserts the
    bound, unless it says `held=False`: then the row says that it is not met.
    Every test that has this fixture, wherever it stands, is part of `make media`.
    """

    def note(name, value, bound="", *, held=True):
        record_property("figure", (str(name), str(value), str(bound), held))

    return note


@pytest.fixture
def share(request):
    """`share(cases)`: all of many cases in `make media`, and every fifth of them elsewhere."""
    whole = request.config.pluginmanager.hasplugin("tests.media_table")
    return lambda cases: itertools.islice(cases, 0, None, 1 if whole else 5)


@pytest.fixture
def short_folder():
    """A folder whose path is short enough for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="dialer-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def server():
    """(URL of the server, name of the migrated template)."""
    folder = Path(os.environ[FOLDER])
    (folder / "wanted").touch()
    end = time.monotonic() + START_PATIENCE
    while not (folder / "url").exists():
        if (folder / "failure").exists():
            pytest.fail(f"no database for the tests: {(folder / 'failure').read_text()}")
        if time.monotonic() > end:
            pytest.fail(f"no database for the tests within {START_PATIENCE:.0f} s")
        time.sleep(0.02)
    return tuple((folder / "url").read_text().split(" "))


@pytest.fixture
async def empty_database_url(server):
    """A database without a schema."""
    url, _ = server
    name = f"test_{uuid.uuid4().hex}"
    await execute(url, f"CREATE DATABASE {name}")
    yield in_database(url, name)
    await execute(url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database_url(server):
    """A database with the schema and nothing in it."""
    url, template = server
    name = f"test_{uuid.uuid4().hex}"
    await execute(url, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    yield in_database(url, name)
    await execute(url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def pool(database_url):
    """A pool on a fresh database."""
    opened = await store_pool.open_pool(database_url)
    yield opened
    await store_pool.close_pool(opened)


@pytest.fixture
def audit():
    """`await audit(db)` lists what is wrong in a database; see `audit.py`."""
    return find_broken_invariants
