"""Registration and probes against Asterisk, and against a registrar that SIPp plays."""

from __future__ import annotations

import asyncio
import dataclasses
import re

import pytest

from dialer.clock import SystemClock
from dialer.ua.agent import UserAgent, UserAgentSettings
from dialer.ua.call import CallRequest, HungUpBy, RegistrationSettings
from dialer.ua.trunk_status import Availability

from .calling import talk

ACCOUNT = "dialer-registered"


class Watched:
    """A user agent, what it tells of its trunks, and what passes on its wire."""

    def __init__(self):
        self.changes = []
        self.messages = []
        self._news = asyncio.Event()
        settings = UserAgentSettings(
            bind_host="127.0.0.1",
            on_message=self._message,
            on_status=self._status,
        )
        self.agent = UserAgent(settings, SystemClock(), fraction=lambda: 0.0)

    def _message(self, passed):
        self.messages.append(passed)
        self._news.set()

    def _status(self, _name, _before, after):
        self.changes.append(after)
        self._news.set()

    async def until(self, condition):
        """Wait until `condition(self)` gives something; return it."""
        async with asyncio.timeout(10):
            while not (found := condition(self)):
                self._news.clear()
                await self._news.wait()
        return found

    async def status(self, condition):
        """Wait for a status that meets a condition."""
        return await self.until(lambda _: next(filter(condition, self.changes), None))

    def passed(self, direction, start):
        return [
            one.data
            for one in self.messages
            if one.direction == direction and one.data.startswith(start)
        ]


@pytest.fixture
async def watched():
    one = Watched()
    await one.agent.start()
    yield one
    await one.agent.close()


def up(status):
    return status.availability is Availability.UP


async def contacts(asterisk):
    """The user parts of the Contacts of our account in Asterisk (its table cuts the rest off)."""
    listed = await asyncio.to_thread(asterisk.console, "pjsip", "show", "contacts")
    return re.findall(rf"{ACCOUNT}/sip:([^@\s]+)@", listed)


async def test_registered_with_asterisk(asterisk, watched):
    trunk = dataclasses.replace(
        asterisk.trunk(ACCOUNT), registration=RegistrationSettings(expires=3)
    )
    watched.agent.watch([trunk])
    assert not watched.agent.status(trunk.name).usable
    first = await watched.status(up)
    (user,) = await contacts(asterisk)
    contact = f"<sip:{user}@127.0.0.1:{watched.agent.local_address.port}>"
    assert f"\r\nContact: {contact}\r\n".encode() in watched.passed("sent", b"REGISTER ")[0]
    result = await talk(watched.agent, CallRequest(trunk, "1001", "15550100"), 0.2)
    assert result.answered
    (invite,) = watched.passed("sent", b"INVITE ")[-1:]
    assert f"\r\nContact: {contact}\r\n".encode() in invite
    later = await watched.status(
        lambda now: up(now) and now.registered_until > first.registered_until
    )
    assert later.usable
    assert await contacts(asterisk) == [user]
    await watched.agent.close()
    assert await contacts(asterisk) == []
    assert [change for change in watched.changes if not change.usable] == []
    registers = watched.passed("sent", b"REGISTER ")
    assert len({re.search(rb"\r\nCall-ID: (.+)\r\n", data)[1] for data in registers}) == 1
    numbers = [int(re.search(rb"\r\nCSeq: (\d+) ", data)[1]) for data in registers]
    assert numbers == sorted(set(numbers))


async def test_a_wrong_password_is_said(asterisk, watched):
    trunk = asterisk.trunk(ACCOUNT, "not-the-secret")
    watched.agent.watch([dataclasses.replace(trunk, registration=RegistrationSettings())])
    status = await watched.status(lambda now: "refused" in now.reason)
    assert status.reason == "credentials refused: REGISTER got 401 Unauthorized"
    assert not status.usable
    assert len(watched.passed("sent", b"REGISTER ")) == 2


async def test_asterisk_answers_probes(asterisk, watched):
    trunk = dataclasses.replace(asterisk.trunk(), options_interval=0.2, learn_address=True)
    watched.agent.watch([trunk])
    await watched.until(lambda now: len(now.passed("received", b"SIP/2.0 ")) >= 2)
    status = watched.agent.status(trunk.name)
    assert (status.availability, status.reason) == (Availability.UP, "")
    assert status.learned_address == watched.agent.local_address


async def test_423_and_a_service_route_are_followed(far_end, watched):
    far = await far_end("registrar", calls=2)
    trunk = far.trunk(username="dialer", registration=RegistrationSettings(expires=60))
    watched.agent.watch([trunk])
    status = await watched.status(up)
    route = f"<sip:127.0.0.1:{far.port};lr>"
    assert status.service_route == (route,)
    lifetime = (status.registered_until - status.since).total_seconds()
    assert 119 < lifetime <= 120
    result = await talk(watched.agent, CallRequest(trunk, "15550123", "15550100"), 0.2)
    assert (result.answered, result.hung_up_by) == (True, HungUpBy.US)
    await watched.agent.close()
    await far.finished()
    brief, long, removal = far.received("REGISTER")
    assert [re.search(r"^Expires: (\d+)", text, re.MULTILINE)[1] for text in (brief, long)] == [
        "60",
        "120",
    ]
    assert "Expires: 0" in removal
    (invite,) = far.received("INVITE")
    assert f"Route: {route}" in invite
    (contact,) = re.findall(r"^Contact: (.+)$", invite, re.MULTILINE)
    assert f"Contact: {contact}" in removal
