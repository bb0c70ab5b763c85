"""Two more programs that others wrote: Kamailio in front of the PBX, baresip behind it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dialer.ua.call import Trunk

from .programs import SIP, bound, free_port, program

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

READY = 15  # seconds


async def until(process, ready, log):
    """Wait until `ready()`; fail with the program's log where that does not come."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(READY):
            while process.returncode is None:
                if ready():
                    return
                await asyncio.sleep(0.02)
    pytest.fail(
        f"it ended, or did not get so far:\n{log.read_text(errors='replace')[-4000:]}",
        pytrace=False,
    )


@contextlib.asynccontextmanager
async def running(log, *command, cwd=None):
    """Run a program that writes into `log`; end it at the end."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=cwd, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()


def modules_of(name: str, below: str) -> Path:
    """Return the folder of a program's modules: beside a private copy, or the machine's."""
    root = Path(program(name)).parents[1]
    root = root if (root / "usr").is_dir() else root.parent
    found = sorted(path for path in root.glob(f"usr/lib*/**/{below}") if path.is_dir())
    return found[0]


def filled(template: Path, folder: Path, **blanks: object) -> Path:
    """Write a copy of a configuration, its @BLANKS@ filled, into a folder."""
    text = template.read_text()
    for name, value in blanks.items():
        text = text.replace(f"@{name}@", str(value))
    copy = folder / template.name
    copy.write_text(text)
    return copy


@dataclasses.dataclass(frozen=True)
class Border:
    """A Kamailio that forwards to the PBX."""

    port: int

    def trunk(self, **fields: object) -> Trunk:
        account = {"username": "dialer", "password": "dialer-secret"}
        return Trunk("border", "127.0.0.1", self.port, **(account | fields))


@contextlib.asynccontextmanager
async def running_kamailio(configuration: Path, port: int) -> AsyncIterator[None]:
    """Run a Kamailio that listens on `port`; its log lies beside its configuration."""
    log = configuration.with_name("kamailio.log")
    folder = Path(tempfile.mkdtemp(prefix="dialer-border-"))  # short: unix sockets live there
    command = [
        program("kamailio"), "-f", configuration, "-L", modules_of("kamailio", "kamailio/modules"),
        "-DD", "-E", "-Y", folder, "-m", "16", "-M", "4",
    ]  # fmt: skip
    async with running(log, *command, cwd=folder) as process:
        await until(process, lambda: bound(port), log)
        yield
    shutil.rmtree(folder)


@pytest.fixture
async def border(asterisk, tmp_path: Path) -> AsyncIterator[Border]:
    """A session border controller (Kamailio, Record-Route) in front of the Asterisk."""
    port = free_port()
    configuration = filled(
        SIP / "kamailio" / "kamailio.cfg", tmp_path, LISTEN=port, PBX=asterisk.port
    )
    async with running_kamailio(configuration, port):
        yield Border(port)


@dataclasses.dataclass(frozen=True)
class Answering:
    """A telephone that answers every call; what it heard is in `heard` once the call is over."""

    heard: Path
    log: Path
    process: asyncio.subprocess.Process

    async def ended(self) -> None:
        """Wait until its call is over and what it heard is written."""
        await until(
            self.process,
            lambda: "terminated (duration" in self.log.read_text(errors="replace"),
            self.log,
        )


@pytest.fixture
async def answering_telephone(
    asterisk, tmp_path: Path
) -> AsyncIterator[Callable[..., Awaitable[Answering]]]:
    """Register a baresip with the Asterisk: `await answering_telephone("phone2")`."""
    async with contextlib.AsyncExitStack() as exits:

        async def register(username: str) -> Answering:
            folder = tmp_path / f"baresip-{username}"
            folder.mkdir()
            rtp = free_port() & ~1
            for name in ("config", "accounts"):
                filled(
                    SIP / "baresip" / name,
                    folder,
                    RUN=folder,
                    SIP=free_port(),
                    PBX=asterisk.port,
                    USER=username,
                    RTP_FIRST=rtp,
                    RTP_LAST=rtp + 40,
                    MODULES=modules_of("baresip", "baresip/modules"),
                )
            (folder / "contacts").touch()
            log = folder / "log"
            process = await exits.enter_async_context(
                running(log, program("baresip"), "-f", folder, "-v", cwd=folder)
            )
            await until(process, lambda: "200 OK" in log.read_text(errors="replace"), log)
            return Answering(folder / "heard.wav", log, process)

        yield register
