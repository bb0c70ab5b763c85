"""The far ends: an Asterisk of our own, SIPp, a pyVoIP telephone. All on loopback.

A program that is missing fails the test with the line that says how to get it; nothing is skipped.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import dataclasses
import fcntl
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dialer.clock import SystemClock
from dialer.ua.agent import UserAgent, UserAgentSettings
from dialer.ua.call import TlsSettings, Trunk

from .peers import answering_telephone, border  # noqa: F401 - fixtures of these tests
from .programs import SIP, bound, free_port, program

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from dialer.ua.resolver import Resolver

LAB = SIP / "asterisk" / "lab.sh"
# below the ports that the system gives out by itself
PORT_BLOCKS = range(16000, 32000, 1000)
FAR_END_DEADLINE = 40  # seconds, more than any scenario takes


# ---------------------------------------------------------------------------------- Asterisk


@dataclasses.dataclass(frozen=True)
class Asterisk:
    """A running PBX: where it listens, and the folder that holds its log and recordings."""

    port: int
    folder: Path

    def trunk(self, username: str = "dialer", password: str = "dialer-secret") -> Trunk:
        return Trunk("lab", "127.0.0.1", self.port, username=username, password=password)

    def trunk_over(self, transport: str, **tls: object) -> Trunk:
        """Return the trunk by TCP or TLS; `tls` are `TlsSettings`, the lab's authority first."""
        settings = TlsSettings(**{"ca_file": str(self.folder / "tls" / "ca.pem"), **tls})
        port = self.port + (transport == "tls")
        return dataclasses.replace(self.trunk(), port=port, transport=transport, tls=settings)

    def recording(self, caller_id: str) -> Path:
        return self.folder / "spool" / f"heard-{caller_id}.wav"

    @property
    def log(self) -> str:
        return (self.folder / "log" / "full").read_text(errors="replace")

    def console(self, *command: str) -> str:
        return subprocess.run(
            [LAB, "cli", self.folder, *command], capture_output=True, text=True, check=True
        ).stdout


@contextlib.contextmanager
def port_block() -> Iterator[int]:
    """Hold a thousand ports that no other test process of this machine takes meanwhile."""
    for base in random.sample(PORT_BLOCKS, len(PORT_BLOCKS)):
        path = Path(tempfile.gettempdir()) / f"dialer-lab-{os.getuid()}-{base}.lock"
        with path.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                    probe.bind(("127.0.0.1", base))
            except OSError:
                continue
            yield base
            return
    pytest.fail("all port blocks for a lab are taken", pytrace=False)


@contextlib.contextmanager
def running_asterisk(pjsip: Path | None = None) -> Iterator[Asterisk]:
    """Run a private Asterisk, with another pjsip.conf if need be; it dies with the process."""
    program("asterisk")
    folder = Path(tempfile.mkdtemp(prefix="dialer-lab-"))  # short: unix socket paths are bounded
    environment = os.environ if pjsip is None else {**os.environ, "DIALER_LAB_PJSIP": str(pjsip)}
    with port_block() as port:
        process = subprocess.Popen(
            [LAB, "run", folder, str(port)], stderr=subprocess.PIPE, env=environment
        )
        try:
            ready = subprocess.run(
                [LAB, "await", folder], capture_output=True, text=True, check=False
            )
            if ready.returncode:
                pytest.fail(ready.stderr.strip(), pytrace=False)
            yield Asterisk(port, folder)
        finally:
            process.terminate()
            process.communicate(timeout=10)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def asterisk() -> Iterator[Asterisk]:
    """One private Asterisk for the tests of this process."""
    with running_asterisk() as one:
        yield one


@pytest.fixture
def asterisk_with() -> Iterator[Callable[[Path], Asterisk]]:
    """Start an Asterisk for one test: `asterisk_with(path of its pjsip.conf)`."""
    with contextlib.ExitStack() as exits:
        yield lambda pjsip: exits.enter_context(running_asterisk(pjsip))


# ---------------------------------------------------------------------------------- SIPp


@dataclasses.dataclass
class FarEnd:
    """A SIPp scenario under way."""

    port: int
    process: asyncio.subprocess.Process
    folder: Path
    calls: int

    def trunk(self, **fields: object) -> Trunk:
        return Trunk("far", "127.0.0.1", self.port, **fields)

    @property
    def messages(self) -> str:
        """Every SIP message that went either way."""
        path = self.folder / "messages"
        return path.read_text(errors="replace") if path.exists() else ""

    def received(self, method: str) -> list[str]:
        """Return the requests of `method` that arrived, retransmissions among them."""
        arrived = re.split(r"^-{10,}.*$", self.messages, flags=re.MULTILINE)
        return [
            text.partition("\n\n")[2]
            for text in arrived
            if "message received" in text and re.search(rf"^{method} sip:", text, re.MULTILINE)
        ]

    async def finished(self) -> None:
        """Wait for the end; fail with SIPp's log unless every call went through the scenario."""
        async with asyncio.timeout(FAR_END_DEADLINE + 5):
            code = await self.process.wait()
        with (self.folder / "statistics").open() as file:
            *_, last = csv.DictReader(file, delimiter=";")
        successful = int(last["SuccessfulCall(C)"])
        if code or successful != self.calls:
            report = [f"SIPp ended with {code}; {successful} of {self.calls} calls succeeded"]
            for name in ("errors", "messages"):
                path = self.folder / name
                report.append(path.read_text(errors="replace")[-20000:] if path.exists() else "")
            pytest.fail("\n".join(report), pytrace=False)

    async def stop(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


@pytest.fixture
async def far_end(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[FarEnd]]]:
    """Start SIPp with a scenario of sip/sipp: `await far_end("challenge", status="401 …")`."""
    sipp = program("sipp")
    started: list[FarEnd] = []

    async def start(scenario: str, *options: str, calls: int = 1, **keys: str) -> FarEnd:
        port = free_port()
        folder = tmp_path / f"{scenario}-{port}"
        folder.mkdir()
        text = (SIP / "sipp" / f"{scenario}.xml").read_text()
        for name, value in keys.items():  # SIPp's own -key cannot stand for a status code
            text = text.replace(f"[{name}]", value)
        (folder / "scenario.xml").write_text(text)
        command = [
            sipp, "-sf", "scenario.xml", "-m", str(calls),
            "-i", "127.0.0.1", "-p", str(port), "-mi", "127.0.0.1", "-mp", str(free_port()),
            "-nostdin", "-timeout", str(FAR_END_DEADLINE), "-timeout_error",
            "-trace_msg", "-message_file", "messages", "-trace_err", "-error_file", "errors",
            "-trace_stat", "-stf", "statistics", "-fd", "1", *options,
        ]  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env={**os.environ, "TERM": "xterm"},  # SIPp draws a screen wherever it runs
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
        )
        far = FarEnd(port, process, folder, calls)
        started.append(far)
        while not bound(port):
            if process.returncode is not None:
                await far.finished()
            await asyncio.sleep(0.01)
        return far

    yield start
    for far in started:
        await far.stop()


# ---------------------------------------------------------------------------------- telephone


@dataclasses.dataclass
class Telephone:
    """A pyVoIP telephone, registered with the Asterisk."""

    process: asyncio.subprocess.Process
    heard: Path

    async def said(self, word: str) -> None:
        """Wait until it says `word`."""
        async with asyncio.timeout(30):
            while line := (await self.process.stdout.readline()).decode().strip():
                if line == word:
                    return
        pytest.fail(f"the telephone ended before it said {word}", pytrace=False)


@pytest.fixture
async def telephone(
    asterisk: Asterisk, tmp_path: Path
) -> AsyncIterator[Callable[..., Awaitable[Telephone]]]:
    """Register a telephone: `await telephone("phone1")`."""
    started: list[Telephone] = []

    async def register(username: str, *options: str) -> Telephone:
        heard = tmp_path / f"{username}.wav"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-W", "ignore", Path(__file__).with_name("telephone.py"),
            "--server-port", str(asterisk.port), "--sip-port", str(free_port()),
            "--rtp-port", str(free_port()), "--username", username, "--password", "phone-secret",
            "--heard", heard, *options,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        phone = Telephone(process, heard)
        started.append(phone)
        await phone.said("registered")
        return phone

    yield register
    for phone in started:
        phone.process.stdin.close()
        try:
            async with asyncio.timeout(5):
                await phone.process.wait()
        except TimeoutError:
            phone.process.kill()
            await phone.process.wait()


# ---------------------------------------------------------------------------------- user agent


@pytest.fixture
async def user_agent() -> AsyncIterator[Callable[..., Awaitable[UserAgent]]]:
    """Start a user agent on loopback: `await user_agent(t1=0.05)`."""
    started: list[UserAgent] = []

    async def start(*, resolver: Resolver | None = None, **settings: object) -> UserAgent:
        agent = UserAgent(
            UserAgentSettings(bind_host="127.0.0.1", **settings), SystemClock(), resolver=resolver
        )
        await agent.start()
        started.append(agent)
        return agent

    yield start
    for agent in started:
        await agent.close()
