"""`dialer dial --bot`, with the bot that docs/bots.md shows."""

from __future__ import annotations

import contextlib
import re
import types
from pathlib import Path

import pytest
from aiohttp import web
from tests.cli.conftest import in_a_thread

DOCS = Path(__file__).parents[2] / "docs" / "bots.md"


def bot_of_the_docs():
    code = re.search(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)[1]
    module = types.ModuleType("echo_bot")
    exec(code, module.__dict__)
    return module.app


@contextlib.asynccontextmanager
async def running(app):
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"ws://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


@pytest.fixture
def trunk(carrier, configured):
    host, port = carrier.address.host, carrier.address.port
    path = configured(
        '[sip]\nhost = "127.0.0.1"\n', f'[[trunk]]\nname = "carrier"\naddress = "{host}:{port}"\n'
    )
    return ("--config", path, "--trunk", "carrier")


def test_a_call_is_led_by_the_bot_of_the_docs(command, trunk):
    with in_a_thread(lambda: running(bot_of_the_docs())) as url:
        # the far end hangs up half a second after it has answered
        left, out, error = command("dial", "+15552000500", *trunk, "--bot", url)
    assert (left, error) == (0, "")
    assert "answered: 200 OK; decided by rule answered-2xx" in out
    assert "\nended_by: caller\n" in out
    assert float(re.search(r"^seconds_to_bot: (.+)$", out, re.MULTILINE)[1]) > 0.1
    assert float(re.search(r"^seconds_to_caller: (.+)$", out, re.MULTILINE)[1]) > 0.1


def test_a_bot_that_is_away_is_told(command, trunk):
    left, out, error = command("dial", "+15552000000", *trunk, "--bot", "ws://127.0.0.1:9/")
    assert (left, error) == (20, "")
    assert "bot_failure: 200 OK; decided by rule bot-failed" in out
    assert "the bot failed: no connection to 127.0.0.1:9: Connection refused" in out


def test_what_cannot_be_a_bot_is_refused_before_the_call(refused, trunk):
    said = refused("dial", "+15552000000", *trunk, "--bot", "http://127.0.0.1/")
    assert said.startswith("--bot: String should match pattern")
    both = refused("dial", "+15552000000", *trunk, "--bot", "ws://b.example/", "--play", "x.wav")
    assert both == "--play and --bot: a call is led by one of the two"
