"""A user agent that keeps a trunk registered and probed, on sockets of loopback and a driven clock.

The far end answers by a script of the test's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses

import pytest
from tests.driven_clock import DrivenClock
from tests.unit.sip.sample_messages import answer_bytes, as_request

from dialer.sip.identity import HostPort
from dialer.ua.agent import UserAgent, UserAgentSettings
from dialer.ua.call import CallRequest, RegistrationSettings, Trunk
from dialer.ua.resolver import Found
from dialer.ua.trunk_status import Availability, TrunkStatus

UP, DEGRADED, DOWN = Availability
PATIENCE = 2  # seconds of real time for a datagram on loopback
NAT = HostPort("203.0.113.7", 40000)


class FarEnd(asyncio.DatagramProtocol):
    """Answers REGISTER and OPTIONS by `answers[method]`: (code, headers), None for silence."""

    def __init__(self):
        self.answers = {"REGISTER": (200, {"expires": "100"}), "OPTIONS": (200, {})}
        self.seen_at = None  # where answers say that a request came from
        self.requests = []
        self.crlf = 0
        self._news = asyncio.Event()

    def connection_made(self, transport):
        self.transport = transport
        self.address = HostPort(*transport.get_extra_info("sockname")[:2])

    def datagram_received(self, data, source):
        self._news.set()
        if data == b"\r\n\r\n":
            self.crlf += 1
            return
        request = as_request(data)
        self.requests.append(request)
        answer = self.answers.get(request.method)
        if answer is None:
            return
        code, headers = answer(request) if callable(answer) else answer
        host, port = (self.seen_at or source)[:2]
        via = request.first("via").replace(";rport", f";rport={port};received={host}")
        fields = {"contact": None, "via": via, **headers}
        self.transport.sendto(answer_bytes(data, code, "Said", **fields), source)

    def of(self, method):
        return [request for request in self.requests if request.method == method]

    async def until(self, condition):
        async with asyncio.timeout(PATIENCE):
            while not condition(self):
                self._news.clear()
                await self._news.wait()

    async def received(self, method, count):
        """Wait for the request of that number; return it."""
        await self.until(lambda far: len(far.of(method)) >= count)
        return self.of(method)[count - 1]


class Told:
    """The changes that the user agent told of."""

    def __init__(self):
        self.changes = []
        self._read = 0
        self._news = asyncio.Event()

    def __call__(self, name, before, after):
        self.changes.append((name, before, after))
        self._news.set()

    async def until(self, condition):
        """Wait for the next status that meets a condition, or is of an availability."""
        async with asyncio.timeout(PATIENCE):
            while True:
                while self._read < len(self.changes):
                    _, _, status = self.changes[self._read]
                    self._read += 1
                    if condition is status.availability or (
                        callable(condition) and condition(status)
                    ):
                        return status
                self._news.clear()
                await self._news.wait()


@dataclasses.dataclass
class Scene:
    clock: DrivenClock
    far: FarEnd
    told: Told
    agent: UserAgent
    sent: list[bytes]

    @property
    def registers(self):
        """How many REGISTER have left, retransmissions aside."""
        return len({data for data in self.sent if data.startswith(b"REGISTER ")})

    def trunk(self, **fields):
        return Trunk("carrier", *self.far.address[:2], **fields)

    def registering(self, **fields):
        settings = RegistrationSettings(expires=100)
        account = {"username": "dialer", "password": "secret", "keep_alive": 0.0}
        return self.trunk(**{"registration": settings, **account, **fields})

    async def registered(self, **fields):
        """Watch a trunk that registers, and wait until it is up."""
        trunk = self.registering(**fields)
        self.agent.watch([trunk])
        await self.clock.elapse(0.0)
        await self.told.until(UP)
        return trunk

    async def next_register(self):
        """Let time pass until the next REGISTER leaves; return it as it arrived."""
        count = self.registers
        while self.registers == count:
            await self.clock.elapse(self.clock.next_at() - self.clock.monotonic())
        return await self.far.received("REGISTER", count + 1)

    async def invite(self, trunk):
        """Send an INVITE; return it as it arrived."""
        request = CallRequest(trunk, "15550100", "15550199")
        call = self.agent.place(await self.agent.prepare(request), lambda _: None)
        invite = await self.far.received("INVITE", 1)
        call.abandon()
        return invite


@contextlib.asynccontextmanager
async def far_end():
    loop = asyncio.get_running_loop()
    transport, far = await loop.create_datagram_endpoint(FarEnd, local_addr=("127.0.0.1", 0))
    yield far
    transport.close()


@pytest.fixture
async def scene():
    clock, told, sent = DrivenClock(), Told(), []
    settings = UserAgentSettings(
        "127.0.0.1",
        rtp_ports=(20000, 39999),
        on_message=lambda passed: sent.append(passed.data) if passed.direction == "sent" else None,
        on_status=told,
    )
    agent = UserAgent(settings, clock, fraction=lambda: 0.0)
    await agent.start()
    async with far_end() as far:
        yield Scene(clock, far, told, agent, sent)
        await close(agent, clock)


async def close(agent, clock):
    """Close with time going on, so that nothing waits for ever."""
    closing = asyncio.create_task(agent.close())
    while not closing.done():
        await clock.elapse(0.5)
    await closing


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


# probes


async def test_probes_take_a_trunk_down_after_two_failures_and_up_after_one_success(scene):
    scene.far.answers["OPTIONS"] = (404, {})
    scene.agent.watch([scene.trunk(options_interval=30.0)])
    assert scene.agent.status("carrier").availability is UP
    await scene.clock.elapse(0.0)
    await scene.far.received("OPTIONS", 1)
    scene.far.answers["OPTIONS"] = None
    await scene.clock.elapse(27.0)
    await scene.far.received("OPTIONS", 2)
    await scene.clock.elapse(5.0)
    status = scene.agent.status("carrier")
    assert (status.availability, status.usable) == (DEGRADED, True)
    assert status.reason == "a probe failed: OPTIONS got no answer; down after 1 more"
    await scene.clock.elapse(2.5 + 5.0)
    status = scene.agent.status("carrier")
    assert (status.availability, status.usable) == (DOWN, False)
    assert status.reason == "2 probes in a row failed: OPTIONS got no answer"
    scene.far.answers["OPTIONS"] = (200, {})
    await scene.clock.elapse(5.0)
    status = await scene.told.until(UP)
    assert (status.reason, status.learned_address) == ("", None)
    assert len({request.call_id for request in scene.far.of("OPTIONS")}) == 4
    scene.agent.unwatch(["carrier"])
    count = len(scene.far.requests)
    await scene.clock.elapse(100.0)
    assert len(scene.far.requests) == count


async def test_a_trunk_whose_second_target_answers_is_up(scene, monkeypatch):
    async with far_end() as dead:
        dead.answers["OPTIONS"] = None

        async def find(*_):
            return Found((dead.address, scene.far.address))

        monkeypatch.setattr(scene.agent._resolver, "find", find)
        scene.agent.watch([scene.trunk(options_interval=30.0)])
        for number in (1, 2, 3):
            await scene.clock.elapse(0.0 if number == 1 else 30.0)
            await dead.until(lambda far, least=number: len(far.requests) >= least)
            await scene.clock.elapse(5.0)
            await scene.far.received("OPTIONS", number)
        assert scene.told.changes == []
        assert scene.agent.status("carrier").availability is UP


async def test_a_registered_trunk_whose_probes_fail_is_down(scene):
    scene.far.answers["OPTIONS"] = (503, {})
    await scene.registered(options_interval=30.0)
    await scene.told.until(DEGRADED)
    await scene.clock.elapse(2.5)
    status = await scene.told.until(DOWN)
    assert status.registered_until is not None
    assert status.reason == "2 probes in a row failed: OPTIONS got 503 Said"


# addresses and routes


async def test_a_learned_address_is_registered_and_stands_in_contact_and_sdp(scene):
    trunk = await scene.registered(learn_address=True)
    own = scene.far.of("REGISTER")[0].contact
    scene.far.seen_at = NAT
    await scene.next_register()  # the refresh that tells
    await scene.told.until(lambda now: now.learned_address == NAT)
    await scene.clock.elapse(0.0)
    moved = await scene.far.received("REGISTER", 3)
    assert scene.clock.monotonic() == 80.0
    user = own.partition("@")[0]
    assert moved.values("contact") == (f"<{user}@203.0.113.7:40000>", f"<{own}>;expires=0")
    assert scene.agent.status("carrier").usable
    invite = await scene.invite(trunk)
    assert invite.contact == f"{user}@203.0.113.7:40000"
    assert b"c=IN IP4 203.0.113.7\r\n" in invite.body
    await scene.next_register()
    assert scene.clock.monotonic() == 160.0  # no address is registered over and over


async def test_an_address_that_is_our_own_is_not_registered_again(scene):
    await scene.registered(learn_address=True)
    assert scene.agent.status("carrier").learned_address == scene.agent.local_address
    await scene.next_register()
    assert scene.clock.monotonic() == 80.0


async def test_an_address_is_learned_from_probes_too(scene):
    scene.far.seen_at = NAT
    trunk = scene.trunk(options_interval=30.0, learn_address=True)
    scene.agent.watch([trunk])
    await scene.clock.elapse(0.0)
    await scene.told.until(lambda now: now.learned_address == NAT)
    invite = await scene.invite(trunk)
    assert invite.contact == "sip:dialer@203.0.113.7:40000"


async def test_a_fixed_external_address_goes_before_a_learned_one(scene):
    scene.far.seen_at = NAT
    trunk = await scene.registered(learn_address=True, external_address="198.51.100.4")
    port = scene.agent.local_address.port
    (request,) = scene.far.of("REGISTER")
    assert request.contact.endswith(f"@198.51.100.4:{port}")
    assert scene.agent.status("carrier").learned_address is None
    invite = await scene.invite(trunk)
    assert invite.contact == request.contact
    assert b"c=IN IP4 198.51.100.4\r\n" in invite.body


async def test_the_service_route_stands_in_the_invite_behind_the_proxy(scene):
    host, port, _ = scene.far.address
    scene.far.answers["REGISTER"] = (
        200,
        {"expires": "100", "service_route": "<sip:core.example;lr>, <sip:app.example;lr>"},
    )
    proxied = {"proxy": f"sip:{host}:{port}"}
    trunk = await scene.registered(**proxied)
    trunk = dataclasses.replace(trunk, host="trunk.example", port=None)
    proxy = f"<sip:{host}:{port};lr>"
    assert scene.far.of("REGISTER")[0].values("route") == (proxy,)
    invite = await scene.invite(trunk)
    assert invite.values("route") == (proxy, "<sip:core.example;lr>", "<sip:app.example;lr>")
    assert invite.uri == "sip:15550100@trunk.example"


async def test_the_service_route_is_where_a_call_goes_without_a_proxy(scene):
    async with far_end() as core:
        route = f"<sip:core@127.0.0.1:{core.address.port};lr>"
        scene.far.answers["REGISTER"] = (200, {"expires": "100", "service_route": route})
        trunk = await scene.registered()
        prepared = await scene.agent.prepare(CallRequest(trunk, "15550100", "15550199"))
        prepared.release()
        assert prepared.identity.route == (route,)
        assert prepared.identity.target_port == core.address.port


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
