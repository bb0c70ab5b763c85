"""A user agent keeps a trunk registered, and says how it stands."""

from __future__ import annotations

import dataclasses

import pytest
from tests.wire.watching import DEGRADED, DOWN, UP, close, watching

from dialer.ua.agent import UserAgent, UserAgentSettings
from dialer.ua.call import RegistrationSettings
from dialer.ua.resolver import Found
from dialer.ua.trunk_status import TrunkStatus


@pytest.fixture
async def scene():
    async with watching() as made:
        yield made


async def test_a_trunk_with_neither_is_up_and_sends_nothing(scene):
    scene.agent.watch([scene.trunk()])
    await scene.clock.elapse(1000)
    assert scene.agent.status("carrier") == TrunkStatus()
    assert scene.agent.status("unknown").usable
    assert scene.far.requests == []
    assert scene.told.changes == []


async def test_a_registered_trunk_is_up_is_refreshed_and_is_left_at_the_end(scene):
    scene.agent.watch([scene.registering()])
    before = scene.agent.status("carrier")
    assert (before.availability, before.reason) == (DOWN, "not registered yet")
    await scene.clock.elapse(0.0)
    status = await scene.told.until(UP)
    assert scene.agent.status("carrier") == status
    assert (status.usable, status.reason) == (True, "")
    assert (status.registered_until - scene.clock.now()).total_seconds() == 100
    first = scene.far.of("REGISTER")[0]
    second = await scene.next_register()
    assert scene.clock.monotonic() == 80.0
    await scene.told.until(lambda now: now.registered_until != status.registered_until)
    await close(scene.agent, scene.clock)
    third = scene.far.of("REGISTER")[2]
    requests = (first, second, third)
    assert [request.cseq for request in requests] == [1, 2, 3]
    assert len({request.call_id for request in requests}) == 1
    assert len({request.contact for request in requests}) == 1
    assert [request.first("expires") for request in requests] == ["100", "100", "0"]
    assert len(third.values("contact")) == 1
    assert [after.availability for _, _, after in scene.told.changes] == [UP, UP]
    assert scene.clock.pending == 0


async def test_each_node_has_a_contact_of_its_own_and_keeps_it_over_a_restart(scene):
    await scene.registered()
    other = UserAgent(UserAgentSettings("127.0.0.1"), scene.clock, fraction=lambda: 0.0)
    await other.start()
    other.watch([scene.registering()])
    await scene.clock.elapse(0.0)
    theirs = await scene.far.received("REGISTER", 2)
    port = other.local_address.port
    await close(other, scene.clock)
    again = UserAgent(
        UserAgentSettings("127.0.0.1", bind_port=port), scene.clock, fraction=lambda: 0.0
    )
    await again.start()
    again.watch([scene.registering()])
    await scene.clock.elapse(0.0)
    restarted = await scene.far.received("REGISTER", 4)
    await close(again, scene.clock)
    ours = scene.far.of("REGISTER")[0]
    assert ours.contact.partition("@")[0] != theirs.contact.partition("@")[0]
    assert restarted.contact == theirs.contact


async def test_the_first_register_waits_for_a_random_moment(scene):
    agent = UserAgent(UserAgentSettings("127.0.0.1"), scene.clock, fraction=lambda: 0.5)
    agent.watch([scene.registering()])
    await scene.clock.elapse(0.99)
    assert scene.far.requests == []
    await scene.clock.elapse(0.02)
    await scene.far.received("REGISTER", 1)
    await close(agent, scene.clock)


async def test_refused_credentials_are_the_reason_until_they_are_taken(scene):
    scene.far.answers["REGISTER"] = (403, {})
    scene.agent.watch([scene.registering()])
    await scene.clock.elapse(0.0)
    status = await scene.told.until(lambda now: "refused" in now.reason)
    assert not status.usable
    assert status.reason == "credentials refused: REGISTER got 403 Said"
    scene.far.answers["REGISTER"] = (200, {"expires": "100"})
    await scene.next_register()
    assert scene.clock.monotonic() == 30.0
    assert (await scene.told.until(UP)).reason == ""


async def test_a_challenge_is_answered_and_an_endless_one_is_a_refusal(scene):
    header = 'Digest realm="r", nonce="n{}", qop="auth"'
    scene.far.answers["REGISTER"] = lambda request: (
        401,
        {"www_authenticate": header.format(request.cseq)},
    )
    scene.agent.watch([scene.registering()])
    await scene.clock.elapse(0.0)
    status = await scene.told.until(lambda now: "refused" in now.reason)
    assert not status.usable
    assert len(scene.far.of("REGISTER")) == 2
    assert 'username="dialer"' in scene.far.of("REGISTER")[1].first("authorization")


async def test_a_refresh_that_fails_degrades_and_the_end_of_the_binding_takes_it_down(scene):
    await scene.registered()
    scene.far.answers["REGISTER"] = (503, {"retry_after": "40"})
    await scene.next_register()
    status = await scene.told.until(DEGRADED)
    assert status.usable
    assert status.reason == "not refreshed: REGISTER got 503 Said"
    since = scene.clock.now()
    assert status.since == since
    await scene.clock.elapse(20.0)
    status = await scene.told.until(DOWN)
    assert status.registered_until is None
    assert status.reason == "the registration ran out: REGISTER got 503 Said"
    assert (status.since - since).total_seconds() == 20
    scene.far.answers["REGISTER"] = (200, {"expires": "100"})
    await scene.next_register()
    assert scene.clock.monotonic() == 120.0
    await scene.told.until(UP)


async def test_423_is_followed_at_once(scene):
    scene.far.answers["REGISTER"] = lambda request: (
        (200, {"expires": "600"})
        if int(request.first("expires")) >= 600
        else (423, {"min_expires": "600"})
    )
    await scene.registered()
    assert scene.clock.monotonic() == 0.0
    assert [request.first("expires") for request in scene.far.of("REGISTER")] == ["100", "600"]
    await scene.next_register()
    assert scene.clock.monotonic() == 480.0
    assert scene.far.of("REGISTER")[2].first("expires") == "600"


async def test_a_silent_registrar_is_down_and_does_not_hold_the_end_up(scene):
    scene.far.answers["REGISTER"] = None
    scene.agent.watch([scene.registering()])
    await scene.clock.elapse(33.0)
    status = scene.agent.status("carrier")
    assert (status.availability, status.reason) == (DOWN, "no answer to REGISTER")
    began = scene.clock.monotonic()
    await close(scene.agent, scene.clock)
    assert scene.clock.monotonic() - began <= 0.5


async def test_a_registrar_that_is_silent_at_the_end_is_waited_for_two_seconds(scene):
    await scene.registered()
    scene.far.answers["REGISTER"] = None
    began = scene.clock.monotonic()
    await close(scene.agent, scene.clock)
    assert scene.clock.monotonic() - began == 2.0
    assert scene.clock.pending == 0


async def test_a_name_without_an_address_is_the_reason(scene, monkeypatch):
    async def find(*_):
        return Found(reason="the name sip.example has no address")

    monkeypatch.setattr(scene.agent._resolver, "find", find)
    scene.agent.watch([scene.registering(options_interval=30.0)])
    await scene.clock.elapse(0.0)
    status = await scene.told.until(lambda now: "no address" in now.reason)
    assert status.reason == "cannot register: the name sip.example has no address"
    await scene.clock.elapse(30.0)
    assert scene.far.requests == []


async def test_an_account_that_cannot_stand_in_a_uri_is_the_reason(scene):
    scene.agent.watch([scene.registering(username="a\nb")])
    await scene.clock.elapse(0.0)
    assert "a control character" in scene.agent.status("carrier").reason


# keep-alive


async def test_a_registered_trunk_gets_a_keep_alive(scene):
    await scene.registered(keep_alive=30.0)
    await scene.clock.elapse(29.0)
    assert scene.far.crlf == 0
    await scene.clock.elapse(1.0)
    await scene.far.until(lambda far: far.crlf == 1)
    await scene.clock.elapse(30.0)
    await scene.far.until(lambda far: far.crlf == 2)


async def test_a_trunk_that_is_not_registered_any_more_gets_none(scene):
    await scene.registered(keep_alive=30.0)
    scene.far.answers["REGISTER"] = (403, {})
    await scene.clock.elapse(80.0)
    await scene.told.until(DOWN)
    before = scene.far.crlf
    await scene.clock.elapse(25.0)
    assert scene.far.crlf == before


# other definitions


async def test_watching_again_changes_nothing_unless_the_definition_changed(scene):
    trunk = await scene.registered()
    scene.agent.watch([trunk])
    await scene.clock.elapse(10.0)
    assert len(scene.far.of("REGISTER")) == 1
    scene.agent.watch([dataclasses.replace(trunk, registration=RegistrationSettings(expires=200))])
    await scene.clock.elapse(0.0)
    removal = await scene.far.received("REGISTER", 2)
    for _ in range(3):
        await scene.clock.elapse(0.0)
    fresh = await scene.far.received("REGISTER", 3)
    assert [removal.first("expires"), fresh.first("expires")] == ["0", "200"]
    assert removal.call_id != fresh.call_id


async def test_a_trunk_that_wants_neither_any_more_is_left(scene):
    trunk = await scene.registered()
    scene.agent.watch([dataclasses.replace(trunk, registration=None)])
    removal = await scene.far.received("REGISTER", 2)
    assert removal.first("expires") == "0"
    assert scene.agent.status("carrier") == TrunkStatus()
