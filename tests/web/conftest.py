"""A browser that looks at the dashboard of a whole service, and minds what its console says."""

from __future__ import annotations

import asyncio
import os
import subprocess
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright
from tests.conftest import execute, in_database
from tests.web.house import House, carrier

FETCH = Path(__file__).parents[2] / "sip" / "fetch.sh"
PATIENCE = 20_000  # milliseconds; for what other processes do meanwhile on few cores
ZONE = "Europe/Berlin"

expect.set_options(timeout=PATIENCE)


def chromium():
    """The path of the browser, or a failure with the line that says what is missing."""
    given = os.environ.get("DIALER_CHROMIUM")
    if given:
        return given
    found = subprocess.run([FETCH, "chromium"], capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.fail(found.stderr.strip(), pytrace=False)
    return found.stdout.strip()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A browser for a module: its loop runs in this thread, where other modules want theirs.

    It leaves the processors to the tests beside it that speak in real time.
    """
    yielding = tmp_path_factory.mktemp("browser") / "chromium"
    yielding.write_text(f'#!/bin/sh\nexec nice -n 10 {chromium()} "$@"\n')
    yielding.chmod(0o755)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=yielding)
        yield started
        started.close()


def apart(work):
    """Run a coroutine in a thread of its own, since this one's loop is the browser's."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, work).result()


@pytest.fixture(scope="module")
def module_database(server):
    """A database with the schema, for a service that the tests of a module share."""
    url, template = server
    name = f"test_{uuid.uuid4().hex}"
    apart(execute(url, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY"))
    yield in_database(url, name)
    apart(execute(url, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="module")
def house(module_database):
    """A service on loopback without a token, with two carriers."""
    with House(module_database, {"north": carrier(), "south": carrier()}) as found:
        yield found


class Visitor:
    """Opens pages as one person's browser does; what the console complains of is kept."""

    def __init__(self, browser, url, **options):
        self.context = browser.new_context(
            base_url=url, timezone_id=ZONE, reduced_motion="reduce", **options
        )
        self.context.set_default_timeout(PATIENCE)
        self.complaints = []
        self.page = self.context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(f"{error}"))

    def _heard(self, message):
        if message.type in {"error", "warning"}:
            where = message.location.get("url", "")
            self.complaints.append(f"{message.type}: {message.text} ({where})")

    def open(self, path):
        """Go to a page and wait until it is drawn."""
        self.page.goto(path)
        expect(self.page.locator("h1").first).to_be_visible()
        return self.page

    def forgive(self, text):
        """Take out complaints that the test was after: the browser tells of each refusal."""
        found = [one for one in self.complaints if text in one]
        assert found, f"nothing complains of {text!r}: {self.complaints}"
        self.complaints = [one for one in self.complaints if text not in one]


@pytest.fixture
def visitor(browser):
    """`visitor(url, **options)` is a person with a browser; the console must stay silent."""
    made = []

    def come(url, **options):
        made.append(Visitor(browser, url, **options))
        return made[-1]

    yield come
    for one in made:
        one.context.close()
        assert one.complaints == []


@pytest.fixture
def guest(visitor, house):
    """Somebody who looks at the module's service."""
    return visitor(house.url)


@pytest.fixture
def visit(guest):
    """`visit(path)` opens a page of the module's service."""
    return guest.open


@pytest.fixture
def make(house):
    """`make(on_answer)` makes a draft and returns its id."""

    def made(wanted):
        settings = {"name": "Spring", "trunks": ["north"], "on_answer": wanted}
        return house.ask(lambda client: client.create_campaign(settings)).id

    return made
