"""A private Postgres for one process: no TCP, no other user, gone when the process is gone."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote

import structlog

from dialer.store import embedded_place
from dialer.store.embedded_place import EmbeddedError, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

log = structlog.get_logger(__name__)

SUPERUSER = "dialer"
SOCKET = ".s.PGSQL.5432"
SOCKET_PATH_LIMIT = 107  # bytes, what sockaddr_un holds
LOG_LIMIT = 16 * 1024 * 1024  # bytes; a longer log is started over
START_PATIENCE = 120.0  # seconds; recovery after a crash may take long
HANDOVER_PATIENCE = 60.0  # seconds for a dead process's server to finish its shutdown
FOREIGN_PATIENCE = 1.0  # seconds after which a live server that is not stopping is another's
STOP_PATIENCE = 20.0  # seconds before a shutdown is made harder
POLL = 0.05  # seconds

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "max_wal_size": "2GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# For data that nobody misses: tests, and a demonstration.
NOT_DURABLE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_size": "256MB",
    "max_wal_senders": "0",
}

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class FolderInUse(EmbeddedError):  # noqa: N818 - read as a sentence: raise FolderInUse
    """Another live server or process uses the data folder."""


class EmbeddedPostgres:
    """A Postgres server in `folder`, started again whenever it dies, until `stop`.

    `start` forks the server in the calling thread, and on Linux the server ends with that thread
    (prctl(2), PR_SET_PDEATHSIG): run the event loop in a thread that lives as long as the
    process. After `start`, `url` is its address, and `folder` where it really is (see
    `embedded_place`).
    """

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self.folder = folder
        self.url = ""
        self._settings = SETTINGS if durable else SETTINGS | NOT_DURABLE
        self._durable = durable
        self._lock: int | None = None
        self._socket_folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._supervisor: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process id of the server's first process, None while there is none."""
        return None if self._process is None else self._process.pid

    async def start(self) -> str:
        """Start the server and return its URL.

        Raises `FolderInUse` where somebody else uses the folder, `EmbeddedError` with the reason
        where the server cannot start.
        """
        place = embedded_place.find(self.folder)
        self.folder = place.folder
        self._lock = _locked(place.folder)
        try:
            self._socket_folder = _socket_folder(place)
            self.url = _url(self._socket_folder)
            if not place.data.exists():
                await _initialise(place, durable=self._durable)
            await self._launch(place)
        except OSError as error:
            await self.stop()
            raise EmbeddedError(f"cannot run a database in {place.folder}: {error}") from error
        except BaseException:
            await self.stop()
            raise
        self._supervisor = asyncio.create_task(self._supervise(place), name="embedded postgres")
        return self.url

    async def stop(self) -> None:
        """Shut the server down, cleanly if it can be; harmless when it is not running."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._supervisor
            self._supervisor = None
        if self._process is not None:
            gentle = signal.SIGINT if self._durable else signal.SIGQUIT
            for how in (gentle, signal.SIGQUIT, signal.SIGKILL):
                if self._process.poll() is None:
                    self._process.send_signal(how)
                if await _ended(self._process, STOP_PATIENCE):
                    break
            self._process = None
        if self._socket_folder not in (None, self.folder):
            shutil.rmtree(self._socket_folder, ignore_errors=True)
        self._socket_folder = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def _launch(self, place: Place) -> None:
        """Start the server and wait until it takes connections."""
        began = time.monotonic()
        while True:
            self._process, log_start = self._spawn(place)
            failure = await self._ready(place, self._process)
            if failure is None:
                return
            said = _said(place.folder / "server.log", log_start)
            if "postmaster.pid" not in said and "shared memory block" not in said:
                raise EmbeddedError(f"the embedded database {failure}: {_last_line(said)}")
            # Postgres says that a server lives there. One that is stopping is our predecessor's.
            waited = time.monotonic() - began
            going = _status(place.data) in ("stopping", "")
            patience = HANDOVER_PATIENCE if going else FOREIGN_PATIENCE
            if waited > patience:
                raise FolderInUse(
                    f"the database folder {place.folder} is in use by another Postgres server: "
                    "stop it, or name another folder"
                )
            await asyncio.sleep(POLL)

    def _spawn(self, place: Place) -> tuple[subprocess.Popen[bytes], int]:
        settings = self._settings | {"unix_socket_directories": str(self._socket_folder)}
        arguments = [str(place.binaries / "postgres"), "-D", str(place.data)]
        for name, value in settings.items():
            arguments += ["-c", f"{name}={value}"]
        path = place.folder / "server.log"
        with path.open("ab") as output:
            if output.tell() > LOG_LIMIT:
                output.truncate(0)
            start = output.tell()
            process = _forked(arguments, place, output)
        return process, start

    async def _ready(self, place: Place, process: subprocess.Popen[bytes]) -> str | None:
        """Wait until the server takes connections; return what went wrong."""
        end = time.monotonic() + START_PATIENCE
        while process.poll() is None:
            if _status(place.data, process.pid) == "ready":
                return None
            if time.monotonic() > end:
                process.kill()
                return f"did not start within {START_PATIENCE:.0f} s"
            await asyncio.sleep(POLL)
        return "does not start"

    async def _supervise(self, place: Place) -> None:
        while True:
            assert self._process is not None
            await _ended(self._process)
            log.warning("the embedded database died; starting it again", folder=str(place.folder))
            try:
                await self._launch(place)
            except (EmbeddedError, OSError) as error:
                log.error("the embedded database does not come back", reason=str(error))  # noqa: TRY400 - the reason is for a person
                await asyncio.sleep(1.0)


def url_of_running(folder: Path) -> str | None:
    """Return the address of the server that another process runs in `folder`, None without one.

    Its socket lets in root and the user that it runs as, and nobody else.
    """
    place = embedded_place.find(folder)
    if _status(place.data) != "ready":
        return None
    sockets = (place.data / "postmaster.pid").read_text().splitlines()[4]
    return _url(Path(sockets))


def _url(socket_folder: Path) -> str:
    return f"postgresql://{SUPERUSER}@/postgres?host={quote(str(socket_folder), safe='')}"


def _locked(folder: Path) -> int:
    """Hold the folder against other processes like us; the kernel lets go when we die."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise FolderInUse(
            f"the database folder {folder} is in use by another dialer: "
            "stop it, or name another folder, or let both use one DATABASE_URL"
        ) from None
    return descriptor


def _socket_folder(place: Place) -> Path:
    """Return the folder for the socket: the server's own, or a short one where that is too long."""
    if len(os.fsencode(place.folder / SOCKET)) <= SOCKET_PATH_LIMIT:
        return place.folder
    short = Path(tempfile.mkdtemp(prefix="dialer-", dir="/tmp"))
    if place.user is not None:
        os.chown(short, place.user.pw_uid, place.user.pw_gid)
    return short


async def _initialise(place: Place, *, durable: bool) -> None:
    """Make the data folder: aside first, so that one cut short is never taken for a whole one."""
    fresh = place.folder / "data.new"
    shutil.rmtree(fresh, ignore_errors=True)
    arguments = [str(place.binaries / "initdb"), "-D", str(fresh), "-U", SUPERUSER]
    arguments += ["-A", "trust", "-E", "UTF8", "--locale=C", "--no-instructions"]
    arguments += [] if durable else ["--no-sync"]
    with tempfile.TemporaryFile() as output:
        process = _forked(arguments, place, output)
        try:
            await _ended(process, START_PATIENCE)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        output.seek(0)
        if process.returncode != 0:
            said = output.read().decode(errors="replace")
            raise EmbeddedError(f"cannot make a database in {place.folder}: {_last_line(said)}")
    fresh.rename(place.data)


def _forked(arguments: Sequence[str], place: Place, output: IO[bytes]) -> subprocess.Popen[bytes]:
    rights: dict[str, Any] = {}
    if place.user is not None:
        rights = {"user": place.user.pw_uid, "group": place.user.pw_gid, "extra_groups": ()}
    return subprocess.Popen(  # noqa: S603 - our binary, our arguments
        arguments,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        cwd="/",
        env=_environment(),
        start_new_session=True,  # a ^C at the terminal is for us to handle
        preexec_fn=_dying_with(os.getpid()),  # noqa: PLW1509 - it makes two system calls
        **rights,
    )


def _environment() -> dict[str, str]:
    """Return an environment without a stranger's PGDATA, PGPORT, LD_LIBRARY_PATH and the like."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def _dying_with(parent: int) -> Callable[[], None] | None:
    """Return what a child does so that it shuts down (SIGINT: at once, but cleanly) with us."""
    libc = _libc
    if libc is None:
        return None

    def prepare() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)
        if os.getppid() != parent:  # died in between
            os._exit(1)

    return prepare


async def _ended(process: subprocess.Popen[bytes], patience: float = math.inf) -> bool:
    end = time.monotonic() + patience
    while process.poll() is None:
        if time.monotonic() > end:
            return False
        await asyncio.sleep(POLL)
    return True


def _status(data: Path, pid: int | None = None) -> str:
    """Return what the server of a data folder says of itself in the last line of its pid file.

    "" where there is no such server, or not the one with the process id `pid`.
    """
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return ""
    ours = pid is None or lines[:1] == [str(pid)]
    return lines[7].strip() if ours and len(lines) > 7 else ""


def _said(path: Path, start: int) -> str:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(65536).decode(errors="replace")


def _last_line(said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if "FATAL" in line or "error" in line.lower()]
    return (telling or lines or ["it said nothing"])[-1].strip()
