"""Commands run as a person runs them, in this process: arguments in, exit code and words out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
import threading
from unittest import mock

import pytest
import structlog
from tests.wire.watching import far_end

from dialer import cli, config, log
from dialer.config_webhooks import Webhooks
from dialer.service import Service
from dialer.simulator.carrier import Carrier, CarrierSettings

LIST = "phone,name\n+15552000200,Ada\n+15554860000,Ben\nxx,Chris\n+15554860000,Ben\n123,Dana\n"
LOOPBACK = '[sip]\nhost = "127.0.0.1"\n'
SECOND = 0.1  # what the simulated carrier takes for a second


def exit_code(*arguments):
    """Run a command and return its exit code."""
    with mock.patch.object(sys, "argv", ["dialer", *map(str, arguments)]):
        try:
            cli.main()
        except SystemExit as left:
            return left.code or 0
    return 0


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    """A service that a test runs beside the commands logs errors only; commands log as they do."""
    for name in ("DATABASE_URL", "DIALER_API", "DIALER_API_TOKEN", "DIALER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    log.configure(level="error")
    yield
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level


@pytest.fixture
def command(capfd, monkeypatch):
    """`command("dial", "123", …)` returns (exit code, stdout, stderr)."""
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments):
        capfd.readouterr()
        code = exit_code(*arguments)
        return code, *capfd.readouterr()

    return run


@pytest.fixture
def refused(command):
    """`refused("serve", …)` returns the one line that a mistake is answered with."""

    def run(*arguments):
        code, out, error = command(*arguments)
        assert code == 2, (out, error)
        assert out == ""
        (line,) = error.splitlines()
        assert line.startswith("dialer: ")
        return line.removeprefix("dialer: ")

    return run


@pytest.fixture
def configured(tmp_path):
    """`configured('[sip]\\nport = 1\\n')` writes a configuration with a trunk; returns its path."""

    def write(text="", trunk='[[trunk]]\nname = "pbx"\naddress = "127.0.0.1:9"\n'):
        path = tmp_path / "dialer.toml"
        path.write_text(text + trunk)
        return path

    return write


@contextlib.contextmanager
def in_a_thread(start):
    """Run `start()`, an async context manager, in a loop of its own thread; give what it gives."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def wait(work):
        return asyncio.run_coroutine_threadsafe(work, loop).result(30)

    manager = start()
    try:
        given = wait(manager.__aenter__())
        try:
            yield given
        finally:
            wait(manager.__aexit__(None, None, None))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextlib.asynccontextmanager
async def running_carrier():
    carrier = Carrier(CarrierSettings(second=SECOND))
    await carrier.start()
    yield carrier
    await carrier.close()


@pytest.fixture(scope="session")
def carrier():
    """A simulated carrier, beside the commands."""
    with in_a_thread(running_carrier) as found:
        yield found


@contextlib.asynccontextmanager
async def running(settings, **parts):
    service = Service(settings, **parts)
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
def service(carrier, database_url, monkeypatch, tmp_path):
    """The whole service on a fresh database; the commands find it by their environment."""
    host, port = carrier.address.host, carrier.address.port
    settings = config.Config(
        database=config.Database(url=database_url),
        api=config.Api(port=0, token_env="DIALER_TEST_TOKEN"),
        sip=config.Sip(host="127.0.0.1"),
        webhooks=Webhooks(allow_http=True, allow_networks=("127.0.0.0/8",)),
        prompts=tmp_path,
        trunk=(config.Trunk(name="carrier", address=f"{host}:{port}", calls_per_second=100),),
    )
    with in_a_thread(lambda: running(settings)) as found:
        monkeypatch.setenv("DIALER_API", found.api_url)
        yield found


@pytest.fixture
def numbers(tmp_path):
    path = tmp_path / "spring.csv"
    path.write_text(LIST)
    return path


@pytest.fixture
def far():
    """A far end that does as its `answers` say."""
    with in_a_thread(far_end) as found:
        yield found


@pytest.fixture
def at(configured):
    """`at(far.address, "register = true")` writes a trunk and returns the words of its check."""

    def write(where, *lines, sip=LOOPBACK):
        named = where if isinstance(where, str) else f"{where.host}:{where.port}"
        text = "\n".join(['[[trunk]]\nname = "pbx"', f'address = "{named}"', *lines, ""])
        return ("trunk", "check", "pbx", "--config", configured(sip, text))

    return write


def steps(out):
    """The steps by name, each a list of its lines; marks first."""
    found, lines = {}, []
    for line in out.splitlines():
        if line.startswith("    "):
            lines.append(line.strip())
        else:
            mark, name, said = line.split(maxsplit=2)
            lines = [mark, said]
            found.setdefault(name, []).append(lines)
    return found


def unused():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
